/*
 * JSON view: one pass validates a whole document and leaves a flat array of values with their byte offsets, so that
 * bodies can be edited by slices and never rebuilt. Values are in document order; a container knows where it ends, so a
 * walk is a loop.
 *
 * A `struct json_parser` belongs to one thread and is reused; the view it fills is valid until its next parse.
 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include "core/slice.h"

#include <sys/uio.h>

struct json_parser;

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_INTEGER, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Index into the view; 0 is the root; JSON_NONE: no such value. */
typedef uint32_t json_ref;
#define JSON_NONE UINT32_MAX

enum { JSON_DEPTH_MAX = 128 };

struct json_error {
	size_t offset;       /* of the offending byte, from 0 */
	const char *message; /* static: what is wrong, what was expected */
};

/* max_document_bytes bounds what it will ever hold. NULL when memory is out. */
struct json_parser *json_parser_open(size_t max_document_bytes);
void json_parser_close(struct json_parser *parser);

/* Parses `document`, which has BUFFER_PADDING_BYTES readable bytes behind it. 0; -EINVAL (error is filled in), -E2BIG,
 * -ENOMEM. */
int json_parse(struct json_parser *parser, struct slice document, struct json_error *error);

enum json_type json_type(const struct json_parser *p, json_ref value);
struct slice json_document(const struct json_parser *p);
struct slice json_raw(const struct json_parser *p, json_ref value); /* the value's bytes in the document */
struct slice json_string(
	const struct json_parser *p, json_ref value); /* unescaped; valid until the next parse, as is `document` */
bool json_integer(
	const struct json_parser *p, json_ref value, int64_t *integer); /* also 3.0; false when not integral */
bool json_number(const struct json_parser *p, json_ref value, double *number);

/* Member of an object by unescaped key; JSON_NONE when absent or not an object. */
json_ref json_member(const struct json_parser *p, json_ref object, struct slice key);

/* The key that occurs twice directly in `object` among `keys`, or a slice with NULL data. */
struct slice json_duplicate(const struct json_parser *p, json_ref object, const struct slice *keys, unsigned count);

/* Walks: first element or member value, then next sibling. For a member, json_key() is its unescaped key. */
json_ref json_first(const struct json_parser *p, json_ref container);
json_ref json_next(const struct json_parser *p, json_ref value);
struct slice json_key(const struct json_parser *p, json_ref member_value);
struct slice json_key_raw(const struct json_parser *p, json_ref member_value); /* as written, with its quotes */
uint32_t json_count(const struct json_parser *p, json_ref container);

/*
 * Edits of a parsed document: a list of patches, then an iovec of untouched slices and new bytes. Patches may be added
 * in any order and must not overlap. New bytes are referenced, not copied. An insertion counts twice, for the comma
 * that it may need. Too many patches set `full`: the caller checks it before json_edited().
 */
enum { JSON_EDITS_MAX = 24 };

enum json_edit_kind { JSON_EDIT_REPLACE, JSON_EDIT_REMOVE, JSON_EDIT_INSERT };

struct json_edit {
	enum json_edit_kind kind;
	size_t begin,
		end; /* [begin, end) of the value, of the member from its key on, or of the object's closing brace */
	struct slice with;
};

struct json_edits {
	unsigned count, inserts;
	bool full;
	struct json_edit list[JSON_EDITS_MAX];
};

void json_edits_init(struct json_edits *edits);
void json_replace(struct json_edits *edits, const struct json_parser *p, json_ref value, struct slice with);
/* Removes the member with its key and one comma; adjacent removals are merged. */
void json_remove(struct json_edits *edits, const struct json_parser *p, json_ref object, json_ref member_value);
/* Gives a member another key, quoted. */
void json_rename(struct json_edits *edits, const struct json_parser *p, json_ref member_value, struct slice key);
/* Inserts `"key": value` text (complete, without comma) as the object's last member. At most once per object: the
 * caller joins several with commas. */
void json_insert(struct json_edits *edits, const struct json_parser *p, json_ref object, struct slice members);

/* Fills iov (capacity 2 * JSON_EDITS_MAX + 1) and returns its count; *size is the edited document's size. */
unsigned json_edited(struct json_edits *edits, struct slice document, struct iovec *iov, size_t *size);

#endif
