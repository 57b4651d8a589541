/* AWS Signature Version 4: see sigv4.h. Nothing is put together in memory: what is hashed goes to the hash in pieces.
 */
#include "proto/bedrock/sigv4.h"

#include <assert.h>
#include <errno.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hmac.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SCOPE_END "aws4_request"

void sigv4_time(uint64_t wall_ns, char time[static SIGV4_TIME_BYTES])
{
	enum { SECONDS_BYTES = 19 }; /* 2015-08-30T12:36:00 */
	char memory[32];
	struct text long_form = text_over(memory, sizeof(memory)), t = text_over(time, SIGV4_TIME_BYTES);

	text_rfc3339(&long_form, wall_ns);
	assert(long_form.size > SECONDS_BYTES);
	for (size_t i = 0; i < SECONDS_BYTES; i++)
		if (memory[i] != '-' && memory[i] != ':')
			text_char(&t, memory[i]);
	text_char(&t, 'Z');
	assert(!t.full && t.size == SIGV4_TIME_BYTES);
}

/* ---- a hash that remembers whether it failed -------------------------------------------------------------------- */

struct hash {
	wc_Sha256 state;
	int rc;
};

static void hash_open(struct hash *h)
{
	h->rc = wc_InitSha256(&h->state);
}

static void hash_add(struct hash *h, struct slice s)
{
	assert(s.size <= UINT32_MAX);
	if (h->rc == 0 && s.size)
		h->rc = wc_Sha256Update(&h->state, (const byte *)s.data, (word32)s.size);
}

static int hash_close(struct hash *h, char hex[static SIGV4_HEX_BYTES])
{
	uint8_t digest[WC_SHA256_DIGEST_SIZE];
	struct text t = text_over(hex, SIGV4_HEX_BYTES);

	if (h->rc == 0)
		h->rc = wc_Sha256Final(&h->state, digest);
	wc_Sha256Free(&h->state);
	if (h->rc)
		return -EIO;
	text_hex(&t, digest, sizeof(digest));
	return 0;
}

int sigv4_hash(const struct iovec *pieces, unsigned count, char hex[static SIGV4_HEX_BYTES])
{
	struct hash h;

	hash_open(&h);
	for (unsigned i = 0; i < count; i++)
		hash_add(&h, slice_of(pieces[i].iov_base, pieces[i].iov_len));
	return hash_close(&h, hex);
}

/* ---- the canonical request ----------------------------------------------------------------------------------- */

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~' || c == '/';
}

