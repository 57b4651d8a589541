/*
 * AWS Bedrock's Converse and ConverseStream, requests: what the real API refuses is refused here with its error, first
 * of all a signature that is not right. Written from the description of that API, not from the gateway's translation,
 * so that one cannot agree with the other's mistakes; how AWS signs is proto/bedrock/sigv4.h's, which AWS's own vectors
 * test.
 *
 * POST /model/NAME/converse, /model/NAME/converse-stream, the name being one segment.
 */
#include "tools/mockllm/bedrock.h"

#include "core/clock.h"
#include "proto/bedrock/sigv4.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>

enum { BYTES_PER_TOKEN = 4, HEADERS_MAX = 16, SKEW_MAX_S = 300 };

#define ACCESS_KEY_ID "AKIDEXAMPLE"
#define SECRET_ACCESS_KEY "mock-secret/key+1"
#define API_KEY "bedrock-api-key-mock"

/* ---- errors ------------------------------------------------------------------------------------------------- */

static const char *error_type(unsigned status)
{
	static const struct {
		unsigned status;
		const char *type;
	} table[] = {
		{400, "ValidationException"},
		{401, "UnrecognizedClientException"},
		{403, "AccessDeniedException"},
		{404, "ResourceNotFoundException"},
		{408, "ModelTimeoutException"},
		{424, "ModelErrorException"},
		{429, "ThrottlingException"},
		{503, "ServiceUnavailableException"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].status == status)
			return table[i].type;
	return "InternalServerException";
}

static void write_typed(struct mock_connection *c, unsigned status, const char *type, struct slice message)
{
	char memory[1024], header_memory[256];
	struct text t = text_over(memory, sizeof(memory)), header = text_over(header_memory, sizeof(header_memory));

	text_literal(&header, "x-amzn-errortype: ");
	text_string(&header, type);
	text_literal(&header, ":http://internal.amazon.com/coral/com.amazon.bedrock/\r\n");
	text_literal(&t, "{\"message\":");
	text_json(&t, message);
	text_char(&t, '}');
	assert(!t.full && !header.full);
	mock_answer_whole(c, status, text_slice(&header), text_slice(&t));
}

/* When to come again is not said. "quota" in a name makes a refusal one of a quota. */
void mock_bedrock_error(struct mock_connection *c, unsigned status, struct slice headers, struct slice message)
{
	const struct slice model = c->request.model;
	bool quota = status == 400 && model.size && memmem(model.data, model.size, "quota", 5);

	(void)headers;
	write_typed(c, status, quota ? "ServiceQuotaExceededException" : error_type(status), message);
}

bool mock_bedrock_refuse(struct mock_connection *c, const char *message)
{
	write_typed(c, 400, "ValidationException", slice_of_string(message));
	return false;
}

/* ---- signatures --------------------------------------------------------------------------------------------- */

static bool refuse_signature(struct mock_connection *c, const char *type, const char *message)
{
	write_typed(c, 403, type, slice_of_string(message));
	return false;
}

/* "NAME=value" in a list whose separator is a comma; NULL data: not there. */
static struct slice field_of(struct slice list, struct slice name)
{
	const char *at = list.size ? memmem(list.data, list.size, name.data, name.size) : NULL, *end;

	if (!at)
		return slice_of(NULL, 0);
	list = slice_after(list, (size_t)(at - list.data) + name.size);
	end = memchr(list.data, ',', list.size);
	return slice_of(list.data, end ? (size_t)(end - list.data) : list.size);
}

/* Up to the separator, which is taken as well. */
static struct slice take_word(struct slice *from, char separator)
{
	const char *end = from->size ? memchr(from->data, separator, from->size) : NULL;
	struct slice word = slice_of(from->data, end ? (size_t)(end - from->data) : from->size);

	*from = slice_after(*from, word.size + (end != NULL));
	return word;
}

static unsigned read_headers(const struct http_head *head, struct slice names, struct sigv4_header headers[HEADERS_MAX])
{
	unsigned count = 0;

	while (names.size && count < HEADERS_MAX) {
		headers[count].name = take_word(&names, ';');
		headers[count].value = http_header(head, headers[count].name);
		count++;
	}
	return count;
}

static bool is_signed(const struct sigv4_header *headers, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (slice_equal(headers[i].name, slice_of_string(name)) && headers[i].value.size)
			return true;
	return false;
}

