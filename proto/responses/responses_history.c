/*
 * Conversations that the gateway keeps for `previous_response_id`: one JSON document for each answer, with what it was
 * an answer to. {"input":[items],"response":{...}}
 */
#include "proto/responses/responses.h"

int responses_read_conversation(
	const struct json_parser *p, struct responses_conversation *c, struct openai_problem *problem)
{
	json_ref store = json_member(p, 0, SLICE("store")), previous, input;

	*c = (struct responses_conversation){.store = true, .previous = JSON_NONE, .store_value = store};
	if (chat_given(p, store)) {
		if (json_type(p, store) != JSON_TRUE && json_type(p, store) != JSON_FALSE)
			return chat_refuse(problem, SLICE("invalid_type"), SLICE("'store' has to be true or false."),
				SLICE("store"));
		c->store = json_type(p, store) == JSON_TRUE;
	}
	input = json_member(p, 0, SLICE("input"));
	if (chat_given(p, input))
		c->input = json_raw(p, input);
	previous = json_member(p, 0, SLICE("previous_response_id"));
	if (!chat_given(p, previous))
		return 0;
	c->previous = previous;
	if (json_type(p, previous) != JSON_STRING || json_string(p, previous).size == 0)
		return chat_refuse(problem, SLICE("invalid_type"),
			SLICE("'previous_response_id' has to be the id of an earlier response."),
			SLICE("previous_response_id"));
	c->previous_id = json_string(p, previous);
	if (chat_given(p, json_member(p, 0, SLICE("conversation"))))
		return chat_refuse(problem, SLICE("invalid_value"),
			SLICE("Send 'previous_response_id' or 'conversation', not both."), SLICE("conversation"));
	return 0;
}

static void separate(struct text *t)
{
	if (t->size)
		text_char(t, ',');
}

/* An array's elements as they stand, or a text as the message that it stands for. */
static void add_input(struct text *items, struct slice input)
{
	if (!input.size)
		return;
	separate(items);
	if (input.data[0] == '[') {
		text_add(items, slice_of(input.data + 1, input.size - 2));
		return;
	}
	text_literal(items, "{\"role\":\"user\",\"content\":");
	text_add(items, input);
	text_char(items, '}');
}

void responses_write_kept(struct slice input, struct slice object, struct text *document)
{
	struct text items = text_over(
		document->data + sizeof("{\"input\":[") - 1, document->capacity - (sizeof("{\"input\":[") - 1));

	text_literal(document, "{\"input\":[");
	add_input(&items, input);
	document->size += items.size;
	document->full |= items.full;
	text_literal(document, "],\"response\":");
	text_add(document, object);
	text_char(document, '}');
}

static void copy_member(const struct json_parser *p, json_ref item, struct slice key, struct text *t)
{
	chat_write_json(t, key, chat_member_json(p, item, key));
}

/*
 * An item of an answer as one of input. Ids of messages and calls are left out: another provider, or another account of
 * this one, would look for them in vain. Reasoning goes back only with what its provider can read again.
 */
static void add_output(const struct json_parser *p, json_ref item, struct text *items)
{
	struct slice type = chat_member_text(p, item, SLICE("type"));

	if (slice_equal(type, SLICE("reasoning")) && !chat_given(p, json_member(p, item, SLICE("encrypted_content"))))
		return;
	separate(items);
	if (slice_equal(type, SLICE("message"))) {
		text_literal(items, "{\"type\":\"message\"");
		copy_member(p, item, SLICE("role"), items);
		copy_member(p, item, SLICE("content"), items);
		text_char(items, '}');
	} else if (slice_equal(type, SLICE("function_call"))) {
		text_literal(items, "{\"type\":\"function_call\"");
		copy_member(p, item, SLICE("call_id"), items);
		copy_member(p, item, SLICE("name"), items);
		copy_member(p, item, SLICE("arguments"), items);
		text_char(items, '}');
	} else {
		text_add(items, json_raw(p, item));
	}
}