/* The path is encoded once more than it is sent: "%3A" is signed as "%253A". */
static void hash_path(struct hash *h, struct slice path)
{
	size_t from = 0;

	for (size_t i = 0; i < path.size; i++) {
		unsigned char c = (unsigned char)path.data[i];
		const char code[] = {'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]};

		if (is_plain(c))
			continue;
		hash_add(h, slice_of(path.data + from, i - from));
		hash_add(h, slice_of(code, sizeof(code)));
		from = i + 1;
	}
	hash_add(h, slice_of(path.data + from, path.size - from));
}

static int hash_request(const struct sigv4_request *request, char hex[static SIGV4_HEX_BYTES])
{
	struct hash h;

	hash_open(&h);
	hash_add(&h, request->method);
	hash_add(&h, SLICE("\n"));
	hash_path(&h, request->path);
	hash_add(&h, SLICE("\n"));
	hash_add(&h, request->query);
	hash_add(&h, SLICE("\n"));
	for (unsigned i = 0; i < request->header_count; i++) {
		hash_add(&h, request->headers[i].name);
		hash_add(&h, SLICE(":"));
		hash_add(&h, request->headers[i].value);
		hash_add(&h, SLICE("\n"));
	}
	for (unsigned i = 0; i < request->header_count; i++) {
		hash_add(&h, i ? SLICE(";") : SLICE("\n"));
		hash_add(&h, request->headers[i].name);
	}
	hash_add(&h, SLICE("\n"));
	hash_add(&h, request->body_hash);
	return hash_close(&h, hex);
}

/* ---- the signature ------------------------------------------------------------------------------------------- */

/* Of the pieces; `digest` may be the key. */
static int authenticate(
	struct slice key, const struct slice *pieces, unsigned count, uint8_t digest[static WC_SHA256_DIGEST_SIZE])
{
	Hmac state;
	int rc = wc_HmacInit(&state, NULL, INVALID_DEVID);

	if (rc == 0)
		rc = wc_HmacSetKey(&state, WC_SHA256, (const byte *)key.data, (word32)key.size);
	for (unsigned i = 0; rc == 0 && i < count; i++)
		if (pieces[i].size)
			rc = wc_HmacUpdate(&state, (const byte *)pieces[i].data, (word32)pieces[i].size);
	if (rc == 0)
		rc = wc_HmacFinal(&state, digest);
	wc_HmacFree(&state);
	return rc ? -EIO : 0;
}

/* A day's key for a region and a service. */
static int derive_key(
	const struct sigv4_credentials *credentials, struct slice date, uint8_t key[static WC_SHA256_DIGEST_SIZE])
{
	enum { SECRET_BYTES_MAX = 1024 };
	char memory[SECRET_BYTES_MAX];
	struct text first = text_over(memory, sizeof(memory));
	const struct slice steps[] = {credentials->region, credentials->service, SLICE(SCOPE_END)};
	int err;

	text_literal(&first, "AWS4");
	text_add(&first, credentials->secret_access_key);
	err = first.full ? -EIO : authenticate(text_slice(&first), &date, 1, key);
	for (size_t i = 0; !err && i < sizeof(steps) / sizeof(steps[0]); i++)
		err = authenticate(slice_of(key, WC_SHA256_DIGEST_SIZE), &steps[i], 1, key);
	explicit_bzero(memory, sizeof(memory));
	return err;
}

int sigv4_sign(const struct sigv4_request *request, const struct sigv4_credentials *credentials,
	char signature[static SIGV4_HEX_BYTES])
{
	struct slice date = slice_of(request->time.data, SIGV4_DATE_BYTES);
	uint8_t key[WC_SHA256_DIGEST_SIZE], digest[WC_SHA256_DIGEST_SIZE];
	struct text t = text_over(signature, SIGV4_HEX_BYTES);
	char canonical[SIGV4_HEX_BYTES];
	const struct slice pieces[] = {SLICE(ALGORITHM "\n"), request->time, SLICE("\n"), date, SLICE("/"),
		credentials->region, SLICE("/"), credentials->service, SLICE("/" SCOPE_END "\n"),
		slice_of(canonical, sizeof(canonical))};
	int err;

	assert(request->time.size == SIGV4_TIME_BYTES && request->body_hash.size == SIGV4_HEX_BYTES);
	err = hash_request(request, canonical);
	if (!err)
		err = derive_key(credentials, date, key);
	if (!err)
		err = authenticate(slice_of(key, sizeof(key)), pieces, sizeof(pieces) / sizeof(pieces[0]), digest);
	explicit_bzero(key, sizeof(key));
	if (err)
		return err;
	text_hex(&t, digest, sizeof(digest));
	return 0;
}

int sigv4_authorization(
	const struct sigv4_request *request, const struct sigv4_credentials *credentials, struct text *value)
{
	char signature[SIGV4_HEX_BYTES];
	int err = sigv4_sign(request, credentials, signature);

	if (err)
		return err;
	text_literal(value, ALGORITHM " Credential=");
	text_add(value, credentials->access_key_id);
	text_char(value, '/');
	text_add(value, slice_of(request->time.data, SIGV4_DATE_BYTES));
	text_char(value, '/');
	text_add(value, credentials->region);
	text_char(value, '/');
	text_add(value, credentials->service);
	text_literal(value, "/" SCOPE_END ", SignedHeaders=");
	for (unsigned i = 0; i < request->header_count; i++) {
		if (i)
			text_char(value, ';');
		text_add(value, request->headers[i].name);
	}
	text_literal(value, ", Signature=");
	text_add(value, slice_of(signature, sizeof(signature)));
	return 0;
}
