/*
 * Edits of a parsed document. A patch is kept as it was asked for; commas are settled in json_edited(), when all of
 * them are known: a run of removed neighbours takes the comma behind it, or at the object's end the one before it, and
 * an insertion brings a comma unless nothing is left before it. Only white space and commas lie between members, so
 * settling looks at bytes of the document alone.
 */
#include "proto/json/json.h"

#include <assert.h>

/* A patch with its commas settled. */
struct cut {
	size_t begin, end;
	bool comma; /* before `with` */
	struct slice with;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t space_end(struct slice document, size_t at)
{
	while (at < document.size && is_space(document.data[at]))
		at++;
	return at;
}

static size_t space_begin(struct slice document, size_t at)
{
	while (at > 0 && is_space(document.data[at - 1]))
		at--;
	return at;
}

static void add(struct json_edits *edits, struct json_edit edit)
{
	unsigned insert = edit.kind == JSON_EDIT_INSERT;
	unsigned at = edits->count;

	if (edits->count + edits->inserts + 1 + insert > JSON_EDITS_MAX) {
		edits->full = true;
		return;
	}
	for (; at > 0 && edits->list[at - 1].begin > edit.begin; at--)
		edits->list[at] = edits->list[at - 1];
	edits->list[at] = edit;
	edits->count++;
	edits->inserts += insert;
}

void json_edits_init(struct json_edits *edits)
{
	edits->count = edits->inserts = 0;
	edits->full = false;
}

static size_t offset_in(const struct json_parser *p, const char *at)
{
	return (size_t)(at - json_document(p).data);
}

void json_replace(struct json_edits *edits, const struct json_parser *p, json_ref value, struct slice with)
{
	struct slice raw = json_raw(p, value);
	size_t begin = offset_in(p, raw.data);

	add(edits, (struct json_edit){JSON_EDIT_REPLACE, begin, begin + raw.size, with});
}

void json_rename(struct json_edits *edits, const struct json_parser *p, json_ref member_value, struct slice key)
{
	struct slice raw = json_key_raw(p, member_value);
	size_t begin = offset_in(p, raw.data);

	add(edits, (struct json_edit){JSON_EDIT_REPLACE, begin, begin + raw.size, key});
}

void json_remove(struct json_edits *edits, const struct json_parser *p, json_ref object, json_ref member_value)
{
	struct slice key = json_key_raw(p, member_value), raw = json_raw(p, member_value);

	assert(key.data && key.data > json_raw(p, object).data);
	add(edits, (struct json_edit){JSON_EDIT_REMOVE, offset_in(p, key.data), offset_in(p, raw.data) + raw.size,
			   slice_of(NULL, 0)});
}

void json_insert(struct json_edits *edits, const struct json_parser *p, json_ref object, struct slice members)
{
	struct slice raw = json_raw(p, object);
	size_t brace = offset_in(p, raw.data) + raw.size - 1;

	assert(json_type(p, object) == JSON_OBJECT);
	add(edits, (struct json_edit){JSON_EDIT_INSERT, brace, brace, members});
}

/* Whether nothing but one comma lies in [begin, end). */
static bool neighbours(struct slice document, size_t begin, size_t end)
{
	size_t at = space_end(document, begin);

	return at < end && document.data[at] == ',' && space_end(document, at + 1) == end;
}

/* The removals from list[*next] on that follow each other; *next moves behind them. */
static struct cut settle_removals(const struct json_edits *edits, struct slice document, unsigned *next)
{
	struct cut cut = {.begin = edits->list[*next].begin, .end = edits->list[*next].end};
	size_t at;

	while (++*next < edits->count) {
		const struct json_edit *e = &edits->list[*next];

		if (e->kind != JSON_EDIT_REMOVE || !neighbours(document, cut.end, e->begin))
			break;
		cut.end = e->end;
	}
	at = space_end(document, cut.end);
	if (document.data[at] == ',') {
		cut.end = space_end(document, at + 1);
		return cut;
	}
	at = space_begin(document, cut.begin);
	if (document.data[at - 1] == ',')
		cut.begin = at - 1;
	return cut;
}

/* Behind `before`, which may be what emptied the object; NULL when there is no earlier cut. */
static struct cut settle_insertion(const struct json_edit *e, struct slice document, const struct cut *before)
{
	size_t at = space_begin(document, e->begin);

	if (before && before->with.size == 0 && before->end >= at)
		at = space_begin(document, before->begin);
	return (struct cut){e->begin, e->end, document.data[at - 1] != '{', e->with};
}

static unsigned settle(const struct json_edits *edits, struct slice document, struct cut cuts[JSON_EDITS_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < edits->count;) {
		const struct json_edit *e = &edits->list[i];

		if (e->kind == JSON_EDIT_REMOVE) {
			cuts[count++] = settle_removals(edits, document, &i);
			continue;
		}
		if (e->kind == JSON_EDIT_INSERT)
			cuts[count] = settle_insertion(e, document, count ? &cuts[count - 1] : NULL);
		else
			cuts[count] = (struct cut){e->begin, e->end, false, e->with};
		count++;
		i++;
	}
	return count;
}

static unsigned put(struct iovec *iov, unsigned used, size_t *size, struct slice bytes)
{
	if (bytes.size == 0)
		return used;
	iov[used] = (struct iovec){.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.size};
	*size += bytes.size;
	return used + 1;
}

unsigned json_edited(struct json_edits *edits, struct slice document, struct iovec *iov, size_t *size)
{
	struct cut cuts[JSON_EDITS_MAX];
	unsigned count, used = 0;
	size_t at = 0;

	assert(!edits->full);
	count = settle(edits, document, cuts);
	*size = 0;
	for (unsigned i = 0; i < count; i++) {
		assert(cuts[i].begin >= at && cuts[i].end <= document.size);
		used = put(iov, used, size, slice_of(document.data + at, cuts[i].begin - at));
		if (cuts[i].comma)
			used = put(iov, used, size, SLICE(","));
		used = put(iov, used, size, cuts[i].with);
		at = cuts[i].end;
	}
	return put(iov, used, size, slice_of(document.data + at, document.size - at));
}
