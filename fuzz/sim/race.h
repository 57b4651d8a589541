/*
 * Races: seeds from RACES_FROM on. 64 clients ask over all shards of one gateway at once, with one key that has a limit
 * of requests a minute, one of tokens a minute, and a budget; all of them together, and drawn such that another one is
 * the first to refuse. What was admitted is counted where it counts, at the providers. There a call is certain to have
 * been admitted between its client's sending and its arrival, and so:
 *
 *   at most    whatever was sent and has arrived within a minute was admitted within it: never more than the limit
 *   at least   whatever was not sent too late, nor had arrived too early, may have been admitted within an interval:
 *              with demand never less than the limit, less (shards - 1) and (the largest cost - 1)
 *   budget     with each arrival, all that the providers' answers will cost is within the budget
 *   balance    in a quarter of the races the model is hosted, and clients make deposits: no more is spent than was paid
 *              in, and no more tokens are free than there are
 */
#ifndef FUZZ_SIM_RACE_H
#define FUZZ_SIM_RACE_H

#include "fuzz/sim/scenario.h"

#define RACES_FROM UINT64_C(1000000001)
enum { RACERS = 64, RACE_TEXT_BYTES_MAX = 400 };

static inline bool is_race(const struct scenario *s)
{
	return s->terms.race.on;
}

void race_draw(struct scenario *s); /* over terms that are drawn */
void race_print_key(const struct scenario *s, struct bytes *yaml);
void race_print(const struct scenario *s, FILE *file);

/* How long a client thinks after a call (NULL: it had none yet); UINT64_MAX: the race is over for it. */
uint64_t race_pause_ns(struct scenario *s, struct call *last);

/* After that call: a chat, or a deposit. */
enum call_kind race_draw_kind(struct scenario *s, const struct call *last);
void race_write_deposit(struct scenario *s, const struct call *call, struct bytes *json);

int64_t race_deposited_nusd(const struct scenario *s); /* at most */

/* What a call asks, and what its provider is to count: no more than was reserved. */
void race_draw_output(struct scenario *s, struct call *call);
void race_note_body(struct call *call, size_t body_bytes);
void race_draw_figures(struct scenario *s, const struct call *call, struct figures *figures);

/* At a provider: the call has arrived for the first time, and will cost so much. */
void race_note_arrival(struct scenario *s, struct call *call, const struct attempt *attempt);

/* Of the whole history. */
bool race_limits_hold(struct scenario *s, char *how, size_t how_bytes);
bool race_demand_is_met(struct scenario *s, char *how, size_t how_bytes);

#endif
