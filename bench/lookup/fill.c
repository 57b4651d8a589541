/* Receipts as the gateway writes them for a call that went well, and a store full of them. */
#include "bench/lookup/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

enum {
	APPENDS_A_TURN = 256, /* then the shard's turn sends the wake-ups that appending asked for */
	MADE_TO_MEASURE = 1000000,
	KEY_TEXT_BYTES = 32,
};

#define FIRST_MS 1767225600000ull /* 2026-01-01 */
#define SHOW_NS (NS_PER_S / 4)

struct made {
	struct receipt receipt;
	char key[KEY_TEXT_BYTES];
};

struct ulid receipt_id(const struct options *options, uint64_t n)
{
	struct rand rand;

	rand_seed(&rand, n);
	return ulid_make(&rand, (FIRST_MS + n * 1000 / options->per_second) * NS_PER_MS);
}

/* Without what stays the same from one to the next. */
static void make(const struct options *options, struct made *made, uint64_t n)
{
	struct receipt *r = &made->receipt;
	struct rand rand;
	uint64_t random;

	r->request_id = receipt_id(options, n);
	rand_seed(&rand, ~n);
	random = rand_u64(&rand);
	r->wall_ns = FIRST_MS * NS_PER_MS + n * NS_PER_S / options->per_second;
	made->key[4] = (char)('a' + random % options->keys % 26);
	made->key[5] = (char)('a' + random % options->keys / 26);
	r->latency_ns = 100000000 + (random >> 8) % 1000000000;
	r->overhead_ns = 20000 + (random >> 16) % 20000;
	r->prompt_tokens = 10 + (random >> 24) % 4000;
	r->completion_tokens = 1 + (random >> 36) % 1000;
	r->provider_cost_nusd = (int64_t)(r->prompt_tokens * 150 + r->completion_tokens * 600);
	r->attempts[0].latency_ns = r->latency_ns - r->overhead_ns;
}

static void make_first(struct made *made)
{
	struct receipt *r = &made->receipt;

	memset(made, 0, sizeof(*made));
	memcpy(made->key, "key_aa4f1c09d2b7", 16);
	r->node = SLICE("gateway-1");
	r->workspace = SLICE("default");
	r->key_id = slice_of(made->key, 16);
	r->api = API_CHAT_COMPLETIONS;
	r->status = 200;
	r->finish_reason = SLICE("stop");
	r->strategy = SLICE("direct");
	r->bucket = SLICE("direct");
	r->requested_model = SLICE("gpt-4o-mini");
	r->model = r->winner = SLICE("openai/gpt-4o-mini");
	r->provider = SLICE("openai");
	r->credential = SLICE("primary");
	r->cache_status = SLICE("bypass");
	r->candidate_count = 1;
	r->candidates[0].model = r->model;
	r->attempt_count = 1;
	r->attempts[0].provider = r->provider;
	r->attempts[0].model = r->model;
	r->attempts[0].credential = r->credential;
	r->attempts[0].status = 200;
}

static uint64_t thread_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

uint64_t fill_make_ns(const struct world *world)
{
	uint64_t began_ns = thread_ns();
	struct made made;

	make_first(&made);
	for (uint64_t n = 0; n < MADE_TO_MEASURE; n++) {
		make(world->options, &made, n);
		__asm__ volatile("" : : "r"(&made) : "memory"); /* each is made whole */
	}
	return (thread_ns() - began_ns) / MADE_TO_MEASURE;
}

/* Asks for one that is not there: the way of the question leads through the writer, which empties the journal. */
static int wait_for_room(struct world *world)
{
	struct store_query query = {.kind = STORE_QUERY_BY_ID};
	int rc = ask(world, &query);

	store_query_fini(&query);
	return rc == -ENOENT ? 0 : rc < 0 ? rc : -EBADMSG;
}

static int append(struct world *world, struct made *made)
{
	struct store_ticket ticket;
	int rc;

	make(world->options, made, world->stored);
	while ((rc = store_append(world->store, &world->shard, &made->receipt, &ticket)) == -EAGAIN) {
		rc = wait_for_room(world);
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	if (++world->stored % APPENDS_A_TURN == 0)
		shard_turn(&world->shard, 0);
	return 0;
}

int fill_append(struct world *world)
{
	struct made made;

	make_first(&made);
	return append(world, &made);
}

static void show(const struct world *world, uint64_t elapsed_ns)
{
	fprintf(stderr, "\r  %.1f of %.1f million receipts, %.0f s ", (double)world->stored / 1e6,
		(double)world->options->receipts / 1e6, (double)elapsed_ns / 1e9);
}

int fill(struct world *world, uint64_t *elapsed_ns)
{
	uint64_t began_ns = clock_monotonic_ns(), now_ns = began_ns, shown_ns = 0;
	uint64_t end_ns = began_ns + world->options->seconds_max * NS_PER_S;
	bool terminal = isatty(STDERR_FILENO);
	struct made made;
	int rc = 0;

	make_first(&made);
	while (rc == 0 && world->stored < world->options->receipts && now_ns < end_ns) {
		rc = append(world, &made);
		if (world->stored % APPENDS_A_TURN)
			continue;
		now_ns = clock_monotonic_ns();
		if (terminal && now_ns - shown_ns >= SHOW_NS) {
			show(world, now_ns - began_ns);
			shown_ns = now_ns;
		}
	}
	while (rc == 0 && store_counts(world->store).journal_used_bytes)
		rc = wait_for_room(world);
	*elapsed_ns = clock_monotonic_ns() - began_ns;
	if (terminal)
		fprintf(stderr, "\r\033[K");
	return rc;
}
