/*
 * Conversations of the Responses API, kept in the gateway's own sealed store: `previous_response_id` is resolved before
 * the plan is made, so that any provider can go on with it, and an answer is kept before its receipt is written, so
 * that who has it can go on at once. They belong to the key that had them.
 */
#include "route/exchange/exchange_session.h"

#include "proto/responses/responses.h"

#include <errno.h>

#define NONE slice_of(NULL, 0)

struct conversation {
	struct exchange *e;
	bool store, lost; /* lost: it should have been kept, and could not be */
	struct slice previous_id, previous_json, input, id;
	unsigned lookups; /* of responses whose items the input has by their ids */
	void (*then)(struct exchange *e);
	struct store_sealed op;
};

/* ---- the store ---------------------------------------------------------------------------------------------- */

struct slice conversation_owner(struct exchange *e)
{
	size_t capacity = strlen(e->key->workspace) + strlen(e->key->id) + 1;
	struct text text = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (!text.data)
		return NONE;
	text_string(&text, e->key->workspace);
	text_char(&text, '\0');
	text_string(&text, e->key->id);
	return text_slice(&text);
}

bool conversation_ask(struct exchange *e, struct store_sealed *op, enum store_sealed_kind kind, struct slice id)
{
	op->kind = kind;
	op->shard = e->gateway_shard->shard;
	op->name = (struct sealed_name){.purpose = SEALED_RESPONSE, .owner = conversation_owner(e), .id = id};
	if (!op->name.owner.data)
		return false;
	e->holds |= HOLD_QUERY;
	store_sealed_start(e->gateway_shard->gateway->store, op);
	return true;
}

static bool keeps(const struct exchange *e)
{
	return !e->workspace || e->workspace->conversation_store;
}

/* ---- before the call ---------------------------------------------------------------------------------------- */

static bool refuse(struct exchange *e, unsigned status, struct slice code, struct slice message, struct slice param)
{
	struct api_error error = {.status = status,
		.type = status == 404 ? SLICE("not_found_error") : SLICE("invalid_request_error"),
		.code = code,
		.message = message,
		.param = param};

	exchange_refuse(e, &error, NONE);
	return false;
}

static bool refuse_memory(struct exchange *e)
{
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	return false;
}

/* It has no padding where it lies. */
int conversation_parse(struct exchange *e, struct slice bytes)
{
	char *copy = arena_alloc(&e->arena, bytes.size + BUFFER_PADDING_BYTES);
	struct json_error error;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes.data, bytes.size);
	memset(copy + bytes.size, 0, BUFFER_PADDING_BYTES);
	return json_parse(e->gateway_shard->json, slice_of(copy, bytes.size), &error);
}

static struct text room(struct exchange *e, size_t capacity)
{
	return text_over(arena_alloc(&e->arena, capacity + BUFFER_PADDING_BYTES), capacity);
}

/* The request's body from here on. */
static int take_body(struct exchange *e, struct json_edits *edits)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	size_t size;
	unsigned count = json_edited(edits, e->request->body, iov, &size);
	struct text body = room(e, size);

	if (!body.data)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		text_add(&body, slice_of(iov[i].iov_base, iov[i].iov_len));
	memset(body.data + size, 0, BUFFER_PADDING_BYTES);
	e->request->body = text_slice(&body);
	return 0;
}

/* Puts what was said before in front of the request's input: from here on it is a request that refers to nothing. */
static int splice(struct exchange *e, struct slice found)
{
	struct json_parser *json = e->gateway_shard->json;
	struct text items = room(e, found.size + RESPONSES_KEPT_FRAME_BYTES), input;
	struct responses_conversation c;
	struct openai_problem problem;
	struct json_error error;
	struct json_edits edits;
	int err = items.data ? conversation_parse(e, found) : -ENOMEM;

	if (!err)
		err = responses_read_kept(json, &items);
	if (!err)
		err = json_parse(json, e->request->body, &error);
	if (!err)
		err = responses_read_conversation(json, &c, &problem);
	if (err)
		return err;
	input = room(e, items.size + c.input.size + RESPONSES_KEPT_FRAME_BYTES);
	if (!input.data)
		return -ENOMEM;
	json_edits_init(&edits);
	responses_continue(json, &c, text_slice(&items), &input, &edits);
	return items.full || input.full ? -ENOMEM : take_body(e, &edits);
}

