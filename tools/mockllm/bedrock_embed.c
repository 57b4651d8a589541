/*
 * AWS Bedrock's InvokeModel for embeddings, whose bodies are their models' own: Titan's, one text a call, and Cohere's,
 * without the model. Written from Amazon's user guide (parameters of these models).
 *
 * POST /model/NAME/invoke; what Cohere's answer does not say of tokens is in a header.
 */
#include "tools/mockllm/bedrock.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BYTES_PER_TOKEN = 4, FRAME_BYTES = 4096, TEXTS_MAX = 96, COHERE_DIMENSIONS = 64 };

static bool is_named(const struct mock_request *r, const char *part)
{
	return memmem(r->model.data, r->model.size, part, strlen(part)) != NULL;
}

static void weigh(struct mock_request *r, struct slice raw)
{
	r->content_hash = XXH3_64bits(raw.data, raw.size);
	r->prompt_tokens = (uint32_t)(raw.size / BYTES_PER_TOKEN) + 1;
}

static bool is_one_of(const int64_t *sizes, int64_t size)
{
	while (*sizes && *sizes != size)
		sizes++;
	return *sizes != 0;
}

/* Absent, it is the default. */
static bool read_size(struct mock_connection *c, const struct json_parser *p, const char *name, const int64_t *sizes,
	int64_t fallback)
{
	json_ref value = json_member(p, 0, slice_of_string(name));
	int64_t size = fallback;

	if (value != JSON_NONE && (!json_integer(p, value, &size) || !is_one_of(sizes, size)))
		return mock_bedrock_refuse(
			c, "Malformed input request: the number of dimensions is not one of the accepted values.");
	c->request.dimensions = (uint32_t)size;
	return true;
}

static bool check_titan(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const newer[] = {"inputText", "dimensions", "normalize", "embeddingTypes", NULL};
	static const char *const older[] = {"inputText", NULL};
	static const int64_t sizes[] = {256, 512, 1024, 0};
	json_ref text = json_member(p, 0, SLICE("inputText"));

	if (!mock_bedrock_check_names(c, p, 0, is_named(&c->request, "embed-text-v1") ? older : newer))
		return false;
	if (text == JSON_NONE || json_type(p, text) != JSON_STRING || !json_string(p, text).size)
		return mock_bedrock_refuse(c, "Malformed input request: expected minLength: 1 of inputText, please "
					      "reformat your input and try again.");
	weigh(&c->request, json_string(p, text));
	c->request.input_count = 1;
	return read_size(c, p, "dimensions", sizes, 1024);
}

static bool check_cohere(struct mock_connection *c, const struct json_parser *p)
{
	static const char *const known[] = {"texts", "images", "inputs", "input_type", "embedding_types", "truncate",
		"output_dimension", "max_tokens", NULL};
	static const char *const older[] = {"texts", "images", "input_type", "embedding_types", "truncate", NULL};
	static const int64_t sizes[] = {256, 512, 1024, 1536, 0};
	json_ref texts = json_member(p, 0, SLICE("texts")), type = json_member(p, 0, SLICE("input_type"));
	json_ref types = json_member(p, 0, SLICE("embedding_types"));

	if (!mock_bedrock_check_names(c, p, 0, is_named(&c->request, "-v3") ? older : known))
		return false;
	if (texts == JSON_NONE || json_type(p, texts) != JSON_ARRAY || !json_count(p, texts) ||
		json_count(p, texts) > TEXTS_MAX)
		return mock_bedrock_refuse(c, "Malformed input request: texts has to have 1 to 96 elements.");
	if (type == JSON_NONE || json_type(p, type) != JSON_STRING)
		return mock_bedrock_refuse(c, "Malformed input request: required key [input_type] not found");
	if (types == JSON_NONE || !slice_equal(json_raw(p, types), SLICE("[\"float\"]")))
		return mock_bedrock_refuse(c, "The simulator gives embedding_types [\"float\"] alone.");
	weigh(&c->request, json_raw(p, texts));
	c->request.input_count = json_count(p, texts);
	return read_size(c, p, "output_dimension", sizes, COHERE_DIMENSIONS);
}

static bool check(struct mock_connection *c, const struct json_parser *p)
{
	return is_named(&c->request, "cohere.") ? check_cohere(c, p) : check_titan(c, p);
}

static void write_titan(struct text *t, const struct mock_request *r)
{
	text_literal(t, "{\"embedding\":");
	mock_vector_floats(t, r, 0);
	text_literal(t, ",\"embeddingsByType\":{\"float\":[]}");
	if (!r->plan.no_usage) {
		text_literal(t, ",\"inputTextTokenCount\":");
		text_u64(t, r->prompt_tokens);
	}
	text_char(t, '}');
}

static void write_cohere(struct text *t, const struct mock_request *r)
{
	text_literal(t, "{\"id\":\"e1\",\"response_type\":\"embeddings_by_type\",\"embeddings\":{\"float\":[");
	for (uint32_t i = 0; i < r->input_count; i++) {
		text_string(t, i ? "," : "");
		mock_vector_floats(t, r, i);
	}
	text_literal(t, "]}}");
}

static void write(struct mock_connection *c)
{
	const struct mock_request *r = &c->request;
	struct text t = mock_body_open(c, FRAME_BYTES + mock_vectors_bytes(r));
	char memory[64];
	struct text header = text_over(memory, sizeof(memory));

	if (is_named(r, "cohere."))
		write_cohere(&t, r);
	else
		write_titan(&t, r);
	if (!r->plan.no_usage) {
		text_literal(&header, "x-amzn-bedrock-input-token-count: ");
		text_u64(&header, r->prompt_tokens);
		text_literal(&header, "\r\n");
	}
	mock_body_finish(c, 200, text_slice(&header), &t);
}

const struct mock_format mock_bedrock_embed = {
	.key_header = "authorization",
	.read_model = mock_bedrock_read_model,
	.check = check,
	.error = mock_bedrock_error,
	.write = write,
};
