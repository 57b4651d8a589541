/* Embeddings between OpenAI's dialect and others: see embeddings.h. */
#include "proto/chat/embeddings.h"

#include <float.h>

#define INVALID SLICE("invalid_value")

/* ---- requests ----------------------------------------------------------------------------------------------- */

json_ref embeddings_input(const struct json_parser *p, uint32_t number)
{
	json_ref inputs = json_member(p, 0, SLICE("input")), input = inputs;

	if (json_type(p, inputs) == JSON_ARRAY)
		input = json_first(p, inputs);
	for (uint32_t i = 0; i < number; i++)
		input = json_next(p, input);
	return input;
}

static int read_input(const struct json_parser *p, struct embeddings *request, struct openai_problem *problem)
{
	json_ref value = json_member(p, 0, SLICE("input"));

	if (!chat_given(p, value) || (json_type(p, value) != JSON_STRING && json_type(p, value) != JSON_ARRAY))
		return chat_refuse(problem, SLICE("invalid_type"),
			SLICE("'input' has to be a string or an array of strings."), SLICE("input"));
	request->input_count = json_type(p, value) == JSON_ARRAY ? json_count(p, value) : 1;
	if (!request->input_count)
		return chat_refuse(
			problem, INVALID, SLICE("'input' is empty. Send at least one text."), SLICE("input"));
	value = embeddings_input(p, 0);
	for (uint32_t i = 0; i < request->input_count; i++, value = json_next(p, value))
		if (json_type(p, value) != JSON_STRING)
			return chat_refuse(problem, SLICE("unsupported_feature"),
				SLICE("This model's provider takes texts alone, no tokens: send strings in 'input'."),
				SLICE("input"));
	request->count = request->input_count;
	return 0;
}

static int read_format(const struct json_parser *p, struct embeddings *request, struct openai_problem *problem)
{
	json_ref value = json_member(p, 0, SLICE("encoding_format"));
	struct slice word = chat_member_text(p, 0, SLICE("encoding_format"));

	request->base64 = slice_equal(word, SLICE("base64"));
	if (!chat_given(p, value) || request->base64 || slice_equal(word, SLICE("float")))
		return 0;
	return chat_refuse(
		problem, INVALID, SLICE("'encoding_format' has to be float or base64."), SLICE("encoding_format"));
}

static int read_input_type(const struct json_parser *p, struct embeddings *request, struct openai_problem *problem)
{
	json_ref value = json_member(p, 0, SLICE("input_type"));

	if (!chat_given(p, value))
		return 0;
	request->input_type = chat_member_text(p, 0, SLICE("input_type"));
	if (request->input_type.size)
		return 0;
	return chat_refuse(problem, SLICE("invalid_type"),
		SLICE("'input_type' has to be a string, as search_document or search_query."), SLICE("input_type"));
}

static int read_dimensions(const struct json_parser *p, struct embeddings *request, struct openai_problem *problem)
{
	json_ref value = json_member(p, 0, SLICE("dimensions"));

	if (!chat_given(p, value))
		return 0;
	if (!json_integer(p, value, &request->dimensions) || request->dimensions < 1 || request->dimensions > INT32_MAX)
		return chat_refuse(
			problem, INVALID, SLICE("'dimensions' has to be a positive integer."), SLICE("dimensions"));
	return 0;
}

static void note_rest(const struct json_parser *p, struct chat *dropped)
{
	static const char *const known[] = {
		"model", "input", "encoding_format", "dimensions", "input_type", "x-routing-hints", "x-fallback-chain"};
	size_t i;

	for (json_ref m = json_first(p, 0); m != JSON_NONE; m = json_next(p, m)) {
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (slice_equal(json_key(p, m), slice_of_string(known[i])))
				break;
		if (i == sizeof(known) / sizeof(known[0]) && chat_given(p, m))
			chat_drop(dropped, json_key(p, m));
	}
}

int embeddings_read_request(
	const struct json_parser *p, struct embeddings *request, struct chat *dropped, struct openai_problem *problem)
{
	int err;

	*request = (struct embeddings){0};
	err = read_input(p, request, problem);
	if (!err)
		err = read_format(p, request, problem);
	if (!err)
		err = read_dimensions(p, request, problem);
	if (!err)
		err = read_input_type(p, request, problem);
	note_rest(p, dropped);
	return err;
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

/* Bytes as base64 (RFC 4648, section 4), three at a time. */
struct encoder {
	struct text *t;
	uint32_t bits;
	unsigned count; /* of bytes in them */
};

static void encode_group(struct encoder *e)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = e->bits << 8 * (3 - e->count);

	for (unsigned i = 0; i < 4; i++)
		text_char(e->t, i <= e->count ? alphabet[bits >> (18 - 6 * i) & 63] : '=');
	e->bits = e->count = 0;
}

