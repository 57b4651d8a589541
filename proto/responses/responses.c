/*
 * The Responses API, what is common to its parts, and where both sides speak it: reading and editing requests, the
 * figures of answers, and the events of a provider's stream, of which only what the gateway needs to know is looked at.
 */
#include "proto/responses/responses.h"

/* ---- requests ----------------------------------------------------------------------------------------------- */

int responses_read_common(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem)
{
	int err = openai_read_request(p, OPENAI_RESPONSES, request, problem);

	if (err)
		return err;
	/* Its answer comes without usage and is fetched later, past all that counts it. */
	if (chat_is_true(p, json_member(p, 0, SLICE("background"))))
		return chat_refuse(problem, SLICE("unsupported_feature"),
			SLICE("This gateway runs no responses in the background. Leave it out, and stream long ones."),
			SLICE("background"));
	return 0;
}

/* In place where the request says it; else with the other members that it lacks, by one insertion. */
static void set_member(
	const struct json_parser *p, struct slice key, struct slice value, struct text *added, struct json_edits *edits)
{
	json_ref there = json_member(p, 0, key);

	if (there != JSON_NONE) {
		json_replace(edits, p, there, value);
		return;
	}
	text_string(added, added->size ? ",\"" : "\"");
	text_add(added, key);
	text_literal(added, "\":");
	text_add(added, value);
}

void responses_edit_request(const struct json_parser *p, const struct openai_request *request, struct slice model_json,
	char *memory, struct json_edits *edits)
{
	enum { DIGITS_MAX = 20, CAP_MIN = 16 /* which OpenAI takes */ };
	struct text cap = text_over(memory, DIGITS_MAX);
	struct text added = text_over(memory + DIGITS_MAX, OPENAI_ADDED_BYTES - DIGITS_MAX);

	json_replace(edits, p, request->model_value, model_json);
	text_u64(&cap, request->output_cap > CAP_MIN ? request->output_cap : CAP_MIN);
	if (request->output_cap)
		set_member(p, SLICE("max_output_tokens"), text_slice(&cap), &added, edits);
	if (request->unstored)
		set_member(p, SLICE("store"), SLICE("false"), &added, edits);
	if (added.size)
		json_insert(edits, p, 0, text_slice(&added));
	if (request->hints != JSON_NONE)
		json_remove(edits, p, 0, request->hints);
	if (request->chain != JSON_NONE)
		json_remove(edits, p, 0, request->chain);
}

static bool is_marked(const struct json_parser *p, json_ref item)
{
	struct slice sealed = chat_member_text(p, item, SLICE("encrypted_content"));

	return slice_starts_with(sealed, RESPONSES_SIGNATURE_MARK) ||
	       slice_starts_with(sealed, RESPONSES_REDACTED_MARK);
}

