/*
 * Fuzzes what is read and edited of the OpenAI dialect: requests, answers, stream events, errors. A request that is
 * let pass must say after its edits what the gateway understood, whichever of two members of one name a provider
 * takes; an edited answer or event must carry the gateway's model and members, and be the same otherwise.
 *
 * An input: a byte that chooses what the document is, a byte of choices, then the document.
 */
#include "fuzz/document.h"
#include "proto/openai/openai_media.h"

#define MODEL "given/model"
#define MODEL_JSON "\"" MODEL "\""
#define GATEWAY_VALUE "{\"cost_usd\":1}"
#define GATEWAY_KEY "\"x-llm-gateway\":"
#define GATEWAY GATEWAY_KEY GATEWAY_VALUE

enum { ADDED_BYTES = sizeof(MODEL_JSON) + sizeof(GATEWAY) + OPENAI_ADDED_BYTES };

enum { REMOVED_MAX = 8 }; /* of one name in an event; more stays */

enum choices { CHOICE_KEEP_USAGE = 1, CHOICE_MEMBERS = 2 };

/* That member, of which there is one at most. */
static json_ref only_member(const struct json_parser *p, json_ref object, struct slice key)
{
	json_ref found = JSON_NONE;

	if (object == JSON_NONE || json_type(p, object) != JSON_OBJECT)
		return JSON_NONE;
	for (json_ref v = json_first(p, object); v != JSON_NONE; v = json_next(p, v)) {
		if (!slice_equal(json_key(p, v), key))
			continue;
		assert(found == JSON_NONE);
		found = v;
	}
	return found;
}

static void check_request(
	const struct json_parser *p, const struct openai_request *before, const struct openai_request *after)
{
	json_ref options = only_member(p, 0, SLICE("stream_options"));
	json_ref usage = only_member(p, options, SLICE("include_usage"));
	json_ref stream = only_member(p, 0, SLICE("stream"));

	assert(slice_equal(after->model, SLICE(MODEL)) && only_member(p, 0, SLICE("model")) == after->model_value);
	assert(after->stream == before->stream);
	assert(before->stream == (stream != JSON_NONE && json_type(p, stream) == JSON_TRUE));
	assert(only_member(p, 0, SLICE("x-routing-hints")) == JSON_NONE);
	assert(only_member(p, 0, SLICE("x-fallback-chain")) == JSON_NONE);
	if (before->stream)
		assert(usage != JSON_NONE && json_type(p, usage) == JSON_TRUE);
}

static void check_usage(const struct openai_usage *before, const struct openai_usage *after)
{
	assert(memcmp(before, after, sizeof(*before)) == 0);
	assert(before->present || before->prompt_tokens + before->completion_tokens == 0);
	assert(before->cached_tokens + before->cache_write_tokens <= before->prompt_tokens);
	assert(before->reasoning_tokens <= before->completion_tokens);
}

/* What is paid for is what the provider is asked for. */
static void check_media_request(const struct json_parser *p, const struct json_parser *again, enum openai_api api)
{
	struct openai_media before, after;
	struct openai_problem problem = {0};
	int err = openai_read_media_request(p, api, &before, &problem);

	assert(err == openai_read_media_request(again, api, &after, &problem));
	if (err < 0) {
		assert(problem.code.size && problem.message.size);
		return;
	}
	only_member(again, 0, SLICE("n"));
	only_member(again, 0, SLICE("input"));
	only_member(again, 0, SLICE("response_format"));
	assert(before.images == after.images && before.characters == after.characters && before.plain == after.plain);
	assert(before.images <= OPENAI_IMAGES_MAX && before.characters <= json_document(p).size);
	assert((before.images > 0) == (api == OPENAI_IMAGES) && (before.characters > 0) == (api == OPENAI_SPEECH));
}

static void check_media_answer(const struct json_parser *p, const struct json_parser *again)
{
	enum { DAY_MS = 86400000 };
	struct openai_media before = {0}, after = {0};
	struct openai_usage usage = {0}, usage_after = {0};

	openai_read_media_answer(p, &before, &usage);
	openai_read_media_answer(again, &after, &usage_after);
	assert(before.images == after.images && before.audio_ms == after.audio_ms);
	assert(before.audio_ms <= DAY_MS && before.measured == (before.audio_ms > 0));
	check_usage(&usage, &usage_after);
}

