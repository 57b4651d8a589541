/* What the certificate says that the other side of a connection has shown. */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include "core/text.h"

struct WOLFSSL;

/* Whether it is for an address: 4 or 16 bytes in network order. False also when none was shown. */
bool tls_peer_has_address(struct WOLFSSL *ssl, struct slice address);

/* Who it says that the peer is, as in tls/identity.h; nothing when none was shown. */
void tls_peer_print(struct WOLFSSL *ssl, struct text *text);

#endif
