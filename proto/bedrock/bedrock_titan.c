/* Embeddings of Amazon's Titan models on Bedrock (InvokeModel): one text a call, one vector an answer. */
#include "proto/chat/embeddings.h"

/* The models before version 2 take nothing but the text. */
static bool has_one_size(struct slice model)
{
	static const struct slice older[] = {{"titan-embed-text-v1", 19}, {"titan-embed-g1", 14}};

	for (size_t i = 0; i < sizeof(older) / sizeof(older[0]); i++)
		if (memmem(model.data, model.size, older[i].data, older[i].size))
			return true;
	return false;
}

static int write_request(const struct json_parser *p, const struct embeddings *request, struct slice model,
	struct text *body, struct openai_problem *problem)
{
	if (request->dimensions && has_one_size(model))
		return chat_refuse(problem, SLICE("unsupported_feature"),
			SLICE("This model's vectors have one size. Leave 'dimensions' out, or use another model."),
			SLICE("dimensions"));
	text_literal(body, "{\"inputText\":");
	text_json(body, json_string(p, embeddings_input(p, request->first)));
	if (request->dimensions) {
		text_literal(body, ",\"dimensions\":");
		text_i64(body, request->dimensions);
	}
	text_char(body, '}');
	return 0;
}

static json_ref vectors(const struct json_parser *p)
{
	return json_member(p, 0, SLICE("embedding"));
}

static bool read_usage(const struct json_parser *p, struct openai_usage *usage)
{
	usage->present = openai_read_figure(p, 0, SLICE("inputTextTokenCount"), &usage->prompt_tokens) &&
			 usage->prompt_tokens > 0;
	return usage->present;
}

const struct embeddings_dialect embeddings_titan = {
	.write_request = write_request,
	.vectors = vectors,
	.read_usage = read_usage,
	.tokens_header = {"x-amzn-bedrock-input-token-count", 32},
	.inputs_max = 1,
};
