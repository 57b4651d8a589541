/*
 * ClientHello (RFC 8446 section 4.1.2; the layout is the same since TLS 1.0): records, the one handshake message, its
 * extensions. Only what chooses a certificate and a version is taken; wolfSSL reads and checks all of it again.
 */
#include "tls/hello.h"

enum {
	CONTENT_HANDSHAKE = 22,
	HANDSHAKE_CLIENT_HELLO = 1,
	HANDSHAKE_HEAD_BYTES = 4,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_SIGNATURE_ALGORITHMS = 13,
	EXTENSION_SUPPORTED_VERSIONS = 43,
	SERVER_NAME_HOST = 0,
	VERSION_12 = 0x0303,
	VERSION_13 = 0x0304,
};

/* What is left to read; `bad` once it was too short. */
struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static struct reader reader_of(struct slice bytes)
{
	const uint8_t *at = (const uint8_t *)bytes.data;

	return (struct reader){at, at + bytes.size, false};
}

static size_t left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

static uint32_t take_number(struct reader *r, unsigned bytes)
{
	uint32_t value = 0;

	if (left(r) < bytes) {
		r->bad = true;
		return 0;
	}
	while (bytes--)
		value = value << 8 | *r->at++;
	return value;
}

/* A vector: its length in `length_bytes` bytes, then that many. */
static struct reader take_vector(struct reader *r, unsigned length_bytes)
{
	uint32_t size = take_number(r, length_bytes);
	struct reader part = {r->at, r->at, false};

	if (left(r) < size) {
		r->bad = true;
		return part;
	}
	r->at += size;
	part.end = r->at;
	return part;
}

static void read_server_name(struct reader *r, struct tls_hello *hello)
{
	struct reader list = take_vector(r, 2);

	while (left(&list) && !list.bad) {
		uint32_t kind = take_number(&list, 1);
		struct reader name = take_vector(&list, 2);

		if (kind == SERVER_NAME_HOST && !list.bad)
			hello->server_name = slice_of(name.at, left(&name));
	}
	r->bad |= list.bad;
}

/* Certificates can be shown only with a signature that the client takes: RFC 8446 section 4.2.3. */
static void read_signatures(struct reader *r, struct tls_hello *hello)
{
	struct reader list = take_vector(r, 2);

	hello->takes_ecdsa = hello->takes_rsa = false;
	while (left(&list) && !list.bad) {
		uint32_t scheme = take_number(&list, 2);

		hello->takes_ecdsa |= scheme == 0x0403 || scheme == 0x0503 || scheme == 0x0603;
		hello->takes_rsa |= scheme >= 0x0804 && scheme <= 0x0806;    /* PSS */
		hello->takes_rsa |= (scheme & 0xff) == 1 && scheme > 0x0300; /* PKCS #1, for TLS 1.2 */
	}
	r->bad |= list.bad;
}

static void read_versions(struct reader *r, struct tls_hello *hello)
{
	struct reader list = take_vector(r, 1);

	hello->offers_12 = false;
	while (left(&list) && !list.bad) {
		uint32_t version = take_number(&list, 2);

		hello->offers_12 |= version == VERSION_12;
		hello->offers_13 |= version == VERSION_13;
	}
	r->bad |= list.bad;
}

static void read_extensions(struct reader *r, struct tls_hello *hello)
{
	struct reader all = take_vector(r, 2);

	while (left(&all) && !all.bad) {
		uint32_t kind = take_number(&all, 2);
		struct reader one = take_vector(&all, 2);

		if (all.bad)
			break;
		if (kind == EXTENSION_SERVER_NAME)
			read_server_name(&one, hello);
		else if (kind == EXTENSION_SIGNATURE_ALGORITHMS)
			read_signatures(&one, hello);
		else if (kind == EXTENSION_SUPPORTED_VERSIONS)
			read_versions(&one, hello);
		r->bad |= one.bad;
	}
	r->bad |= all.bad;
}

static enum tls_hello_verdict read_message(struct slice body, struct tls_hello *hello)
{
	struct reader r = reader_of(body);

	*hello = (struct tls_hello){.takes_ecdsa = true, .takes_rsa = true};
	hello->offers_12 = take_number(&r, 2) >= VERSION_12;
	for (unsigned i = 0; i < 8; i++)
		take_number(&r, 4); /* random */
	take_vector(&r, 1);         /* session id */
	take_vector(&r, 2);         /* cipher suites */
	take_vector(&r, 1);         /* compression */
	if (left(&r) && !r.bad)
		read_extensions(&r, hello);
	return r.bad ? TLS_HELLO_BAD : TLS_HELLO_WHOLE;
}

/* Methods are upper-case letters; a record of TLS begins with its type, below 32. */
static enum tls_hello_verdict read_plain(struct slice bytes)
{
	size_t i;

	for (i = 0; i < bytes.size && i < 16 && bytes.data[i] >= 'A' && bytes.data[i] <= 'Z'; i++)
		;
	if (i >= 3 && i < bytes.size && bytes.data[i] == ' ')
		return TLS_HELLO_HTTP;
	return i == bytes.size ? TLS_HELLO_MORE : TLS_HELLO_BAD;
}

enum tls_hello_verdict tls_hello_read(struct slice bytes, char *message, struct tls_hello *hello)
{
	struct slice rest = bytes;
	size_t size = 0, wanted = HANDSHAKE_HEAD_BYTES;

	if (bytes.size && bytes.data[0] != CONTENT_HANDSHAKE)
		return read_plain(bytes);
	for (;;) {
		struct reader head = reader_of(rest);
		uint32_t major, record_bytes;

		if (rest.size < TLS_RECORD_HEAD_BYTES)
			return TLS_HELLO_MORE;
		if (take_number(&head, 1) != CONTENT_HANDSHAKE)
			return TLS_HELLO_BAD;
		major = take_number(&head, 1);
		take_number(&head, 1);
		record_bytes = take_number(&head, 2);
		if (major != 3 || record_bytes == 0 || record_bytes > TLS_RECORD_MAX_BYTES)
			return TLS_HELLO_BAD;
		rest = slice_after(rest, TLS_RECORD_HEAD_BYTES);
		if (rest.size && !size && rest.data[0] != HANDSHAKE_CLIENT_HELLO)
			return TLS_HELLO_BAD;
		if (rest.size < record_bytes)
			return TLS_HELLO_MORE;
		if (size + record_bytes > TLS_HELLO_MAX_BYTES)
			return TLS_HELLO_BAD;
		memcpy(message + size, rest.data, record_bytes);
		size += record_bytes;
		rest = slice_after(rest, record_bytes);
		if (size >= HANDSHAKE_HEAD_BYTES) {
			struct reader length = reader_of(slice_of(message + 1, 3));

			wanted = HANDSHAKE_HEAD_BYTES + take_number(&length, 3);
			if (wanted > TLS_HELLO_MAX_BYTES)
				return TLS_HELLO_BAD;
			if (size >= wanted)
				break;
		}
	}
	return read_message(slice_of(message + HANDSHAKE_HEAD_BYTES, wanted - HANDSHAKE_HEAD_BYTES), hello);
}
