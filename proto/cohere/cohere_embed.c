/* Embeddings in Cohere's dialect (embed, version 2). */
#include "proto/cohere/cohere.h"
#include "proto/chat/embeddings.h"

/* What the vectors are for has to be said there; OpenAI's clients may say it in `input_type`. */
static int write_request(const struct json_parser *p, const struct embeddings *request, struct slice model,
	struct text *body, struct openai_problem *problem)
{
	bool first = true;

	(void)problem;
	text_literal(body, "{\"model\":");
	text_json(body, model);
	for (json_ref v = embeddings_next(p, JSON_NONE); v != JSON_NONE; v = embeddings_next(p, v)) {
		text_string(body, first ? ",\"texts\":[" : ",");
		first = false;
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
	.takes_input_type = true,
};
