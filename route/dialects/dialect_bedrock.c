/*
 * Bedrock's row of the table of dialects, which providers alone speak: the model is one segment of the path, each
 * request is signed as it is sent, or carries a key, and streams are AWS's own.
 */
#include "proto/bedrock/sigv4.h"
#include "route/dialects/dialect_errors.h"
#include "route/fleet/upstream.h"

#include <assert.h>

static void write_path(const struct upstream_request *request, struct text *head)
{
	text_literal(head, "/model/");
	upstream_add_segment(head, request->model);
	if (request->api == API_EMBEDDINGS)
		text_literal(head, "/invoke");
	else
		text_string(head, request->stream ? "/converse-stream" : "/converse");
}

/* The body of such a call is its model's own: Cohere's, or Amazon's. */
static const struct embeddings_dialect *embeddings_of(struct slice model)
{
	static const struct slice cohere = {"cohere.", 7};

	return memmem(model.data, model.size, cohere.data, cohere.size) ? &embeddings_bedrock_cohere
									: &embeddings_titan;
}

static void add_header(struct text *head, const struct sigv4_header *header)
{
	text_add(head, header->name);
	text_literal(head, ": ");
	text_add(head, header->value);
	text_literal(head, "\r\n");
}

/* What stands between two marks in the head so far, which upstream_head() began. */
static struct slice between(const struct text *head, struct slice before, struct slice behind)
{
	struct slice rest = text_slice(head);
	const char *at = memmem(rest.data, rest.size, before.data, before.size), *end;

	assert(at);
	rest = slice_after(rest, (size_t)(at - rest.data) + before.size);
	end = memmem(rest.data, rest.size, behind.data, behind.size);
	assert(end);
	return slice_of(rest.data, (size_t)(end - rest.data));
}

/* Signs what is written so far, and what a proxy leaves as it is of the rest. */
static int sign(const struct upstream_request *request, struct text *head)
{
	const struct credential_settings *own = request->credential;
	struct sigv4_credentials credentials = {.access_key_id = slice_of_string(own->access_key_id),
		.secret_access_key = slice_of_string(own->secret_access_key),
		.region = own->region ? slice_of_string(own->region) : SLICE("us-east-1"),
		.service = SLICE("bedrock")};
	char time[SIGV4_TIME_BYTES], hash[SIGV4_HEX_BYTES];
	enum { HASH = 2, TOKEN = 4 };
	const struct sigv4_header headers[] = {
		{SLICE("content-type"), SLICE("application/json")},
		{SLICE("host"), between(head, SLICE("\r\nHost: "), SLICE("\r\n"))},
		{SLICE("x-amz-content-sha256"), slice_of(hash, sizeof(hash))},
		{SLICE("x-amz-date"), slice_of(time, sizeof(time))},
		{SLICE("x-amz-security-token"), slice_of_string(own->session_token)},
	};
	struct sigv4_request signed_request = {.method = SLICE("POST"),
		.path = between(head, SLICE("POST "), SLICE(" HTTP/1.1\r\n")),
		.headers = headers,
		.header_count = own->session_token ? TOKEN + 1 : TOKEN,
		.time = slice_of(time, sizeof(time)),
		.body_hash = slice_of(hash, sizeof(hash))};
	int err = sigv4_hash(request->body, request->body_count, hash);

	if (err)
		return err;
	sigv4_time(request->wall_ns, time);
	for (unsigned i = HASH; i < signed_request.header_count; i++)
		add_header(head, &headers[i]);
	text_literal(head, "Authorization: ");
	err = sigv4_authorization(&signed_request, &credentials, head);
	text_literal(head, "\r\n");
	return err;
}

static void authorize(const struct upstream_request *request, struct text *head)
{
	if (!request->credential || head->full)
		return;
	if (!request->credential->access_key_id) {
		dialect_authorize_bearer(request, head);
		return;
	}
	if (sign(request, head) < 0)
		head->full = true; /* what is not signed is not sent */
}

/* {"message":...}, of some services {"Message":...}; its kind is in a header, of some in "__type" behind a "#". */
static void read_error(const struct json_parser *p, struct openai_error *error)
{
	static const struct slice too_long = {"too long", 8};
	const char *hash;

	*error = (struct openai_error){0};
	if (json_type(p, 0) != JSON_OBJECT)
		return;
	error->raw = json_raw(p, 0);
	error->message = chat_member_text(p, 0, SLICE("message"));
	if (!error->message.data)
		error->message = chat_member_text(p, 0, SLICE("Message"));
	if (error->message.size && memmem(error->message.data, error->message.size, too_long.data, too_long.size))
		error->code = SLICE("context_length_exceeded");
	error->type = chat_member_text(p, 0, SLICE("__type"));
	hash = error->type.size ? memchr(error->type.data, '#', error->type.size) : NULL;
	if (hash)
		error->type = slice_after(error->type, (size_t)(hash - error->type.data) + 1);
}

/* A quota is told as a bad request, a model that still loads as a rate limit. */
static const struct dialect_error errors[] = {
	{400, "ServiceQuotaExceededException", NULL, 429, 0},
	{429, "ModelNotReadyException", NULL, 503, 0},
	{400, "ExpiredTokenException", NULL, 401, 0},
	{400, "UnrecognizedClientException", NULL, 401, 0},
	{0},
};

const struct dialect dialect_bedrock = {
	.name = "bedrock",
	.chat = &chat_bedrock,
	.embeddings_of = embeddings_of,
	.paths = {[API_CHAT_COMPLETIONS] = "/model/", [API_MESSAGES] = "/model/", [API_EMBEDDINGS] = "/model/"},
	.write_path = write_path,
	.authorize = authorize,
	.errors = errors,
	.error_type_header = {"x-amzn-errortype", 16},
	.read_error = read_error,
	.event_stream = true,
};
