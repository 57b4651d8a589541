/* Addresses among a certificate's alternative names, which wolfSSL as it is built here does not keep. Pure. */
#ifndef TLS_ALT_NAME_H
#define TLS_ALT_NAME_H

#include "core/slice.h"

/*
 * `extensions` is a certificate's field of that name in DER (RFC 5280 section 4.1); `address` 4 or 16 bytes in network
 * order.
 */
bool tls_alt_name_has_address(struct slice extensions, struct slice address);

#endif