int responses_read_kept(const struct json_parser *p, struct text *items)
{
	json_ref input = json_member(p, 0, SLICE("input")), response = json_member(p, 0, SLICE("response"));
	json_ref output = json_member(p, response, SLICE("output"));

	if (input == JSON_NONE || json_type(p, input) != JSON_ARRAY || output == JSON_NONE)
		return -EPROTO;
	for (json_ref v = json_first(p, input); v != JSON_NONE; v = json_next(p, v)) {
		separate(items);
		text_add(items, json_raw(p, v));
	}
	for (json_ref v = chat_first(p, output); v != JSON_NONE; v = json_next(p, v))
		add_output(p, v, items);
	return 0;
}

void responses_continue(const struct json_parser *p, const struct responses_conversation *c, struct slice items,
	struct text *input, struct json_edits *edits)
{
	struct text joined = text_over(input->data + 1, input->capacity - 1);

	text_add(&joined, items);
	add_input(&joined, c->input);
	text_char(input, '[');
	input->size += joined.size;
	input->full |= joined.full;
	text_char(input, ']');
	json_replace(edits, p, json_member(p, 0, SLICE("input")), text_slice(input));
	json_remove(edits, p, 0, c->previous);
}

/* ---- items by their ids ---------------------------------------------------------------------------------------- */

static bool is_reference(const struct json_parser *p, json_ref item)
{
	return slice_equal(chat_member_text(p, item, SLICE("type")), SLICE("item_reference"));
}

/* What responses_write_item_id() writes, "fc_ULID_PLACE": its middle; NULL data: an id of somebody else's making. */
static struct slice response_of(struct slice id)
{
	static const struct slice prefixes[] = {{"msg_", 4}, {"fc_", 3}, {"rs_", 3}};
	const size_t size = 26; /* a ULID's */

	for (unsigned i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct slice rest = slice_after(id, prefixes[i].size);

		if (slice_starts_with(id, prefixes[i]) && rest.size > size + 1 && rest.data[size] == '_' &&
			!memchr(rest.data, '_', size))
			return slice_of(rest.data, size);
	}
	return slice_of(NULL, 0);
}

struct slice responses_referred(const struct json_parser *p)
{
	json_ref input = json_member(p, 0, SLICE("input"));
	bool list = input != JSON_NONE && json_type(p, input) == JSON_ARRAY;

	for (json_ref v = list ? json_first(p, input) : JSON_NONE; v != JSON_NONE; v = json_next(p, v)) {
		struct slice response = response_of(chat_member_text(p, v, SLICE("id")));

		if (response.data && is_reference(p, v))
			return response;
	}
	return slice_of(NULL, 0);
}

unsigned responses_read_items(
	const struct json_parser *p, struct responses_kept_item *items, unsigned count, struct text *json)
{
	json_ref output = json_member(p, json_member(p, 0, SLICE("response")), SLICE("output"));
	unsigned read = 0;

	for (json_ref v = chat_first(p, output); v != JSON_NONE && read < count; v = json_next(p, v)) {
		json_ref id = json_member(p, v, SLICE("id"));
		struct text item = text_over(json->data + json->size, json->capacity - json->size);

		if (id == JSON_NONE)
			continue;
		add_output(p, v, &item);
		json->size += item.size;
		json->full |= item.full;
		items[read++] = (struct responses_kept_item){json_raw(p, id), text_slice(&item)};
	}
	return read;
}

static const struct responses_kept_item *find_item(
	const struct json_parser *p, json_ref item, const struct responses_kept_item *items, unsigned count)
{
	struct slice id = chat_member_json(p, item, SLICE("id"));

	for (unsigned i = 0; i < count && is_reference(p, item); i++)
		if (slice_equal(items[i].id, id))
			return &items[i];
	return NULL;
}

unsigned responses_write_referred(
	const struct json_parser *p, const struct responses_kept_item *items, unsigned count, struct text *input)
{
	unsigned found = 0;

	text_char(input, '[');
	for (json_ref v = chat_first(p, json_member(p, 0, SLICE("input"))); v != JSON_NONE; v = json_next(p, v)) {
		const struct responses_kept_item *item = find_item(p, v, items, count);
		struct slice json = item ? item->json : json_raw(p, v);

		found += item != NULL;
		if (!json.size)
			continue;
		text_string(input, input->size > 1 ? "," : "");
		text_add(input, json);
	}
	text_char(input, ']');
	return found;
}