/* Puts the items of a response in the places that refer to them. */
static int resolve(struct exchange *e, struct slice found)
{
	enum { ITEMS_MAX = 256 };
	struct json_parser *json = e->gateway_shard->json;
	struct responses_kept_item *items = arena_alloc(&e->arena, ITEMS_MAX * sizeof(*items));
	struct text kept = room(e, found.size), input;
	struct json_error error;
	struct json_edits edits;
	unsigned count;
	int err = items && kept.data ? conversation_parse(e, found) : -ENOMEM;

	if (err)
		return err;
	count = responses_read_items(json, items, ITEMS_MAX, &kept);
	err = json_parse(json, e->request->body, &error);
	if (err)
		return err;
	input = room(e, e->request->body.size + kept.size); /* each item is meant to be there once */
	if (!input.data || kept.full)
		return -ENOMEM;
	if (!responses_write_referred(json, items, count, &input))
		return -ENOENT;
	json_edits_init(&edits);
	json_replace(&edits, json, json_member(json, 0, SLICE("input")), text_slice(&input));
	return input.full ? -ENOMEM : take_body(e, &edits);
}

static bool refuse_missing(struct exchange *e)
{
	if (!e->conversation->lookups)
		return refuse(e, 404, SLICE("previous_response_not_found"),
			SLICE("There is no response of this id, or its time is over. Send the whole conversation in "
			      "'input'."),
			SLICE("previous_response_id"));
	return refuse(e, 404, SLICE("item_not_found"),
		SLICE("There is no item of an 'item_reference' here, or its time is over. Send the item itself."),
		SLICE("input"));
}

static void on_found(struct store_sealed *op)
{
	struct conversation *c = container_of(op, struct conversation, op);
	struct exchange *e = c->e;
	bool left = e->state == EXCHANGE_ENDED; /* the client */
	int err = op->result;

	e->view_lost = true;
	if (!left && !err)
		err = (c->lookups ? resolve : splice)(e, slice_of(op->found, op->found_size));
	store_sealed_fini(op);
	if (left)
		;
	else if (err == -ENOENT)
		refuse_missing(e);
	else if (err == -ENOMEM)
		refuse_memory(e);
	else if (err)
		exchange_refuse_overloaded(e, SLICE("store_failed"),
			SLICE("The conversation could not be read. Send the whole of it in 'input'."));
	exchange_unhold(e, HOLD_QUERY);
	if (!left && !err)
		c->then(e); /* its request holds it, and there may be another query */
}

static bool find_previous(struct exchange *e, const struct responses_conversation *asked)
{
	struct conversation *c = e->conversation;
	size_t capacity = 6 * asked->previous_id.size + 2;
	struct text quoted = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (!keeps(e))
		return refuse(e, 400, SLICE("conversation_store"),
			SLICE("This workspace keeps no conversations ('retention.conversation_store' is false). Send "
			      "the whole one in 'input'."),
			SLICE("previous_response_id"));
	c->previous_id = arena_copy(&e->arena, asked->previous_id);
	if (!c->previous_id.data || !quoted.data)
		return refuse_memory(e);
	text_json(&quoted, c->previous_id);
	c->previous_json = text_slice(&quoted);
	c->op.done = on_found;
	return conversation_ask(e, &c->op, STORE_SEALED_GET, c->previous_id) || refuse_memory(e);
}

/* Where nothing is kept, whoever cannot look for it says so. */
static enum conversation_result find_items(struct exchange *e)
{
	enum { LOOKUPS_MAX = 64 };
	static const struct slice lead = {"resp_", 5};
	struct conversation *c = e->conversation;
	struct slice referred = responses_referred(e->gateway_shard->json);
	struct text id;

	if (!referred.data || !keeps(e) || c->lookups++ == LOOKUPS_MAX)
		return CONVERSATION_READY;
	id = room(e, lead.size + referred.size);
	if (id.data) {
		text_add(&id, lead);
		text_add(&id, referred);
		c->op.done = on_found;
		if (conversation_ask(e, &c->op, STORE_SEALED_GET, text_slice(&id)))
			return CONVERSATION_AWAITED;
	}
	refuse_memory(e);
	return CONVERSATION_REFUSED;
}

enum conversation_result exchange_converse(struct exchange *e, void (*then)(struct exchange *e))
{
	struct responses_conversation asked;
	struct openai_problem problem;

