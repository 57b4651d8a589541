/*
 * The JSON view: the tokens that the engine found (json_engine.h), and beside them a node for each value
 * (json_build.c). A string without escapes is its bytes in the document, one with them is written when it is asked for,
 * and numbers are read then; so what nobody looks at costs little.
 */
#include "proto/json/json_view.h"

#include "proto/json/json_error.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Memory for documents up to CAPACITY_KEPT is kept; what a larger one took goes when a smaller one comes. */
enum { CAPACITY_LEAST = 16 << 10, CAPACITY_KEPT = 1 << 20 };

/* ---- memory ---- */

struct json_parser *json_parser_open(size_t max_document_bytes)
{
	struct json_parser *p = calloc(1, sizeof(*p));

	assert(max_document_bytes <= UINT32_MAX / 2);
	if (!p)
		return NULL;
	p->max_bytes = max_document_bytes;
	p->engine = json_engine_open(CAPACITY_LEAST);
	if (!p->engine) {
		free(p);
		return NULL;
	}
	p->capacity_bytes = CAPACITY_LEAST;
	return p;
}

void json_parser_close(struct json_parser *p)
{
	if (!p)
		return;
	json_engine_close(p->engine);
	free(p->nodes);
	free(p->texts);
	free(p->text_bytes);
	free(p);
}

static void drop_large(struct json_parser *p)
{
	if (p->node_capacity > CAPACITY_KEPT / 2) {
		free(p->nodes);
		p->nodes = NULL;
		p->node_capacity = 0;
	}
	if (p->text_capacity > CAPACITY_KEPT / 2) {
		free(p->texts);
		p->texts = NULL;
		p->text_capacity = 0;
	}
	if (p->text_bytes_capacity > CAPACITY_KEPT) {
		free(p->text_bytes);
		p->text_bytes = NULL;
		p->text_bytes_capacity = 0;
	}
}

static int reserve(struct json_parser *p, size_t size)
{
	size_t capacity = CAPACITY_LEAST;
	int rc;

	if (size <= p->capacity_bytes && (p->capacity_bytes <= CAPACITY_KEPT || size > CAPACITY_KEPT))
		return 0;
	while (capacity < size)
		capacity *= 2;
	drop_large(p);
	rc = json_engine_resize(p->engine, capacity);
	p->capacity_bytes = rc < 0 ? 0 : capacity;
	return rc;
}

/* Both hold the same grammar; should they ever differ, the view's word stands. */
static int explain(struct slice document, struct json_error *error)
{
	if (json_explain(document, error) == 0)
		*error = (struct json_error){0, "not JSON"};
	return -EINVAL;
}

int json_parse(struct json_parser *p, struct slice document, struct json_error *error)
{
	int rc;

	p->node_count = 0;
	p->document = document;
	if (document.size > p->max_bytes)
		return -E2BIG;
	if (document.size == 0)
		return json_explain(document, error);
	rc = reserve(p, document.size);
	if (rc < 0)
		return rc;
	rc = json_engine_index(p->engine, document, &p->tokens, &p->token_count);
	if (rc == 0)
		rc = json_build(p);
	if (rc < 0)
		p->node_count = 0;
	return rc == -EINVAL ? explain(document, error) : rc;
}

struct slice json_document(const struct json_parser *p)
{
	return p->document;
}

/* ---- values ---- */

static const struct json_node *node_of(const struct json_parser *p, json_ref value)
{
	assert(value < p->node_count);
	return &p->nodes[value];
}

static const char *token_at(const struct json_parser *p, uint32_t token)
{
	return p->document.data + p->tokens[token];
}

static struct slice raw_at(const struct json_parser *p, uint32_t first, uint32_t last)
{
	return slice_of(token_at(p, first), json_token_end(p, last) - p->tokens[first]);
}

static enum json_type number_type(struct slice number)
{
	for (size_t i = 0; i < number.size; i++)
		if (number.data[i] == '.' || (number.data[i] | 0x20) == 'e')
			return JSON_NUMBER;
	return JSON_INTEGER;
}

enum json_type json_type(const struct json_parser *p, json_ref value)
{
	switch (*token_at(p, node_of(p, value)->token)) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return number_type(json_raw(p, value));
	}
}

struct slice json_raw(const struct json_parser *p, json_ref value)
{
	const struct json_node *n = node_of(p, value);

	return raw_at(p, n->token, n->close);
}

/* Of one that has escapes; NULL: it has none. */
static struct json_text *find_text(const struct json_parser *p, uint32_t token)
{
	uint32_t low = 0, high = p->text_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (p->texts[middle].token < token)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->text_count && p->texts[low].token == token ? &p->texts[low] : NULL;
}

