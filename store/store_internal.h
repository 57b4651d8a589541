/* The store's own parts, for its files alone. */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include "store/writer.h"

struct store {
	struct writer writer;
	struct shard reader;
	struct disk_lock *lock;
	struct kv *kv;
	struct commit *commit;
	unsigned journal_count;
	struct journal **journals;
	struct recents *recents;
	uint64_t replayed;
	bool writer_made, reader_made;
};

#endif
