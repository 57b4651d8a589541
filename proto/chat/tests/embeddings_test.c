/* Embeddings for providers that speak of them otherwise: requests read and written, vectors in both encodings. */
#include "proto/chat/embeddings.h"
#include "proto/chat/tests/chat_fixture.h"

#define INPUT "\"model\":\"m\",\"input\":"

static void requests(void **state)
{
	static const struct {
		const char *in, *model, *out, *dropped;
	} table[] = {
		{"{" INPUT "\"a\\n\"}", "up",
			"{\"requests\":[{\"model\":\"models/up\",\"content\":{\"parts\":[{\"text\":\"a\\n\"}]}}]}", ""},
		{"{" INPUT "[\"a\",\"b\"],\"dimensions\":7,\"encoding_format\":\"base64\",\"user\":\"u\",\"x\":null}",
			"tunedModels/x",
			"{\"requests\":[{\"model\":\"tunedModels/x\",\"content\":{\"parts\":[{\"text\":\"a\"}]},"
			"\"outputDimensionality\":7},{\"model\":\"tunedModels/"
			"x\",\"content\":{\"parts\":[{\"text\":\"b\"}]},"
			"\"outputDimensionality\":7}]}",
			"user"},
	};
	struct fixture *f = *state;
	struct openai_problem problem;
	struct embeddings request;
	char memory[64];
	struct chat chat;

	for (size_t i = 0; i < COUNT(table); i++) {
		struct text dropped = text_over(memory, sizeof(memory));

		parse(f, slice_of_string(table[i].in));
		clear_out(f);
		chat_init(&chat, &f->arena);
		assert_int_equal(embeddings_read_request(f->parser, &request, &chat, &problem), 0);
		assert_int_equal(embeddings_gemini.write_request(
					 f->parser, &request, slice_of_string(table[i].model), &f->out, &problem),
			0);
		expect_text(i, text_slice(&f->out), table[i].out);
		chat_print_dropped(&chat, &dropped);
		expect_text(i, text_slice(&dropped), table[i].dropped);
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *in, *code, *param;
	} table[] = {
		{"{}", "invalid_type", "input"},
		{"{" INPUT "7}", "invalid_type", "input"},
		{"{" INPUT "[]}", "invalid_value", "input"},
		{"{" INPUT "[1,2]}", "unsupported_feature", "input"},
		{"{" INPUT "[[1],[2]]}", "unsupported_feature", "input"},
		{"{" INPUT "[\"a\",7]}", "unsupported_feature", "input"},
		{"{" INPUT "\"a\",\"encoding_format\":\"hex\"}", "invalid_value", "encoding_format"},
		{"{" INPUT "\"a\",\"encoding_format\":7}", "invalid_value", "encoding_format"},
		{"{" INPUT "\"a\",\"dimensions\":0}", "invalid_value", "dimensions"},
		{"{" INPUT "\"a\",\"dimensions\":\"7\"}", "invalid_value", "dimensions"},
	};
	struct fixture *f = *state;
	struct openai_problem problem;
	struct embeddings request;
	struct chat chat;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, slice_of_string(table[i].in));
		chat_init(&chat, &f->arena);
		assert_int_equal(embeddings_read_request(f->parser, &request, &chat, &problem), -EINVAL);
		expect_text(i, problem.code, table[i].code);
		expect_text(i, problem.param, table[i].param);
	}
}

#define ENTRY(index, vector) "{\"object\":\"embedding\",\"index\":" #index ",\"embedding\":" vector "}"
#define ANSWER(data)                                                                                                   \
	"{\"object\":\"list\",\"data\":[" data                                                                         \
	"],\"model\":\"id/m\",\"usage\":{\"prompt_tokens\":3,\"total_tokens\":3},"                                     \
	"\"x-llm-gateway\":{}}"

