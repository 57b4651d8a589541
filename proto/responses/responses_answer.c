/* Whole answers of the Responses API, read into the form of a chat and written from it. */
#include "proto/responses/responses.h"

/* ---- reading ------------------------------------------------------------------------------------------------ */

static int add_part(struct chat *chat, struct chat_answer *answer, enum chat_part_kind kind, struct slice text,
	struct chat_part **part)
{
	*part = chat_add_part(chat, &answer->parts, kind);
	if (!*part)
		return chat->err;
	(*part)->text = text.data ? text : SLICE("");
	answer->output_bytes += text.size;
	return 0;
}

static int read_message(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref item)
{
	json_ref content = json_member(p, item, SLICE("content"));
	struct slice text, refusal;
	struct chat_part *part;
	int err = 0;

	for (json_ref v = chat_first(p, content); v != JSON_NONE && !err; v = json_next(p, v)) {
		text = chat_member_text(p, v, SLICE("text"));
		refusal = chat_member_text(p, v, SLICE("refusal"));
		if (text.size)
			err = add_part(chat, answer, CHAT_TEXT, text, &part);
		else if (refusal.size)
			err = add_part(chat, answer, CHAT_REFUSAL, refusal, &part);
	}
	return err;
}

static int read_call(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref item)
{
	struct chat_part *part;
	int err = add_part(chat, answer, CHAT_TOOL_CALL, slice_of(NULL, 0), &part);

	if (err)
		return err;
	part->id = chat_member_text(p, item, SLICE("call_id"));
	part->name = chat_member_text(p, item, SLICE("name"));
	part->arguments = chat_member_text(p, item, SLICE("arguments"));
	if (!part->arguments.size)
		part->arguments = SLICE("{}");
	answer->output_bytes += part->name.size + part->arguments.size;
	return part->id.size && part->name.size ? 0 : -EPROTO;
}

static int read_reasoning(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref item)
{
	struct slice sealed = chat_member_text(p, item, SLICE("encrypted_content"));
	struct chat_part *part;
	int err = 0;

	if (slice_starts_with(sealed, RESPONSES_REDACTED_MARK))
		return add_part(
			chat, answer, CHAT_REDACTED_THINKING, slice_after(sealed, RESPONSES_REDACTED_MARK.size), &part);
	for (json_ref v = chat_first(p, json_member(p, item, SLICE("summary"))); v != JSON_NONE && !err;
		v = json_next(p, v))
		err = add_part(chat, answer, CHAT_THINKING, chat_member_text(p, v, SLICE("text")), &part);
	if (!err && !answer->parts.last && sealed.size)
		err = add_part(chat, answer, CHAT_THINKING, slice_of(NULL, 0), &part);
	if (!err && slice_starts_with(sealed, RESPONSES_SIGNATURE_MARK))
		answer->parts.last->signature = slice_after(sealed, RESPONSES_SIGNATURE_MARK.size);
	return err;
}

static int read_item(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref item)
{
	struct slice type = chat_member_text(p, item, SLICE("type"));

	if (slice_equal(type, SLICE("message")))
		return read_message(p, chat, answer, item);
	if (slice_equal(type, SLICE("function_call")))
		return read_call(p, chat, answer, item);
	if (slice_equal(type, SLICE("reasoning")))
		return read_reasoning(p, chat, answer, item);
	return 0;
}

int responses_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer)
{
	struct openai_answer figures;
	int err = responses_read_figures(p, &figures);

	*answer = (struct chat_answer){0};
	if (err)
		return err;
	answer->id = chat_member_text(p, 0, SLICE("id"));
	answer->usage = figures.usage;
	answer->finish = chat_finish_of(figures.finish_reason);
	for (json_ref v = json_first(p, json_member(p, 0, SLICE("output"))); v != JSON_NONE && !err;
		v = json_next(p, v))
		err = read_item(p, chat, answer, v);
	return err;
}

