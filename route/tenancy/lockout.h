/*
 * Brute force: who presents keys that do not exist, so often in a window, is refused for a while. Counted by address,
 * and by the SHA-256 of what was presented, so that neither many guesses from one place nor one guess from many go on;
 * never by a prefix, which would lock out everybody. Keys that exist are never counted: whoever has the secret of a
 * disabled key guesses nothing.
 *
 * Shared by all shards, without locks: a table of fixed size, written by failures alone. As long as nobody is locked
 * out, a request reads one number of it. A race can cost a count, not make one up; a full set forgets who failed
 * longest ago, and who is locked out last of all.
 */
#ifndef ROUTE_LOCKOUT_H
#define ROUTE_LOCKOUT_H

#include "core/slice.h"
#include "route/settings/settings_features.h"

#include <sys/socket.h>

struct lockout;

enum { LOCKOUT_SETS = 4096, LOCKOUT_WAYS = 8 }; /* 1 MiB */

struct lockout *lockout_open(void); /* NULL when memory is out */
void lockout_close(struct lockout *lockout);

/* What failures are counted by. An IPv6 address counts with its /64, since that is what one customer has. */
uint64_t lockout_id_of_address(const struct lockout *lockout, const struct sockaddr_storage *address);
uint64_t lockout_id_of_secret(const struct lockout *lockout, struct slice secret);

/* Whether anybody is locked out: else the rest need not be asked. */
bool lockout_is_used(const struct lockout *lockout, uint64_t now_ns);

/* How long it is locked out yet; 0: it is not. */
uint64_t lockout_left_ns(const struct lockout *lockout, uint64_t id, uint64_t now_ns);

/* Counts a failure. True when this one locks it out. `failures` 0 in the rules: nobody ever is. */
bool lockout_fail(struct lockout *lockout, const struct lockout_settings *rules, uint64_t id, uint64_t now_ns);

#endif
