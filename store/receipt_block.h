/*
 * A block: the receipts of one group commit as one value, chained to the block before by their hashes.
 *
 *   u8 version, 3 zero bytes, u32 count, u32 bytes of records, u32 zero, u64 committed (wall ns), 32 bytes chain
 *   the records, then for each u32 where it ends, then for each its SHA-256
 *
 * chain = SHA-256(chain of the block before, the hashes). A record that was blanked when its retention ended is empty;
 * its hash stays, so the chain still verifies. Blocks of which no record is left go: what stays of a run of them is a
 * gap, under the number of its last block, with the chain that the block behind it goes on from:
 *
 *   u8 version, 7 zero bytes, u64 first block, u64 receipts, u64 committed (of the last), 32 bytes chain (of the last)
 *
 * Two gaps may stand side by side. `committed` never goes back from block to block and is not before any receipt in
 * it, whatever the clock did: a walk through time can stop by it.
 */
#ifndef STORE_RECEIPT_BLOCK_H
#define STORE_RECEIPT_BLOCK_H

#include "core/slice.h"

enum {
	HASH_BYTES = 32,
	/* 512: beyond 256 a row's cost is no longer seen in a receipt's; a look-up by id reads one block of at most 272
	   KB. */
	BLOCK_RECEIPTS_MAX = 512,
	BLOCK_RECORDS_BYTES_MAX = 256 << 10,
	BLOCK_HEAD_BYTES = 56,
	BLOCK_GAP_BYTES = 64,
	BLOCK_BYTES_MAX = BLOCK_HEAD_BYTES + BLOCK_RECORDS_BYTES_MAX + BLOCK_RECEIPTS_MAX * (4 + 32),
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
	char value[BLOCK_BYTES_MAX];
};

void block_builder_clear(struct block_builder *builder);
bool block_builder_fits(const struct block_builder *builder, size_t record_bytes);
void block_builder_add(struct block_builder *builder, struct slice record); /* it fits */

/* The value, which lives in the builder; *chain is that of the block before and becomes this one's. */
struct slice block_builder_finish(struct block_builder *builder, struct hash *chain, uint64_t committed_ns);

/* A block's value taken apart; everything points into it. */
struct block_view {
	uint32_t count;                   /* of a gap 0 */
	uint64_t gap_first, gap_receipts; /* gap_first 0: a block */
	uint64_t committed_ns;
	struct hash chain;
	const char *records, *ends, *hashes;
};

int block_view_open(struct block_view *view, struct slice value);              /* 0, or -EBADMSG */
struct slice block_view_record(const struct block_view *view, uint32_t index); /* empty: blanked */
struct hash block_view_hash(const struct block_view *view, uint32_t index);
struct hash block_view_chain(const struct block_view *view, const struct hash *before); /* as it should be */

/* The block again, without the records that `keep` leaves out: the value in `memory`, which has room for the whole. */
struct slice block_view_blank(const struct block_view *view, const bool *keep, char memory[static BLOCK_BYTES_MAX]);

/* The gap from block `first` on that ends with what `last` is, a block or a gap. */
struct slice block_gap_make(
	char memory[static BLOCK_GAP_BYTES], uint64_t first, uint64_t receipts, const struct block_view *last);

#endif