/* ---- the object --------------------------------------------------------------------------------------------- */

const char *responses_status(enum chat_finish finish)
{
	return finish == CHAT_FINISH_LENGTH || finish == CHAT_FINISH_FILTER ? "incomplete" : "completed";
}

void responses_write_item_id(struct text *t, const char *prefix, const struct chat_frame *frame, uint32_t place)
{
	text_char(t, '"');
	text_string(t, prefix);
	text_add(t, frame->id);
	text_char(t, '_');
	text_u64(t, place);
	text_char(t, '"');
}

static void write_reason(struct text *t, const struct responses_object *object)
{
	if (strcmp(object->status, "incomplete") != 0)
		text_literal(t, "null");
	else if (object->finish == CHAT_FINISH_FILTER)
		text_literal(t, "{\"reason\":\"content_filter\"}");
	else
		text_literal(t, "{\"reason\":\"max_output_tokens\"}");
}

void responses_open_object(struct text *t, const struct chat_frame *frame, const struct responses_object *object)
{
	text_literal(t, "{\"id\":");
	if (object->id.data) {
		text_json(t, object->id);
	} else {
		text_literal(t, "\"resp_");
		text_add(t, frame->id);
		text_char(t, '"');
	}
	text_literal(t, ",\"object\":\"response\",\"created_at\":");
	text_u64(t, frame->created_s);
	text_literal(t, ",\"status\":\"");
	text_string(t, object->status);
	text_literal(t, "\",\"background\":false,\"error\":");
	text_add(t, object->error.data ? object->error : SLICE("null"));
	text_literal(t, ",\"incomplete_details\":");
	write_reason(t, object);
	text_literal(t, ",\"model\":");
	text_add(t, frame->model_json);
	text_literal(t, ",\"previous_response_id\":");
	text_json_or_null(t, frame->previous_id);
	text_string(t, frame->kept ? ",\"store\":true" : ",\"store\":false");
	text_add(t, frame->echo);
	text_literal(t, ",\"output\":[");
}

static void write_usage(struct text *t, const struct openai_usage *usage)
{
	text_literal(t, "{\"input_tokens\":");
	text_u64(t, usage->prompt_tokens);
	text_literal(t, ",\"input_tokens_details\":{\"cached_tokens\":");
	text_u64(t, usage->cached_tokens);
	text_literal(t, ",\"cache_write_tokens\":");
	text_u64(t, usage->cache_write_tokens);
	text_literal(t, "},\"output_tokens\":");
	text_u64(t, usage->completion_tokens);
	text_literal(t, ",\"output_tokens_details\":{\"reasoning_tokens\":");
	text_u64(t, usage->reasoning_tokens);
	text_literal(t, "},\"total_tokens\":");
	text_u64(t, usage->prompt_tokens + usage->completion_tokens);
	text_char(t, '}');
}

void responses_close_object(struct text *t, const struct chat_frame *frame, const struct responses_object *object)
{
	text_literal(t, "],\"usage\":");
	if (object->usage)
		write_usage(t, object->usage);
	else
		text_literal(t, "null");
	if (frame->members.size) {
		text_char(t, ',');
		text_add(t, frame->members);
	}
	text_char(t, '}');
}

/* ---- items -------------------------------------------------------------------------------------------------- */

void responses_open_message(struct text *t, const struct chat_frame *frame, uint32_t place)
{
	text_literal(t, "{\"type\":\"message\",\"id\":");
	responses_write_item_id(t, "msg_", frame, place);
	text_literal(t, ",\"role\":\"assistant\",\"content\":[");
}

void responses_open_reasoning(struct text *t, const struct chat_frame *frame, uint32_t place)
{
	text_literal(t, "{\"type\":\"reasoning\",\"id\":");
	responses_write_item_id(t, "rs_", frame, place);
	text_literal(t, ",\"summary\":[");
}

