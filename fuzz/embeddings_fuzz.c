/*
 * Fuzzes embeddings between dialects: requests of OpenAI's clients written for providers, their answers brought back.
 * What is written must be JSON, what is refused must say why, and an answer must have a vector for each input.
 *
 * An input: a byte that chooses, a byte with the count of inputs, then the document.
 */
#include "fuzz/document.h"
#include "proto/chat/embeddings.h"

enum { OUT_BYTES = 1 << 18, ARENA_BYTES = 1 << 20, CHOICE_ANSWER = 1, CHOICE_BASE64 = 2, CHOICE_BITS = 2 };

struct room {
	struct json_parser *json, *again;
	struct arena_pool pool;
	struct arena arena;
	char out[OUT_BYTES];
	char *written; /* what `again` has parsed */
};

static void expect_json(struct room *room, const struct text *out)
{
	char *document = padded_copy(text_slice(out));
	struct json_error error;

	assert(!out->full && json_parse(room->again, slice_of(document, out->size), &error) == 0);
	free(room->written);
	room->written = document;
}

static void fuzz_request(struct room *room, const struct embeddings_dialect *dialect)
{
	struct text out = text_over(room->out, sizeof(room->out));
	struct openai_problem problem = {0};
	struct embeddings request;
	struct chat *dropped = arena_alloc(&room->arena, sizeof(*dropped));
	int err;

	assert(dropped);
	chat_init(dropped, &room->arena);
	if (json_type(room->json, 0) != JSON_OBJECT || !dialect->write_request)
		return;
	err = embeddings_read_request(room->json, &request, dropped, &problem);
	if (dialect->inputs_max && request.count > dialect->inputs_max)
		request.count = dialect->inputs_max;
	if (!err)
		err = dialect->write_request(room->json, &request, SLICE("m"), &out, &problem);
	if (err) {
		assert(err == -EINVAL && problem.code.size && problem.message.size);
		return;
	}
	assert(request.input_count > 0 && request.dimensions >= 0);
	expect_json(room, &out);
}

static void fuzz_answer(struct room *room, const struct embeddings_dialect *dialect, uint32_t count, bool base64)
{
	const struct chat_frame frame = {.model_json = SLICE("\"m\""), .members = SLICE("\"x-llm-gateway\":{}")};
	const struct embeddings request = {.count = count, .base64 = base64};
	struct text out = text_over(room->out, sizeof(room->out));
	struct openai_usage usage = {0};
	json_ref data;

	if (dialect->read_usage)
		(void)dialect->read_usage(room->json, &usage);
	assert(usage.cached_tokens <= usage.prompt_tokens);
	embeddings_open_answer(&out);
	if (embeddings_write_vectors(room->json, dialect, &request, &out) < 0)
		return;
	embeddings_close_answer(&frame, &out);
	expect_json(room, &out);
	data = json_member(room->again, 0, SLICE("data"));
	assert(data != JSON_NONE && json_count(room->again, data) == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct embeddings_dialect *const dialects[] = {&embeddings_gemini, &embeddings_cohere,
		&embeddings_numbers, &embeddings_titan, &embeddings_bedrock_cohere};
	struct input input = {data, data + size};
	unsigned choices = input_byte(&input);
	uint32_t count = input_byte(&input);
	const struct embeddings_dialect *dialect =
		dialects[(choices >> CHOICE_BITS) % (sizeof(dialects) / sizeof(dialects[0]))];
	struct slice rest = input_rest(&input);
	struct json_error error;
	struct room *room;
	char *document;

	if (rest.size > DOCUMENT_MAX_BYTES)
		return 0;
	room = calloc(1, sizeof(*room));
	assert(room);
	document = padded_copy(rest);
	room->json = json_parser_open(DOCUMENT_MAX_BYTES);
	room->again = json_parser_open(OUT_BYTES);
	assert(room->json && room->again);
	arena_pool_init(&room->pool, 0);
	arena_init(&room->arena, &room->pool, ARENA_BYTES);
	if (json_parse(room->json, slice_of(document, rest.size), &error) == 0) {
		if (choices & CHOICE_ANSWER)
			fuzz_answer(room, dialect, count, choices & CHOICE_BASE64);
		else
			fuzz_request(room, dialect);
	}
	arena_fini(&room->arena);
	arena_pool_fini(&room->pool);
	json_parser_close(room->json);
	json_parser_close(room->again);
	free(document);
	free(room->written);
	free(room);
	return 0;
}
