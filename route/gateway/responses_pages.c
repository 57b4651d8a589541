/* What clients ask of responses that were kept: one whole, the input that it answered, or that it goes. */
#include "route/gateway/pages.h"

#include "proto/responses/responses.h"
#include "route/exchange/exchange_conversation.h"

#include <errno.h>

struct response_page {
	struct exchange *e;
	bool items; /* of its input */
	struct store_sealed op;
};

static void refuse(struct exchange *e)
{
	struct api_error error = {.status = 404,
		.type = SLICE("not_found_error"),
		.code = SLICE("response_not_found"),
		.message = SLICE("This API key has no response of this id, or its time is over.")};

	exchange_refuse(e, &error, slice_of(NULL, 0));
}

static void answer_items(struct exchange *e, struct slice input)
{
	size_t capacity = input.size + 128;
	struct text list = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (!list.data) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	text_literal(&list, "{\"object\":\"list\",\"data\":");
	text_add(&list, input);
	text_literal(&list, ",\"first_id\":null,\"last_id\":null,\"has_more\":false}");
	page_answer(e, 200, SLICE("application/json"), text_slice(&list));
}

static void answer_found(struct response_page *page)
{
	struct exchange *e = page->e;
	const struct json_parser *json = e->gateway_shard->json;
	int err = conversation_parse(e, slice_of(page->op.found, page->op.found_size));
	json_ref member = JSON_NONE;

	if (!err)
		member = json_member(json, 0, page->items ? SLICE("input") : SLICE("response"));
	if (member == JSON_NONE)
		exchange_refuse_overloaded(
			e, SLICE("store_failed"), SLICE("The response could not be read. Try again in a moment."));
	else if (page->items)
		answer_items(e, json_raw(json, member));
	else
		page_answer(e, 200, SLICE("application/json"), json_raw(json, member));
}

static void answer_removed(struct exchange *e)
{
	char memory[512];
	struct text text = text_over(memory, sizeof(memory));

	text_literal(&text, "{\"id\":");
	text_json(&text, e->route_argument);
	text_literal(&text, ",\"object\":\"response\",\"deleted\":true}");
	page_answer(e, 200, SLICE("application/json"), arena_copy(&e->arena, text_slice(&text)));
}

static void on_answered(struct store_sealed *op)
{
	struct response_page *page = container_of(op, struct response_page, op);
	struct exchange *e = page->e;

	e->state = EXCHANGE_ENDED;
	if (e->gone)
		; /* nobody waits */
	else if (op->result == -ENOENT)
		refuse(e);
	else if (op->result < 0)
		exchange_refuse_overloaded(
			e, SLICE("store_failed"), SLICE("The store could not be used. Try again in a moment."));
	else if (op->kind == STORE_SEALED_REMOVE)
		answer_removed(e);
	else
		answer_found(page);
	store_sealed_fini(op);
	exchange_unhold(e, HOLD_QUERY);
}

static void ask(struct exchange *e, enum store_sealed_kind kind, struct slice id, bool items)
{
	enum { ID_BYTES_MAX = 128 };
	struct response_page *page = arena_zalloc(&e->arena, sizeof(*page));

	if (id.size == 0 || id.size > ID_BYTES_MAX) {
		refuse(e);
		return;
	}
	if (page) {
		page->e = e;
		page->items = items;
		page->op.done = on_answered;
		e->state = EXCHANGE_ASKING;
		id = arena_copy(&e->arena, id); /* the head goes with the request */
		if (id.data && conversation_ask(e, &page->op, kind, id))
			return;
	}
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
}

/* An answer is kept as a whole, not as the events that it came in. */
static bool refuse_stream(struct exchange *e)
{
	static const struct slice wanted = {"stream=true", 11};
	struct slice query = e->request->head.query;
	struct api_error error = {.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = SLICE("unsupported_feature"),
		.message = SLICE("A response that was kept is not streamed again. Fetch it without 'stream'."),
		.param = SLICE("stream")};

	if (!query.size || !memmem(query.data, query.size, wanted.data, wanted.size))
		return false;
	exchange_refuse(e, &error, slice_of(NULL, 0));
	return true;
}

void page_response(struct exchange *e)
{
	struct slice id = e->route_argument, tail = SLICE("/input_items");
	bool items = slice_ends_with(id, tail);

	if (refuse_stream(e))
		return;
	if (items)
		id.size -= tail.size;
	ask(e, STORE_SEALED_GET, id, items);
}

void page_response_remove(struct exchange *e)
{
	ask(e, STORE_SEALED_REMOVE, e->route_argument, false);
}