static struct slice string_at(const struct json_parser *p, uint32_t token)
{
	struct json_text *text = find_text(p, token);
	struct slice raw = raw_at(p, token, token), string = slice_of(raw.data + 1, raw.size - 2);
	char *written;

	if (!text)
		return string;
	written = p->text_bytes + (string.data - p->document.data);
	if (text->size == JSON_TEXT_UNWRITTEN)
		text->size = (uint32_t)json_unescape(string, written);
	return slice_of(written, text->size);
}

struct slice json_string(const struct json_parser *p, json_ref value)
{
	const struct json_node *n = node_of(p, value);

	return *token_at(p, n->token) == '"' ? string_at(p, n->token) : slice_of(NULL, 0);
}

/* Its digits' value, which 64 bits hold. */
static uint64_t read_magnitude(struct slice integer)
{
	uint64_t magnitude = 0;

	for (size_t i = integer.data[0] == '-'; i < integer.size; i++)
		magnitude = magnitude * 10 + (uint64_t)(integer.data[i] - '0');
	return magnitude;
}

static bool read_integer(struct slice text, int64_t *integer)
{
	uint64_t magnitude = read_magnitude(text);

	if (text.data[0] == '-')
		*integer = (int64_t)(0 - magnitude);
	else if (magnitude <= INT64_MAX)
		*integer = (int64_t)magnitude;
	else
		return false;
	return true;
}

bool json_integer(const struct json_parser *p, json_ref value, int64_t *integer)
{
	double real;

	switch (json_type(p, value)) {
	case JSON_INTEGER:
		return read_integer(json_raw(p, value), integer);
	case JSON_NUMBER:
		real = json_engine_double(json_raw(p, value));
		/* -2^63 and 2^63 are exact as doubles. */
		if (trunc(real) != real || real < -0x1p63 || real >= 0x1p63)
			return false;
		*integer = (int64_t)real;
		return true;
	default:
		return false;
	}
}

bool json_number(const struct json_parser *p, json_ref value, double *number)
{
	struct slice text;

	switch (json_type(p, value)) {
	case JSON_INTEGER:
		text = json_raw(p, value);
		if (text.data[0] == '-')
			*number = (double)(int64_t)(0 - read_magnitude(text));
		else
			*number = (double)read_magnitude(text);
		return true;
	case JSON_NUMBER:
		*number = json_engine_double(json_raw(p, value));
		return true;
	default:
		return false;
	}
}

/* ---- containers ---- */

json_ref json_first(const struct json_parser *p, json_ref container)
{
	return node_of(p, container)->count ? container + 1 : JSON_NONE;
}

json_ref json_next(const struct json_parser *p, json_ref value)
{
	const struct json_node *n = node_of(p, value);

	if (value == 0 || *token_at(p, n->close + 1) != ',')
		return JSON_NONE;
	return n->after;
}

static bool has_key(const struct json_parser *p, const struct json_node *n)
{
	return n->token >= 2 && *token_at(p, n->token - 1) == ':';
}

struct slice json_key(const struct json_parser *p, json_ref member_value)
{
	const struct json_node *n = node_of(p, member_value);

	return has_key(p, n) ? string_at(p, n->token - 2) : slice_of(NULL, 0);
}

struct slice json_key_raw(const struct json_parser *p, json_ref member_value)
{
	const struct json_node *n = node_of(p, member_value);

	return has_key(p, n) ? raw_at(p, n->token - 2, n->token - 2) : slice_of(NULL, 0);
}

static bool is_object(const struct json_parser *p, json_ref value)
{
	return value != JSON_NONE && *token_at(p, node_of(p, value)->token) == '{';
}

json_ref json_member(const struct json_parser *p, json_ref object, struct slice key)
{
	if (!is_object(p, object))
		return JSON_NONE;
	for (json_ref v = json_first(p, object); v != JSON_NONE; v = json_next(p, v))
		if (slice_equal(json_key(p, v), key))
			return v;
	return JSON_NONE;
}

struct slice json_duplicate(const struct json_parser *p, json_ref object, const struct slice *keys, unsigned count)
{
	uint64_t seen = 0;

	assert(count <= 64);
	if (!is_object(p, object))
		return slice_of(NULL, 0);
	for (json_ref v = json_first(p, object); v != JSON_NONE; v = json_next(p, v)) {
		struct slice key = json_key(p, v);

		for (unsigned i = 0; i < count; i++) {
			if (!slice_equal(key, keys[i]))
				continue;
			if (seen >> i & 1)
				return keys[i];
			seen |= 1ull << i;
		}
	}
	return slice_of(NULL, 0);
}

uint32_t json_count(const struct json_parser *p, json_ref container)
{
	return node_of(p, container)->count;
}
