/*
 * One seed's history: a world with gateways, clients and providers, what befalls them, and the book of it. All choices
 * are drawn from the seed.
 */
#ifndef FUZZ_SIM_SCENARIO_H
#define FUZZ_SIM_SCENARIO_H

#include "core/clock.h"
#include "core/sim/sim.h"
#include "fuzz/sim/book.h"
#include "store/store.h"

#include <stdio.h>

struct certificates;
struct gate;
struct client;
struct intruder;
struct provider;
struct trust;

enum {
	GATES_MAX = 2,
	CLIENTS_MAX = 64,
	BROKEN_BYTES = 1024,
	BODY_MAX_BYTES = 128 << 10,
	SIM_OUTPUT_RESERVED = 2048 /* tokens, more than a stream has bytes */
};

/* Of a race (race.h). */
struct race_terms {
	bool on;
	unsigned calls_a_minute;
	uint64_t tokens_a_minute, begins_ns, ends_ns, ramp_ns; /* ramp_ns: within it the clients begin */
	bool hosted;                                           /* the model is paid from the balance, */
	uint64_t free_tokens;                                  /* but for so many a month */
	bool spends_all;                                       /* providers count as much as was reserved */
	enum { RACE_NOTHING, RACE_REQUESTS, RACE_TOKENS } met; /* the limit that has to be reached */
};

/* Drawn once. */
struct terms {
	unsigned gate_count, client_count, shard_count, requests_each;
	enum durability durability;
	uint32_t buffer_count, buffer_bytes;
	size_t journal_bytes;
	uint32_t misery;   /* of 65,536: how often a provider does not serve */
	uint32_t mischief; /* of 65,536: how often a client leaves, dawdles or sends nonsense */
	uint32_t flood;    /* of 65,536: how often a stream is long and its reader slow */
	bool resets;       /* connections may break, so that an answer may be lost */
	bool stalls;       /* the network may hold back bytes for longer than timeouts */
	bool cuts, wedges; /* of the network between two hosts; of a gateway's machine */
	bool client_tls, provider_tls;
	bool mixed; /* chats alone, of clients of all dialects */
	enum tongue_name provider_tongues[PROVIDERS];
	bool crashes, drains, reloads, full_disks, bad_names, outages, clock_steps;
	/* Configuration. */
	unsigned connect_ms, head_ms, first_token_ms, idle_ms, total_ms, attempts; /* head_ms 0: null */
	unsigned client_head_ms, client_body_ms, keepalive_ms, comment_ms, write_stall_ms, drain_ms;
	uint32_t fee_percent;
	unsigned calls_a_day, calls_at_once; /* limits of the key that most calls use; 0: none */
	unsigned hedge_percent;              /* so many of the answers begin before a second attempt; 0: no hedging */
	int64_t budget_nusd;                 /* a day, of the workspace; of a race a month, of the key; 0: none */
	struct race_terms race;
};

struct scenario {
	uint64_t seed;
	struct sim *sim;
	struct terms terms;
	const struct certificates *certificates;
	struct trust *trust; /* NULL: nothing speaks TLS */
	struct book book;
	struct gate *gates[GATES_MAX];
	struct client *clients[CLIENTS_MAX];
	struct provider *providers[PROVIDERS];
	struct intruder *intruder; /* NULL: none */
	struct sim_event weather;
	unsigned weather_left, disks_full;
	bool ending;  /* no new trouble */
	bool closing; /* gateways that end stay down */
	struct {      /* calls that ended while more than their answer may be under way, by their times: invariants.c */
		uint32_t *calls;
		size_t count, capacity, looked_at;
	} left;
	bool was_full, was_unresolved;
	uint64_t outrun; /* attempts, as the receipts tell */
	struct {         /* while a store is read: calls to providers on the last day in it */
		uint64_t day, calls;
		int64_t spent_nusd, hosted_nusd;
		uint64_t free_tokens;
	} counted;
	struct {
		int64_t spent_nusd;     /* at providers, by what they will tell */
		unsigned refused_money; /* calls */
		unsigned deposits;      /* sent */
	} race;
	uint64_t ended_ns;
	/* The first invariant that was broken, by name. */
	const char *broken;
	char how[BROKEN_BYTES];
};

/* How a seed went. */
struct verdict {
	uint64_t requests, served, crashes, receipts, outrun, events, hash;
	char broken[64];
	char how[BROKEN_BYTES];
};

/* Runs a seed. Its terms and last events are printed to `trace` (NULL: not at all) when an invariant broke, or
 * `always`. */
struct verdict scenario_run(
	uint64_t seed, const struct certificates *certificates, FILE *trace, bool always); /* NULL: no TLS */

/* For a crash of the simulation itself: the history of the seed that runs. */
void scenario_print_current(FILE *file);

/* Notes that an invariant is broken; the first one ends the run. */
void scenario_break(struct scenario *s, const char *invariant, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* terms.c: what is drawn at the start, and once more for a reload; and the terms told. */
void terms_draw(struct scenario *s);
void terms_draw_timeouts(struct scenario *s);
void terms_print(const struct scenario *s, FILE *file);

/* The gateway's configuration as YAML, by the terms. */
struct bytes;
void scenario_configuration(const struct scenario *s, unsigned gate, struct bytes *yaml);

struct model_terms {
	const char *id, *upstream[PROVIDERS];         /* NULL: not at that provider */
	int64_t input_pusd, cached_pusd, output_pusd; /* a token */
};
extern const struct model_terms model_terms[MODELS];

/* What so many tokens cost, worked out anew. */
int64_t scenario_cost_nusd(const struct scenario *s, unsigned model, const struct figures *figures);

/* Something may hold bytes, or who is to answer them, back for longer than timeouts; and for how long at most. */
bool scenario_is_held_up(const struct scenario *s);
uint64_t scenario_held_up_ns(const struct scenario *s);

uint64_t pick(struct scenario *s, uint64_t least, uint64_t most); /* both included */
bool chance(struct scenario *s, uint32_t of_65536);

/* The text that a call's message holds, of at least so many bytes; it begins with the marker. */
struct bytes;
void scenario_text(struct bytes *text, uint32_t call, size_t bytes);

#endif