/* Within five minutes of now: compared as texts, which sort as times do. */
static bool is_recent(struct mock_connection *c, struct slice time)
{
	uint64_t now_ns = shard_wall_ns(&c->mock->shard), skew_ns = SKEW_MAX_S * NS_PER_S;
	char first[SIGV4_TIME_BYTES], last[SIGV4_TIME_BYTES];

	if (time.size != SIGV4_TIME_BYTES)
		return false;
	sigv4_time(now_ns - skew_ns, first);
	sigv4_time(now_ns + skew_ns, last);
	return memcmp(time.data, first, sizeof(first)) >= 0 && memcmp(time.data, last, sizeof(last)) <= 0;
}

static bool check_signature(struct mock_connection *c)
{
	struct slice value = http_header(&c->head, SLICE("authorization")),
		     scope = field_of(value, SLICE("Credential="));
	struct iovec body = {(void *)(uintptr_t)c->request.body.data, c->request.body.size};
	struct sigv4_credentials credentials = {.secret_access_key = SLICE(SECRET_ACCESS_KEY)};
	struct sigv4_header headers[HEADERS_MAX];
	char hash[SIGV4_HEX_BYTES], signature[SIGV4_HEX_BYTES];
	struct sigv4_request request = {.method = SLICE("POST"),
		.path = c->head.path,
		.query = c->head.query,
		.headers = headers,
		.header_count = read_headers(&c->head, field_of(value, SLICE("SignedHeaders=")), headers),
		.time = http_header(&c->head, SLICE("x-amz-date")),
		.body_hash = slice_of(hash, sizeof(hash))};
	struct slice date;

	credentials.access_key_id = take_word(&scope, '/');
	date = take_word(&scope, '/');
	credentials.region = take_word(&scope, '/');
	credentials.service = take_word(&scope, '/');
	if (!slice_equal(credentials.access_key_id, SLICE(ACCESS_KEY_ID)))
		return refuse_signature(
			c, "UnrecognizedClientException", "The security token included in the request is invalid.");
	if (!slice_equal(credentials.service, SLICE("bedrock")) || !slice_equal(scope, SLICE("aws4_request")) ||
		!is_signed(headers, request.header_count, "host") ||
		!is_signed(headers, request.header_count, "x-amz-date"))
		return refuse_signature(
			c, "InvalidSignatureException", "Credential should be scoped to correct service: 'bedrock'.");
	if (!is_recent(c, request.time) || !slice_starts_with(request.time, date))
		return refuse_signature(c, "InvalidSignatureException", "Signature expired.");
	if (sigv4_hash(&body, 1, hash) < 0 || sigv4_sign(&request, &credentials, signature) < 0 ||
		!slice_equal(field_of(value, SLICE("Signature=")), slice_of(signature, sizeof(signature))))
		return refuse_signature(c, "InvalidSignatureException",
			"The request signature we calculated does not match the signature you provided.");
	return true;
}

/* Instead of a signature. */
static bool has_key(const struct mock_connection *c)
{
	return slice_equal(http_header(&c->head, SLICE("authorization")), SLICE("Bearer " API_KEY));
}

/* ---- the model ---------------------------------------------------------------------------------------------- */

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool decode(struct slice segment, struct text *name)
{
	for (size_t i = 0; i < segment.size; i++) {
		if (segment.data[i] != '%') {
			text_char(name, segment.data[i]);
			continue;
		}
		if (i + 2 >= segment.size || digit_of(segment.data[i + 1]) < 0 || digit_of(segment.data[i + 2]) < 0)
			return false;
		text_char(name, (char)(digit_of(segment.data[i + 1]) * 16 + digit_of(segment.data[i + 2])));
		i += 2;
	}
	return !name->full;
}

bool mock_bedrock_read_model(struct mock_connection *c)
{
	struct slice rest = slice_after(c->head.path, SLICE("/model/").size), segment = take_word(&rest, '/');
	char memory[MOCK_MODEL_MAX_BYTES];
	struct text name = text_over(memory, sizeof(memory));

	c->request.stream = slice_equal(rest, SLICE("converse-stream"));
	if (!decode(segment, &name) || (!c->request.stream && !slice_equal(rest, SLICE("converse")) &&
					       c->request.path != MOCK_BEDROCK_EMBED)) {
		write_typed(c, 404, "UnknownOperationException", SLICE("The operation is not known."));
		return false;
	}
	return mock_take_model(c, text_slice(&name)) && (has_key(c) || check_signature(c));
}

/* ---- the conversation --------------------------------------------------------------------------------------- */

