/*
 * The JSON view over simdjson's DOM parser. Its first stage leaves the offset of every token (brackets, commas, colons, opening
 * quotes, first bytes of scalars) in `structural_indexes`; its second stage validates and writes the tape. Both are in document
 * order, so one walk beside them gives each value its token, its tape entry and the value that follows its last descendant.
 *
 * A member's key needs no node: it is the tape entry before its value's, and two tokens before it.
 */
#include <simdjson.h>

#include <cassert>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <new>

extern "C" {
#include "core/buffer.h"
#include "proto/json.h"
#include "proto/json_error.h"
}

using namespace simdjson;

static_assert(SIMDJSON_PADDING <= BUFFER_PADDING_BYTES, "simdjson reads this far behind a document");

namespace {

struct node {
	uint32_t token; /* index of its first token */
	uint32_t close; /* index of its last: the closing bracket, or the same */
	uint32_t tape;  /* index of its entry */
	uint32_t after; /* the value behind its last descendant */
};

/* Memory for documents up to CAPACITY_KEPT is kept; what a larger one took goes when a smaller one comes. */
enum : size_t { CAPACITY_LEAST = 16 << 10, CAPACITY_KEPT = 1 << 20 };

}

struct json_parser {
	std::unique_ptr<internal::dom_parser_implementation> engine;
	dom::document view;
	node *nodes;
	size_t node_capacity;
	uint32_t node_count;
	size_t capacity_bytes, max_bytes;
	struct slice document;
};

static int allocate(struct json_parser *p, size_t capacity)
{
	error_code failed;

	p->capacity_bytes = 0;
	if (p->engine)
		failed = p->engine->allocate(capacity, JSON_DEPTH_MAX + 1);
	else
		failed = get_active_implementation()->create_dom_parser_implementation(capacity, JSON_DEPTH_MAX + 1,
										       p->engine);
	if (!failed)
		failed = p->view.allocate(capacity);
	if (failed)
		return -ENOMEM;
	p->capacity_bytes = capacity;
	return 0;
}

static int reserve(struct json_parser *p, size_t size)
{
	size_t capacity = CAPACITY_LEAST;

	if (size <= p->capacity_bytes && (p->capacity_bytes <= CAPACITY_KEPT || size > CAPACITY_KEPT))
		return 0;
	while (capacity < size)
		capacity *= 2;
	if (p->node_capacity > CAPACITY_KEPT / 2) {
		free(p->nodes);
		p->nodes = nullptr;
		p->node_capacity = 0;
	}
	return allocate(p, capacity);
}

/* A valid document has a comma between any two values and two brackets around any container. */
static int reserve_nodes(struct json_parser *p)
{
	size_t needed = p->engine->n_structural_indexes / 2 + 1, capacity = 1024;

	if (needed <= p->node_capacity)
		return 0;
	while (capacity < needed)
		capacity *= 2;
	free(p->nodes);
	p->nodes = static_cast<node *>(malloc(capacity * sizeof(node)));
	p->node_capacity = p->nodes ? capacity : 0;
	return p->nodes ? 0 : -ENOMEM;
}

static bool is_number(uint64_t entry)
{
	char type = static_cast<char>(entry >> 56);

	return type == 'l' || type == 'u' || type == 'd';
}

/* False when nested too deeply: the engine does not count an innermost container that is empty. */
static bool build_nodes(struct json_parser *p)
{
	const uint32_t *offsets = p->engine->structural_indexes.get();
	const uint64_t *tape = p->view.tape.get();
	const uint32_t token_count = p->engine->n_structural_indexes;
	const char *document = p->document.data;
	uint32_t open[JSON_DEPTH_MAX], depth = 0, entry = 1, count = 0;
	node *nodes = p->nodes;

	for (uint32_t token = 0; token < token_count; token++) {
		switch (document[offsets[token]]) {
		case ',':
			break;
		case '{':
		case '[':
			if (depth == JSON_DEPTH_MAX)
				return false;
			open[depth++] = count;
			nodes[count++] = { token, token, entry++, 0 };
			break;
		case '}':
		case ']':
			depth--;
			nodes[open[depth]].close = token;
			nodes[open[depth]].after = count;
			entry++;
			break;
		case '"':
			if (token + 1 < token_count && document[offsets[token + 1]] == ':') {
				token++;
				entry++;
				break;
			}
			nodes[count] = { token, token, entry++, count + 1 };
			count++;
			break;
		default:
			nodes[count] = { token, token, entry, count + 1 };
			count++;
			entry += is_number(tape[entry]) ? 2 : 1;
			break;
		}
	}
	assert(depth == 0 && count <= p->node_capacity);
	p->node_count = count;
	return true;
}

static const node &node_of(const struct json_parser *p, json_ref value)
{
	assert(value < p->node_count);
	return p->nodes[value];
}

static uint64_t entry_of(const struct json_parser *p, json_ref value)
{
	return p->view.tape[node_of(p, value).tape];
}

static uint32_t offset_of(const struct json_parser *p, uint32_t token)
{
	return p->engine->structural_indexes[token];
}

/* In the string buffer a string is its size in four bytes, its bytes, a NUL. */
static struct slice string_at(const struct json_parser *p, uint64_t entry)
{
	const uint8_t *stored = p->view.string_buf.get() + (entry & internal::JSON_VALUE_MASK);
	uint32_t size;

	memcpy(&size, stored, sizeof(size));
	return slice_of(stored + sizeof(size), size);
}

/* The end of the scalar or bracket that begins at `token`: what lies before the next token, without white space. */
static uint32_t end_of(const struct json_parser *p, uint32_t token)
{
	uint32_t end = token + 1 < p->engine->n_structural_indexes ? offset_of(p, token + 1)
								  : static_cast<uint32_t>(p->document.size);

	for (;; end--) {
		char c = p->document.data[end - 1];

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return end;
	}
}