static int write_answer(struct fixture *f, const struct embeddings_dialect *dialect, const struct embeddings *request)
{
	const struct chat_frame frame = {.model_json = SLICE("\"id/m\""),
		.members = SLICE("\"x-llm-gateway\":{}"),
		.usage = {.present = true, .prompt_tokens = 3}};
	int err;

	clear_out(f);
	embeddings_open_answer(&f->out);
	err = embeddings_write_vectors(f->parser, dialect, request, &f->out);
	embeddings_close_answer(&frame, &f->out);
	return err;
}

static void answers(void **state)
{
	static const struct {
		const char *in;
		struct embeddings request;
		const char *out; /* NULL: no answer */
	} table[] = {
		{"{\"embeddings\":[{\"values\":[1, -2.5e-3]},{\"values\":[]}]}", {.count = 2},
			ANSWER(ENTRY(0, "[1, -2.5e-3]") "," ENTRY(1, "[]"))},
		/* 1.0 and 2.0 as OpenAI writes them; one float, and three, end a group otherwise. */
		{"{\"embeddings\":[{\"values\":[1,2.0]}]}", {.count = 1, .base64 = true},
			ANSWER(ENTRY(0, "\"AACAPwAAAEA=\""))},
		{"{\"embeddings\":[{\"values\":[1]},{\"values\":[1,2,-1]},{\"values\":[]}]}",
			{.count = 3, .base64 = true},
			ANSWER(ENTRY(0, "\"AACAPw==\"") "," ENTRY(1, "\"AACAPwAAAEAAAIC/\"") "," ENTRY(2, "\"\""))},
		{"{\"embeddings\":[{\"values\":[1]}]}", {.count = 2}, NULL},
		{"{\"embeddings\":[{\"values\":[1]},{\"values\":[1]}]}", {.count = 1}, NULL},
		{"{\"embeddings\":[{\"values\":[\"1\"]}]}", {.count = 1}, NULL},
		{"{\"embeddings\":[{\"values\":[null]}]}", {.count = 1, .base64 = true}, NULL},
		{"{\"embeddings\":[{\"values\":[1e300]}]}", {.count = 1, .base64 = true}, NULL},
		{"{\"embeddings\":[{\"values\":7}]}", {.count = 1}, NULL},
		{"{\"embeddings\":[7]}", {.count = 1}, NULL},
		{"{\"embeddings\":{}}", {.count = 0}, NULL},
		{"[]", {.count = 1}, NULL},
	};
	struct fixture *f = *state;
	int err;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, slice_of_string(table[i].in));
		clear_out(f);
		err = write_answer(f, &embeddings_gemini, &table[i].request);
		assert_int_equal(err, table[i].out ? 0 : -EPROTO);
		if (table[i].out)
			expect_text(i, text_slice(&f->out), table[i].out);
	}
}

/* Cohere has to be told what the vectors are for. */
static void cohere(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} table[] = {
		{"{" INPUT "\"a\"}",
			"{\"model\":\"up\",\"texts\":[\"a\"],\"embedding_types\":[\"float\"],\"input_type\":\"search_"
			"document\"}"},
		{"{" INPUT
		 "[\"a\",\"b\"],\"dimensions\":256,\"input_type\":\"search_query\",\"encoding_format\":\"base64\"}",
			"{\"model\":\"up\",\"texts\":[\"a\",\"b\"],\"embedding_types\":[\"float\"],\"input_type\":"
			"\"search_query\","
			"\"output_dimension\":256}"},
		{"{" INPUT "\"a\",\"input_type\":7}", NULL},
	};
	struct fixture *f = *state;
	struct openai_problem problem;
	struct embeddings request;
	struct chat chat;

	for (size_t i = 0; i < COUNT(table); i++) {
		int err;

		parse(f, slice_of_string(table[i].in));
		clear_out(f);
		chat_init(&chat, &f->arena);
		err = embeddings_read_request(f->parser, &request, &chat, &problem);
		assert_int_equal(err, table[i].out ? 0 : -EINVAL);
		if (err)
			continue;
		assert_int_equal(chat.dropped_count, 0);
		assert_int_equal(
			embeddings_cohere.write_request(f->parser, &request, SLICE("up"), &f->out, &problem), 0);
		expect_text(i, text_slice(&f->out), table[i].out);
	}
}

