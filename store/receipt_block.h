/*
 * A block: the receipts of one group commit as one value, chained to the block before by their hashes.
 *
 *   u8 version, 3 zero bytes, u32 count, u32 bytes of records, u32 zero, u64 committed (wall ns), 32 bytes chain
 *   the records, then for each u32 where it ends, then for each its SHA-256
 *
 * chain = SHA-256(chain of the block before, the hashes). A record that was blanked when its retention ended is empty; its
 * hash stays, so the chain still verifies. `committed` never goes back from block to block and is not before any receipt in
 * it, whatever the clock did: a walk through time can stop by it.
 */
#ifndef STORE_RECEIPT_BLOCK_H
#define STORE_RECEIPT_BLOCK_H

#include "core/slice.h"

enum {
	HASH_BYTES = 32,
	/* 512: beyond 256 a row's cost is no longer seen in a receipt's; a look-up by id reads one block of at most 272 KB. */
	BLOCK_RECEIPTS_MAX = 512,
	BLOCK_RECORDS_BYTES_MAX = 256 << 10,
	BLOCK_HEAD_BYTES = 56,
};

struct hash {
	uint8_t bytes[HASH_BYTES];
};

struct hash hash_of(struct slice bytes);

struct block_builder {
	uint32_t count;
	size_t records_bytes;
	uint32_t ends[BLOCK_RECEIPTS_MAX];
	struct hash hashes[BLOCK_RECEIPTS_MAX];
	char value[BLOCK_HEAD_BYTES + BLOCK_RECORDS_BYTES_MAX + BLOCK_RECEIPTS_MAX * (4 + HASH_BYTES)];
};

void block_builder_clear(struct block_builder *builder);
bool block_builder_fits(const struct block_builder *builder, size_t record_bytes);
void block_builder_add(struct block_builder *builder, struct slice record); /* it fits */

/* The value, which lives in the builder; *chain is that of the block before and becomes this one's. */
struct slice block_builder_finish(struct block_builder *builder, struct hash *chain, uint64_t committed_ns);

/* A block's value taken apart; everything points into it. */
struct block_view {
	uint32_t count;
	uint64_t committed_ns;
	struct hash chain;
	const char *records, *ends, *hashes;
};

int block_view_open(struct block_view *view, struct slice value); /* 0, or -EBADMSG */
struct slice block_view_record(const struct block_view *view, uint32_t index); /* empty: blanked */
struct hash block_view_hash(const struct block_view *view, uint32_t index);
struct hash block_view_chain(const struct block_view *view, const struct hash *before); /* as it should be */

#endif
