/*
 * Who a verified certificate says that its holder is, as one line for receipts and logs, in the form of Envoy's
 * x-forwarded-client-cert:
 *
 *   Hash=<SHA-256 of the certificate, hex>;Subject="CN=app,O=Example";URI="spiffe://example/app";DNS="app.example"
 *
 * The subject is written as RFC 4514 says, from its end on, every byte that is not printable ASCII as \XX; quotes and
 * backslashes have another backslash before them. An element that does not fit is left out as a whole, never cut. Pure.
 */
#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include "core/text.h"

enum { TLS_IDENTITY_MAX_BYTES = 256, TLS_FINGERPRINT_BYTES = 32 };

/* `subject` and `extensions` are the certificate's fields in DER, without the subject's outer tag. */
void tls_identity_print(const unsigned char fingerprint[TLS_FINGERPRINT_BYTES], struct slice subject,
	struct slice extensions, struct text *text);

#endif
