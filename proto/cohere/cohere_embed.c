/* Embeddings in Cohere's dialect (embed, version 2), also as Bedrock has it: the model is not in the body there. */
#include "proto/cohere/cohere.h"
#include "proto/chat/embeddings.h"

enum { TEXTS_MAX = 96 };

/* What the vectors are for has to be said there; OpenAI's clients may say it in `input_type`. */
static void write_members(const struct json_parser *p, const struct embeddings *request, struct text *body)
{
	json_ref v = embeddings_input(p, request->first);

	text_literal(body, "\"texts\":");
	for (uint32_t i = 0; i < request->count; i++, v = json_next(p, v)) {
		text_char(body, i ? ',' : '[');
		text_json(body, json_string(p, v));
	}
	text_literal(body, "],\"embedding_types\":[\"float\"]");
	chat_write_text(
		body, SLICE("input_type"), request->input_type.size ? request->input_type : SLICE("search_document"));
	if (request->dimensions) {
		text_literal(body, ",\"output_dimension\":");
		text_i64(body, request->dimensions);
	}
	text_char(body, '}');
}

static int write_request(const struct json_parser *p, const struct embeddings *request, struct slice model,
	struct text *body, struct openai_problem *problem)
{
	(void)problem;
	text_literal(body, "{\"model\":");
	text_json(body, model);
	text_char(body, ',');
	write_members(p, request, body);
	return 0;
}

/* Only version 4 can be asked for another size than its own. */
static int write_bedrock_request(const struct json_parser *p, const struct embeddings *request, struct slice model,
	struct text *body, struct openai_problem *problem)
{
	static const struct slice version_3 = {"-v3", 3};

	if (request->dimensions && memmem(model.data, model.size, version_3.data, version_3.size))
		return chat_refuse(problem, SLICE("unsupported_feature"),
			SLICE("This model's vectors have one size. Leave 'dimensions' out, or use another model."),
			SLICE("dimensions"));
	text_char(body, '{');
	write_members(p, request, body);
	return 0;
}

static json_ref vectors(const struct json_parser *p)
{
	return json_member(p, json_member(p, 0, SLICE("embeddings")), SLICE("float"));
}

static json_ref numbers(const struct json_parser *p, json_ref vector)
{
	(void)p;
	return vector;
}

static bool read_usage(const struct json_parser *p, struct openai_usage *usage)
{
	json_ref billed = json_member(p, json_member(p, 0, SLICE("meta")), SLICE("billed_units"));

	return cohere_read_billed(p, billed, usage);
}

const struct embeddings_dialect embeddings_cohere = {
	.write_request = write_request,
	.vectors = vectors,
	.numbers = numbers,
	.read_usage = read_usage,
	.inputs_max = TEXTS_MAX,
	.takes_input_type = true,
};

/* The tokens are in a header alone. */
static bool read_nothing(const struct json_parser *p, struct openai_usage *usage)
{
	(void)p;
	(void)usage;
	return false;
}

const struct embeddings_dialect embeddings_bedrock_cohere = {
	.write_request = write_bedrock_request,
	.vectors = vectors,
	.numbers = numbers,
	.read_usage = read_nothing,
	.tokens_header = {"x-amzn-bedrock-input-token-count", 32},
	.inputs_max = TEXTS_MAX,
	.takes_input_type = true,
};