bool mock_bedrock_check_names(
	struct mock_connection *c, const struct json_parser *p, json_ref object, const char *const *known)
{
	for (json_ref m = mock_first(p, object); m != JSON_NONE; m = json_next(p, m)) {
		unsigned i = 0;

		while (known[i] && !slice_equal(json_key(p, m), slice_of_string(known[i])))
			i++;
		if (!known[i])
			return mock_bedrock_refuse(
				c, "The request has a member that is not known: extraneous key is not permitted");
	}
	return true;
}

struct turn {
	unsigned calls, results;
	bool has_tools; /* of either */
};

static bool is_blank(struct slice text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] != ' ' && text.data[i] != '\n' && text.data[i] != '\t')
			return false;
	return true;
}

static bool check_result(struct mock_connection *c, const struct json_parser *p, json_ref result)
{
	static const char *const known[] = {"toolUseId", "content", "status", NULL};

	for (json_ref v = mock_first(p, json_member(p, result, SLICE("content"))); v != JSON_NONE; v = json_next(p, v))
		if (json_member(p, v, SLICE("text")) != JSON_NONE && is_blank(mock_string(p, v, "text")))
			return mock_bedrock_refuse(
				c, "The text field in the ContentBlock object at toolResult is blank.");
	return mock_bedrock_check_names(c, p, result, known) &&
	       (mock_string(p, result, "toolUseId").size > 0 ||
		       mock_bedrock_refuse(c, "toolResult.toolUseId is missing"));
}

/* A block is a union: it has one member. */
static bool check_block(struct mock_connection *c, const struct json_parser *p, json_ref block, struct turn *turn)
{
	static const char *const known[] = {
		"text", "image", "document", "toolUse", "toolResult", "reasoningContent", "cachePoint", NULL};
	json_ref call = json_member(p, block, SLICE("toolUse")), result = json_member(p, block, SLICE("toolResult"));
	json_ref image = json_member(p, block, SLICE("image")), input;

	if (json_type(p, block) != JSON_OBJECT || json_count(p, block) != 1)
		return mock_bedrock_refuse(c, "A content block has to have exactly one member.");
	if (!mock_bedrock_check_names(c, p, block, known))
		return false;
	if (json_member(p, block, SLICE("text")) != JSON_NONE && is_blank(mock_string(p, block, "text")))
		return mock_bedrock_refuse(
			c, "The text field in the ContentBlock object is blank. Add text to the text field.");
	if (image != JSON_NONE && !mock_string(p, json_member(p, image, SLICE("source")), "bytes").size)
		return mock_bedrock_refuse(c, "image.source.bytes is missing");
	turn->has_tools |= call != JSON_NONE || result != JSON_NONE;
	turn->calls += call != JSON_NONE;
	turn->results += result != JSON_NONE;
	input = call == JSON_NONE ? JSON_NONE : json_member(p, call, SLICE("input"));
	if (call != JSON_NONE && (!mock_string(p, call, "toolUseId").size || !mock_string(p, call, "name").size ||
					 input == JSON_NONE || json_type(p, input) != JSON_OBJECT))
		return mock_bedrock_refuse(c, "toolUse needs toolUseId, name and input.");
	return result == JSON_NONE || check_result(c, p, result);
}

static bool check_messages(struct mock_connection *c, const struct json_parser *p, bool *has_tools)
{
	static const char *const known[] = {"role", "content", NULL};
	json_ref messages = json_member(p, 0, SLICE("messages"));
	struct slice wanted = SLICE("user");
	unsigned owed = 0;

	if (messages == JSON_NONE || json_type(p, messages) != JSON_ARRAY || json_count(p, messages) == 0)
		return mock_bedrock_refuse(c, "messages: at least one is required");
	for (json_ref m = json_first(p, messages); m != JSON_NONE; m = json_next(p, m)) {
		struct turn turn = {0};

		if (!mock_bedrock_check_names(c, p, m, known))
			return false;
		if (!slice_equal(mock_string(p, m, "role"), wanted))
			return mock_bedrock_refuse(c,
				"A conversation must alternate between user and assistant roles, beginning with user.");
		wanted = slice_equal(wanted, SLICE("user")) ? SLICE("assistant") : SLICE("user");
		if (mock_first(p, json_member(p, m, SLICE("content"))) == JSON_NONE)
			return mock_bedrock_refuse(c, "The content field in the Message object is empty.");
		for (json_ref b = json_first(p, json_member(p, m, SLICE("content"))); b != JSON_NONE;
			b = json_next(p, b))
			if (!check_block(c, p, b, &turn))
				return false;
		if (turn.results != owed)
			return mock_bedrock_refuse(c,
				"Expected toolResult blocks for the toolUse blocks of the turn before, and no others.");
		owed = turn.calls;
		*has_tools |= turn.has_tools;
	}
	return true;
}

