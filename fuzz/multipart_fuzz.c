/*
 * Fuzzes the reader of forms. What is read as a form has as many parts as boundaries, and none within a part; written
 * anew it is read as the same, and is written no different then; and no beginning of it is a form. A part's content
 * that comes in pieces, cut anywhere, is the same.
 *
 * An input: a byte that draws where it is cut, a line that is the Content-Type, then the form.
 */
#include "fuzz/input.h"
#include "proto/http/multipart.h"

enum { FORM_BYTES_MAX = 8192, TYPE_BYTES = 128 };

struct form {
	struct slice boundary;
	unsigned count;
	struct multipart_part parts[MULTIPART_PARTS_MAX + 1];
};

static bool read_form(struct slice body, struct form *form)
{
	struct multipart m;
	int more;

	form->count = 0;
	multipart_init(&m, form->boundary, body);
	while ((more = multipart_next(&m, &form->parts[form->count])) == 1)
		assert(++form->count <= MULTIPART_PARTS_MAX);
	assert(m.at <= body.size && (more == 0) == !m.problem);
	return more == 0;
}

/* How often the boundary stands where a line begins. */
static unsigned count_boundaries(struct slice body, struct slice boundary)
{
	unsigned count = 0;

	for (size_t i = 0; i + 2 + boundary.size <= body.size; i++) {
		const char *at = body.data + i;
		bool begins = i == 0 || (i >= 2 && at[-2] == '\r' && at[-1] == '\n');

		count += begins && memcmp(at, "--", 2) == 0 && memcmp(at + 2, boundary.data, boundary.size) == 0;
	}
	return count;
}

static void write_form(const struct form *form, struct text *body)
{
	for (unsigned i = 0; i < form->count; i++) {
		multipart_write_head(body, form->boundary, &form->parts[i], i == 0);
		text_add(body, form->parts[i].content);
	}
	multipart_write_end(body, form->boundary);
	assert(!body->full);
}

static void expect_equal(const struct form *a, const struct form *b)
{
	assert(a->count == b->count);
	for (unsigned i = 0; i < a->count; i++) {
		const struct multipart_part *x = &a->parts[i], *y = &b->parts[i];

		assert(slice_equal(x->name, y->name) && slice_equal(x->content, y->content));
		assert(slice_equal(x->filename, y->filename) && !x->filename.data == !y->filename.data);
		assert(slice_equal(x->type, y->type) && !x->type.data == !y->type.data);
	}
}

/* The provider's reader gets what multipart_write_type() says. */
static void check_written(const struct form *form, size_t body_bytes)
{
	size_t capacity = body_bytes + (MULTIPART_PARTS_MAX + 1) * (size_t)256;
	char *memory = malloc(2 * capacity), type_memory[TYPE_BYTES];
	struct text body = text_over(memory, capacity), again = text_over(memory + capacity, capacity);
	struct text type = text_over(type_memory, sizeof(type_memory));
	struct form read;

	assert(memory);
	multipart_write_type(&type, form->boundary);
	assert(!type.full && multipart_boundary(text_slice(&type), &read.boundary));
	assert(slice_equal(read.boundary, form->boundary));
	write_form(form, &body);
	/* A form without parts begins with the end of a line, and is none: no request comes to that. */
	if (form->count) {
		assert(read_form(text_slice(&body), &read));
		expect_equal(form, &read);
		write_form(&read, &again);
		assert(slice_equal(text_slice(&body), text_slice(&again)));
	}
	free(memory);
}

static void check_cut(const struct form *form, struct slice body, uint8_t where)
{
	size_t least = slice_ends_with(body, SLICE("\r\n")) ? body.size - 2 : body.size;
	struct form read = {.boundary = form->boundary};

	assert(!read_form(slice_of(body.data, least * where / 256), &read));
}

/* From where a part's content begins: the same content comes, and then what follows its boundary. */
static void check_content(const struct form *form, struct slice body, const struct multipart_part *part, uint8_t where)
{
	size_t at = (size_t)(part->content.data - body.data), seen = 0, cut = where % 61 + 1;
	enum multipart_content_result result = MULTIPART_CONTENT_MORE;
	struct multipart_content c;
	struct slice piece;

	multipart_content_init(&c, form->boundary);
	while (result != MULTIPART_CONTENT_END) {
		struct slice data = slice_of(body.data + at, body.size - at < cut ? body.size - at : cut);
		size_t size = data.size;

		assert(size);
		while ((result = multipart_content_next(&c, &data, &piece)) == MULTIPART_CONTENT_PIECE) {
			assert(piece.size && seen + piece.size <= part->content.size);
			assert(memcmp(piece.data, part->content.data + seen, piece.size) == 0);
			seen += piece.size;
		}
		at += size - data.size;
	}
	assert(seen == part->content.size);
	assert(body.data + at == part->content.data + part->content.size + 4 + form->boundary.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	uint8_t where = input_byte(&input);
	struct slice rest = input_rest(&input), type, body;
	const char *end = rest.size ? memchr(rest.data, '\n', rest.size) : NULL;
	struct form form;

	if (!end || rest.size > FORM_BYTES_MAX)
		return 0;
	type = slice_of(rest.data, (size_t)(end - rest.data));
	body = slice_after(rest, type.size + 1);
	if (!multipart_boundary(type, &form.boundary))
		return 0;
	assert(form.boundary.size && form.boundary.size <= MULTIPART_BOUNDARY_BYTES_MAX);
	if (!read_form(body, &form))
		return 0;
	assert(count_boundaries(body, form.boundary) == form.count + 1);
	check_written(&form, body.size);
	check_cut(&form, body, where);
	for (unsigned i = 0; i < form.count; i++)
		check_content(&form, body, &form.parts[i], where);
	return 0;
}
