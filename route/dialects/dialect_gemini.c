/*
 * Gemini's row of the table of dialects, which providers alone speak: the model and the method stand in the path, the
 * key in a header of its own (never in the query, where logs would have it).
 */
#include "route/dialects/dialect_errors.h"
#include "route/fleet/upstream.h"

static void authorize(const struct upstream_request *request, struct text *head)
{
	if (!request->credential || !request->credential->api_key || !request->credential->api_key[0])
		return;
	text_literal(head, "x-goog-api-key: ");
	text_string(head, request->credential->api_key);
	text_literal(head, "\r\n");
}

/* "gemini-x" and "models/gemini-x" are one; "tunedModels/x" is a collection and a name. */
static void write_path(const struct upstream_request *request, struct text *head)
{
	struct slice model = request->model, collection = SLICE("models");
	const char *slash = model.size ? memchr(model.data, '/', model.size) : NULL;

	if (slash) {
		collection = slice_of(model.data, (size_t)(slash - model.data));
		model = slice_after(model, collection.size + 1);
	}
	text_char(head, '/');
	upstream_add_segment(head, collection);
	text_char(head, '/');
	upstream_add_segment(head, model);
	if (request->api == API_EMBEDDINGS)
		text_literal(head, ":batchEmbedContents");
	else
		text_string(head, request->stream ? ":streamGenerateContent?alt=sse" : ":generateContent");
}

/* "34s", "0.5s": whole seconds, upwards; no more than two minutes. */
static uint32_t read_delay(struct slice delay)
{
	enum { DELAY_MAX_S = 120 };
	uint32_t seconds = 0;
	size_t i = 0;

	for (; i < delay.size && delay.data[i] >= '0' && delay.data[i] <= '9' && seconds < DELAY_MAX_S; i++)
		seconds = seconds * 10 + (uint32_t)(delay.data[i] - '0');
	if (i < delay.size && delay.data[i] == '.')
		seconds++;
	return seconds < DELAY_MAX_S ? seconds : DELAY_MAX_S;
}

/* The code that OpenAI has for a complaint that is told in words; NULL data: none. */
static struct slice error_code(struct slice message)
{
	static const struct slice too_long = {"exceeds the maximum number of tokens", 36};

	if (message.size >= too_long.size && memmem(message.data, message.size, too_long.data, too_long.size))
		return SLICE("context_length_exceeded");
	return slice_of(NULL, 0);
}

/* {"error":{"code":429,"message":...,"status":...,"details":[...]}}, which some methods have in an array. */
static void read_error(const struct json_parser *p, struct openai_error *error)
{
	json_ref body = json_type(p, 0) == JSON_ARRAY ? json_first(p, 0) : 0;
	json_ref value = json_member(p, body, SLICE("error"));
	json_ref details = json_member(p, value, SLICE("details"));

	*error = (struct openai_error){0};
	if (value == JSON_NONE || json_type(p, value) != JSON_OBJECT)
		return;
	error->raw = json_raw(p, value);
	error->message = chat_member_text(p, value, SLICE("message"));
	error->type = chat_member_text(p, value, SLICE("status"));
	error->code = error_code(error->message);
	for (json_ref d = chat_first(p, details); d != JSON_NONE && !error->retry_after_s; d = json_next(p, d))
		error->retry_after_s = read_delay(chat_member_text(p, d, SLICE("retryDelay")));
}

/* A bad key is told as a bad request. */
static const struct dialect_error errors[] = {
	{400, NULL, "API key not valid", 401, 0},
	{400, NULL, "API key expired", 401, 0},
	{0},
};

const struct dialect dialect_gemini = {
	.name = "gemini",
	.chat = &chat_gemini,
	.embeddings = &embeddings_gemini,
	.paths = {[API_CHAT_COMPLETIONS] = "/models/", [API_MESSAGES] = "/models/", [API_EMBEDDINGS] = "/models/"},
	.write_path = write_path,
	.authorize = authorize,
	.errors = errors,
	.read_error = read_error,
};
