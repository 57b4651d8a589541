/*
 * Seeds for wolfSSL's generators, one for each connection, without a system call on the shard: a stream of ChaCha20
 * keyed once from core/rand.h's rand_system(), whose key is replaced by its own output with each seed, so that what was
 * given out cannot be computed again later ("fast key erasure"). In a simulation rand_system() is the simulation's, and
 * so is all of this.
 */
#ifndef TLS_ENTROPY_H
#define TLS_ENTROPY_H

#include <stddef.h>

struct tls_entropy;

/* Starts wolfSSL and has it ask here; before anything else of wolfSSL that needs chance, any number of times. */
void tls_entropy_set_up(void);

struct tls_entropy *tls_entropy_open(void); /* NULL when memory is out */
void tls_entropy_close(struct tls_entropy *entropy);

/* Has this thread's wolfSSL take its seeds there until it is told another; NULL: from rand_system(). */
void tls_entropy_use(struct tls_entropy *entropy);

#endif
