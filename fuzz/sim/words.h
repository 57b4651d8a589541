/*
 * The texts that clients and providers say to each other: words of all sorts, the same for the same number, and the
 * ways in which JSON may write them. Both sides compare what the words are, not how they came to be written.
 */
#ifndef FUZZ_SIM_WORDS_H
#define FUZZ_SIM_WORDS_H

#include "fuzz/sim/bytes.h"

/* Appends words until what was appended since `start` has at least `least` bytes. So what has come is written anew by
 * its own size. */
void words_add(struct bytes *text, size_t start, unsigned number, size_t least);

enum { WORDS_STYLES = 3 };

/* As the inside of a JSON string: with as few escapes as there may be, with many, or with some of them. */
void words_escape(struct bytes *json, struct slice text, unsigned style);

#endif
