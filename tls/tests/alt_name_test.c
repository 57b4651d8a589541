/* Extensions as openssl writes them, whole, cut anywhere, and with other lengths. */
#include "tls/alt_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* basicConstraints, critical; then subjectAltName: DNS:a, IP:127.0.0.1, IP:::1 */
static const char extensions[] = "\xa3\x36\x30\x34"
				 "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00"
				 "\x30\x24\x06\x03\x55\x1d\x11\x04\x1d\x30\x1b\x82\x01"
				 "a"
				 "\x87\x04\x7f\x00\x00\x01"
				 "\x87\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01";
enum { BYTES = sizeof(extensions) - 1 };

static void test_addresses(void **state)
{
	static const char six[16] = {[15] = 1};

	(void)state;
	assert_true(tls_alt_name_has_address(slice_of(extensions, BYTES), SLICE("\x7f\x00\x00\x01")));
	assert_true(tls_alt_name_has_address(slice_of(extensions, BYTES), slice_of(six, 16)));
	assert_true(tls_alt_name_has_address(slice_of(extensions + 2, BYTES - 2), SLICE("\x7f\x00\x00\x01")));
	assert_false(tls_alt_name_has_address(slice_of(extensions, BYTES), SLICE("\x7f\x00\x00\x02")));
	assert_false(tls_alt_name_has_address(slice_of(extensions, BYTES), SLICE("a")));
	assert_false(tls_alt_name_has_address(slice_of(NULL, 0), SLICE("\x7f\x00\x00\x01")));
}

/* In memory of just that size, so that a sanitizer sees a byte too far. */
static void test_cut_and_changed(void **state)
{
	(void)state;
	for (size_t size = 0; size < BYTES; size++) {
		char *copy = malloc(size ? size : 1);

		memcpy(copy, extensions, size);
		assert_false(tls_alt_name_has_address(slice_of(copy, size), SLICE("\x7f\x00\x00\x01")));
		free(copy);
	}
	for (size_t at = 0; at < BYTES; at++) {
		for (int value = 0; value < 256; value++) {
			char *copy = malloc(BYTES);

			memcpy(copy, extensions, BYTES);
			copy[at] = (char)value;
			/* Nothing becomes an address that was none. */
			assert_false(tls_alt_name_has_address(slice_of(copy, BYTES), SLICE("\x0a\x0b\x0c\x0d")));
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_cut_and_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