static void fuzz_request(const struct json_parser *p, struct json_parser *again, enum openai_api api)
{
	struct openai_problem problem = {0};
	struct openai_request before, after;
	struct json_edits edits;
	char added[ADDED_BYTES], *edited;

	if (openai_read_request(p, api, &before, &problem) < 0) {
		assert(problem.code.size && problem.message.size);
		return;
	}
	json_edits_init(&edits);
	openai_edit_request(p, &before, SLICE(MODEL_JSON), added, &edits);
	edited = edited_document(&edits, p, again);
	assert(openai_read_request(again, api, &after, &problem) == 0);
	check_request(again, &before, &after);
	if (api >= OPENAI_IMAGES)
		check_media_request(p, again, api);
	free(edited);
}

static void check_raw(const struct json_parser *p, json_ref value, struct slice expected)
{
	assert(value != JSON_NONE && slice_equal(json_raw(p, value), expected));
}

static void fuzz_answer(const struct json_parser *p, struct json_parser *again)
{
	struct openai_answer before, after;
	struct json_edits edits;
	char added[ADDED_BYTES], *edited;

	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	if (openai_read_answer(p, &before) < 0)
		return;
	json_edits_init(&edits);
	openai_edit_answer(p, &before, SLICE(MODEL_JSON), SLICE(GATEWAY), sizeof(GATEWAY_KEY) - 1, added, &edits);
	edited = edited_document(&edits, p, again);
	assert(openai_read_answer(again, &after) == 0);
	check_raw(again, after.model, SLICE(MODEL_JSON));
	check_raw(again, after.gateway, SLICE(GATEWAY_VALUE));
	check_usage(&before.usage, &after.usage);
	assert(slice_equal(before.finish_reason, after.finish_reason) && before.output_bytes == after.output_bytes);
	check_media_answer(p, again);
	free(edited);
}

static unsigned count_members(const struct json_parser *p, struct slice key)
{
	unsigned count = 0;

	for (json_ref v = json_first(p, 0); v != JSON_NONE; v = json_next(p, v))
		count += slice_equal(json_key(p, v), key);
	return count;
}

static void fuzz_chunk(const struct json_parser *p, struct json_parser *again, unsigned choices)
{
	struct slice members = choices & CHOICE_MEMBERS ? SLICE(GATEWAY) : SLICE("");
	bool keep_usage = choices & CHOICE_KEEP_USAGE;
	struct openai_chunk before, after;
	struct json_edits edits;
	char *edited;

	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	if (openai_read_chunk(p, &before) < 0)
		return;
	json_edits_init(&edits);
	openai_edit_chunk(p, &before, SLICE(MODEL_JSON), keep_usage, members, &edits);
	edited = edited_document(&edits, p, again);
	assert(openai_read_chunk(again, &after) == 0);
	if (before.model != JSON_NONE)
		check_raw(again, after.model, SLICE(MODEL_JSON));
	if (members.size)
		check_raw(again, after.gateway, SLICE(GATEWAY_VALUE));
	else
		assert(after.gateway == JSON_NONE || count_members(p, SLICE("x-llm-gateway")) > REMOVED_MAX);
	if (keep_usage)
		check_usage(&before.usage, &after.usage);
	else
		assert(after.usage_value == JSON_NONE || count_members(p, SLICE("usage")) > REMOVED_MAX);
	assert(slice_equal(before.finish_reason, after.finish_reason) && before.output_bytes == after.output_bytes);
	assert(before.content == after.content && (before.error == JSON_NONE) == (after.error == JSON_NONE));
	free(edited);
}

static void fuzz_error(const struct json_parser *p)
{
	struct slice document = json_document(p);
	struct openai_error error;

	openai_read_error(p, &error);
	assert(!error.raw.size ||
		(error.raw.data >= document.data && error.raw.data + error.raw.size <= document.data + document.size));
	assert(error.raw.size || (!error.message.data && !error.type.data && !error.param.data && !error.code.data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	unsigned kind = input_byte(&input), choices = input_byte(&input);
	struct json_parser *p, *again;
	struct json_error error;
	char *document;

	if (input_rest(&input).size > DOCUMENT_MAX_BYTES)
		return 0;
	p = json_parser_open(DOCUMENT_MAX_BYTES);
	again = json_parser_open(2 * DOCUMENT_MAX_BYTES);
	assert(p && again);
	document = padded_copy(input_rest(&input));
	if (json_parse(p, slice_of(document, input_rest(&input).size), &error) == 0) {
		if (kind % 4 == 0)
			fuzz_request(p, again, (enum openai_api)(choices % (OPENAI_TRANSCRIPTIONS + 1)));
		else if (kind % 4 == 1)
			fuzz_answer(p, again);
		else if (kind % 4 == 2)
			fuzz_chunk(p, again, choices);
		else
			fuzz_error(p);
	}
	free(document);
	json_parser_close(again);
	json_parser_close(p);
	return 0;
}
