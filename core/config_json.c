/* A configuration tree as JSON: see config_json.h. */
#include "core/config_json.h"

#include "core/text.h"

#include <ctype.h>

enum { ESCAPED_BYTES_MAX = 6 /* of one byte */, FRAME_BYTES = 8 /* quotes, brackets, comma, colon, "null" */ };

static size_t skip_digits(struct slice text, size_t at)
{
	while (at < text.size && isdigit((unsigned char)text.data[at]))
		at++;
	return at;
}

/* RFC 8259, section 6. */
static bool is_number(struct slice text)
{
	size_t at = text.size && text.data[0] == '-' ? 1 : 0, digits = skip_digits(text, at);

	if (digits == at || (text.data[at] == '0' && digits > at + 1))
		return false;
	at = digits;
	if (at < text.size && text.data[at] == '.') {
		digits = skip_digits(text, at + 1);
		if (digits == at + 1)
			return false;
		at = digits;
	}
	if (at < text.size && (text.data[at] == 'e' || text.data[at] == 'E')) {
		at += at + 1 < text.size && (text.data[at + 1] == '-' || text.data[at + 1] == '+') ? 2 : 1;
		digits = skip_digits(text, at);
		if (digits == at)
			return false;
		at = digits;
	}
	return at == text.size;
}

static void print_scalar(const struct config_node *node, struct text *json)
{
	if (config_is_null(node))
		text_literal(json, "null");
	else if (node->plain && (slice_equal(node->text, SLICE("true")) || slice_equal(node->text, SLICE("false")) ||
					is_number(node->text)))
		text_add(json, node->text);
	else
		text_json(json, node->text);
}

/* As deep as a document may be: CONFIG_DEPTH_MAX. */
static void print(const struct config_node *node, struct text *json)
{
	bool map = node->kind == CONFIG_MAP;

	if (node->kind == CONFIG_SCALAR) {
		print_scalar(node, json);
		return;
	}
	text_char(json, map ? '{' : '[');
	for (const struct config_entry *entry = node->first; entry; entry = entry->next) {
		if (entry != node->first)
			text_char(json, ',');
		if (map) {
			text_json(json, entry->key->text);
			text_char(json, ':');
		}
		print(entry->value, json);
	}
	text_char(json, map ? '}' : ']');
}

static size_t bytes_of(const struct config_node *node)
{
	size_t bytes = FRAME_BYTES + ESCAPED_BYTES_MAX * node->text.size;

	for (const struct config_entry *entry = node->kind == CONFIG_SCALAR ? NULL : node->first; entry;
		entry = entry->next)
		bytes += bytes_of(entry->value) +
			 (entry->key ? FRAME_BYTES + ESCAPED_BYTES_MAX * entry->key->text.size : 0);
	return bytes;
}

char *config_print_json(const struct config_node *node, struct config_memory *memory)
{
	size_t capacity = bytes_of(node);
	struct text json = text_over(config_alloc(memory, capacity + 1, 1), capacity);

	if (json.data)
		print(node, &json);
	return json.data;
}
