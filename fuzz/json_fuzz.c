/*
 * Fuzzes the JSON view and its edits. Whatever comes, the view, the locator of faults and simdjson's own parser agree
 * on whether it is a document, where it is not, and on all that it holds; values lie inside it; strings come back from
 * being written. Then values all over the document are replaced, removed and inserted as drawn, and what comes out must
 * be the document with just these edits. The estimate of its tokens reads the same bytes.
 *
 * An input: a byte that seeds the edits, then the document.
 */
#include "fuzz/document.h"
#include "fuzz/json_reference.h"
#include "proto/chat/estimate.h"
#include "proto/json/json_error.h"

enum deed { KEPT, REMOVED, REPLACED, INSERTED_INTO };

#define INSERTED_KEY "inserted"
#define INSERTED "\"" INSERTED_KEY "\":[]"
#define REPLACEMENT "{\"r\":-1}"

struct editing {
	const struct json_parser *p;
	struct json_parser *again;
	struct json_edits edits;
	uint64_t state;
	uint8_t *deeds; /* by value */
};

static void check_string(struct editing *editing, struct slice string)
{
	size_t capacity = 6 * string.size + 2; /* "\u0000" for each byte at most */
	char *memory = padded(capacity);
	struct text text = text_over(memory, capacity);
	struct json_error error;

	text_json(&text, string);
	assert(!text.full && json_parse(editing->again, text_slice(&text), &error) == 0);
	assert(slice_equal(json_string(editing->again, 0), string));
	free(memory);
}

static void check_number(const struct json_parser *p, json_ref value)
{
	int64_t integer;
	double number;

	assert(json_number(p, value, &number));
	if (json_integer(p, value, &integer))
		assert((double)integer == number);
}

static void walk(struct editing *editing, json_ref value)
{
	const struct json_parser *p = editing->p;
	struct slice raw = json_raw(p, value), document = json_document(p);
	uint32_t children = 0;

	assert(raw.data >= document.data && raw.size > 0 && raw.data + raw.size <= document.data + document.size);
	if (json_type(p, value) == JSON_STRING)
		check_string(editing, json_string(p, value));
	if (json_type(p, value) == JSON_INTEGER || json_type(p, value) == JSON_NUMBER)
		check_number(p, value);
	for (json_ref v = json_first(p, value); v != JSON_NONE; v = json_next(p, v), children++) {
		assert(!json_key(p, v).data == (json_type(p, value) == JSON_ARRAY));
		walk(editing, v);
	}
	assert(children == json_count(p, value));
}

static unsigned draw(struct editing *editing)
{
	editing->state = editing->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(editing->state >> 60);
}

/* `member_of`: the object that holds the value, or JSON_NONE. */
static void edit(struct editing *editing, json_ref value, json_ref member_of)
{
	const struct json_parser *p = editing->p;
	struct json_edits *edits = &editing->edits;
	unsigned drawn = draw(editing);
	bool room = edits->count + edits->inserts + 2 <= JSON_EDITS_MAX;

	if (room && drawn < 5 && member_of != JSON_NONE) {
		json_remove(edits, p, member_of, value);
		editing->deeds[value] = REMOVED;
		return;
	}
	if (room && drawn == 5) {
		json_replace(edits, p, value, SLICE(REPLACEMENT));
		editing->deeds[value] = REPLACED;
		return;
	}
	for (json_ref v = json_first(p, value); v != JSON_NONE; v = json_next(p, v))
		edit(editing, v, json_type(p, value) == JSON_OBJECT ? value : JSON_NONE);
	room = edits->count + edits->inserts + 2 <= JSON_EDITS_MAX;
	if (room && drawn > 8 && json_type(p, value) == JSON_OBJECT) {
		json_insert(edits, p, value, SLICE(INSERTED));
		editing->deeds[value] = INSERTED_INTO;
	}
}

static void compare(const struct editing *editing, json_ref value, json_ref edited)
{
	const struct json_parser *p = editing->p, *again = editing->again;
	json_ref e = json_first(again, edited);

	if (editing->deeds[value] == REPLACED) {
		assert(slice_equal(json_raw(again, edited), SLICE(REPLACEMENT)));
		return;
	}
	assert(json_type(p, value) == json_type(again, edited));
	if (json_type(p, value) != JSON_OBJECT && json_type(p, value) != JSON_ARRAY)
		assert(slice_equal(json_raw(p, value), json_raw(again, edited)));
	for (json_ref v = json_first(p, value); v != JSON_NONE; v = json_next(p, v)) {
		if (editing->deeds[v] == REMOVED)
			continue;
		assert(e != JSON_NONE && slice_equal(json_key(p, v), json_key(again, e)));
		compare(editing, v, e);
		e = json_next(again, e);
	}
	if (editing->deeds[value] == INSERTED_INTO) {
		assert(e != JSON_NONE && slice_equal(json_key(again, e), SLICE(INSERTED_KEY)));
		assert(json_type(again, e) == JSON_ARRAY && json_count(again, e) == 0);
		e = json_next(again, e);
	}
	assert(e == JSON_NONE);
}

static void fuzz_edits(const struct json_parser *p, uint8_t seed)
{
	struct editing editing = {.p = p, .again = json_parser_open(8 * DOCUMENT_MAX_BYTES), .state = seed};
	char *edited;

	editing.deeds = calloc(json_document(p).size + 1, 1);
	assert(editing.again && editing.deeds);
	walk(&editing, 0);
	json_edits_init(&editing.edits);
	edit(&editing, 0, JSON_NONE);
	edited = edited_document(&editing.edits, p, editing.again);
	compare(&editing, 0, 0);
	free(edited);
	free(editing.deeds);
	json_parser_close(editing.again);
}

/* Whatever the bytes are: read to their end and no further, and no more tokens than they can hold. */
static void fuzz_estimate(struct slice bytes)
{
	enum { FRAME_TOKENS = 3, MEDIA_TOKENS = 765 };
	char *exact = malloc(bytes.size ? bytes.size : 1);
	uint64_t tokens;

	assert(exact);
	if (bytes.size)
		memcpy(exact, bytes.data, bytes.size);
	tokens = estimate_request(slice_of(exact, bytes.size));
	assert(tokens >= FRAME_TOKENS && tokens <= FRAME_TOKENS + bytes.size * MEDIA_TOKENS);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	uint8_t seed = input_byte(&input);
	struct slice bytes = input_rest(&input);
	struct json_error error = {0}, explained = {0};
	struct json_parser *p;
	char *document;
	int result;

	if (bytes.size > DOCUMENT_MAX_BYTES)
		return 0;
	p = json_parser_open(DOCUMENT_MAX_BYTES);
	assert(p);
	document = padded_copy(bytes);
	bytes.data = document;
	result = json_parse(p, bytes, &error);
	assert(result == json_explain(bytes, &explained));
	assert(error.offset == explained.offset && error.offset <= bytes.size);
	fuzz_estimate(bytes);
	json_reference_check(p, bytes, result == 0);
	if (result == 0)
		fuzz_edits(p, seed);
	free(document);
	json_parser_close(p);
	return 0;
}