static bool is_container(uint64_t entry)
{
	return entry >> 56 == '{' || entry >> 56 == '[';
}

static bool has_key(const struct json_parser *p, const node &n)
{
	return n.token >= 2 && p->document.data[offset_of(p, n.token - 1)] == ':';
}

extern "C" {

struct json_parser *json_parser_open(size_t max_document_bytes)
{
	struct json_parser *p = new (std::nothrow) json_parser();

	assert(max_document_bytes <= UINT32_MAX / 2);
	if (!p)
		return nullptr;
	p->max_bytes = max_document_bytes;
	if (allocate(p, CAPACITY_LEAST) < 0) {
		delete p;
		return nullptr;
	}
	return p;
}

void json_parser_close(struct json_parser *p)
{
	if (p)
		free(p->nodes);
	delete p;
}

int json_parse(struct json_parser *p, struct slice document, struct json_error *error)
{
	error_code failed;
	int result;

	p->node_count = 0;
	p->document = document;
	if (document.size > p->max_bytes)
		return -E2BIG;
	if (document.size == 0)
		return json_explain(document, error);
	result = reserve(p, document.size);
	if (result < 0)
		return result;
	failed = p->engine->parse(reinterpret_cast<const uint8_t *>(document.data), document.size, p->view);
	if (failed == MEMALLOC)
		return -ENOMEM;
	if (failed) {
		/* Both hold the same grammar; should they ever differ, the parser's word stands. */
		if (json_explain(document, error) == 0)
			*error = { 0, error_message(failed) };
		return -EINVAL;
	}
	result = reserve_nodes(p);
	if (result < 0)
		return result;
	return build_nodes(p) ? 0 : json_explain(document, error);
}

struct slice json_document(const struct json_parser *p)
{
	return p->document;
}

enum json_type json_type(const struct json_parser *p, json_ref value)
{
	switch (entry_of(p, value) >> 56) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 'l':
	case 'u':
		return JSON_INTEGER;
	case 'd':
		return JSON_NUMBER;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	default:
		return JSON_NULL;
	}
}

struct slice json_raw(const struct json_parser *p, json_ref value)
{
	const node &n = node_of(p, value);
	uint32_t begin = offset_of(p, n.token);

	return slice_of(p->document.data + begin, end_of(p, n.close) - begin);
}

struct slice json_string(const struct json_parser *p, json_ref value)
{
	uint64_t entry = entry_of(p, value);

	return entry >> 56 == '"' ? string_at(p, entry) : slice_of(nullptr, 0);
}

bool json_integer(const struct json_parser *p, json_ref value, int64_t *integer)
{
	uint64_t number = p->view.tape[node_of(p, value).tape + 1];
	double real;

	switch (json_type(p, value)) {
	case JSON_INTEGER:
		if (entry_of(p, value) >> 56 == 'u' && number > INT64_MAX)
			return false;
		*integer = static_cast<int64_t>(number);
		return true;
	case JSON_NUMBER:
		memcpy(&real, &number, sizeof(real));
		/* -2^63 and 2^63 are exact as doubles. */
		if (std::trunc(real) != real || real < -0x1p63 || real >= 0x1p63)
			return false;
		*integer = static_cast<int64_t>(real);
		return true;
	default:
		return false;
	}
}

bool json_number(const struct json_parser *p, json_ref value, double *number)
{
	uint64_t stored = p->view.tape[node_of(p, value).tape + 1];

	switch (entry_of(p, value) >> 56) {
	case 'l':
		*number = static_cast<double>(static_cast<int64_t>(stored));
		return true;
	case 'u':
		*number = static_cast<double>(stored);
		return true;
	case 'd':
		memcpy(number, &stored, sizeof(*number));
		return true;
	default:
		return false;
	}
}

json_ref json_first(const struct json_parser *p, json_ref container)
{
	const node &n = node_of(p, container);

	return n.after > container + 1 ? container + 1 : JSON_NONE;
}

json_ref json_next(const struct json_parser *p, json_ref value)
{
	const node &n = node_of(p, value);

	if (value == 0 || p->document.data[offset_of(p, n.close + 1)] != ',')
		return JSON_NONE;
	return n.after;
}

struct slice json_key(const struct json_parser *p, json_ref member_value)
{
	const node &n = node_of(p, member_value);

	return has_key(p, n) ? string_at(p, p->view.tape[n.tape - 1]) : slice_of(nullptr, 0);
}

struct slice json_key_raw(const struct json_parser *p, json_ref member_value)
{
	const node &n = node_of(p, member_value);
	uint32_t begin;

	if (!has_key(p, n))
		return slice_of(nullptr, 0);
	begin = offset_of(p, n.token - 2);
	return slice_of(p->document.data + begin, end_of(p, n.token - 2) - begin);
}

json_ref json_member(const struct json_parser *p, json_ref object, struct slice key)
{
	if (object == JSON_NONE || entry_of(p, object) >> 56 != '{')
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
	if (object == JSON_NONE || entry_of(p, object) >> 56 != '{')
		return slice_of(nullptr, 0);
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
	return slice_of(nullptr, 0);
}

uint32_t json_count(const struct json_parser *p, json_ref container)
{
	uint64_t entry = entry_of(p, container);
	uint32_t count = static_cast<uint32_t>(entry >> 32) & internal::JSON_COUNT_MASK;

	if (!is_container(entry))
		return 0;
	if (count < internal::JSON_COUNT_MASK)
		return count;
	/* The tape's count saturates. */
	count = 0;
	for (json_ref v = json_first(p, container); v != JSON_NONE; v = json_next(p, v))
		count++;
	return count;
}

}
