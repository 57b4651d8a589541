/* The breaker's states and counts: see breaker.h. */
#include "route/fleet/breaker.h"

#include <assert.h>
#include <string.h>

bool breaker_allows(const struct breaker *b, uint64_t now_ns)
{
	return b->state == BREAKER_CLOSED || (!b->probing && now_ns >= b->until_ns);
}

bool breaker_begin(struct breaker *b)
{
	if (b->state == BREAKER_CLOSED)
		return false;
	assert(!b->probing);
	if (b->state == BREAKER_OPEN)
		b->probes_succeeded = 0;
	b->state = BREAKER_HALF_OPEN;
	b->probing = true;
	return true;
}

static uint64_t bucket_ns(const struct breaker_rules *rules)
{
	return rules->window_ns >= BREAKER_BUCKETS ? rules->window_ns / BREAKER_BUCKETS : 1;
}

static void count(
	struct breaker *b, const struct breaker_rules *rules, uint32_t samples, uint32_t failures, uint64_t now_ns)
{
	uint64_t turn = now_ns / bucket_ns(rules);
	struct breaker_bucket *bucket = &b->buckets[turn % BREAKER_BUCKETS];

	if (bucket->turn != turn)
		*bucket = (struct breaker_bucket){.turn = turn};
	bucket->samples += samples;
	bucket->failures += failures;
}

static bool rate_is_reached(const struct breaker *b, const struct breaker_rules *rules, uint64_t now_ns)
{
	uint64_t turn = now_ns / bucket_ns(rules), samples = 0, failures = 0;

	for (unsigned i = 0; i < BREAKER_BUCKETS; i++) {
		if (b->buckets[i].turn + BREAKER_BUCKETS <= turn)
			continue;
		samples += b->buckets[i].samples;
		failures += b->buckets[i].failures;
	}
	return samples >= rules->min_requests && failures * 1000 >= samples * rules->error_rate_milli;
}

/* Doubled for each opening in a row, at most 300 s (or open_ms, if that is more), within a tenth either way. */
static uint64_t open_for_ns(const struct breaker *b, const struct breaker_rules *rules, struct rand *rand)
{
	uint64_t most_ns = rules->open_ns > BREAKER_OPEN_MAX_NS ? rules->open_ns : BREAKER_OPEN_MAX_NS;
	uint64_t open_ns = rules->open_ns;

	for (uint32_t i = 1; i < b->doublings && open_ns < most_ns; i++)
		open_ns *= 2;
	if (open_ns > most_ns)
		open_ns = most_ns;
	return open_ns - open_ns / 10 + rand_below(rand, open_ns / 5 + 1);
}

static enum breaker_change open_now(
	struct breaker *b, const struct breaker_rules *rules, struct rand *rand, bool by_rate, uint64_t now_ns)
{
	uint64_t forgiven = b->state == BREAKER_CLOSED ? (now_ns - b->closed_ns) / BREAKER_FORGIVE_NS : 0;

	b->doublings = forgiven < b->doublings ? b->doublings - (uint32_t)forgiven : 0;
	if (b->doublings < BREAKER_DOUBLINGS_MAX)
		b->doublings++;
	b->state = BREAKER_OPEN;
	b->probing = false;
	b->by_rate = by_rate;
	b->in_a_row = 0;
	b->until_ns = now_ns + open_for_ns(b, rules, rand);
	memset(b->buckets, 0, sizeof(b->buckets));
	return BREAKER_OPENED;
}

static void close_now(struct breaker *b, uint64_t now_ns)
{
	b->state = BREAKER_CLOSED;
	b->probing = b->by_rate = false;
	b->in_a_row = 0;
	b->closed_ns = now_ns;
	memset(b->buckets, 0, sizeof(b->buckets));
}

enum breaker_change breaker_success(struct breaker *b, const struct breaker_rules *rules, bool probe, uint64_t now_ns)
{
	if (b->state == BREAKER_CLOSED) {
		b->in_a_row = 0;
		count(b, rules, 1, 0, now_ns);
		return BREAKER_SAME;
	}
	if (!probe || b->state != BREAKER_HALF_OPEN)
		return BREAKER_SAME;
	b->probing = false;
	b->until_ns = now_ns;
	if (++b->probes_succeeded < BREAKER_PROBES_TO_CLOSE)
		return BREAKER_PROBED;
	close_now(b, now_ns);
	return BREAKER_RECOVERED;
}

enum breaker_change breaker_failure(
	struct breaker *b, const struct breaker_rules *rules, bool probe, struct rand *rand, uint64_t now_ns)
{
	if (b->state == BREAKER_CLOSED) {
		b->in_a_row++;
		count(b, rules, 1, 1, now_ns);
		if (b->in_a_row >= rules->consecutive_failures)
			return open_now(b, rules, rand, false, now_ns);
		return rate_is_reached(b, rules, now_ns) ? open_now(b, rules, rand, true, now_ns) : BREAKER_SAME;
	}
	return probe && b->state == BREAKER_HALF_OPEN ? open_now(b, rules, rand, false, now_ns) : BREAKER_SAME;
}

enum breaker_change breaker_abandon(struct breaker *b, bool probe, uint64_t now_ns)
{
	if (!probe || b->state != BREAKER_HALF_OPEN)
		return BREAKER_SAME;
	b->probing = false;
	b->until_ns = now_ns;
	return BREAKER_PROBED;
}

enum breaker_change breaker_heard_outcomes(struct breaker *b, const struct breaker_rules *rules, uint32_t samples,
	uint32_t failures, struct rand *rand, uint64_t now_ns)
{
	if (b->state != BREAKER_CLOSED)
		return BREAKER_SAME;
	count(b, rules, samples, failures, now_ns);
	return failures && rate_is_reached(b, rules, now_ns) ? open_now(b, rules, rand, true, now_ns) : BREAKER_SAME;
}

void breaker_heard_open(struct breaker *b, uint64_t until_ns, uint32_t doublings, bool by_rate)
{
	b->state = BREAKER_OPEN;
	b->probing = false;
	b->by_rate = by_rate;
	b->in_a_row = 0;
	b->until_ns = until_ns;
	b->doublings = doublings;
	memset(b->buckets, 0, sizeof(b->buckets));
}

void breaker_heard_probe(struct breaker *b, uint64_t until_ns, uint32_t probes_succeeded)
{
	if (b->state == BREAKER_CLOSED || b->probing)
		return;
	b->state = BREAKER_HALF_OPEN;
	b->until_ns = until_ns;
	b->probes_succeeded = probes_succeeded;
}

void breaker_heard_closed(struct breaker *b, uint64_t now_ns)
{
	if (b->state != BREAKER_CLOSED)
		close_now(b, now_ns);
}

void breaker_reset(struct breaker *b)
{
	*b = (struct breaker){0};
}
