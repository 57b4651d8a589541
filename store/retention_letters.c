/* Steps of retention between who knows the workspaces and the writer's thread, in its turns between groups. */
#include "store/retention.h"

#include <errno.h>

#include "store/store_internal.h"

static struct store_retention *retention_of(struct letter *letter)
{
	return container_of(letter, struct store_retention, letter);
}

static void on_back(struct letter *letter)
{
	retention_of(letter)->done(retention_of(letter));
}

static void on_step(struct letter *letter)
{
	struct store_retention *asked = retention_of(letter);
	struct store *store = asked->store;
	struct shard *shard = &store->writer.shard;

	if (!writer_writable(&store->writer) || commit_pending(store->commit))
		asked->result = -EAGAIN;
	else
		asked->result = retention_step(store->retention, asked->rules, shard_wall_ns(shard));
	if (asked->result == -EIO)
		writer_failed(&store->writer);
	atomic_store_explicit(&store->expired, retention_blanked(store->retention), memory_order_relaxed);
	letter->open = on_back;
	shard_post(asked->shard, letter, shard);
}

void store_retention_start(struct store *store, struct store_retention *retention)
{
	retention->store = store;
	retention->letter.open = on_step;
	shard_post(&store->writer.shard, &retention->letter, retention->shard);
}
