/*
 * What the fuzz targets share: choices and cuts that come from the input's own bytes, so that an input always does the
 * same, and comparisons that say where two records part.
 *
 * An input begins with bytes that choose (letters, in the corpora, so that a text editor can change them); the rest is
 * what the parser gets.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "core/text.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at, *end;
};

/* 0 beyond the end. */
static inline uint8_t input_byte(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static inline uint64_t input_u64(struct input *input)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | input_byte(input);
	return value;
}

static inline struct slice input_rest(const struct input *input)
{
	return slice_of(input->at, (size_t)(input->end - input->at));
}

/* At most `max` bytes from the front. */
static inline struct slice input_take(struct input *input, size_t max)
{
	struct slice rest = input_rest(input);

	if (rest.size > max)
		rest.size = max;
	input->at += rest.size;
	return rest;
}

/* Sizes of pieces: all at once, single bytes, or drawn from a seed. */
struct cuts {
	uint64_t state;
	size_t largest;
};

static inline struct cuts cuts_none(void)
{
	return (struct cuts){0, 0};
}

static inline struct cuts cuts_bytes(void)
{
	return (struct cuts){0, 1};
}

/* Short pieces and long ones, as the seed says. */
static inline struct cuts cuts_drawn(uint8_t seed)
{
	return (struct cuts){seed, (size_t)2 << seed % 8};
}

/* Of what is left, how much comes next: at least one byte. */
static inline size_t cuts_next(struct cuts *cuts, size_t left)
{
	size_t size = left;

	if (cuts->largest) {
		cuts->state = cuts->state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
		size = 1 + (size_t)(cuts->state >> 33) % cuts->largest;
	}
	return size < left ? size : left;
}

/* A copy of its own size, so that reading past it is seen, and reading it once it is freed. */
static inline char *copy_of(struct slice bytes)
{
	char *copy = malloc(bytes.size ? bytes.size : 1);

	assert(copy);
	if (bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	return copy;
}

/* One entry of a record: its size and its bytes, so that entries cannot run together. */
static inline void note(struct text *record, struct slice entry)
{
	uint32_t size = (uint32_t)entry.size;

	text_add(record, slice_of(&size, sizeof(size)));
	text_add(record, entry);
	assert(!record->full);
}

static inline void note_number(struct text *record, uint64_t number)
{
	text_add(record, slice_of(&number, sizeof(number)));
	assert(!record->full);
}

static inline void show(const char *name, const struct text *record)
{
	fprintf(stderr, "%s: %zu bytes\n", name, record->size);
	for (size_t i = 0; i < record->size; i++)
		fprintf(stderr, record->data[i] >= ' ' && record->data[i] <= '~' ? "%c" : "\\x%02x",
			(unsigned char)record->data[i]);
	fputc('\n', stderr);
}

/* Both records must be the same; else shows them and ends. */
static inline void expect_same(const struct text *whole, const struct text *pieces)
{
	if (slice_equal(text_slice(whole), text_slice(pieces)))
		return;
	show("whole ", whole);
	show("pieces", pieces);
	abort();
}

#endif
