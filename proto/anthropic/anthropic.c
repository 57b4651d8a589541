/* The Anthropic dialect, what is common to its parts: reading and editing where both sides speak it, usage, reasons. */
#include "proto/anthropic/anthropic.h"

/* ---- requests ----------------------------------------------------------------------------------------------- */

static int read_model(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem)
{
	request->model_value = json_member(p, 0, SLICE("model"));
	if (!chat_given(p, request->model_value))
		return chat_refuse(problem, SLICE("missing_required_parameter"),
			SLICE("Name a model in 'model'; GET /v1/models lists them."), SLICE("model"));
	if (json_type(p, request->model_value) != JSON_STRING)
		return chat_refuse(
			problem, SLICE("invalid_type"), SLICE("'model' has to be a string."), SLICE("model"));
	request->model = json_string(p, request->model_value);
	if (!request->model.size)
		return chat_refuse(problem, SLICE("missing_required_parameter"),
			SLICE("'model' is empty; GET /v1/models lists the names."), SLICE("model"));
	return 0;
}

static int read_stream(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem)
{
	enum json_type type;

	request->stream_value = json_member(p, 0, SLICE("stream"));
	if (!chat_given(p, request->stream_value))
		return 0;
	type = json_type(p, request->stream_value);
	if (type != JSON_TRUE && type != JSON_FALSE)
		return chat_refuse(
			problem, SLICE("invalid_type"), SLICE("'stream' has to be true or false."), SLICE("stream"));
	request->stream = type == JSON_TRUE;
	return 0;
}

static int read_limit(const struct json_parser *p, struct openai_problem *problem)
{
	json_ref limit = json_member(p, 0, SLICE("max_tokens"));
	int64_t tokens;

	if (!chat_given(p, limit))
		return chat_refuse(problem, SLICE("missing_required_parameter"),
			SLICE("Say in 'max_tokens' how long the answer may be."), SLICE("max_tokens"));
	if (!json_integer(p, limit, &tokens) || tokens < 0)
		return chat_refuse(problem, SLICE("invalid_value"),
			SLICE("'max_tokens' has to be an integer that is not negative."), SLICE("max_tokens"));
	return 0;
}

static int read_messages(const struct json_parser *p, struct openai_problem *problem)
{
	json_ref messages = json_member(p, 0, SLICE("messages"));

	if (!chat_given(p, messages))
		return chat_refuse(problem, SLICE("missing_required_parameter"),
			SLICE("Send the conversation in 'messages'."), SLICE("messages"));
	if (json_type(p, messages) != JSON_ARRAY || json_first(p, messages) == JSON_NONE)
		return chat_refuse(problem, SLICE("invalid_type"),
			SLICE("'messages' has to be an array of at least one message."), SLICE("messages"));
	for (json_ref m = json_first(p, messages); m != JSON_NONE; m = json_next(p, m))
		if (json_type(p, m) != JSON_OBJECT)
			return chat_refuse(problem, SLICE("invalid_type"),
				SLICE("Each of 'messages' has to be an object with role and content."),
				SLICE("messages"));
	return 0;
}

static int read_extensions(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem)
{
	request->hints = json_member(p, 0, SLICE("x-routing-hints"));
	request->chain = json_member(p, 0, SLICE("x-fallback-chain"));
	if (chat_given(p, request->hints) && json_type(p, request->hints) != JSON_OBJECT)
		return chat_refuse(problem, SLICE("invalid_type"), SLICE("'x-routing-hints' has to be an object."),
			SLICE("x-routing-hints"));
	if (!chat_given(p, request->chain))
		return 0;
	if (json_type(p, request->chain) != JSON_ARRAY)
		return chat_refuse(problem, SLICE("invalid_type"),
			SLICE("'x-fallback-chain' has to be an array of model names."), SLICE("x-fallback-chain"));
	for (json_ref m = json_first(p, request->chain); m != JSON_NONE; m = json_next(p, m))
		if (json_type(p, m) != JSON_STRING)
			return chat_refuse(problem, SLICE("invalid_type"),
				SLICE("Each of 'x-fallback-chain' has to be a model name."), SLICE("x-fallback-chain"));
	return 0;
}