/* A float of 32 bits, its lowest byte first. */
static void encode_float(struct encoder *e, float value)
{
	uint32_t word;

	memcpy(&word, &value, sizeof(word));
	for (unsigned i = 0; i < sizeof(word); i++, word >>= 8) {
		e->bits = e->bits << 8 | (word & 255);
		if (++e->count == 3)
			encode_group(e);
	}
}

/* False: something in it is no number that a float can hold. */
static bool write_base64(const struct json_parser *p, json_ref numbers, struct text *t)
{
	struct encoder encoder = {.t = t};
	double number;

	text_char(t, '"');
	for (json_ref v = json_first(p, numbers); v != JSON_NONE; v = json_next(p, v)) {
		if (!json_number(p, v, &number) || number > (double)FLT_MAX || number < -(double)FLT_MAX)
			return false;
		encode_float(&encoder, (float)number);
	}
	if (encoder.count)
		encode_group(&encoder);
	text_char(t, '"');
	return true;
}

static bool write_numbers(const struct json_parser *p, json_ref numbers, struct text *t)
{
	double number;

	for (json_ref v = json_first(p, numbers); v != JSON_NONE; v = json_next(p, v))
		if (!json_number(p, v, &number))
			return false;
	text_add(t, json_raw(p, numbers));
	return true;
}

static int write_vector(const struct json_parser *p, json_ref numbers, uint32_t index, bool base64, struct text *t)
{
	bool good;

	if (numbers == JSON_NONE || json_type(p, numbers) != JSON_ARRAY)
		return -EPROTO;
	text_string(t, index ? ",{" : "{");
	text_literal(t, "\"object\":\"embedding\",\"index\":");
	text_u64(t, index);
	text_literal(t, ",\"embedding\":");
	good = base64 ? write_base64(p, numbers, t) : write_numbers(p, numbers, t);
	text_char(t, '}');
	return good ? 0 : -EPROTO;
}

int embeddings_write_vectors(const struct json_parser *p, const struct embeddings_dialect *dialect,
	const struct embeddings *request, struct text *t)
{
	json_ref vectors = dialect->vectors(p);
	uint32_t count = 0;
	int err = 0;

	if (vectors == JSON_NONE || json_type(p, vectors) != JSON_ARRAY)
		return -EPROTO;
	if (!dialect->numbers)
		return request->count == 1 ? write_vector(p, vectors, request->first, request->base64, t) : -EPROTO;
	for (json_ref v = json_first(p, vectors); v != JSON_NONE && !err; v = json_next(p, v))
		err = write_vector(p, dialect->numbers(p, v), request->first + count++, request->base64, t);
	return err || count != request->count ? -EPROTO : 0;
}

void embeddings_open_answer(struct text *body)
{
	text_literal(body, "{\"object\":\"list\",\"data\":[");
}

void embeddings_close_answer(const struct chat_frame *frame, struct text *body)
{
	text_literal(body, "],\"model\":");
	text_add(body, frame->model_json);
	text_literal(body, ",\"usage\":{\"prompt_tokens\":");
	text_u64(body, frame->usage.prompt_tokens);
	text_literal(body, ",\"total_tokens\":");
	text_u64(body, frame->usage.prompt_tokens);
	text_char(body, '}');
	if (frame->members.size) {
		text_char(body, ',');
		text_add(body, frame->members);
	}
	text_char(body, '}');
}

/* ---- OpenAI's own, of servers that know no base64 -------------------------------------------------------------- */

bool embeddings_want_base64(const struct json_parser *p)
{
	return slice_equal(chat_member_text(p, 0, SLICE("encoding_format")), SLICE("base64"));
}

uint32_t embeddings_count_numbers(const struct json_parser *p)
{
	json_ref data = json_member(p, 0, SLICE("data")), first = chat_first(p, data), numbers;

	if (first == JSON_NONE || json_type(p, first) != JSON_OBJECT)
		return 0;
	numbers = json_member(p, first, SLICE("embedding"));
	return numbers != JSON_NONE && json_type(p, numbers) == JSON_ARRAY ? json_count(p, data) : 0;
}

static json_ref vectors(const struct json_parser *p)
{
	return json_member(p, 0, SLICE("data"));
}

static json_ref numbers(const struct json_parser *p, json_ref vector)
{
	return json_member(p, vector, SLICE("embedding"));
}

const struct embeddings_dialect embeddings_numbers = {.vectors = vectors, .numbers = numbers};
