/*
 * The meters of clients' addresses that one shard owns: a table of fixed size, since anybody can send from many. An
 * address takes a place of its set; one that has been quiet for as long as its limits look back gives its place to the
 * next that comes. While all places of a set are in use, those that find none share one meter, and with it one
 * allowance: a full table neither lets everybody in nor touches those that have a place. Pure; one shard's.
 */
#ifndef ROUTE_LIMIT_ADDRESS_H
#define ROUTE_LIMIT_ADDRESS_H

#include "route/limits/limit_meter.h"

enum { LIMIT_ADDRESS_SETS = 256, LIMIT_ADDRESS_WAYS = 15 }; /* and a shared one in each set: 7 MB, as far as used */

struct limit_addresses;

struct limit_addresses *limit_addresses_open(void); /* NULL when memory is out */
void limit_addresses_close(struct limit_addresses *addresses);

/* How long what was used by these limits is remembered, of a day an hour: who was quiet for longer may lose its count.
 */
uint64_t limit_addresses_quiet_ns(const struct limit_settings *limits);

/* Where an address (never 0) is counted from now on. */
struct limit_meter *limit_addresses_take(
	struct limit_addresses *addresses, uint64_t address, uint64_t quiet_ns, uint64_t now_ns);

/* Whether that is still its meter, or one that it shares. */
bool limit_addresses_has(const struct limit_addresses *addresses, const struct limit_meter *meter, uint64_t address);
bool limit_addresses_is_shared(const struct limit_addresses *addresses, const struct limit_meter *meter);

uint64_t limit_addresses_in_flight(const struct limit_addresses *addresses);

#endif
