/* See identity.h. Walks the subject's DER itself: a Name is a sequence of sets of (object identifier, string). */
#include "tls/identity.h"

#include "tls/alt_name.h"
#include "tls/der.h"

enum { PARTS_MAX = 32, STRING_UTF8 = 12, STRING_PRINTABLE = 19, STRING_T61 = 20, STRING_IA5 = 22 };

#define OBJECT(text)                                                                                                   \
	{                                                                                                              \
		text, sizeof(text) - 1                                                                                 \
	}

/* RFC 4514 section 3, and the two that certificates of services carry besides. */
static const struct {
	struct slice object, name;
} attributes[] = {
	{OBJECT("\x55\x04\x03"), OBJECT("CN")},
	{OBJECT("\x55\x04\x07"), OBJECT("L")},
	{OBJECT("\x55\x04\x08"), OBJECT("ST")},
	{OBJECT("\x55\x04\x0a"), OBJECT("O")},
	{OBJECT("\x55\x04\x0b"), OBJECT("OU")},
	{OBJECT("\x55\x04\x06"), OBJECT("C")},
	{OBJECT("\x55\x04\x05"), OBJECT("serialNumber")},
	{OBJECT("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), OBJECT("DC")},
	{OBJECT("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"), OBJECT("UID")},
	{OBJECT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"), OBJECT("emailAddress")},
};

/* "1.2.840": the first number holds two (X.690 section 8.19). What passes 63 bits is no identifier in use. */
static void print_object(struct text *text, struct slice object)
{
	uint64_t number = 0;
	bool first = true;

	for (size_t i = 0; i < object.size; i++) {
		unsigned char byte = (unsigned char)object.data[i];

		number = number << 7 | (byte & 0x7f);
		if (byte & 0x80)
			continue;
		if (first) {
			unsigned root = number < 80 ? (unsigned)(number / 40) : 2;

			text_u64(text, root);
			number -= (uint64_t)root * 40;
			first = false;
		}
		text_char(text, '.');
		text_u64(text, number);
		number = 0;
	}
}

/* Within the quotes of an element a backslash, and what it stands before, is written with one more. */
static void print_byte(struct text *text, unsigned char byte, bool leads)
{
	if (byte <= ' ' || byte >= 0x7f) {
		if (byte == ' ' && !leads) {
			text_char(text, ' ');
			return;
		}
		text_literal(text, "\\\\");
		text_hex(text, &byte, 1);
		return;
	}
	if (byte == '"' || byte == '\\')
		text_literal(text, "\\\\\\");
	else if (memchr("+,;<>", byte, 5) || (leads && byte == '#'))
		text_literal(text, "\\\\");
	text_char(text, (char)byte);
}

static bool is_text(unsigned tag)
{
	return tag == STRING_UTF8 || tag == STRING_PRINTABLE || tag == STRING_T61 || tag == STRING_IA5;
}

static void print_value(struct text *text, const struct der_element *value)
{
	const unsigned char *bytes = (const unsigned char *)value->content.data;
	size_t size = value->content.size;

	if (!is_text(value->tag)) {
		text_char(text, '#');
		text_hex(text, bytes, size);
		return;
	}
	for (size_t i = 0; i < size; i++)
		print_byte(text, bytes[i], i == 0 || i + 1 == size);
}

static void print_attribute(struct text *text, struct slice pair)
{
	struct der_element object, value;

	if (!der_take(&pair, &object) || object.tag != DER_OBJECT || !der_take(&pair, &value)) {
		text_char(text, '?');
		return;
	}
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		if (!slice_equal(attributes[i].object, object.content))
			continue;
		text_add(text, attributes[i].name);
		text_char(text, '=');
		print_value(text, &value);
		return;
	}
	print_object(text, object.content);
	text_char(text, '=');
	print_value(text, &value);
}

/* One of a Name's sets: nearly always of one attribute. */
static void print_part(struct text *text, struct slice set)
{
	struct der_element pair;

	for (bool first = true; der_take(&set, &pair); first = false) {
		if (!first)
			text_char(text, '+');
		print_attribute(text, pair.content);
	}
}

static void print_subject(struct text *text, struct slice subject)
{
	struct der_element parts[PARTS_MAX];
	unsigned count = 0;

	while (count < PARTS_MAX && der_take(&subject, &parts[count]))
		count++;
	if (subject.size) {
		text->full = true; /* more parts, or something else: not to be told as if it were all */
		return;
	}
	for (unsigned i = count; i > 0; i--) {
		print_part(text, parts[i - 1].content);
		if (i > 1)
			text_char(text, ',');
	}
}

/* A name is written as it is, but for what would end its quotes. */
static void print_name(struct text *text, struct slice name)
{
	for (size_t i = 0; i < name.size; i++) {
		unsigned char byte = (unsigned char)name.data[i];

		if (byte <= ' ' || byte >= 0x7f) {
			text_literal(text, "\\\\");
			text_hex(text, &byte, 1);
			continue;
		}
		if (byte == '"' || byte == '\\')
			text_char(text, '\\');
		text_char(text, (char)byte);
	}
}

/* `;NAME="..."`, or nothing when it does not fit. */
static void add_element(
	struct text *text, struct slice name, void (*print)(struct text *text, struct slice value), struct slice value)
{
	size_t before = text->size;

	text_char(text, ';');
	text_add(text, name);
	text_literal(text, "=\"");
	print(text, value);
	text_char(text, '"');
	if (text->full)
		text->size = before;
	text->full = false;
}

void tls_identity_print(const unsigned char fingerprint[TLS_FINGERPRINT_BYTES], struct slice subject,
	struct slice extensions, struct text *text)
{
	struct slice names = tls_alt_names(extensions), name;
	unsigned kind;

	text_literal(text, "Hash=");
	text_hex(text, fingerprint, TLS_FINGERPRINT_BYTES);
	add_element(text, SLICE("Subject"), print_subject, subject);
	while (tls_alt_name_next(&names, &kind, &name)) {
		if (kind == TLS_ALT_NAME_URI)
			add_element(text, SLICE("URI"), print_name, name);
		else if (kind == TLS_ALT_NAME_DNS)
			add_element(text, SLICE("DNS"), print_name, name);
		else if (kind == TLS_ALT_NAME_EMAIL)
			add_element(text, SLICE("Email"), print_name, name);
	}
}
