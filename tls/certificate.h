/* A certificate with its key, from PEM files: what it is for, until when, and that the two belong together. */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include "core/slice.h"

#include <stdint.h>

struct WOLFSSL_CTX;

enum { TLS_PEM_MAX_BYTES = 4 * 1024 * 1024 }; /* the system's store of issuers has 220 KB */

struct tls_certificate {
	struct WOLFSSL_CTX *ctx; /* with both of them in it */
	char **names;            /* that it is for: its DNS names, or else its common name; may begin with "*." */
	unsigned name_count;
	int64_t not_after_s; /* Unix time */
	bool ecdsa;
};

/* A file's bytes in memory of secret.h, `*bytes` long; NULL and `why`. */
char *tls_pem_read(const char *path, size_t *bytes, char *why, size_t why_bytes);

/*
 * For a server that accepts `min_version` (0x0303: TLS 1.2, 0x0304: 1.3) and up. -errno and `why`, which names the
 * file.
 */
int tls_certificate_load(struct tls_certificate *certificate, const char *cert_path, const char *key_path,
	uint16_t min_version, char *why, size_t why_bytes);
void tls_certificate_free(struct tls_certificate *certificate);

enum tls_match { TLS_MATCH_NONE, TLS_MATCH_WILDCARD, TLS_MATCH_EXACT };

/* Whether it is for `host` (RFC 6125 section 6.4: a wildcard stands for the leftmost label alone). */
enum tls_match tls_certificate_match(const struct tls_certificate *certificate, struct slice host);
enum tls_match tls_name_match(struct slice pattern, struct slice host);

#endif
