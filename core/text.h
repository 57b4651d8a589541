/*
 * Formatting without printf: appends to a caller's memory and never past it. An overflow sets `full`, appends nothing
 * more and is checked once at the end. Used on the request path, for heads, JSON and logs alike.
 */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include "core/slice.h"

struct text {
	char *data;
	size_t size, capacity;
	bool full; /* something did not fit */
};

static inline struct text text_over(void *memory, size_t capacity)
{
	return (struct text){(char *)memory, 0, capacity, false};
}

static inline struct slice text_slice(const struct text *t)
{
	return slice_of(t->data, t->size);
}

static inline void text_add(struct text *t, struct slice s)
{
	if (t->full || t->capacity - t->size < s.size) {
		t->full = true;
		return;
	}
	if (s.size)
		memcpy(t->data + t->size, s.data, s.size);
	t->size += s.size;
}

#define text_literal(t, literal) text_add((t), SLICE(literal))

void text_string(struct text *t, const char *string);
void text_char(struct text *t, char c);
void text_u64(struct text *t, uint64_t value);
void text_i64(struct text *t, int64_t value);
void text_hex(struct text *t, const void *bytes, size_t size);

/*
 * Bytes of the UTF-8 character that starts at `bytes_at` (Unicode, table 3-7: well-formed byte sequences); 0 when it is
 * malformed or goes on past `size`, which is not 0.
 */
size_t text_utf8_bytes(const void *bytes_at, size_t size);

/* The string quoted and escaped as JSON wants it; bytes that are not UTF-8 become U+FFFD. */
void text_json(struct text *t, struct slice s);

/* null when s.data is NULL, else text_json(). */
void text_json_or_null(struct text *t, struct slice s);

/* Nano-USD as decimal USD without trailing zeros: 99000 is 0.000099. */
void text_usd(struct text *t, int64_t nusd);

/* Unix nanoseconds as 2026-01-31T12:00:00.123456Z. */
void text_rfc3339(struct text *t, uint64_t wall_ns);

/* `value` thousandths as decimal: 1234 is 1.234. */
void text_milli(struct text *t, uint64_t value);

#endif
