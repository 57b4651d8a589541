/* Embeddings in Gemini's dialect: batchEmbedContents, also for a single text. */
#include "proto/chat/embeddings.h"
#include "proto/gemini/gemini.h"

/* "models/NAME", quoted; a name with its collection is that already. */
static void write_model(struct text *body, struct slice model)
{
	char memory[512];
	struct text name = text_over(memory, sizeof(memory));

	if (!model.size || !memchr(model.data, '/', model.size))
		text_literal(&name, "models/");
	text_add(&name, model);
	text_json(body, text_slice(&name));
}

static int write_request(const struct json_parser *p, const struct embeddings *request, struct slice model,
	struct text *body, struct openai_problem *problem)
{
	json_ref v = embeddings_input(p, request->first);

	(void)problem;
	text_literal(body, "{\"requests\":[");
	for (uint32_t i = 0; i < request->count; i++, v = json_next(p, v)) {
		text_string(body, i ? ",{\"model\":" : "{\"model\":");
		write_model(body, model);
		text_literal(body, ",\"content\":{\"parts\":[{\"text\":");
		text_json(body, json_string(p, v));
		text_literal(body, "}]}");
		if (request->dimensions) {
			text_literal(body, ",\"outputDimensionality\":");
			text_i64(body, request->dimensions);
		}
		text_char(body, '}');
	}
	text_literal(body, "]}");
	return 0;
}

static json_ref vectors(const struct json_parser *p)
{
	return json_member(p, 0, SLICE("embeddings"));
}

static json_ref numbers(const struct json_parser *p, json_ref vector)
{
	return json_member(p, vector, SLICE("values"));
}

const struct embeddings_dialect embeddings_gemini = {
	.write_request = write_request,
	.vectors = vectors,
	.numbers = numbers,
	.read_usage = gemini_read_usage,
	.inputs_max = 100,
};