	if (!e->conversation) {
		e->conversation = arena_zalloc(&e->arena, sizeof(*e->conversation));
		if (!e->conversation) {
			refuse_memory(e);
			return CONVERSATION_REFUSED;
		}
		e->conversation->e = e;
		e->conversation->then = then;
	}
	if (responses_read_conversation(e->gateway_shard->json, &asked, &problem)) {
		struct api_error error = {.status = 400,
			.type = SLICE("invalid_request_error"),
			.code = problem.code,
			.message = problem.message,
			.param = problem.param};

		exchange_refuse(e, &error, NONE);
		return CONVERSATION_REFUSED;
	}
	e->conversation->store = asked.store && keeps(e);
	e->conversation->input = asked.input;
	if (!asked.previous_id.data)
		return find_items(e);
	return find_previous(e, &asked) ? CONVERSATION_AWAITED : CONVERSATION_REFUSED;
}

/* Behind what was left out already. */
static void note_dropped(struct exchange *e, struct slice name)
{
	size_t capacity = e->attempt->dropped.size + 1 + name.size;
	struct text list = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (!list.data)
		return;
	text_add(&list, e->attempt->dropped);
	if (list.size)
		text_char(&list, ',');
	text_add(&list, name);
	e->attempt->dropped = text_slice(&list);
}

int conversation_edit_input(struct exchange *e, struct json_edits *edits)
{
	const struct json_parser *json = e->gateway_shard->json;
	struct slice body = e->request->body;
	struct slice mark = SLICE("\"tollgate1.");
	struct text input;

	if (!e->conversation || !memmem(body.data, body.size, mark.data, mark.size))
		return 0;
	input = room(e, body.size);
	if (!input.data)
		return -ENOMEM;
	if (!responses_write_unmarked(json, &input))
		return 0;
	json_replace(edits, json, json_member(json, 0, SLICE("input")), text_slice(&input));
	note_dropped(e, SLICE("reasoning_items"));
	return 0;
}

bool conversation_forgets(const struct exchange *e)
{
	return e->conversation && !keeps(e);
}

/* ---- after it ------------------------------------------------------------------------------------------------ */

void conversation_frame(const struct exchange *e, struct chat_frame *frame)
{
	if (!e->conversation)
		return;
	frame->previous_id = e->conversation->previous_id;
	frame->kept = e->conversation->store;
}

void conversation_edit_answer(struct exchange *e, json_ref response, struct json_edits *edits)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref value;

	if (!e->conversation || !e->conversation->previous_json.data || response == JSON_NONE)
		return;
	value = json_member(json, response, SLICE("previous_response_id"));
	if (value != JSON_NONE)
		json_replace(edits, json, value, e->conversation->previous_json);
}

static void on_kept(struct store_sealed *op)
{
	struct conversation *c = container_of(op, struct conversation, op);
	struct exchange *e = c->e;

	c->lost = op->result < 0;
	c->then(e);
	exchange_unhold(e, HOLD_QUERY);
}

static bool keep(struct exchange *e, struct slice object, struct slice id, void (*then)(struct exchange *e))
{
	struct conversation *c = e->conversation;
	struct text document = room(e, c->input.size + object.size + RESPONSES_KEPT_FRAME_BYTES);

	c->id = id.size ? arena_copy(&e->arena, id) : NONE;
	if (!document.data || !c->id.data)
		return false;
	responses_write_kept(c->input, object, &document);
	c->op = (struct store_sealed){.done = on_kept,
		.value = text_slice(&document),
		.ttl_s = e->workspace ? e->workspace->responses_ttl_s : 86400};
	c->then = then;
	return !document.full && conversation_ask(e, &c->op, STORE_SEALED_PUT, c->id);
}

/* The answer, or the event of a stream that has it as a member. */
bool exchange_keep_answer(
	struct exchange *e, const struct iovec *iov, unsigned count, bool event, void (*then)(struct exchange *e))
{
	struct json_parser *json = e->gateway_shard->json;
	struct text document;
	struct json_error error;
	json_ref object = 0;
	size_t size = 0;

	if (!e->conversation || !e->conversation->store || e->gone)
		return false;
	for (unsigned i = 0; i < count; i++)
		size += iov[i].iov_len;
	document = room(e, size);
	if (document.data) {
		for (unsigned i = 0; i < count; i++)
			text_add(&document, slice_of(iov[i].iov_base, iov[i].iov_len));
		memset(document.data + size, 0, BUFFER_PADDING_BYTES);
		e->view_lost = true;
		if (json_parse(json, text_slice(&document), &error) == 0) {
			object = event ? json_member(json, 0, SLICE("response")) : 0;
			if (object != JSON_NONE &&
				keep(e, json_raw(json, object), chat_member_text(json, object, SLICE("id")), then))
				return true;
		}
	}
	e->conversation->lost = true;
	return false;
}

bool conversation_lost(const struct exchange *e)
{
	return (e->conversation && e->conversation->lost) || session_lost(e);
}
