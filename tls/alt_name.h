/* A certificate's alternative names, of which wolfSSL as it is built here keeps not all. Pure. */
#ifndef TLS_ALT_NAME_H
#define TLS_ALT_NAME_H

#include "core/slice.h"

/* The kinds that are used here: the tags of GeneralName (RFC 5280 section 4.2.1.6). */
enum { TLS_ALT_NAME_EMAIL = 0x81, TLS_ALT_NAME_DNS = 0x82, TLS_ALT_NAME_URI = 0x86, TLS_ALT_NAME_ADDRESS = 0x87 };

/*
 * `extensions` is a certificate's field of that name in DER (RFC 5280 section 4.1). Its names for tls_alt_name_next();
 * empty when there are none.
 */
struct slice tls_alt_names(struct slice extensions);

/* Takes the next name off. False: there is no more. */
bool tls_alt_name_next(struct slice *names, unsigned *kind, struct slice *name);

/* `address` is 4 or 16 bytes in network order. */
bool tls_alt_name_has_address(struct slice extensions, struct slice address);

#endif
