/*
 * Golden files: what a test found is compared with a file that a reviewer has read. GOLDEN_WRITE=1 in the environment
 * writes the files instead, for the reviewer to read their difference. Tests run in the repository's root.
 */
#ifndef PROTO_TESTS_GOLDEN_H
#define PROTO_TESTS_GOLDEN_H

#include "proto/chat/tests/chat_fixture.h"

enum { GOLDEN_NAME_BYTES = 128, GOLDEN_FILES_MAX = 512 };

struct golden_list {
	unsigned count;
	char names[GOLDEN_FILES_MAX][GOLDEN_NAME_BYTES]; /* sorted */
};

/* The names in `folder` that are CASE.MIDDLE.SUFFIX, cut to CASE. */
void golden_list(const char *folder, const char *middle, const char *suffix, struct golden_list *list);

/* The whole file, NUL-terminated, for the caller to free; NULL when there is none. */
char *golden_read(const char *path, size_t *size);

/* Text as it stands. Fails the test when they differ. */
void golden_check(const char *path, struct slice found);

/* JSON, whatever its spaces: files hold it indented. */
void golden_check_json(struct fixture *f, const char *path, struct slice found);

#endif
