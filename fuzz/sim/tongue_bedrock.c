/*
 * AWS Bedrock's dialect (Converse, ConverseStream), of providers: the model stands in the path, requests are signed,
 * and a stream is binary messages with checksums (application/vnd.amazon.eventstream). Its answers have no id.
 */
#include "fuzz/sim/look.h"
#include "fuzz/sim/tongue.h"

/* ---- requests ---- */

static const char *read_request(struct slice target, struct slice body, struct asked *asked)
{
	struct slice lead = SLICE("/v1/model/"), method;
	const char *slash;

	if (!slice_starts_with(target, lead))
		return "a chat on another path";
	target = slice_after(target, lead.size);
	slash = memchr(target.data, '/', target.size);
	method = slice_after(target, slash ? (size_t)(slash - target.data) : target.size);
	*asked = (struct asked){.model = slice_of(target.data, target.size - method.size),
		.text = tongue_first_text(body),
		.stream = slice_equal(method, SLICE("/converse-stream"))};
	if (!asked->stream && !slice_equal(method, SLICE("/converse")))
		return "a chat by another method";
	if (look_member(body, "model").data || look_member(body, "stream").data)
		return "a chat with another dialect's members";
	return NULL;
}

static bool is_hex(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!strchr("0123456789abcdef", s.data[i]) || !s.data[i])
			return false;
	return true;
}

/* What a signature looks like, of which headers; that it is the right one is held by unit tests. */
static const char *check_head(const struct wire *wire)
{
	struct slice authorization = wire_header(wire, "authorization"), date = wire_header(wire, "x-amz-date");
	struct slice headers = SLICE("/eu-west-1/bedrock/aws4_request, SignedHeaders="), mark = SLICE(", Signature=");
	const char *at = memmem(authorization.data, authorization.size, mark.data, mark.size);
	struct slice signature = slice_after(authorization, at ? (size_t)(at - authorization.data) + mark.size : 0);

	if (date.size != sizeof("20261121T000000Z") - 1 || date.data[8] != 'T' || date.data[15] != 'Z')
		return "a signed request without its date";
	if (!memmem(authorization.data, authorization.size, headers.data, headers.size) || !at)
		return "a request whose signature is of nothing, or for somebody else";
	return signature.size == 64 && is_hex(signature) ? NULL : "a request with a malformed signature";
}

/* ---- answers ---- */

/* The cached ones are beside the others; what was thought is not told. */
static void print_usage(struct bytes *json, const struct answer_told *told)
{
	const struct figures *f = &told->attempt->figures;

	bytes_add(json, SLICE("\"usage\":"));
	if (!tongue_print_bad_usage(json, told->usage, "inputTokens", "outputTokens"))
		bytes_print(json,
			"{\"inputTokens\":%lld,\"outputTokens\":%lld,\"totalTokens\":%lld,"
			"\"cacheReadInputTokens\":%lld,\"cacheWriteInputTokens\":0}",
			(long long)(f->prompt - f->cached), (long long)f->completion,
			(long long)(f->prompt + f->completion), (long long)f->cached);
}

static void write_answer(struct bytes *json, const struct answer_told *told)
{
	bytes_add(json, SLICE("{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\""));
	tongue_print_content(json, told->attempt, 0);
	bytes_add(json, SLICE("\"}]}},\"stopReason\":\"end_turn\","));
	print_usage(json, told);
	bytes_add(json, SLICE(",\"metrics\":{\"latencyMs\":1}}"));
}

/* ---- messages ---- */

static void put_u32(struct bytes *bytes, uint32_t value)
{
	const char big_endian[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};

	bytes_add(bytes, slice_of(big_endian, sizeof(big_endian)));
}