bool responses_write_unmarked(const struct json_parser *p, struct text *input)
{
	json_ref items = json_member(p, 0, SLICE("input"));
	bool any = false;

	if (items == JSON_NONE || json_type(p, items) != JSON_ARRAY)
		return false;
	for (json_ref v = json_first(p, items); v != JSON_NONE && !any; v = json_next(p, v))
		any = is_marked(p, v);
	if (!any)
		return false;
	text_char(input, '[');
	for (json_ref v = json_first(p, items); v != JSON_NONE; v = json_next(p, v)) {
		if (is_marked(p, v))
			continue;
		if (input->size > 1)
			text_char(input, ',');
		text_add(input, json_raw(p, v));
	}
	text_char(input, ']');
	return true;
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static bool calls_functions(const struct json_parser *p, json_ref output)
{
	for (json_ref v = chat_first(p, output); v != JSON_NONE; v = json_next(p, v))
		if (slice_equal(chat_member_text(p, v, SLICE("type")), SLICE("function_call")))
			return true;
	return false;
}

static enum chat_finish read_finish(const struct json_parser *p, json_ref response)
{
	json_ref details = json_member(p, response, SLICE("incomplete_details"));

	if (slice_equal(chat_member_text(p, response, SLICE("status")), SLICE("incomplete")))
		return slice_equal(chat_member_text(p, details, SLICE("reason")), SLICE("content_filter"))
			       ? CHAT_FINISH_FILTER
			       : CHAT_FINISH_LENGTH;
	return calls_functions(p, json_member(p, response, SLICE("output"))) ? CHAT_FINISH_TOOLS : CHAT_FINISH_STOP;
}

int responses_read_figures(const struct json_parser *p, struct openai_answer *answer)
{
	json_ref output = json_member(p, 0, SLICE("output"));

	*answer = (struct openai_answer){
		.model = json_member(p, 0, SLICE("model")), .gateway = json_member(p, 0, SLICE("x-llm-gateway"))};
	if (json_type(p, 0) != JSON_OBJECT || output == JSON_NONE || json_type(p, output) != JSON_ARRAY ||
		chat_given(p, json_member(p, 0, SLICE("error"))) ||
		slice_equal(chat_member_text(p, 0, SLICE("status")), SLICE("failed")))
		return -EPROTO;
	openai_read_usage(p, json_member(p, 0, SLICE("usage")), true, &answer->usage);
	answer->finish_reason = chat_finish_name(read_finish(p, 0));
	if (json_first(p, output) != JSON_NONE)
		answer->output_bytes = json_raw(p, output).size;
	return 0;
}

/* ---- events that stay as they are ----------------------------------------------------------------------------- */

void responses_edit_event(const struct json_parser *p, struct slice model_json, struct json_edits *edits)
{
	json_ref response = json_member(p, 0, SLICE("response"));
	json_ref model = response == JSON_NONE ? JSON_NONE : json_member(p, response, SLICE("model"));

	if (model != JSON_NONE)
		json_replace(edits, p, model, model_json);
}

/* What goes no further leaves its number to what follows: the caller puts back what was there before. */
static void read_number(struct chat_reader *reader, const struct json_parser *p)
{
	json_ref value = json_member(p, 0, SLICE("sequence_number"));
	int64_t number;

	if (value != JSON_NONE && json_integer(p, value, &number) && number >= 0)
		reader->sequence = (uint64_t)number + 1;
}

/* Events whose `delta` a reader sees, and as what. */
static const struct {
	const char *type;
	enum chat_event_kind kind;
} deltas[] = {
	{"response.output_text.delta", CHAT_EVENT_TEXT},
	{"response.function_call_arguments.delta", CHAT_EVENT_ARGUMENTS},
	{"response.reasoning_summary_text.delta", CHAT_EVENT_THINKING},
	{"response.reasoning_text.delta", CHAT_EVENT_THINKING},
	{"response.refusal.delta", CHAT_EVENT_REFUSAL},
	{"response.custom_tool_call_input.delta", CHAT_EVENT_ARGUMENTS},
	{"response.code_interpreter_call_code.delta", CHAT_EVENT_TEXT},
	{"response.mcp_call_arguments.delta", CHAT_EVENT_ARGUMENTS},
};

static void tell(struct chat_sink *sink, const struct chat_event *event)
{
	sink->event(sink, event);
}

static void read_end(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref response = json_member(p, 0, SLICE("response"));

	openai_read_usage(p, json_member(p, response, SLICE("usage")), true, &reader->usage);
	tell(sink, &(struct chat_event){
			   .kind = CHAT_EVENT_FINISH, .finish = read_finish(p, response), .error = JSON_NONE});
	tell(sink, &(struct chat_event){.kind = CHAT_EVENT_END, .error = JSON_NONE});
}

/* An `error` event has its members at its root, or in an object of their own. */
static void read_error(const struct json_parser *p, struct chat_sink *sink)
{
	json_ref response = json_member(p, 0, SLICE("response"));
	json_ref error = json_member(p, response == JSON_NONE ? 0 : response, SLICE("error"));

	tell(sink, &(struct chat_event){.kind = CHAT_EVENT_ERROR, .error = chat_given(p, error) ? error : 0});
}

static void read_start(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref response = json_member(p, 0, SLICE("response"));

	if (reader->started)
		return;
	reader->started = true;
	tell(sink, &(struct chat_event){.kind = CHAT_EVENT_START,
			   .id = chat_member_text(p, response, SLICE("id")),
			   .error = JSON_NONE});
}

/* What this gateway marked in a reasoning item, for its provider to have back. */
static void read_sealed(const struct json_parser *p, struct chat_sink *sink)
{
	json_ref item = json_member(p, 0, SLICE("item"));
	struct slice sealed = chat_member_text(p, item, SLICE("encrypted_content"));
	struct chat_event event = {.kind = CHAT_EVENT_SIGNATURE, .error = JSON_NONE};

	if (slice_starts_with(sealed, RESPONSES_SIGNATURE_MARK)) {
		event.text = slice_after(sealed, RESPONSES_SIGNATURE_MARK.size);
	} else if (slice_starts_with(sealed, RESPONSES_REDACTED_MARK)) {
		event.kind = CHAT_EVENT_REDACTED;
		event.text = slice_after(sealed, RESPONSES_REDACTED_MARK.size);
	}
	if (event.text.size)
		tell(sink, &event);
}

/* Of the items only calls are content as they open. */
static void read_item(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	json_ref item = json_member(p, 0, SLICE("item"));
	struct chat_event event = {.kind = CHAT_EVENT_TOOL,
		.id = chat_member_text(p, item, SLICE("call_id")),
		.name = chat_member_text(p, item, SLICE("name")),
		.error = JSON_NONE};

	if (!slice_equal(chat_member_text(p, item, SLICE("type")), SLICE("function_call")))
		return;
	reader->tool_count++;
	tell(sink, &event);
}

int responses_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink)
{
	struct slice type = chat_member_text(p, 0, SLICE("type"));
	uint64_t before = reader->sequence;

	if (json_type(p, 0) != JSON_OBJECT)
		return -EPROTO;
	read_number(reader, p);
	for (size_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
		struct chat_event event = {.kind = deltas[i].kind, .error = JSON_NONE};

		if (!slice_equal(type, slice_of_string(deltas[i].type)))
			continue;
		event.text = chat_member_text(p, 0, SLICE("delta"));
		if (event.text.size)
			tell(sink, &event);
		return 0;
	}
	if (slice_equal(type, SLICE("response.created")))
		read_start(reader, p, sink);
	else if (slice_equal(type, SLICE("response.output_item.added")))
		read_item(reader, p, sink);
	else if (slice_equal(type, SLICE("response.output_item.done")))
		read_sealed(p, sink);
	else if (slice_equal(type, SLICE("response.completed")) || slice_equal(type, SLICE("response.incomplete")))
		read_end(reader, p, sink);
	else if (slice_equal(type, SLICE("response.failed")) || slice_equal(type, SLICE("error")) ||
		 chat_given(p, json_member(p, 0, SLICE("error")))) {
		reader->sequence = before;
		read_error(p, sink);
	}
	return 0;
}

const struct chat_dialect chat_responses = {
	.name = "responses",
	.has = (1 << CHAT_NEEDS) - 1,
	.read_request = responses_read_request,
	.read_answer = responses_read_answer,
	.write_answer = responses_write_answer,
	.read_event = responses_read_event,
	.write_event = responses_write_event,
	.event_room = responses_event_room,
};
