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
	struct sealed *sealed;
	struct retention *retention;
	_Atomic uint64_t expired; /* receipts; for store_counts() */
	struct timer expiry;      /* of what is sealed; on the writer's thread */
	uint64_t sealed_looked_ns;
	_Atomic uint64_t sealed_rows, sealed_bytes, sealed_expired; /* for store_counts() */
	unsigned journal_count;
	struct journal **journals;
	struct recents *recents;
	struct reservations *reservations;
	uint64_t replayed;
	bool writer_made, reader_made;
};

void store_sealed_init(struct store *store); /* sealed_letters.c: before the writer starts */

#endif