void responses_open_call(
	struct text *t, const struct chat_frame *frame, uint32_t place, struct slice call_id, struct slice name)
{
	text_literal(t, "{\"type\":\"function_call\",\"id\":");
	responses_write_item_id(t, "fc_", frame, place);
	text_literal(t, ",\"call_id\":");
	text_json(t, call_id);
	text_literal(t, ",\"name\":");
	text_json(t, name);
	text_literal(t, ",\"arguments\":");
}

static void close_item(struct text *t, const char *status)
{
	text_literal(t, ",\"status\":\"");
	text_string(t, status);
	text_literal(t, "\"}");
}

/* A mark and what the provider wants back, as one string. */
static void write_sealed(struct text *t, struct slice mark, struct slice bytes)
{
	size_t end;

	text_literal(t, ",\"encrypted_content\":\"");
	text_add(t, mark);
	end = t->size;
	text_json(t, bytes);
	if (!t->full) {
		memmove(t->data + end, t->data + end + 1, t->size - end - 1); /* its opening quote */
		t->size--;
	}
}

static void write_reasoning(
	struct text *t, const struct chat_frame *frame, uint32_t place, const struct chat_part *part)
{
	responses_open_reasoning(t, frame, place);
	if (part->kind == CHAT_REDACTED_THINKING) {
		text_char(t, ']');
		write_sealed(t, RESPONSES_REDACTED_MARK, part->text);
		text_char(t, '}');
		return;
	}
	if (part->text.size) {
		text_literal(t, "{\"type\":\"summary_text\",\"text\":");
		text_json(t, part->text);
		text_char(t, '}');
	}
	text_char(t, ']');
	if (part->signature.size)
		write_sealed(t, RESPONSES_SIGNATURE_MARK, part->signature);
	text_char(t, '}');
}

static bool is_said(const struct chat_part *part)
{
	return part && (part->kind == CHAT_TEXT || part->kind == CHAT_REFUSAL);
}

static void write_said(struct text *t, const struct chat_part *part)
{
	if (part->kind == CHAT_REFUSAL) {
		text_literal(t, "{\"type\":\"refusal\",\"refusal\":");
		text_json(t, part->text);
		text_char(t, '}');
		return;
	}
	text_literal(t, "{\"type\":\"output_text\",\"text\":");
	text_json(t, part->text);
	text_literal(t, ",\"annotations\":[],\"logprobs\":[]}");
}

/* Texts that follow one another are the parts of one message. Returns the part behind it. */
static const struct chat_part *write_message(struct text *t, const struct chat_frame *frame, uint32_t place,
	const struct chat_part *part, enum chat_finish finish)
{
	bool first = true;

	responses_open_message(t, frame, place);
	for (; is_said(part); part = part->next) {
		if (!first)
			text_char(t, ',');
		first = false;
		write_said(t, part);
	}
	text_char(t, ']');
	close_item(t, part ? "completed" : responses_status(finish));
	return part;
}

static void write_items(const struct chat_answer *answer, const struct chat_frame *frame, struct text *t)
{
	const struct chat_part *part = answer->parts.first;

	for (uint32_t place = 0; part; place++) {
		if (place)
			text_char(t, ',');
		if (is_said(part)) {
			part = write_message(t, frame, place, part, answer->finish);
			continue;
		}
		if (part->kind == CHAT_TOOL_CALL) {
			responses_open_call(t, frame, place, part->id, part->name);
			text_json(t, part->arguments);
			close_item(t, part->next ? "completed" : responses_status(answer->finish));
		} else {
			write_reasoning(t, frame, place, part);
		}
		part = part->next;
	}
}

int responses_write_answer(const struct chat_answer *answer, const struct chat_frame *frame, struct text *body)
{
	struct responses_object object = {
		.status = responses_status(answer->finish), .finish = answer->finish, .usage = &frame->usage};

	responses_open_object(body, frame, &object);
	write_items(answer, frame, body);
	responses_close_object(body, frame, &object);
	return 0;
}
