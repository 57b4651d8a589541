/* What was kept of one call's request and answer: its receipt tells whose workspace it was, the sealed store has the
 * rest. */
#include "route/gateway/pages.h"

#include "route/exchange/exchange_content.h"
#include "route/exchange/exchange_conversation.h"

#include <errno.h>

enum { FRAME_BYTES = 512, JSON_BYTES_A_BYTE = 6 };

struct content_page {
	struct exchange *e;
	struct content_view view;
	bool request_is_json, answer_is_json;
	struct store_sealed op;
};

static void refuse_memory(struct exchange *e)
{
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
}

static void refuse_not_kept(struct exchange *e)
{
	struct api_error error = {.status = 404,
		.type = SLICE("not_found_error"),
		.code = SLICE("content_not_kept"),
		.message = SLICE(
			"Nothing of this call's content is kept. A workspace keeps it with 'retention.store_prompts' "
			"and 'retention.store_responses'.")};

	exchange_refuse(e, &error, slice_of(NULL, 0));
}

/* What a client sent or got is told as it is; else, or where it was cut, as a string. */
static void print_text(struct text *json, struct slice text, bool is_json)
{
	if (is_json)
		text_add(json, text);
	else
		text_json_or_null(json, text);
}

static void print_bool(struct text *json, bool value)
{
	text_string(json, value ? "true" : "false");
}

static void print_content(const struct content_page *page, struct text *json)
{
	text_literal(json, "{\"request_id\":");
	text_json(json, page->op.name.id);
	text_literal(json, ",\"workspace\":");
	text_json(json, page->op.name.owner);
	text_literal(json, ",\"request\":");
	print_text(json, page->view.request, page->request_is_json);
	text_literal(json, ",\"request_truncated\":");
	print_bool(json, page->view.request_cut);
	text_literal(json, ",\"response\":");
	print_text(json, page->view.answer, page->answer_is_json);
	text_literal(json, ",\"response_truncated\":");
	print_bool(json, page->view.answer_cut);
	text_literal(json, "}\n");
}

static void answer_content(struct content_page *page)
{
	struct exchange *e = page->e;
	struct content_view *view = &page->view;
	size_t capacity;
	struct text json;

	if (content_read(slice_of(page->op.found, page->op.found_size), view) < 0) {
		exchange_refuse_overloaded(
			e, SLICE("store_failed"), SLICE("The content could not be read: it was altered in the store."));
		return;
	}
	page->request_is_json = view->request.size && !view->request_cut && conversation_parse(e, view->request) == 0;
	page->answer_is_json =
		view->answer.size && !view->answer_cut && !view->streamed && conversation_parse(e, view->answer) == 0;
	capacity =
		FRAME_BYTES + JSON_BYTES_A_BYTE * (page->op.name.owner.size + view->request.size + view->answer.size);
	json = text_over(arena_alloc(&e->arena, capacity), capacity);
	if (!json.data) {
		refuse_memory(e);
		return;
	}
	print_content(page, &json);
	page_answer(e, 200, SLICE("application/json"), text_slice(&json));
}

static void on_found(struct store_sealed *op)
{
	struct content_page *page = container_of(op, struct content_page, op);
	struct exchange *e = page->e;

	e->state = EXCHANGE_ENDED;
	if (e->gone)
		; /* nobody waits */
	else if (op->result == -ENOENT)
		refuse_not_kept(e);
	else if (op->result < 0)
		exchange_refuse_overloaded(e, SLICE("store_failed"),
			SLICE("The content could not be read. Was it sealed under another TOLLGATE_KEK?"));
	else
		answer_content(page);
	store_sealed_fini(op);
	exchange_unhold(e, HOLD_QUERY);
}

/* As it was told, however it was asked for. NULL data: no memory. */
static struct slice id_text(struct exchange *e)
{
	struct slice prefix = SLICE("req_");
	char *text = arena_alloc(&e->arena, prefix.size + ULID_TEXT_BYTES);

	if (!text)
		return slice_of(NULL, 0);
	memcpy(text, prefix.data, prefix.size);
	ulid_print(&e->query.request_id, text + prefix.size);
	return slice_of(text, prefix.size + ULID_TEXT_BYTES);
}

/* The receipt, as the store printed it, says whose it is. False: no memory. */
static bool ask_content(struct exchange *e)
{
	struct content_page *page = arena_zalloc(&e->arena, sizeof(*page));
	struct slice workspace = slice_of(NULL, 0), id = id_text(e);

	if (page && conversation_parse(e, slice_of(e->query.json, e->query.json_size)) == 0)
		workspace = arena_copy(&e->arena, chat_member_text(e->gateway_shard->json, 0, SLICE("workspace")));
	if (!workspace.data || !id.data) {
		refuse_memory(e);
		return false;
	}
	page->e = e;
	page->op = (struct store_sealed){.shard = e->gateway_shard->shard,
		.done = on_found,
		.kind = STORE_SEALED_GET,
		.name = content_name(workspace, id)};
	e->state = EXCHANGE_ASKING;
	store_sealed_start(e->gateway_shard->gateway->store, &page->op);
	return true;
}

/* The hold goes over to the second question. */
static void on_receipt(struct store_query *query)
{
	struct exchange *e = container_of(query, struct exchange, query);
	bool asked = !page_store_refused(e) && ask_content(e);

	store_query_fini(query);
	if (!asked)
		exchange_unhold(e, HOLD_QUERY);
}

void admin_content(struct exchange *e)
{
	page_ask_receipt(e, slice_of(NULL, 0), on_receipt);
}
