/* Texts with places to be filled: see template.h. */
#include "route/endpoints/template.h"

enum { ESCAPED_BYTES_MAX = 6 /* of one byte, as JSON escapes it */ };

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
	while (s.size && is_space(s.data[0]))
		s = slice_after(s, 1);
	while (s.size && is_space(s.data[s.size - 1]))
		s.size--;
	return s;
}

/* "a.b": no part of it is empty. */
static bool is_path(struct slice path)
{
	char before = '.';

	for (size_t i = 0; i < path.size; i++) {
		if (path.data[i] == '.' && before == '.')
			return false;
		before = path.data[i];
	}
	return before != '.';
}

/* What stands between the braces; the path behind "input". */
static bool read_place(struct slice inside, struct slice *path)
{
	struct slice name = SLICE("input");

	inside = trim(inside);
	if (!slice_starts_with(inside, name))
		return false;
	*path = slice_after(inside, name.size);
	if (path->size == 0)
		return true;
	if (path->data[0] != '.')
		return false;
	*path = slice_after(*path, 1);
	return is_path(*path);
}

/* The next part of *rest, taken off it; its text is not escaped. False: what is there cannot be read. */
static bool next_part(struct slice *rest, struct template_part *part)
{
	const char *open = memmem(rest->data, rest->size, "{{", 2), *close;
	size_t plain = open ? (size_t)(open - rest->data) : rest->size;
	struct slice inside;

	*part = (struct template_part){.filled = plain == 0, .text = slice_of(rest->data, plain)};
	if (!part->filled) {
		*rest = slice_after(*rest, plain);
		return true;
	}
	inside = slice_after(*rest, 2);
	close = memmem(inside.data, inside.size, "}}", 2);
	if (!close)
		return false;
	inside.size = (size_t)(close - inside.data);
	*rest = slice_after(*rest, inside.size + 4);
	return read_place(inside, &part->text);
}

bool template_check(struct slice text)
{
	struct template_part part;

	while (text.size)
		if (!next_part(&text, &part))
			return false;
	return true;
}

/* As the inside of a JSON string. */
static void add_escaped(struct text *text, struct slice plain)
{
	size_t at = text->size;

	text_json(text, plain);
	if (text->full)
		return;
	text->size -= 2;
	memmove(text->data + at, text->data + at + 1, text->size - at);
}

static struct slice escape(struct config_memory *memory, struct slice plain)
{
	size_t capacity = ESCAPED_BYTES_MAX * plain.size + 2;
	struct text text = text_over(config_alloc(memory, capacity, 1), capacity);

	if (!text.data)
		return slice_of(NULL, 0);
	add_escaped(&text, plain);
	return text_slice(&text);
}

void template_compile(struct template *template, struct slice text, struct config_memory *memory)
{
	struct template_part part;
	unsigned count = 0;

	for (struct slice rest = text; rest.size && next_part(&rest, &part);)
		count++;
	*template = (struct template){.parts = count ? config_alloc(memory, count, sizeof(part)) : NULL};
	if (!template->parts)
		return;
	while (template->part_count < count && next_part(&text, &part)) {
		part.text = part.filled ? part.text : escape(memory, part.text);
		template->parts[template->part_count++] = part;
	}
}

/* JSON_NONE: it is not there. */
static json_ref find(const struct json_parser *json, json_ref input, struct slice path)
{
	while (input != JSON_NONE && path.size) {
		const char *dot = memchr(path.data, '.', path.size);
		struct slice name = slice_of(path.data, dot ? (size_t)(dot - path.data) : path.size);

		input = json_type(json, input) == JSON_OBJECT ? json_member(json, input, name) : JSON_NONE;
		path = slice_after(path, name.size + (dot ? 1 : 0));
	}
	return input;
}

size_t template_bytes(const struct template *template, const struct json_parser *json, json_ref input)
{
	size_t bytes = 2; /* the quotes that escaping puts and takes away */

	for (unsigned i = 0; i < template->part_count; i++) {
		const struct template_part *part = &template->parts[i];
		json_ref value = part->filled ? find(json, input, part->text) : JSON_NONE;

		if (!part->filled)
			bytes += part->text.size;
		else if (value != JSON_NONE)
			bytes += ESCAPED_BYTES_MAX * json_raw(json, value).size;
	}
	return bytes;
}

/* A string in the document is escaped already. */
void template_add_value(const struct json_parser *json, json_ref value, struct text *text)
{
	struct slice raw = json_raw(json, value);

	if (json_type(json, value) == JSON_STRING)
		text_add(text, slice_of(raw.data + 1, raw.size - 2));
	else
		add_escaped(text, raw);
}

bool template_fill(const struct template *template, const struct json_parser *json, json_ref input, struct text *text,
	struct slice *missing)
{
	for (unsigned i = 0; i < template->part_count; i++) {
		const struct template_part *part = &template->parts[i];
		json_ref value;

		if (!part->filled) {
			text_add(text, part->text);
			continue;
		}
		value = find(json, input, part->text);
		if (value == JSON_NONE) {
			*missing = part->text;
			return false;
		}
		template_add_value(json, value, text);
	}
	return true;
}
