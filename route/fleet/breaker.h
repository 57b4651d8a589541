/*
 * A circuit breaker, of one deployment on one shard. Closed, it counts outcomes and opens at a number of failures in a
 * row or at a share of failures in a window. Open, it lets nothing through until its time is over; then it is half
 * open: one probe at a time, until two have succeeded (closed) or one has failed (open for twice as long). Pure: time
 * and randomness are arguments.
 */
#ifndef ROUTE_BREAKER_H
#define ROUTE_BREAKER_H

#include "core/rand.h"

#include <stdbool.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

enum { BREAKER_BUCKETS = 10, BREAKER_PROBES_TO_CLOSE = 2, BREAKER_DOUBLINGS_MAX = 20 };

#define BREAKER_OPEN_MAX_NS (UINT64_C(300) * 1000000000)
#define BREAKER_FORGIVE_NS (UINT64_C(60) * 1000000000) /* closed for so long, one doubling is forgotten */

struct breaker_rules {
	uint32_t consecutive_failures, error_rate_milli, min_requests;
	uint64_t window_ns, open_ns;
};

struct breaker { /* zeroed: closed, nothing known */
	enum breaker_state state;
	bool probing; /* half open: a probe is under way here */
	bool by_rate; /* open for its share of failures, not for a row of them */
	uint32_t in_a_row, probes_succeeded, doublings;
	uint64_t until_ns;  /* not closed: no probe before */
	uint64_t closed_ns; /* when it closed after having been open; 0: it never was */
	struct breaker_bucket {
		uint64_t turn; /* time / width: of another turn, its counts are old */
		uint32_t samples, failures;
	} buckets[BREAKER_BUCKETS];
};

/* What an outcome did, for those who have to be told. */
enum breaker_change { BREAKER_SAME, BREAKER_OPENED, BREAKER_PROBED, BREAKER_RECOVERED };

/* Whether a call may go now: closed, or its probe. */
bool breaker_allows(const struct breaker *breaker, uint64_t now_ns);

/* A call goes, which breaker_allows() allowed. True: it is the probe, and has to be told so when it ends. */
bool breaker_begin(struct breaker *breaker);

/* How a call ended; what began before the breaker opened says nothing about it any more. */
enum breaker_change breaker_success(
	struct breaker *breaker, const struct breaker_rules *rules, bool probe, uint64_t now_ns);
enum breaker_change breaker_failure(
	struct breaker *breaker, const struct breaker_rules *rules, bool probe, struct rand *rand, uint64_t now_ns);
/* It was given up, and says nothing about the provider. */
enum breaker_change breaker_abandon(struct breaker *breaker, bool probe, uint64_t now_ns);

/*
 * What other shards counted while closed, where this one decides on the share of failures for all of them; for the
 * others rules say that no number of requests is enough.
 */
enum breaker_change breaker_heard_outcomes(struct breaker *breaker, const struct breaker_rules *rules, uint32_t samples,
	uint32_t failures, struct rand *rand, uint64_t now_ns);

/* What another shard saw: it opened, it probes until `until_ns` (or has done so), it closed. */
void breaker_heard_open(struct breaker *breaker, uint64_t until_ns, uint32_t doublings, bool by_rate);
void breaker_heard_probe(struct breaker *breaker, uint64_t until_ns, uint32_t probes_succeeded);
void breaker_heard_closed(struct breaker *breaker, uint64_t now_ns);

/* Closed, with nothing held against it. */
void breaker_reset(struct breaker *breaker);

#endif
