/*
 * Rows of the table of dialects for providers that speak OpenAI with differences: other paths and headers, fields that
 * they refuse or call otherwise, reasons of their own. What they answer passes as it is, but for that.
 */
#include "route/dialects/dialect.h"

#include "route/dialects/dialect_errors.h"
#include "proto/responses/responses.h"
#include "route/fleet/upstream.h"

#define CHAT (1u << API_CHAT_COMPLETIONS)

/* What the rows share: chats, streams and errors are OpenAI's. */
#define SPEAKS_OPENAI                                                                                                  \
	.chat = &chat_openai, .edit_request = openai_edit_request, .read_answer = openai_read_answer,                  \
	.read_chunk = openai_read_chunk, .scan_chunk = openai_scan_chunk, .read_error = openai_read_error,             \
	.end_marker = {"[DONE]", 6}

/* As the Responses API's own row: see dialect_responses.c. */
#define SPEAKS_RESPONSES                                                                                               \
	.chat = &chat_responses, .paths = {[API_RESPONSES] = "/responses"}, .edit_request = responses_edit_request,    \
	.read_answer = responses_read_figures, .edit_event = responses_edit_event, .event_name = chat_event_name,      \
	.read_error = openai_read_error, .errors = dialect_errors_openai

#define PATHS                                                                                                          \
	.paths = {[API_CHAT_COMPLETIONS] = "/chat/completions",                                                        \
		[API_COMPLETIONS] = "/completions",                                                                    \
		[API_EMBEDDINGS] = "/embeddings",                                                                      \
		[API_IMAGES] = "/images/generations",                                                                  \
		[API_SPEECH] = "/audio/speech",                                                                        \
		[API_TRANSCRIPTIONS] = "/audio/transcriptions",                                                        \
		[API_MESSAGES] = "/chat/completions"}

/* ---- Azure -------------------------------------------------------------------------------------------------- */

static void authorize_azure(const struct upstream_request *request, struct text *head)
{
	if (!request->credential || !request->credential->api_key)
		return;
	text_literal(head, "api-key: ");
	text_string(head, request->credential->api_key);
	text_literal(head, "\r\n");
}

/*
 * The deployment stands in the path, under a dated version:
 * RESOURCE/openai/deployments/NAME/chat/completions?api-version=DATE; of Responses, RESOURCE/openai/responses, in the
 * body. A base URL that ends in /openai/v1 is the other surface, whose paths are OpenAI's and which needs no version.
 */
static void write_azure_path(const struct upstream_request *request, struct text *head)
{
	struct slice prefix = slice_of_string(request->provider->path_prefix);
	const char *own = request->credential ? request->credential->api_version : NULL;
	const char *version = own ? own : request->provider->api_version;

	if (!slice_ends_with(prefix, SLICE("/v1"))) {
		text_string(head, slice_ends_with(prefix, SLICE("/openai")) ? "" : "/openai");
		if (request->dialect == &dialect_azure) {
			text_literal(head, "/deployments/");
			upstream_add_segment(head, request->model);
		}
	}
	text_string(head, dialect_path(request->dialect, request->api));
	if (!version)
		return;
	text_literal(head, "?api-version=");
	upstream_add_segment(head, slice_of_string(version));
}

const struct dialect dialect_azure = {
	.name = "azure",
	SPEAKS_OPENAI,
	PATHS,
	.write_path = write_azure_path,
	.authorize = authorize_azure,
	.errors = dialect_errors_openai,
};

const struct dialect dialect_azure_responses = {
	.name = "azure",
	SPEAKS_RESPONSES,
	.write_path = write_azure_path,
	.authorize = authorize_azure,
};

/* ---- Groq --------------------------------------------------------------------------------------------------- */

/* Sent, each of these is a 400 there. */
static const struct dialect_field groq_fields[] = {
	{{"logit_bias", 10}, DIALECT_FIELD_DROPPED, {0}, CHAT},
	{{"top_logprobs", 12}, DIALECT_FIELD_DROPPED, {0}, CHAT},
	{{"logprobs", 8}, DIALECT_FIELD_DROPPED, {0}, CHAT}, /* false: true is refused before */
	{{"name", 4}, DIALECT_FIELD_MESSAGE_DROPPED, {0}, CHAT},
	{.name = {0}},
};

