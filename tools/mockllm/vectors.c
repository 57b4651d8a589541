/*
 * Embeddings: multiples of 1/1024, which a float holds exactly and ten decimals write exactly, so that both encodings
 * of a vector are the same numbers.
 */
#include "tools/mockllm/mock.h"

#include <stdlib.h>

enum { UNIT = 1024, DECIMALS = 10, FLOAT_TEXT_BYTES = DECIMALS + 4, VECTOR_FRAME_BYTES = 96 };

size_t mock_vectors_bytes(const struct mock_request *r)
{
	return (size_t)r->input_count * ((size_t)r->dimensions * FLOAT_TEXT_BYTES + VECTOR_FRAME_BYTES);
}

/* In (-1024, 1024), different for every place of every input. */
static int component(uint64_t hash, uint32_t input, uint32_t place)
{
	uint64_t mixed = (hash ^ ((uint64_t)input << 32 | place)) * 0x9e3779b97f4a7c15ull;

	return (int)((mixed >> 40) % (2 * UNIT - 1)) - (UNIT - 1);
}

static void write_float(struct text *t, int value)
{
	uint64_t fraction = (uint64_t)abs(value) * 9765625; /* 10^10 / 1024 */
	char digits[DECIMALS];

	for (int i = DECIMALS - 1; i >= 0; i--, fraction /= 10)
		digits[i] = (char)('0' + fraction % 10);
	text_string(t, value < 0 ? "-0." : "0.");
	text_add(t, slice_of(digits, sizeof(digits)));
}

void mock_vector_floats(struct text *t, const struct mock_request *r, uint32_t input)
{
	text_literal(t, "[");
	for (uint32_t i = 0; i < r->dimensions; i++) {
		if (i)
			text_literal(t, ",");
		write_float(t, component(r->content_hash, input, i));
	}
	text_literal(t, "]");
}

static void write_base64_group(struct text *t, const unsigned char *bytes, unsigned count)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
	char out[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63], alphabet[bits & 63]};

	for (unsigned i = count + 1; i < sizeof(out); i++)
		out[i] = '=';
	text_add(t, slice_of(out, sizeof(out)));
}

/* Little-endian floats in base64 (RFC 4648, 4), three bytes a group that straddle the floats. */
static void write_base64(struct text *t, const struct mock_request *r, uint32_t input)
{
	unsigned char group[3] = {0};
	unsigned filled = 0;

	text_literal(t, "\"");
	for (uint32_t i = 0; i < r->dimensions; i++) {
		float value = (float)component(r->content_hash, input, i) / UNIT;
		unsigned char bytes[sizeof(value)];

		memcpy(bytes, &value, sizeof(value));
		for (unsigned b = 0; b < sizeof(bytes); b++) {
			group[filled++] = bytes[b];
			if (filled < sizeof(group))
				continue;
			write_base64_group(t, group, filled);
			memset(group, 0, sizeof(group));
			filled = 0;
		}
	}
	if (filled)
		write_base64_group(t, group, filled);
	text_literal(t, "\"");
}

void mock_vectors(struct text *t, const struct mock_request *r)
{
	for (uint32_t input = 0; input < r->input_count; input++) {
		text_string(t, input ? ",{" : "{");
		text_literal(t, "\"object\":\"embedding\",\"index\":");
		text_u64(t, input);
		text_literal(t, ",\"embedding\":");
		if (r->base64)
			write_base64(t, r, input);
		else
			mock_vector_floats(t, r, input);
		text_literal(t, "}");
	}
}
