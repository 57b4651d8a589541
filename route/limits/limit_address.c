/* Places of addresses: see limit_address.h. */
#include "route/limits/limit_address.h"

#include <stdlib.h>

struct set { /* apart from the meters, which are large and lie in memory that is not there until it is used */
	uint64_t addresses[LIMIT_ADDRESS_WAYS]; /* 0: nobody's */
	uint64_t used_ns[LIMIT_ADDRESS_WAYS];
	bool shares; /* its last meter is in use */
};

struct limit_addresses {
	struct set sets[LIMIT_ADDRESS_SETS];
	struct limit_meter meters[LIMIT_ADDRESS_SETS][LIMIT_ADDRESS_WAYS + 1];
};

struct limit_addresses *limit_addresses_open(void)
{
	return calloc(1, sizeof(struct limit_addresses));
}

void limit_addresses_close(struct limit_addresses *addresses)
{
	free(addresses);
}

uint64_t limit_addresses_quiet_ns(const struct limit_settings *limits)
{
	uint64_t length_ns = limits->rph || limits->rpd ? LIMIT_HOUR_NS : LIMIT_MINUTE_NS;

	return length_ns / LIMIT_WINDOW_SLOTS * (LIMIT_WINDOW_SLOTS + 2);
}

static bool is_free(const struct limit_addresses *a, unsigned set, unsigned way, uint64_t quiet_ns, uint64_t now_ns)
{
	return a->sets[set].addresses[way] == 0 ||
	       (a->sets[set].used_ns[way] + quiet_ns <= now_ns && a->meters[set][way].in_flight == 0);
}

/* The one that is free and was used longest ago; LIMIT_ADDRESS_WAYS: none is. */
static unsigned find_free(const struct limit_addresses *a, unsigned set, uint64_t quiet_ns, uint64_t now_ns)
{
	unsigned found = LIMIT_ADDRESS_WAYS;

	for (unsigned way = 0; way < LIMIT_ADDRESS_WAYS; way++)
		if (is_free(a, set, way, quiet_ns, now_ns) &&
			(found == LIMIT_ADDRESS_WAYS || a->sets[set].used_ns[way] < a->sets[set].used_ns[found]))
			found = way;
	return found;
}

static struct limit_meter *share(struct limit_addresses *a, unsigned set)
{
	struct limit_meter *meter = &a->meters[set][LIMIT_ADDRESS_WAYS];

	if (!a->sets[set].shares)
		limit_meter_init(meter);
	a->sets[set].shares = true;
	return meter;
}

struct limit_meter *limit_addresses_take(
	struct limit_addresses *a, uint64_t address, uint64_t quiet_ns, uint64_t now_ns)
{
	unsigned set = (unsigned)((address >> 8) % LIMIT_ADDRESS_SETS), way; /* its last bit is always set */

	for (way = 0; way < LIMIT_ADDRESS_WAYS && a->sets[set].addresses[way] != address; way++)
		;
	if (way == LIMIT_ADDRESS_WAYS) {
		way = find_free(a, set, quiet_ns, now_ns);
		if (way == LIMIT_ADDRESS_WAYS)
			return share(a, set);
		limit_meter_init(&a->meters[set][way]);
		a->sets[set].addresses[way] = address;
	}
	a->sets[set].used_ns[way] = now_ns;
	return &a->meters[set][way];
}

static unsigned number_of(const struct limit_addresses *a, const struct limit_meter *meter)
{
	return (unsigned)(meter - &a->meters[0][0]);
}

bool limit_addresses_is_shared(const struct limit_addresses *a, const struct limit_meter *meter)
{
	return number_of(a, meter) % (LIMIT_ADDRESS_WAYS + 1) == LIMIT_ADDRESS_WAYS;
}

bool limit_addresses_has(const struct limit_addresses *a, const struct limit_meter *meter, uint64_t address)
{
	unsigned number = number_of(a, meter), way = number % (LIMIT_ADDRESS_WAYS + 1);

	return way == LIMIT_ADDRESS_WAYS || a->sets[number / (LIMIT_ADDRESS_WAYS + 1)].addresses[way] == address;
}

uint64_t limit_addresses_in_flight(const struct limit_addresses *a)
{
	uint64_t in_flight = 0;

	for (unsigned set = 0; set < LIMIT_ADDRESS_SETS; set++)
		for (unsigned way = 0; way <= LIMIT_ADDRESS_WAYS; way++)
			if (way == LIMIT_ADDRESS_WAYS ? a->sets[set].shares : a->sets[set].addresses[way] != 0)
				in_flight += a->meters[set][way].in_flight;
	return in_flight;
}
