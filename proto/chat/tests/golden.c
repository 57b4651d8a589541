/* Golden files: found, read, compared, written. */
#include "proto/chat/tests/golden.h"

#include <dirent.h>

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

void golden_list(const char *folder, const char *middle, const char *suffix, struct golden_list *list)
{
	char tail[GOLDEN_NAME_BYTES];
	DIR *directory = opendir(folder);
	const struct dirent *entry;
	size_t size, tail_size;

	if (!directory)
		fail_msg("%s: no such folder: run this in the repository's root", folder);
	tail_size = (size_t)snprintf(tail, sizeof(tail), ".%s.%s", middle, suffix);
	list->count = 0;
	while ((entry = readdir(directory))) {
		size = strlen(entry->d_name);
		if (size <= tail_size || size >= GOLDEN_NAME_BYTES ||
			strcmp(entry->d_name + size - tail_size, tail) != 0)
			continue;
		assert_true(list->count < GOLDEN_FILES_MAX);
		memset(list->names[list->count], 0, GOLDEN_NAME_BYTES);
		memcpy(list->names[list->count++], entry->d_name, size - tail_size);
	}
	closedir(directory);
	qsort(list->names, list->count, GOLDEN_NAME_BYTES, compare_names);
}

char *golden_read(const char *path, size_t *size)
{
	enum { FILE_BYTES_MAX = 1 << 20 };
	FILE *file = fopen(path, "r");
	char *text = NULL;

	if (!file)
		return NULL;
	text = calloc(1, FILE_BYTES_MAX + 1);
	assert_non_null(text);
	*size = fread(text, 1, FILE_BYTES_MAX, file);
	fclose(file);
	return text;
}

static void write_file(const char *path, struct slice text)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(text.data, 1, text.size, file) != text.size || fclose(file))
		fail_msg("%s: cannot be written", path);
}

void golden_check(const char *path, struct slice found)
{
	size_t size = 0;
	char *expected;
	bool same;

	if (getenv("GOLDEN_WRITE")) {
		write_file(path, found);
		return;
	}
	expected = golden_read(path, &size);
	if (!expected)
		fail_msg("%s: no such file; GOLDEN_WRITE=1 writes it. Found:\n%.*s", path, (int)found.size, found.data);
	same = slice_equal(found, slice_of(expected, size));
	if (!same)
		print_error("%s: expected\n%s\nfound\n%.*s\n", path, expected, (int)found.size, found.data);
	free(expected);
	assert_true(same);
}

static void indent(struct text *t, unsigned depth)
{
	text_char(t, '\n');
	for (unsigned i = 0; i < depth; i++)
		text_literal(t, "  ");
}

static void print_value(const struct json_parser *p, json_ref value, unsigned depth, struct text *t)
{
	bool object = json_type(p, value) == JSON_OBJECT;

	if (json_type(p, value) == JSON_STRING) {
		text_json(t, json_string(p, value));
		return;
	}
	if (!object && json_type(p, value) != JSON_ARRAY) {
		text_add(t, json_raw(p, value));
		return;
	}
	text_char(t, object ? '{' : '[');
	for (json_ref v = json_first(p, value); v != JSON_NONE; v = json_next(p, v)) {
		if (v != json_first(p, value))
			text_char(t, ',');
		indent(t, depth + 1);
		if (object) {
			text_json(t, json_key(p, v));
			text_literal(t, ": ");
		}
		print_value(p, v, depth + 1, t);
	}
	if (json_first(p, value) != JSON_NONE)
		indent(t, depth);
	text_char(t, object ? '}' : ']');
}

void golden_check_json(struct fixture *f, const char *path, struct slice found)
{
	static char memory[FIXTURE_OUT_BYTES];
	struct text t = text_over(memory, sizeof(memory));

	parse(f, found);
	print_value(f->parser, 0, 0, &t);
	text_char(&t, '\n');
	assert_false(t.full);
	golden_check(path, text_slice(&t));
}
