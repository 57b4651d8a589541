/* Forms in parts: see multipart.h. */
#include "proto/http/multipart.h"

#include <assert.h>
#include <errno.h>

#define TYPE SLICE("multipart/form-data")
#define DASHES SLICE("--")
#define CRLF SLICE("\r\n")

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
	while (s.size && is_blank(s.data[0]))
		s = slice_after(s, 1);
	while (s.size && is_blank(s.data[s.size - 1]))
		s.size--;
	return s;
}

/* ---- parameters: ; name=token, ; name="quoted" ---------------------------------------------------------------- */

/* Which end of a token RFC 9110, 5.6.2 names: all but separators and controls. */
static bool is_token_char(char c)
{
	return c > ' ' && c < 127 && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static size_t token_size(struct slice s)
{
	size_t size = 0;

	while (size < s.size && is_token_char(s.data[size]))
		size++;
	return size;
}

/* What stands between quotes, and all of it with them; false when none ends it. A backslash keeps what follows. */
static bool take_quoted(struct slice *rest, struct slice *value)
{
	size_t at = 1;

	while (at < rest->size && rest->data[at] != '"')
		at += rest->data[at] == '\\' ? 2 : 1;
	if (at >= rest->size)
		return false;
	*value = slice_of(rest->data + 1, at - 1);
	*rest = slice_after(*rest, at + 1);
	return true;
}

/* 1: a parameter; 0: none is left; -EINVAL. */
static int next_parameter(struct slice *rest, struct slice *name, struct slice *value)
{
	*rest = trim(*rest);
	if (!rest->size)
		return 0;
	if (rest->data[0] != ';')
		return -EINVAL;
	*rest = trim(slice_after(*rest, 1));
	*name = slice_of(rest->data, token_size(*rest));
	*rest = slice_after(*rest, name->size);
	if (!name->size || !rest->size || rest->data[0] != '=')
		return -EINVAL;
	*rest = slice_after(*rest, 1);
	if (rest->size && rest->data[0] == '"')
		return take_quoted(rest, value) ? 1 : -EINVAL;
	*value = slice_of(rest->data, token_size(*rest));
	*rest = slice_after(*rest, value->size);
	return value->size ? 1 : -EINVAL;
}

/* RFC 2046, 5.1.1: bchars, and no blank at the end. */
static bool is_boundary(struct slice boundary)
{
	for (size_t i = 0; i < boundary.size; i++) {
		char c = boundary.data[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
			(!c || !strchr("'()+_,-./:=? ", c)))
			return false;
	}
	return boundary.size && boundary.size <= MULTIPART_BOUNDARY_BYTES_MAX &&
	       boundary.data[boundary.size - 1] != ' ';
}

bool multipart_boundary(struct slice content_type, struct slice *boundary)
{
	struct slice rest = trim(content_type), name, value;
	int more;

	*boundary = slice_of(NULL, 0);
	if (rest.size < TYPE.size || !slice_equal_nocase(slice_of(rest.data, TYPE.size), TYPE))
		return false;
	rest = slice_after(rest, TYPE.size);
	while ((more = next_parameter(&rest, &name, &value)) == 1) {
		if (!slice_equal_nocase(name, SLICE("boundary")))
			continue;
		if (boundary->data)
			return false; /* two: which one the parts have is anybody's guess */
		*boundary = value;
	}
	return more == 0 && is_boundary(*boundary);
}

/* ---- parts ---------------------------------------------------------------------------------------------------- */

static struct slice rest_of(const struct multipart *m)
{
	return slice_after(m->body, m->at);
}

static int fail(struct multipart *m, const char *problem)
{
	m->problem = problem;
	return -EINVAL;
}

static bool skip(struct multipart *m, struct slice expected)
{
	if (!slice_starts_with(rest_of(m), expected))
		return false;
	m->at += expected.size;
	return true;
}

static const char *find(struct slice s, struct slice part)
{
	return s.size ? memmem(s.data, s.size, part.data, part.size) : NULL;
}

static int read_disposition(struct multipart *m, struct slice value, struct multipart_part *part)
{
	struct slice form = SLICE("form-data"), name, text;
	int more;

	if (part->name.data || value.size < form.size || !slice_equal_nocase(slice_of(value.data, form.size), form))
		return fail(m, "one Content-Disposition: form-data");
	value = slice_after(value, form.size);
	while ((more = next_parameter(&value, &name, &text)) == 1) {
		struct slice *into = slice_equal_nocase(name, SLICE("name"))       ? &part->name
				     : slice_equal_nocase(name, SLICE("filename")) ? &part->filename
										   : NULL;

		if (into && into->data)
			return fail(m, "one name and one filename");
		if (into)
			*into = text;
	}
	return more < 0 || !part->name.size ? fail(m, "a name in the Content-Disposition") : 0;
}

static bool is_text(struct slice line)
{
	for (size_t i = 0; i < line.size; i++)
		if ((unsigned char)line.data[i] < ' ' && line.data[i] != '\t')
			return false;
	return true;
}

static int read_header(struct multipart *m, struct slice line, struct multipart_part *part)
{
	size_t end = token_size(line);
	struct slice name = slice_of(line.data, end), value;

	if (!end || end == line.size || line.data[end] != ':' || !is_text(line) || slice_starts_with(line, DASHES))
		return fail(m, "a header line: a name, a colon, a value");
	value = trim(slice_after(line, end + 1));
	if (slice_equal_nocase(name, SLICE("content-disposition")))
		return read_disposition(m, value, part);
	if (slice_equal_nocase(name, SLICE("content-type")))
		part->type = value;
	if (slice_equal_nocase(name, SLICE("content-transfer-encoding")) &&
		!slice_equal_nocase(value, SLICE("binary")) && !slice_equal_nocase(value, SLICE("8bit")) &&
		!slice_equal_nocase(value, SLICE("7bit")))
		return fail(m, "content as it is, without a transfer encoding");
	return 0;
}

static int read_head(struct multipart *m, struct multipart_part *part)
{
	size_t begun = m->at;

	while (!skip(m, CRLF)) {
		struct slice rest = rest_of(m);
		const char *end = find(rest, CRLF);
		struct slice line = slice_of(rest.data, end ? (size_t)(end - rest.data) : 0);
		int err;

		if (!end || m->at + line.size - begun > MULTIPART_HEAD_BYTES_MAX)
			return fail(m, "a header line that ends in CRLF, in a head of at most 2048 bytes");
		err = read_header(m, line, part);
		if (err)
			return err;
		m->at += line.size + CRLF.size;
	}
	return part->name.data ? 0 : fail(m, "a Content-Disposition before the content");
}

/*
 * The delimiter's line begins where the content's last line ends. Where it stands right behind the head, some readers
 * see an empty part and others its content.
 */
static int read_content(struct multipart *m, struct multipart_part *part)
{
	char memory[4 + MULTIPART_BOUNDARY_BYTES_MAX];
	struct text delimiter = text_over(memory, sizeof(memory));
	struct slice rest = rest_of(m);
	const char *end;

	text_add(&delimiter, CRLF);
	text_add(&delimiter, DASHES);
	text_add(&delimiter, m->boundary);
	end = find(rest, text_slice(&delimiter));
	if (!end || slice_starts_with(rest, slice_after(text_slice(&delimiter), CRLF.size)))
		return fail(m, "the boundary behind this part's content");
	part->content = slice_of(rest.data, (size_t)(end - rest.data));
	m->at += part->content.size + CRLF.size;
	return 1;
}

void multipart_init(struct multipart *m, struct slice boundary, struct slice body)
{
	*m = (struct multipart){.boundary = boundary, .body = body};
}

int multipart_next_head(struct multipart *m, struct multipart_part *part)
{
	int err;

	*part = (struct multipart_part){.name = slice_of(NULL, 0)};
	if (!skip(m, DASHES) || !skip(m, m->boundary))
		return fail(m, "two dashes and the boundary of the Content-Type");
	if (skip(m, DASHES)) {
		skip(m, CRLF);
		return m->at == m->body.size ? 0 : fail(m, "nothing behind the last boundary");
	}
	if (!skip(m, CRLF))
		return fail(m, "CRLF, or two dashes, behind the boundary");
	if (m->count++ == MULTIPART_PARTS_MAX)
		return fail(m, "at most 24 parts");
	err = read_head(m, part);
	return err ? err : 1;
}

int multipart_next(struct multipart *m, struct multipart_part *part)
{
	int more = multipart_next_head(m, part);

	return more == 1 ? read_content(m, part) : more;
}

/* ---- content that comes in pieces ----------------------------------------------------------------------------- */

void multipart_content_init(struct multipart_content *c, struct slice boundary)
{
	struct text t = text_over(c->delimiter, sizeof(c->delimiter));

	text_add(&t, CRLF);
	text_add(&t, DASHES);
	text_add(&t, boundary);
	assert(!t.full);
	c->size = t.size;
	c->matched = 0;
}

static struct slice delimiter_of(const struct multipart_content *c)
{
	return slice_of(c->delimiter, c->size);
}

/* How many bytes at the end of `data`, which has no delimiter, may begin one. CR stands nowhere else in it. */
static size_t begun(const struct multipart_content *c, struct slice data)
{
	size_t most = data.size < c->size ? data.size : c->size - 1;
	const char *cr = most ? memrchr(data.data + data.size - most, '\r', most) : NULL;
	size_t size = cr ? (size_t)(data.data + data.size - cr) : 0;

	return slice_starts_with(delimiter_of(c), slice_of(cr, size)) ? size : 0;
}

/* Goes on with a delimiter that may have begun: true when it is decided what it is. */
static bool decide(struct multipart_content *c, struct slice *data)
{
	while (data->size && c->matched < c->size && data->data[0] == c->delimiter[c->matched]) {
		*data = slice_after(*data, 1);
		c->matched++;
	}
	return c->matched == c->size || data->size;
}

enum multipart_content_result multipart_content_next(
	struct multipart_content *c, struct slice *data, struct slice *piece)
{
	if (!c->matched && data->size) {
		const char *end = find(*data, delimiter_of(c));

		*piece = slice_of(data->data, end ? (size_t)(end - data->data) : data->size - begun(c, *data));
		*data = slice_after(*data, piece->size);
		if (piece->size)
			return MULTIPART_CONTENT_PIECE;
	}
	if (!decide(c, data))
		return MULTIPART_CONTENT_MORE;
	*piece = slice_of(c->delimiter, c->matched);
	c->matched = 0;
	return piece->size == c->size ? MULTIPART_CONTENT_END : MULTIPART_CONTENT_PIECE;
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

void multipart_write_head(struct text *t, struct slice boundary, const struct multipart_part *part, bool first)
{
	if (!first)
		text_add(t, CRLF);
	text_add(t, DASHES);
	text_add(t, boundary);
	text_literal(t, "\r\nContent-Disposition: form-data; name=\"");
	text_add(t, part->name);
	if (part->filename.data) {
		text_literal(t, "\"; filename=\"");
		text_add(t, part->filename);
	}
	text_literal(t, "\"");
	if (part->type.data) {
		text_literal(t, "\r\nContent-Type: ");
		text_add(t, part->type);
	}
	text_literal(t, "\r\n\r\n");
}

void multipart_write_end(struct text *t, struct slice boundary)
{
	text_add(t, CRLF);
	text_add(t, DASHES);
	text_add(t, boundary);
	text_literal(t, "--\r\n");
}

void multipart_write_type(struct text *t, struct slice boundary)
{
	bool plain = token_size(boundary) == boundary.size; /* usual, and understood by the simplest of servers */

	text_add(t, TYPE);
	text_string(t, plain ? "; boundary=" : "; boundary=\"");
	text_add(t, boundary);
	text_string(t, plain ? "" : "\"");
}
