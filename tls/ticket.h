/*
 * Session tickets (RFC 8446 section 4.6.1) that any shard made and any shard reads: their keys follow from one secret,
 * made when the gateway starts, and from the time, so that they rotate without being handed around. A ticket is good
 * until its key has been replaced twice. Read-only after it was made.
 *
 * Who had the secret could read tickets; sessions resumed from them stay private, for they agree on a fresh key as well
 * (psk_dhe_ke). TLS 1.2 has no such protection and gets no tickets.
 */
#ifndef TLS_TICKET_H
#define TLS_TICKET_H

#include <stdint.h>

struct tls_tickets;
struct WOLFSSL_CTX;

enum { TLS_TICKET_ROTATION_S = 6 * 3600 };

struct tls_tickets *tls_tickets_make(void);         /* NULL when memory is out */
void tls_tickets_free(struct tls_tickets *tickets); /* no connection is left that may use it */

/* Has a server's context use them. */
int tls_tickets_use(const struct tls_tickets *tickets, struct WOLFSSL_CTX *ctx);

#endif
