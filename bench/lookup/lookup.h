/*
 * lookup: fills a store with receipts as fast as it takes them, then asks for random ones by id.
 *
 *   main.c    command line, order of things, what is printed: JSON
 *   fill.c    receipts and how they are appended
 *   ask.c     look-ups and their times
 *   cost.c    processor time by thread
 *
 * Receipt `n` always looks the same, so that what was stored needs not be remembered. Their times are invented:
 * `per_second` of them begin in each second, whatever the pace at which they are appended, because that is what the
 * index goes by.
 */
#ifndef BENCH_LOOKUP_LOOKUP_H
#define BENCH_LOOKUP_LOOKUP_H

#include "store/store.h"

struct options {
	const char *dir; /* empty; the store makes its files there */
	uint64_t receipts, lookups;
	uint64_t per_second;  /* how many begin in one second of the invented time */
	unsigned keys;        /* virtual keys that they are of */
	uint64_t seconds_max; /* filling ends then, with what is there */
};

struct world {
	const struct options *options;
	struct shard shard; /* run by the main thread */
	struct store *store;
	uint64_t stored;
};

/* fill.c */
struct ulid receipt_id(const struct options *options, uint64_t n);
uint64_t fill_make_ns(const struct world *world); /* processor time that making one takes, which is not the store's */
int fill_append(struct world *world);             /* the next one, waiting while the journal is full: 0 or -errno */
int fill(struct world *world, uint64_t *elapsed_ns);

/* ask.c */
struct delays {
	uint64_t asked, missed; /* missed: not found, or another was */
	double p50_us, p99_us, p999_us, max_us;
};

/* Sends a query behind which all that was appended is looked at by the writer; returns when it is answered. */
int ask(struct world *world, struct store_query *query);

/* Asks for `lookups` random ones in turn; before each, appends `between` new ones. -errno, or 0. */
int ask_many(struct world *world, unsigned between, struct delays *delays);
void ask_forget_pages(const char *dir); /* what the kernel keeps of the files below `dir` */

/* cost.c */
enum { COST_ROWS_MAX = 8, COST_NAME_BYTES = 16 };

struct cost {
	unsigned count;
	struct {
		char name[COST_NAME_BYTES]; /* of the threads, up to a number or a slash */
		uint64_t ns;
	} rows[COST_ROWS_MAX];
};

struct cost cost_now(void);
struct cost cost_since(const struct cost *before); /* now, less before */
uint64_t cost_sum_ns(const struct cost *cost);
void cost_wait_quiet(void); /* until compaction has nothing left to do, half a minute at most */

#endif