/* ---- the rest of it ------------------------------------------------------------------------------------------ */

static bool check_tools(struct mock_connection *c, const struct json_parser *p, bool needed)
{
	static const char *const known[] = {"tools", "toolChoice", NULL};
	static const char *const spec_names[] = {"name", "description", "inputSchema", "strict", NULL};
	static const char *const choices[] = {"auto", "any", "tool", NULL};
	json_ref config = json_member(p, 0, SLICE("toolConfig")), tools, choice;

	if (config == JSON_NONE)
		return !needed || mock_bedrock_refuse(c, "The toolConfig field must be defined when using toolUse and "
							 "toolResult content blocks.");
	tools = json_member(p, config, SLICE("tools"));
	choice = json_member(p, config, SLICE("toolChoice"));
	if (mock_first(p, tools) == JSON_NONE)
		return mock_bedrock_refuse(c, "toolConfig.tools: at least one is required");
	for (json_ref v = json_first(p, tools); v != JSON_NONE; v = json_next(p, v)) {
		json_ref spec = json_member(p, v, SLICE("toolSpec"));
		json_ref schema = spec == JSON_NONE ? JSON_NONE : json_member(p, spec, SLICE("inputSchema"));
		json_ref json = schema == JSON_NONE ? JSON_NONE : json_member(p, schema, SLICE("json"));

		if (spec == JSON_NONE && json_member(p, v, SLICE("cachePoint")) != JSON_NONE)
			continue;
		if (json == JSON_NONE || !mock_string(p, spec, "name").size ||
			!slice_equal(mock_string(p, json, "type"), SLICE("object")))
			return mock_bedrock_refuse(c, "toolSpec needs a name and an inputSchema.json of type object.");
		if (!mock_bedrock_check_names(c, p, spec, spec_names))
			return false;
	}
	if (choice != JSON_NONE && (!mock_bedrock_check_names(c, p, choice, choices) || json_count(p, choice) != 1))
		return false;
	return mock_bedrock_check_names(c, p, config, known);
}

static bool check_inference(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"maxTokens", "temperature", "topP", "stopSequences", NULL};
	json_ref config = json_member(p, 0, SLICE("inferenceConfig")), limit, heat;
	int64_t tokens = INT32_MAX;
	double degrees = 0;

	if (config != JSON_NONE) {
		limit = json_member(p, config, SLICE("maxTokens"));
		heat = json_member(p, config, SLICE("temperature"));
		if (!mock_bedrock_check_names(c, p, config, known))
			return false;
		if (limit != JSON_NONE && (!json_integer(p, limit, &tokens) || tokens < 1 || tokens > INT32_MAX))
			return mock_bedrock_refuse(c, "inferenceConfig.maxTokens: must be at least 1");
		if (heat != JSON_NONE && (!json_number(p, heat, &degrees) || degrees < 0 || degrees > 1))
			return mock_bedrock_refuse(c, "inferenceConfig.temperature: must be within 0 and 1");
	}
	c->request.max_words = (uint32_t)tokens;
	return true;
}

static bool check(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"messages", "system", "inferenceConfig", "toolConfig",
		"additionalModelRequestFields", "additionalModelResponseFieldPaths", "outputConfig", "guardrailConfig",
		"promptVariables", "requestMetadata", "performanceConfig", "serviceTier", NULL};
	struct mock_request *r = &c->request;
	bool has_tools = false;
	struct slice raw;

	if (!mock_bedrock_check_names(c, p, 0, known) || !check_messages(c, p, &has_tools) ||
		!check_tools(c, p, has_tools) || !check_inference(c, p))
		return false;
	raw = json_raw(p, json_member(p, 0, SLICE("messages")));
	r->content_hash = XXH3_64bits(raw.data, raw.size);
	r->prompt_tokens = (uint32_t)(raw.size / BYTES_PER_TOKEN) + 1;
	r->choices = 1;
	return true;
}

const struct mock_format mock_bedrock = {
	.key_header = "authorization",
	.read_model = mock_bedrock_read_model,
	.check = check,
	.error = mock_bedrock_error,
	.write = mock_bedrock_write,
	.begin = mock_bedrock_begin,
	.steps = &mock_bedrock_steps,
};
