/*
 * A view of bytes that somebody else owns. Never NUL-terminated, may hold NUL. Passed by value; lives no longer than
 * the memory it points to, which the function or field that hands one out names.
 */
#ifndef CORE_SLICE_H
#define CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char *data; /* may be NULL when size is 0 */
	size_t size;
};

/* A slice of a string literal, without its NUL. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

static inline struct slice slice_of(const void *data, size_t size)
{
	return (struct slice){(const char *)data, size};
}

static inline struct slice slice_of_string(const char *string)
{
	return string ? slice_of(string, strlen(string)) : slice_of(NULL, 0);
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ASCII only, as header names and schemes compare. */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || strncasecmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
	return s.size >= prefix.size && (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}

static inline bool slice_ends_with(struct slice s, struct slice suffix)
{
	return s.size >= suffix.size && slice_equal(slice_of(s.data + (s.size - suffix.size), suffix.size), suffix);
}

/* What is left of `s` after its first `count` bytes; empty when there are fewer. */
static inline struct slice slice_after(struct slice s, size_t count)
{
	return count < s.size ? slice_of(s.data + count, s.size - count) : slice_of(s.data + s.size, 0);
}

#endif
