/*
 * /v1/messages/count_tokens for models whose provider has no such call: the gateway's own estimate, four bytes a token
 * and what an image or a file is taken for, as its limits count a request before it is made. The answer says that it is
 * one.
 */
#include "route/gateway/pages.h"

void exchange_estimate_count(struct exchange *e)
{
	enum { BODY_BYTES = 256 };
	struct text body = text_over(arena_alloc(&e->arena, BODY_BYTES), BODY_BYTES);

	if (!body.data) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	text_literal(&body, "{\"input_tokens\":");
	text_u64(&body, exchange_prompt_tokens(e));
	text_literal(&body, ",\"x-llm-gateway\":{\"request_id\":\"");
	text_add(&body, slice_of(e->id_text, sizeof(e->id_text)));
	text_literal(&body, "\",\"estimated\":true}}");
	page_answer(e, 200, SLICE("application/json"), text_slice(&body));
	exchange_receipt_quietly(e);
}