/* A second member of one name could tell the provider another thing than the gateway. */
static int refuse_duplicates(const struct json_parser *p, struct openai_problem *problem)
{
	static const struct slice acted_on[] = {{"model", 5}, {"stream", 6}, {"messages", 8}, {"max_tokens", 10},
		{"x-routing-hints", 15}, {"x-fallback-chain", 16}};
	struct slice twice = json_duplicate(p, 0, acted_on, sizeof(acted_on) / sizeof(acted_on[0]));

	for (size_t i = 0; twice.data && i < sizeof(acted_on) / sizeof(acted_on[0]); i++)
		if (slice_equal(twice, acted_on[i]))
			return chat_refuse(problem, SLICE("duplicate_field"),
				SLICE("This field is there twice. Send it once."), acted_on[i]);
	return 0;
}

static int read_common(
	const struct json_parser *p, bool counts, struct openai_request *request, struct openai_problem *problem)
{
	int err;

	*request = (struct openai_request){.model_value = JSON_NONE,
		.stream_value = JSON_NONE,
		.stream_options = JSON_NONE,
		.include_usage_value = JSON_NONE,
		.hints = JSON_NONE,
		.chain = JSON_NONE};
	if (json_type(p, 0) != JSON_OBJECT)
		return chat_refuse(
			problem, SLICE("invalid_type"), SLICE("The body has to be a JSON object."), slice_of(NULL, 0));
	err = refuse_duplicates(p, problem);
	if (!err)
		err = read_model(p, request, problem);
	if (!err)
		err = read_stream(p, request, problem);
	if (!err && !counts)
		err = read_limit(p, problem);
	if (!err)
		err = read_messages(p, problem);
	if (!err)
		err = read_extensions(p, request, problem);
	return err;
}

int anthropic_read_common(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem)
{
	return read_common(p, false, request, problem);
}

int anthropic_read_count(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem)
{
	int err = read_common(p, true, request, problem);

	if (!err && request->stream)
		err = chat_refuse(problem, SLICE("unsupported_feature"),
			SLICE("Counting does not stream. Leave 'stream' out."), SLICE("stream"));
	return err;
}

void anthropic_edit_request(const struct json_parser *p, const struct openai_request *request, struct slice model_json,
	char *added, struct json_edits *edits)
{
	(void)added; /* the model is always there */
	json_replace(edits, p, request->model_value, model_json);
	if (request->hints != JSON_NONE)
		json_remove(edits, p, 0, request->hints);
	if (request->chain != JSON_NONE)
		json_remove(edits, p, 0, request->chain);
}

/* ---- usage and reasons -------------------------------------------------------------------------------------- */

void anthropic_read_usage(const struct json_parser *p, json_ref usage, uint64_t raw[static 5])
{
	json_ref details;

	if (usage == JSON_NONE || json_type(p, usage) != JSON_OBJECT)
		return;
	(void)openai_read_figure(p, usage, SLICE("input_tokens"), &raw[ANTHROPIC_INPUT]);
	(void)openai_read_figure(p, usage, SLICE("cache_creation_input_tokens"), &raw[ANTHROPIC_CACHE_WRITE]);
	(void)openai_read_figure(p, usage, SLICE("cache_read_input_tokens"), &raw[ANTHROPIC_CACHE_READ]);
	(void)openai_read_figure(p, usage, SLICE("output_tokens"), &raw[ANTHROPIC_OUTPUT]);
	details = json_member(p, usage, SLICE("output_tokens_details"));
	if (details != JSON_NONE)
		(void)openai_read_figure(p, details, SLICE("thinking_tokens"), &raw[ANTHROPIC_THINKING]);
}

