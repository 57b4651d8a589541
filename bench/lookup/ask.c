/* Look-ups by id, the way that GET /v1/receipts/{id} takes: by letter to the writer, to the reader, and back. */
#include "bench/lookup/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"

enum { ID_AT = sizeof("{\"request_id\":\"req_") - 1, OPEN_FOLDERS_MAX = 16 };

static void on_answered(struct store_query *query)
{
	*(bool *)query->shard->user = true;
}

int ask(struct world *world, struct store_query *query)
{
	bool answered = false;

	query->shard = &world->shard;
	query->done = on_answered;
	world->shard.user = &answered;
	store_query_start(world->store, query);
	while (!answered)
		shard_turn(&world->shard, shard_sleep(&world->shard));
	return query->result;
}

/* 1: it came, and is the one; 0: not; -errno. */
static int ask_one(struct world *world, uint64_t n)
{
	struct store_query query = {.kind = STORE_QUERY_BY_ID, .request_id = receipt_id(world->options, n)};
	char id[ULID_TEXT_BYTES];
	int rc = ask(world, &query);

	if (rc == 0) {
		ulid_print(&query.request_id, id);
		rc = query.json_size > ID_AT + sizeof(id) && memcmp(query.json + ID_AT, id, sizeof(id)) == 0;
	} else if (rc == -ENOENT) {
		rc = 0;
	}
	store_query_fini(&query);
	return rc;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double at(const uint64_t *sorted, uint64_t count, double share)
{
	return (double)sorted[(uint64_t)((double)(count - 1) * share)] / (double)NS_PER_US;
}

int ask_many(struct world *world, unsigned between, struct delays *delays)
{
	uint64_t count = world->options->lookups, known = world->stored;
	uint64_t *delays_ns = malloc(count * sizeof(*delays_ns));
	struct rand rand;
	int rc = 0;

	if (!delays_ns)
		return -ENOMEM;
	*delays = (struct delays){.asked = count};
	rand_seed(&rand, between);
	for (uint64_t i = 0; i < count && rc >= 0; i++) {
		uint64_t began_ns;

		for (unsigned j = 0; j < between && rc >= 0; j++)
			rc = fill_append(world);
		if (rc < 0)
			break;
		began_ns = clock_monotonic_ns();
		rc = ask_one(world, rand_below(&rand, known));
		delays_ns[i] = clock_monotonic_ns() - began_ns;
		delays->missed += rc == 0;
	}
	if (rc >= 0) {
		qsort(delays_ns, count, sizeof(*delays_ns), compare);
		delays->p50_us = at(delays_ns, count, 0.5);
		delays->p99_us = at(delays_ns, count, 0.99);
		delays->p999_us = at(delays_ns, count, 0.999);
		delays->max_us = at(delays_ns, count, 1);
	}
	free(delays_ns);
	return rc < 0 ? rc : 0;
}

static int forget(const char *path, const struct stat *status, int type, struct FTW *place)
{
	int file;

	(void)status;
	(void)place;
	if (type != FTW_F)
		return 0;
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	fdatasync(file); /* a page that is not on the disk yet stays */
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	close(file);
	return 0;
}

void ask_forget_pages(const char *dir)
{
	nftw(dir, forget, OPEN_FOLDERS_MAX, FTW_PHYS);
}