/* On Bedrock: a part of the inputs; sizes where the model has several. */
static void bedrock(void **state)
{
	static const struct {
		const struct embeddings_dialect *dialect;
		const char *model, *in;
		uint32_t first, count;
		const char *out; /* NULL: refused for its dimensions */
	} table[] = {
		{&embeddings_titan, "amazon.titan-embed-text-v2:0", "{" INPUT "[\"a\",\"b\\n\"],\"dimensions\":256}", 1,
			1, "{\"inputText\":\"b\\n\",\"dimensions\":256}"},
		{&embeddings_titan, "amazon.titan-embed-text-v1", "{" INPUT "\"a\"}", 0, 1, "{\"inputText\":\"a\"}"},
		{&embeddings_titan, "amazon.titan-embed-text-v1", "{" INPUT "\"a\",\"dimensions\":256}", 0, 1, NULL},
		{&embeddings_titan, "amazon.titan-embed-g1-text-02", "{" INPUT "\"a\",\"dimensions\":256}", 0, 1, NULL},
		{&embeddings_bedrock_cohere, "cohere.embed-english-v3", "{" INPUT "[\"a\",\"b\",\"c\"]}", 1, 2,
			"{\"texts\":[\"b\",\"c\"],\"embedding_types\":[\"float\"],\"input_type\":\"search_document\"}"},
		{&embeddings_bedrock_cohere, "cohere.embed-english-v3", "{" INPUT "\"a\",\"dimensions\":256}", 0, 1,
			NULL},
		{&embeddings_bedrock_cohere, "us.cohere.embed-v4:0",
			"{" INPUT "\"a\",\"dimensions\":256,\"input_type\":\"clustering\"}", 0, 1,
			"{\"texts\":[\"a\"],\"embedding_types\":[\"float\"],\"input_type\":\"clustering\",\"output_"
			"dimension\":256}"},
	};
	struct fixture *f = *state;
	struct openai_problem problem;
	struct embeddings request;
	struct chat chat;

	for (size_t i = 0; i < COUNT(table); i++) {
		int err;

		parse(f, slice_of_string(table[i].in));
		clear_out(f);
		chat_init(&chat, &f->arena);
		assert_int_equal(embeddings_read_request(f->parser, &request, &chat, &problem), 0);
		request.first = table[i].first;
		request.count = table[i].count;
		err = table[i].dialect->write_request(
			f->parser, &request, slice_of_string(table[i].model), &f->out, &problem);
		assert_int_equal(err, table[i].out ? 0 : -EINVAL);
		if (err)
			expect_text(i, problem.param, "dimensions");
		else
			expect_text(i, text_slice(&f->out), table[i].out);
	}
}

static void figures_of_titan(void **state)
{
	static const struct {
		const char *answer;
		uint64_t tokens; /* 0: it does not say */
	} table[] = {{"{\"inputTextTokenCount\":5}", 5}, {"{\"inputTextTokenCount\":-5}", 0},
		{"{\"inputTextTokenCount\":\"5\"}", 0}, {"{\"inputTextTokenCount\":9000000000}", 0}, {"{}", 0}};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		struct openai_usage usage = {0};

		parse(f, slice_of_string(table[i].answer));
		assert_int_equal(embeddings_titan.read_usage(f->parser, &usage), table[i].tokens > 0);
		assert_int_equal(usage.prompt_tokens, table[i].tokens);
	}
}

