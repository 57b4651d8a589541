/* See peer.h. wolfSSL keeps the certificate of a connection that it has verified; here it is decoded again for its
 * parts. */
#include "tls/peer.h"

#include "tls/alt_name.h"
#include "tls/identity.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/sha256.h>

_Static_assert((int)TLS_FINGERPRINT_BYTES == (int)WC_SHA256_DIGEST_SIZE, "a fingerprint is a SHA-256");

struct peer {
	WOLFSSL_X509 *x509;
	struct slice der;
	DecodedCert cert;
};

/* False: there is none, and nothing to close. */
static bool open_peer(struct peer *peer, WOLFSSL *ssl)
{
	const unsigned char *der;
	int bytes = 0;

	peer->x509 = wolfSSL_get_peer_certificate(ssl);
	der = peer->x509 ? wolfSSL_X509_get_der(peer->x509, &bytes) : NULL;
	if (!der) {
		wolfSSL_X509_free(peer->x509);
		return false;
	}
	peer->der = slice_of(der, (size_t)bytes);
	InitDecodedCert(&peer->cert, der, (word32)bytes, NULL);
	if (ParseCert(&peer->cert, CERT_TYPE, NO_VERIFY, NULL) == 0)
		return true;
	FreeDecodedCert(&peer->cert);
	wolfSSL_X509_free(peer->x509);
	return false;
}

static void close_peer(struct peer *peer)
{
	FreeDecodedCert(&peer->cert);
	wolfSSL_X509_free(peer->x509);
}

static struct slice extensions_of(const struct peer *peer)
{
	return slice_of(peer->cert.extensions, peer->cert.extensions ? (size_t)peer->cert.extensionsSz : 0);
}

bool tls_peer_has_address(struct WOLFSSL *ssl, struct slice address)
{
	struct peer peer;
	bool found;

	if (!open_peer(&peer, ssl))
		return false;
	found = tls_alt_name_has_address(extensions_of(&peer), address);
	close_peer(&peer);
	return found;
}

void tls_peer_print(struct WOLFSSL *ssl, struct text *text)
{
	unsigned char fingerprint[TLS_FINGERPRINT_BYTES];
	struct peer peer;

	if (!open_peer(&peer, ssl))
		return;
	if (wc_Sha256Hash((const byte *)peer.der.data, (word32)peer.der.size, fingerprint) == 0)
		tls_identity_print(fingerprint, slice_of(peer.cert.subjectRaw, (size_t)peer.cert.subjectRawLen),
			extensions_of(&peer), text);
	close_peer(&peer);
}