const struct dialect dialect_groq = {
	.name = "groq",
	SPEAKS_OPENAI,
	.paths = {[API_CHAT_COMPLETIONS] = "/chat/completions",
		[API_MESSAGES] = "/chat/completions",
		[API_SPEECH] = "/audio/speech",
		[API_TRANSCRIPTIONS] = "/audio/transcriptions"},
	.lacks = CHAT_N | CHAT_LOGPROBS,
	.fields = groq_fields,
	.authorize = dialect_authorize_bearer,
	.errors = dialect_errors_groq,
};

/* ---- Together ----------------------------------------------------------------------------------------------- */

/* Log probabilities are asked for by a number there, and answered in another shape: not as OpenAI's clients read them.
 */
static const struct dialect_field together_fields[] = {
	{{"stop", 4}, DIALECT_FIELD_LISTED, {0}, CHAT | 1u << API_COMPLETIONS},
	{{"logprobs", 8}, DIALECT_FIELD_DROPPED, {0}, CHAT},
	{{"top_logprobs", 12}, DIALECT_FIELD_DROPPED, {0}, CHAT},
	{.name = {0}},
};

static const struct dialect_finish together_finishes[] = {
	{{"eos", 3}, {"stop", 4}},
	{{0}, {0}},
};

const struct dialect dialect_together = {
	.name = "together",
	SPEAKS_OPENAI,
	PATHS,
	.lacks = CHAT_LOGPROBS,
	.fields = together_fields,
	.finishes = together_finishes,
	.authorize = dialect_authorize_bearer,
	.errors = dialect_errors_openai,
};

/* ---- Mistral and Cohere: dialects of their own ------------------------------------------------------------------ */

static void read_mistral_error(const struct json_parser *p, struct openai_error *error)
{
	json_ref message = json_member(p, 0, SLICE("message"));
	json_ref detail = json_member(
		p, message != JSON_NONE && json_type(p, message) == JSON_OBJECT ? message : 0, SLICE("detail"));
	json_ref first = chat_first(p, detail), last = JSON_NONE;

	openai_read_error(p, error);
	if (first == JSON_NONE)
		return;
	/* One of {"type","loc":["body",...],"msg"}: what is wrong with the first of the fields. */
	error->message = chat_member_text(p, first, SLICE("msg"));
	error->code = chat_member_text(p, first, SLICE("type"));
	for (json_ref l = chat_first(p, json_member(p, first, SLICE("loc"))); l != JSON_NONE; l = json_next(p, l))
		if (json_type(p, l) == JSON_STRING)
			last = l;
	if (last != JSON_NONE)
		error->param = json_string(p, last);
}

static const struct dialect_field mistral_fields[] = {
	{{"dimensions", 10}, DIALECT_FIELD_RENAMED, {"output_dimension", 16}, 1u << API_EMBEDDINGS},
	{{"user", 4}, DIALECT_FIELD_DROPPED, {0}, 1u << API_EMBEDDINGS},
	{.name = {0}},
};

const struct dialect dialect_mistral = {
	.name = "mistral",
	.chat = &chat_mistral,
	.paths =
		{
			[API_CHAT_COMPLETIONS] = "/chat/completions",
			[API_EMBEDDINGS] = "/embeddings",
			[API_MESSAGES] = "/chat/completions",
		},
	.fields = mistral_fields,
	.errors = dialect_errors_mistral,
	.authorize = dialect_authorize_bearer,
	.edit_request = openai_edit_request,
	.read_answer = openai_read_answer,
	.read_error = read_mistral_error,
	.end_marker = {"[DONE]", 6},
};

const struct dialect dialect_cohere = {
	.name = "cohere",
	.chat = &chat_cohere,
	.paths = {[API_CHAT_COMPLETIONS] = "/chat", [API_EMBEDDINGS] = "/embed", [API_MESSAGES] = "/chat"},
	.embeddings = &embeddings_cohere,
	.errors = dialect_errors_cohere,
	.authorize = dialect_authorize_bearer,
	.read_error = openai_read_error, /* its {"message":...} is one of these */
	.end_marker = {"[DONE]", 6},
};
