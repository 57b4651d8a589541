/*
 * Sealed content between shards and the store's threads: what is kept or removed goes by the writer's, what is asked
 * for by the reader's, and what has expired leaves the disk now and then.
 */
#include "core/clock.h"
#include "store/store_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { EXPIRED_A_SWEEP = 256 /* rows; some 5 us each */ };

#define EXPIRY_NS (60 * NS_PER_S)
#define LOOK_NS NS_PER_S

static uint64_t wall_s(const struct shard *shard)
{
	return shard_wall_ns(shard) / NS_PER_S;
}

/* How much there is, for the metrics: at most once a second. */
static void look_at_size(struct store *store)
{
	uint64_t now_ns = shard_now_ns(&store->writer.shard);
	struct kv_size size;

	if (store->sealed_looked_ns && now_ns - store->sealed_looked_ns < LOOK_NS)
		return;
	store->sealed_looked_ns = now_ns;
	size = kv_about(store->kv, KV_SEALED);
	atomic_store_explicit(&store->sealed_rows, size.rows, memory_order_relaxed);
	atomic_store_explicit(&store->sealed_bytes, size.bytes, memory_order_relaxed);
}

/* What has expired is no longer handed out; here it leaves the disk too. */
static void on_expiry(struct timer *timer)
{
	struct store *store = container_of(timer, struct store, expiry);
	struct shard *shard = &store->writer.shard;
	int count = 0;

	if (writer_writable(&store->writer))
		count = sealed_expire(store->sealed, wall_s(shard), EXPIRED_A_SWEEP);
	if (count < 0)
		writer_failed(&store->writer);
	else
		atomic_fetch_add_explicit(&store->sealed_expired, (uint64_t)count, memory_order_relaxed);
	look_at_size(store);
	timer_arm(&shard->timers, timer, shard_now_ns(shard) + (count == EXPIRED_A_SWEEP ? 0 : EXPIRY_NS));
}

static void begin_expiry(struct shard *shard)
{
	struct store *store = shard->user;

	look_at_size(store);
	timer_arm(&shard->timers, &store->expiry, shard_now_ns(shard) + EXPIRY_NS);
}

void store_sealed_init(struct store *store)
{
	timer_init(&store->expiry, on_expiry);
	store->writer.shard.user = store;
	store->writer.shard.on_start = begin_expiry;
}

static struct store_sealed *sealed_of(struct letter *letter)
{
	return container_of(letter, struct store_sealed, letter);
}

static void on_sealed_back(struct letter *letter)
{
	sealed_of(letter)->done(sealed_of(letter));
}

static void on_sealed_at_reader(struct letter *letter)
{
	struct store_sealed *asked = sealed_of(letter);
	struct store *store = asked->store;

	asked->result =
		sealed_get(store->sealed, &asked->name, wall_s(&store->reader), &asked->found, &asked->found_size);
	letter->open = on_sealed_back;
	shard_post(asked->shard, letter, &store->reader);
}

static void on_sealed_at_writer(struct letter *letter)
{
	struct store_sealed *asked = sealed_of(letter);
	struct store *store = asked->store;
	struct shard *shard = &store->writer.shard;
	bool sync = store->writer.durability == DURABILITY_POWER;
	uint64_t expires_s = asked->ttl_s ? wall_s(shard) + asked->ttl_s : 0;

	if (atomic_load(&store->writer.failing))
		asked->result = -EAGAIN; /* no more is written until it is well again */
	else if (asked->kind == STORE_SEALED_CLAIM)
		asked->result = sealed_claim(store->sealed, &asked->name, asked->value, wall_s(shard), expires_s, sync,
			asked->replaces, &asked->found, &asked->found_size);
	else if (asked->kind == STORE_SEALED_PUT)
		asked->result = sealed_put(store->sealed, &asked->name, asked->value, expires_s, sync);
	else
		asked->result = sealed_remove(store->sealed, &asked->name, sync);
	if (asked->result == -EIO)
		writer_failed(&store->writer);
	look_at_size(store);
	letter->open = on_sealed_back;
	shard_post(asked->shard, letter, shard);
}

void store_sealed_start(struct store *store, struct store_sealed *sealed)
{
	bool get = sealed->kind == STORE_SEALED_GET;

	sealed->store = store;
	sealed->found = NULL;
	sealed->found_size = 0;
	sealed->letter.open = get ? on_sealed_at_reader : on_sealed_at_writer;
	shard_post(get ? &store->reader : &store->writer.shard, &sealed->letter, sealed->shard);
}

void store_sealed_fini(struct store_sealed *sealed)
{
	if (sealed->found)
		explicit_bzero(sealed->found, sealed->found_size);
	free(sealed->found);
	sealed->found = NULL;
	sealed->found_size = 0;
}