/* CRC-32 as zlib has it (IEEE 802.3, reflected), bit by bit. */
static uint32_t checksum(struct slice bytes)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.size; i++) {
		crc ^= (unsigned char)bytes.data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* One of type 7, a string. */
static void put_header(struct bytes *bytes, const char *name, const char *value)
{
	size_t size = strlen(value);
	const char head[3] = {7, (char)(size >> 8), (char)size};
	const char name_size = (char)strlen(name);

	bytes_add(bytes, slice_of(&name_size, 1));
	bytes_add(bytes, slice_of_string(name));
	bytes_add(bytes, slice_of(head, sizeof(head)));
	bytes_add(bytes, slice_of_string(value));
}

static void put_message(struct bytes *bytes, const char *type, const char *name, struct bytes *payload)
{
	enum { PRELUDE_BYTES = 12, CHECKSUM_BYTES = 4 };
	struct bytes headers = {0};
	size_t start = bytes->size;

	put_header(&headers, *type == 'e' && type[1] == 'v' ? ":event-type" : ":exception-type", name);
	put_header(&headers, ":content-type", "application/json");
	put_header(&headers, ":message-type", type);
	put_u32(bytes, (uint32_t)(PRELUDE_BYTES + headers.size + payload->size + CHECKSUM_BYTES));
	put_u32(bytes, (uint32_t)headers.size);
	put_u32(bytes, checksum(slice_of(bytes->data + start, 8)));
	bytes_add(bytes, bytes_slice(&headers));
	bytes_add(bytes, bytes_slice(payload));
	put_u32(bytes, checksum(slice_of(bytes->data + start, bytes->size - start)));
	bytes_free(&headers);
	bytes_free(payload);
}

static void put_event(struct bytes *bytes, const char *name, const char *json)
{
	struct bytes payload = {0};

	bytes_add(&payload, slice_of_string(json));
	put_message(bytes, "event", name, &payload);
}

/* Of a varying length, for nobody to learn from it how long a piece is. */
static void put_text(struct bytes *bytes, const struct answer_told *told, unsigned k)
{
	struct bytes payload = {0};

	bytes_add(&payload, SLICE("{\"contentBlockIndex\":0,\"delta\":{\"text\":\""));
	tongue_print_content(&payload, told->attempt, k);
	bytes_print(&payload, "\"},\"p\":\"%.*s\"}", (int)(k % 7), "abcdefg");
	put_message(bytes, "event", "contentBlockDelta", &payload);
}

static void put_end(struct bytes *bytes, const struct answer_told *told)
{
	struct bytes payload = {0};

	put_event(bytes, "messageStop", "{\"stopReason\":\"end_turn\"}");
	bytes_add(&payload, SLICE("{"));
	print_usage(&payload, told);
	bytes_add(&payload, SLICE(",\"metrics\":{\"latencyMs\":1}}"));
	put_message(bytes, "event", "metadata", &payload);
}

static void write_event(struct bytes *bytes, const struct answer_told *told, enum event_told event, unsigned k)
{
	struct bytes payload = {0};

	switch (event) {
	case TOLD_START:
		put_event(bytes, "messageStart", "{\"role\":\"assistant\",\"p\":\"abc\"}");
		break;
	case TOLD_TEXT:
		put_text(bytes, told, k);
		break;
	case TOLD_ERROR:
		bytes_add(&payload, SLICE("{\"message\":\"It broke.\"}"));
		put_message(bytes, "exception", "internalServerException", &payload);
		break;
	case TOLD_FINISH:
		put_event(bytes, "contentBlockStop", "{\"contentBlockIndex\":0}");
		break;
	case TOLD_END:
		put_end(bytes, told);
		break;
	case TOLD_USAGE:
		break;
	}
}

const struct tongue tongue_bedrock = {
	.kind = "bedrock",
	.credential = "authorization",
	.credential_lead = "AWS4-HMAC-SHA256 Credential=",
	.signs = true,
	.nameless = true,
	.thought_untold = true,
	.stream_type = "application/vnd.amazon.eventstream",
	.done = ",\"metrics\":{\"latencyMs\":1}}",
	.behind_done = 4, /* the last message's checksum */
	.read_request = read_request,
	.check_head = check_head,
	.write_answer = write_answer,
	.write_event = write_event,
};
