/*
 * The sparse index over blocks: few rows a block, never one a receipt.
 *
 *   't' second block  ->  u8 version, u16 for each receipt of the block that started in that second: the last bits of
 * its id 'k' bucket block  ->  u8 version, u32 for each key of the block's receipts that falls into that bucket, in
 * ascending order
 *
 * second: u32, of the id's time. block: u64. A key is XXH3 of its id: the upper 3 bits are the bucket (u8), the next 32
 * lie in the row. All big-endian. With hundreds of keys a row for each in each block would cost more than all else (a
 * receipt 7.1 us of processor time instead of 1.6); a list by key walks the rows of one bucket and reads the blocks
 * that may hold the key. A receipt is written when its request ends, so one second's receipts lie in many blocks: the
 * 16 bits of each id tell which block is worth reading (of 10,000 receipts in a second, one look-up in seven reads a
 * second block in vain).
 */
#ifndef STORE_RECEIPT_INDEX_H
#define STORE_RECEIPT_INDEX_H

#include "core/ulid.h"
#include "store/receipt_block.h"

enum { INDEX_TIME_KEY_BYTES = 13, INDEX_KEY_KEY_BYTES = 10 };

/* A block's receipts, gathered; the rows follow from them. */
struct index_builder {
	uint32_t count;
	uint64_t starts[BLOCK_RECEIPTS_MAX]; /* second << 16 | last bits */
	uint64_t keys[BLOCK_RECEIPTS_MAX];
};

void index_builder_clear(struct index_builder *builder);
void index_builder_add(struct index_builder *builder, const struct ulid *request_id, struct slice key_id);

/* Calls `emit` for each row of the block; slices live until it returns. Orders what was gathered. */
typedef void index_emit(void *context, struct slice key, struct slice value);
void index_builder_rows(struct index_builder *builder, uint64_t block, index_emit *emit, void *context);

/* For look-ups. */
uint64_t index_key_hash(struct slice key_id);
void index_time_key(char key[static INDEX_TIME_KEY_BYTES], const struct ulid *request_id, uint64_t block);
void index_key_key(char key[static INDEX_KEY_KEY_BYTES], uint64_t key_hash, uint64_t block);
bool index_time_may_hold(struct slice value, const struct ulid *request_id);
bool index_key_may_hold(struct slice value, uint64_t key_hash);

#endif
