/*
 * TLS as actors speak it: sessions of tls/session.h, fed and emptied by hand. What all actors of a world share is their
 * trust: a process of their own, for the clock and for chance, and what they show and believe.
 */
#ifndef FUZZ_SIM_SEAL_H
#define FUZZ_SIM_SEAL_H

#include "fuzz/sim/bytes.h"

struct certificates;
struct seal;
struct sim;
struct tls_target;
struct trust;

struct trust *trust_open(struct sim *sim, const struct certificates *certificates);
void trust_close(struct trust *trust); /* before the world; no seal is left */

/* A gateway, as a client calls it again and again: to resume its session. */
struct tls_target *trust_target_open(struct trust *trust);
void trust_target_close(struct tls_target *target); /* NULL is let pass */

struct seal *seal_connect(struct trust *trust, struct tls_target *target);
struct seal *seal_accept(struct trust *trust, bool stranger); /* stranger: shows another host's certificate */
void seal_free(struct seal *seal);

enum seal_state {
	SEAL_SHAKING,
	SEAL_OPEN,
	SEAL_ENDED, /* the other side has said that it sends no more */
	SEAL_FAILED
};

/* What came; to begin with a client's is fed nothing. What is to be told is added to `plain`, what to be sent to `out`.
 */
enum seal_state seal_feed(struct seal *seal, struct slice sealed, struct bytes *plain, struct bytes *out);
void seal_write(struct seal *seal, struct slice plain, struct bytes *out); /* when it is open */
void seal_end(struct seal *seal, struct bytes *out);                       /* says that it sends no more */
bool seal_is_resumed(const struct seal *seal);

#endif
