/* Subjects and alternative names as one line: in DER as openssl writes it, and as an attacker would. */
#include "tls/identity.h"

#include "core/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HASH "Hash=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define CN "\x06\x03\x55\x04\x03"
#define O "\x06\x03\x55\x04\x0a"

static const unsigned char fingerprint[TLS_FINGERPRINT_BYTES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
	16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

#define BYTES(text)                                                                                                    \
	{                                                                                                              \
		text, sizeof(text) - 1                                                                                 \
	}

static const struct {
	struct slice subject, extensions;
	const char *expected;
} table[] = {
	{BYTES(""), BYTES(""), HASH ";Subject=\"\""},
	{BYTES("\x31\x0a\x30\x08" CN "\x0c\x01"
	       "a"),
		BYTES(""), HASH ";Subject=\"CN=a\""},
	/* O=b, then CN=a: written from the end on. */
	{BYTES("\x31\x0a\x30\x08" O "\x13\x01"
	       "b\x31\x0a\x30\x08" CN "\x0c\x01"
	       "a"),
		BYTES(""), HASH ";Subject=\"CN=a,O=b\""},
	/* Two attributes in one part. */
	{BYTES("\x31\x14\x30\x08" O "\x13\x01"
	       "b\x30\x08" CN "\x0c\x01"
	       "a"),
		BYTES(""), HASH ";Subject=\"O=b+CN=a\""},
	/* What has a meaning is escaped, for the name and for the quotes around it; a line break and U+00FC as hex. */
	{BYTES("\x31\x13\x30\x11" CN "\x0c\x0a"
	       "a,\"\\\n\xc3\xbc=; "),
		BYTES(""), HASH ";Subject=\"CN=a\\\\,\\\\\\\"\\\\\\\\\\\\0a\\\\c3\\\\bc=\\\\;\\\\20\""},
	/* 1.2.840.113549.1.9.2, and a value that is no text. */
	{BYTES("\x31\x11\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02\x04\x02\x00\xff"), BYTES(""),
		HASH ";Subject=\"1.2.840.113549.1.9.2=#00ff\""},
	/* No set of pairs. */
	{BYTES("\x31\x03\x30\x01\x00"), BYTES(""), HASH ";Subject=\"?\""},
	{BYTES("\x31\x03\x30\x01"), BYTES(""), HASH},
	/* DNS:a, IP:127.0.0.1 (left out), URI:spiffe://b, email:"@c */
	{BYTES("\x31\x0a\x30\x08" CN "\x0c\x01"
	       "a"),
		BYTES("\x30\x25\x30\x23\x06\x03\x55\x1d\x11\x04\x1c\x30\x1a\x82\x01"
		      "a\x87\x04\x7f\x00\x00\x01\x86\x0a"
		      "spiffe://b\x81\x03\"@c"),
		HASH ";Subject=\"CN=a\";DNS=\"a\";URI=\"spiffe://b\";Email=\"\\\"@c\""},
};

static void test_table(void **state)
{
	char memory[TLS_IDENTITY_MAX_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct text text = text_over(memory, TLS_IDENTITY_MAX_BYTES);

		tls_identity_print(fingerprint, table[i].subject, table[i].extensions, &text);
		memory[text.size] = '\0';
		assert_string_equal(memory, table[i].expected);
	}
}

/* An element that does not fit is not there at all; one behind it that does, is. */
static void test_what_does_not_fit_is_left_out(void **state)
{
	enum { LONG = 100 };
	char subject[4 + 7 + LONG] = "\x31\x6d\x30\x6b" CN "\x0c\x64", names[256] = {0},
			     memory[TLS_IDENTITY_MAX_BYTES + 1];
	struct text text = text_over(memory, TLS_IDENTITY_MAX_BYTES), extensions = text_over(names, sizeof(names));
	char expected[TLS_IDENTITY_MAX_BYTES + 1] = HASH ";Subject=\"CN=", *end = expected + strlen(expected);

	(void)state;
	memset(subject + 11, 'x', LONG);
	memset(end, 'x', LONG);
	strncpy(end + LONG, "\";DNS=\"a\"", 10);
	text_literal(&extensions, "\x30\x54\x30\x52\x06\x03\x55\x1d\x11\x04\x4b\x30\x49\x82\x44");
	for (unsigned i = 0; i < 0x44; i++)
		text_char(&extensions, 'y');
	text_literal(&extensions, "\x82\x01"
				  "a");
	tls_identity_print(fingerprint, slice_of(subject, sizeof(subject)), text_slice(&extensions), &text);
	memory[text.size] = '\0';
	assert_string_equal(memory, expected);
}

/* Whatever the bytes are: no more than the room, no byte that is not printable, and quotes that are closed. */
static void test_any_bytes(void **state)
{
	struct rand rand;

	(void)state;
	rand_seed(&rand, 7);
	for (unsigned round = 0; round < 20000; round++) {
		const struct slice *like = &table[rand_below(&rand, sizeof(table) / sizeof(table[0]))].subject;
		size_t size = like->size ? rand_below(&rand, like->size + 1) : 0;
		char *subject = malloc(size ? size : 1), memory[TLS_IDENTITY_MAX_BYTES];
		struct text text = text_over(memory, sizeof(memory));
		unsigned quotes = 0;

		if (size)
			memcpy(subject, like->data, size);
		if (size)
			subject[rand_below(&rand, size)] = (char)rand_u64(&rand);
		tls_identity_print(fingerprint, slice_of(subject, size), slice_of(subject, size), &text);
		for (size_t i = 0; i < text.size; i++) {
			assert_true(memory[i] >= ' ' && memory[i] < 0x7f);
			if (memory[i] == '\\')
				i++;
			else
				quotes += memory[i] == '"';
		}
		assert_int_equal(quotes % 2, 0);
		free(subject);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_what_does_not_fit_is_left_out),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
