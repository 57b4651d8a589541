/*
 * Fuzzes what reads the first bytes on a TLS port. The bytes are looked at after each of them: what one look says for
 * good, the looks that follow say as well; and the same message in records of another size says the same.
 *
 * An input: a byte that sizes the records, then the bytes.
 */
#include "fuzz/input.h"
#include "tls/hello.h"

static char message[TLS_HELLO_MAX_BYTES], again[TLS_HELLO_MAX_BYTES];

static void compare(const struct tls_hello *a, const struct tls_hello *b)
{
	assert(slice_equal(a->server_name, b->server_name));
	assert(a->offers_12 == b->offers_12 && a->offers_13 == b->offers_13);
	assert(a->takes_ecdsa == b->takes_ecdsa && a->takes_rsa == b->takes_rsa);
}

static void look_at_each(struct slice bytes, enum tls_hello_verdict verdict, const struct tls_hello *whole)
{
	enum tls_hello_verdict before = TLS_HELLO_MORE;

	for (size_t size = 0; size <= bytes.size; size++) {
		char *copy = copy_of(slice_of(bytes.data, size));
		struct tls_hello hello;
		enum tls_hello_verdict now = tls_hello_read(slice_of(copy, size), again, &hello);

		assert(before == TLS_HELLO_MORE || now == before);
		if (now == TLS_HELLO_WHOLE)
			compare(&hello, whole);
		before = now;
		free(copy);
	}
	assert(before == verdict);
}

/* A message in records of `record_bytes`. */
static void split(struct slice body, size_t record_bytes)
{
	struct tls_hello whole, hello;
	size_t capacity = (body.size + 4) * 6 + 16, size = 0;
	char *records = malloc(capacity), *handshake = malloc(body.size + 4);
	char one[TLS_RECORD_MAX_BYTES + 16] = {0x16, 3, 1, (char)((body.size + 4) >> 8), (char)(body.size + 4)};
	enum tls_hello_verdict verdict;

	assert(records && handshake);
	memcpy(handshake, (char[]){1, 0, (char)(body.size >> 8), (char)body.size}, 4);
	if (body.size)
		memcpy(handshake + 4, body.data, body.size);
	memcpy(one + 5, handshake, body.size + 4);
	verdict = tls_hello_read(slice_of(one, body.size + 9), message, &whole);
	for (size_t at = 0; at < body.size + 4; at += record_bytes) {
		size_t n = body.size + 4 - at < record_bytes ? body.size + 4 - at : record_bytes;

		memcpy(records + size, (char[]){0x16, 3, 3, (char)(n >> 8), (char)n}, 5);
		memcpy(records + size + 5, handshake + at, n);
		size += n + 5;
	}
	assert(tls_hello_read(slice_of(records, size), again, &hello) == verdict);
	if (verdict == TLS_HELLO_WHOLE)
		compare(&hello, &whole);
	free(records);
	free(handshake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	size_t record_bytes = 1 + input_byte(&input) % 64;
	struct slice bytes = input_take(&input, 2048);
	struct tls_hello hello;
	char *copy = copy_of(bytes);

	look_at_each(bytes, tls_hello_read(slice_of(copy, bytes.size), message, &hello), &hello);
	free(copy);
	split(bytes, record_bytes);
	return 0;
}
