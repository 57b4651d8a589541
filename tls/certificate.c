/*
 * Reads certificates and keys through wolfSSL; the key's bytes are only ever in memory of secret.h, and in wolfSSL's.
 */
#include "tls/certificate.h"

#include "tls/entropy.h"
#include "tls/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

enum { VERSION_12 = 0x0303, NAMES_MAX = 128 };

/* Forward secrecy and an authenticated cipher for all; the fastest here first. */
#define CIPHERS_13 "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256"
#define CIPHERS_12                                                                                                     \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                     \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

static int read_all(int fd, char *to, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		ssize_t n = read(fd, to + at, bytes - at);

		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* it became shorter */
		at += (size_t)n;
	}
	return 0;
}

char *tls_pem_read(const char *path, size_t *bytes, char *why, size_t why_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	char *data = NULL;
	int rc = fd < 0 || fstat(fd, &status) < 0 ? -errno : 0;

	if (!rc && (!S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > TLS_PEM_MAX_BYTES)) {
		snprintf(why, why_bytes, "%s is no PEM file", path);
	} else if (!rc) {
		data = secret_take((size_t)status.st_size);
		rc = data ? read_all(fd, data, (size_t)status.st_size) : -ENOMEM;
	}
	if (rc) {
		snprintf(why, why_bytes, "%s cannot be read: %s", path, strerror(-rc));
		if (data)
			secret_give(data, (size_t)status.st_size);
		data = NULL;
	}
	if (fd >= 0)
		close(fd);
	if (data)
		*bytes = (size_t)status.st_size;
	return data;
}

static WOLFSSL_CTX *make_ctx(uint16_t min_version)
{
	/* Without finite fields, which cost a server many times more. */
	static const int groups[] = {
		WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1, WOLFSSL_ECC_SECP521R1};
	bool with_12 = min_version <= VERSION_12;
	WOLFSSL_CTX *ctx;

	tls_entropy_set_up();
	ctx = wolfSSL_CTX_new(with_12 ? wolfSSLv23_server_method() : wolfTLSv1_3_server_method());
	if (!ctx)
		return NULL;
	wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
	wolfSSL_CTX_NoTicketTLSv12(ctx);
	if (wolfSSL_CTX_set_cipher_list(ctx, with_12 ? CIPHERS_13 ":" CIPHERS_12 : CIPHERS_13) == WOLFSSL_SUCCESS &&
		wolfSSL_CTX_set_groups(ctx, (int *)(uintptr_t)groups, sizeof(groups) / sizeof(groups[0])) ==
			WOLFSSL_SUCCESS &&
		(!with_12 || wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS))
		return ctx;
	wolfSSL_CTX_free(ctx);
	return NULL;
}

static int add_name(struct tls_certificate *c, const char *name)
{
	char **names = realloc(c->names, (c->name_count + 1) * sizeof(*names));

	if (!names)
		return -ENOMEM;
	c->names = names;
	names[c->name_count] = strdup(name);
	if (!names[c->name_count])
		return -ENOMEM;
	c->name_count++;
	return 0;
}

static int read_facts(struct tls_certificate *c, WOLFSSL_X509 *x509)
{
	const WOLFSSL_ASN1_TIME *end = wolfSSL_X509_get_notAfter(x509);
	struct tm broken_down;
	char *name;
	int rc = 0;

	if (end && wolfSSL_ASN1_TIME_to_tm(end, &broken_down) == WOLFSSL_SUCCESS)
		c->not_after_s = timegm(&broken_down);
	while (!rc && c->name_count < NAMES_MAX && (name = wolfSSL_X509_get_next_altname(x509)))
		rc = add_name(c, name);
	if (!rc && !c->name_count && (name = wolfSSL_X509_get_subjectCN(x509)))
		rc = add_name(c, name);
	c->ecdsa = wolfSSL_X509_get_pubkey_type(x509) != RSAk;
	return rc;
}

static int load_cert(struct tls_certificate *c, const char *path, char *why, size_t why_bytes)
{
	size_t bytes;
	char *pem = tls_pem_read(path, &bytes, why, why_bytes);
	WOLFSSL_X509 *x509 = NULL;
	int rc = -EINVAL;

	if (!pem)
		return rc;
	x509 = wolfSSL_X509_load_certificate_buffer((const byte *)pem, (int)bytes, WOLFSSL_FILETYPE_PEM);
	if (!x509 ||
		wolfSSL_CTX_use_certificate_chain_buffer(c->ctx, (const byte *)pem, (long)bytes) != WOLFSSL_SUCCESS)
		snprintf(why, why_bytes, "%s holds no certificate in PEM form that can be used", path);
	else if ((rc = read_facts(c, x509)) < 0)
		snprintf(why, why_bytes, "out of memory");
	wolfSSL_X509_free(x509);
	secret_give(pem, bytes);
	return rc;
}

static int load_key(struct tls_certificate *c, const char *cert_path, const char *path, char *why, size_t why_bytes)
{
	size_t bytes;
	char *pem = tls_pem_read(path, &bytes, why, why_bytes);
	int rc = -EINVAL;

	if (!pem)
		return rc;
	if (wolfSSL_CTX_use_PrivateKey_buffer(c->ctx, (const byte *)pem, (long)bytes, WOLFSSL_FILETYPE_PEM) !=
		WOLFSSL_SUCCESS)
		snprintf(why, why_bytes, "%s holds no private key in PEM form, without a pass phrase, that can be used",
			path);
	else if (wolfSSL_CTX_check_private_key(c->ctx) != WOLFSSL_SUCCESS)
		snprintf(why, why_bytes, "the key in %s does not belong to the certificate in %s", path, cert_path);
	else
		rc = 0;
	secret_give(pem, bytes);
	return rc;
}

int tls_certificate_load(struct tls_certificate *c, const char *cert_path, const char *key_path, uint16_t min_version,
	char *why, size_t why_bytes)
{
	int rc;

	*c = (struct tls_certificate){.ctx = make_ctx(min_version)};
	if (!c->ctx) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	rc = load_cert(c, cert_path, why, why_bytes);
	if (!rc)
		rc = load_key(c, cert_path, key_path, why, why_bytes);
	if (rc)
		tls_certificate_free(c);
	return rc;
}

void tls_certificate_free(struct tls_certificate *c)
{
	for (unsigned i = 0; i < c->name_count; i++)
		free(c->names[i]);
	free(c->names);
	wolfSSL_CTX_free(c->ctx);
	*c = (struct tls_certificate){0};
}

enum tls_match tls_name_match(struct slice pattern, struct slice host)
{
	const char *dot;

	if (slice_equal_nocase(pattern, host))
		return host.size ? TLS_MATCH_EXACT : TLS_MATCH_NONE;
	if (!slice_starts_with(pattern, SLICE("*.")))
		return TLS_MATCH_NONE;
	dot = host.size ? memchr(host.data, '.', host.size) : NULL;
	if (!dot || dot == host.data)
		return TLS_MATCH_NONE;
	host = slice_after(host, (size_t)(dot - host.data));
	return slice_equal_nocase(slice_after(pattern, 1), host) ? TLS_MATCH_WILDCARD : TLS_MATCH_NONE;
}

enum tls_match tls_certificate_match(const struct tls_certificate *c, struct slice host)
{
	enum tls_match best = TLS_MATCH_NONE;

	for (unsigned i = 0; i < c->name_count && best != TLS_MATCH_EXACT; i++) {
		enum tls_match match = tls_name_match(slice_of_string(c->names[i]), host);

		if (match > best)
			best = match;
	}
	return best;
}