/* OpenAI counts what was cached among the prompt's tokens, Anthropic beside them. */
struct openai_usage anthropic_usage(const uint64_t raw[static 5])
{
	struct openai_usage usage = {
		.prompt_tokens = raw[ANTHROPIC_INPUT] + raw[ANTHROPIC_CACHE_WRITE] + raw[ANTHROPIC_CACHE_READ],
		.completion_tokens = raw[ANTHROPIC_OUTPUT],
		.cached_tokens = raw[ANTHROPIC_CACHE_READ],
		.cache_write_tokens = raw[ANTHROPIC_CACHE_WRITE],
		.reasoning_tokens = raw[ANTHROPIC_THINKING] < raw[ANTHROPIC_OUTPUT] ? raw[ANTHROPIC_THINKING]
										    : raw[ANTHROPIC_OUTPUT]};

	usage.present = usage.prompt_tokens > 0;
	return usage.present ? usage : (struct openai_usage){0};
}

enum chat_finish anthropic_finish(struct slice stop_reason)
{
	if (!stop_reason.data)
		return CHAT_FINISH_NONE;
	if (slice_equal(stop_reason, SLICE("max_tokens")) ||
		slice_equal(stop_reason, SLICE("model_context_window_exceeded")))
		return CHAT_FINISH_LENGTH;
	if (slice_equal(stop_reason, SLICE("tool_use")))
		return CHAT_FINISH_TOOLS;
	if (slice_equal(stop_reason, SLICE("refusal")))
		return CHAT_FINISH_FILTER;
	return CHAT_FINISH_STOP;
}

struct slice anthropic_stop_reason(enum chat_finish finish)
{
	switch (finish) {
	case CHAT_FINISH_LENGTH:
		return SLICE("max_tokens");
	case CHAT_FINISH_TOOLS:
		return SLICE("tool_use");
	case CHAT_FINISH_FILTER:
		return SLICE("refusal");
	default:
		return SLICE("end_turn");
	}
}

/* ---- answers and events that stay as they are ---------------------------------------------------------------- */

int anthropic_read_figures(const struct json_parser *p, struct openai_answer *answer)
{
	json_ref content = json_member(p, 0, SLICE("content"));
	uint64_t raw[5] = {0};

	*answer = (struct openai_answer){
		.model = json_member(p, 0, SLICE("model")), .gateway = json_member(p, 0, SLICE("x-llm-gateway"))};
	if (json_type(p, 0) != JSON_OBJECT || content == JSON_NONE || json_type(p, content) != JSON_ARRAY ||
		slice_equal(chat_member_text(p, 0, SLICE("type")), SLICE("error")))
		return -EPROTO;
	anthropic_read_usage(p, json_member(p, 0, SLICE("usage")), raw);
	answer->usage = anthropic_usage(raw);
	answer->finish_reason = chat_finish_name(anthropic_finish(chat_member_text(p, 0, SLICE("stop_reason"))));
	if (json_first(p, content) != JSON_NONE)
		answer->output_bytes = json_raw(p, content).size;
	return 0;
}

/* Counting costs nothing: its figure is the answer, and no usage. */
int anthropic_read_counted(const struct json_parser *p, struct openai_answer *answer)
{
	json_ref tokens = json_member(p, 0, SLICE("input_tokens"));
	int64_t count;

	*answer = (struct openai_answer){
		.model = JSON_NONE, .gateway = json_member(p, 0, SLICE("x-llm-gateway")), .usage.present = true};
	return tokens != JSON_NONE && json_integer(p, tokens, &count) && count >= 0 ? 0 : -EPROTO;
}

void anthropic_edit_event(const struct json_parser *p, struct slice model_json, struct json_edits *edits)
{
	json_ref message = json_member(p, 0, SLICE("message"));
	json_ref model = message == JSON_NONE ? JSON_NONE : json_member(p, message, SLICE("model"));

	if (model != JSON_NONE)
		json_replace(edits, p, model, model_json);
}

const struct chat_dialect chat_anthropic = {
	.name = "anthropic",
	.has = CHAT_TOOLS | CHAT_FORCED_TOOLS | CHAT_VISION | CHAT_FILES | CHAT_JSON_SCHEMA | CHAT_PREFILL,
	.read_request = anthropic_read_request,
	.write_request = anthropic_write_request,
	.read_answer = anthropic_read_answer,
	.write_answer = anthropic_write_answer,
	.read_event = anthropic_read_event,
	.write_event = anthropic_write_event,
};