static void answers_of_others(void **state)
{
	static const struct {
		const struct embeddings_dialect *dialect;
		const char *in;
		struct embeddings request;
		const char *out; /* NULL: no answer */
	} table[] = {
		{&embeddings_cohere, "{\"embeddings\":{\"float\":[[1,2],[3]]}}", {.count = 2},
			ANSWER(ENTRY(0, "[1,2]") "," ENTRY(1, "[3]"))},
		{&embeddings_cohere, "{\"embeddings\":{\"float\":[[1,2]]}}", {.count = 1, .base64 = true},
			ANSWER(ENTRY(0, "\"AACAPwAAAEA=\""))},
		{&embeddings_cohere, "{\"embeddings\":{\"int8\":[[1,2]]}}", {.count = 1}, NULL},
		{&embeddings_cohere, "{\"embeddings\":[[1,2]]}", {.count = 1}, NULL},
		/* Those of a later call go behind what is there. */
		{&embeddings_bedrock_cohere, "{\"embeddings\":{\"float\":[[1],[2]]}}", {.first = 96, .count = 2},
			ANSWER("," ENTRY(96, "[1]") "," ENTRY(97, "[2]"))},
		{&embeddings_titan, "{\"embedding\":[1,2],\"embeddingsByType\":{}}", {.count = 1},
			ANSWER(ENTRY(0, "[1,2]"))},
		{&embeddings_titan, "{\"embedding\":[1,2]}", {.first = 7, .count = 1, .base64 = true},
			ANSWER("," ENTRY(7, "\"AACAPwAAAEA=\""))},
		{&embeddings_titan, "{\"embedding\":[1,2]}", {.count = 2}, NULL},
		{&embeddings_titan, "{\"embedding\":[[1,2]]}", {.count = 1}, NULL},
		{&embeddings_titan, "{\"embedding\":7}", {.count = 1}, NULL},
		{&embeddings_titan, "{\"embeddings\":[[1,2]]}", {.count = 1}, NULL},
		{&embeddings_numbers, "{\"data\":[{\"embedding\":[1,2]}]}", {.count = 1, .base64 = true},
			ANSWER(ENTRY(0, "\"AACAPwAAAEA=\""))},
		{&embeddings_numbers, "{\"data\":[[1,2]]}", {.count = 1, .base64 = true}, NULL},
	};
	struct openai_usage usage = {0};
	struct fixture *f = *state;
	int err;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, slice_of_string(table[i].in));
		clear_out(f);
		err = write_answer(f, table[i].dialect, &table[i].request);
		assert_int_equal(err, table[i].out ? 0 : -EPROTO);
		if (table[i].out)
			expect_text(i, text_slice(&f->out), table[i].out);
	}
	parse(f, SLICE("{\"meta\":{\"billed_units\":{\"input_tokens\":5}}}"));
	assert_true(embeddings_cohere.read_usage(f->parser, &usage));
	assert_int_equal(usage.prompt_tokens, 5);
	parse(f, SLICE("{\"meta\":{}}"));
	assert_false(embeddings_cohere.read_usage(f->parser, &usage));
}

/* Whether the vectors of an answer have to be encoded. */
static void numbers_and_base64(void **state)
{
	static const struct {
		const char *answer;
		uint32_t count;
	} table[] = {
		{"{\"data\":[{\"embedding\":[1]},{\"embedding\":[2]}]}", 2},
		{"{\"data\":[{\"embedding\":\"AACAPw==\"}]}", 0},
		{"{\"data\":[]}", 0},
		{"{\"data\":[7]}", 0},
		{"{}", 0},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, slice_of_string(table[i].answer));
		assert_int_equal(embeddings_count_numbers(f->parser), table[i].count);
	}
	parse(f, SLICE("{\"encoding_format\":\"base64\"}"));
	assert_true(embeddings_want_base64(f->parser));
	parse(f, SLICE("{\"encoding_format\":\"float\"}"));
	assert_false(embeddings_want_base64(f->parser));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cohere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bedrock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(figures_of_titan, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_of_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(numbers_and_base64, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("embeddings", tests, NULL, NULL);
}
