/*
 * Fuzzes the database's values: a block of receipts, an index row, a row of the counters. Whatever lies there is
 * refused or read within its bounds; and a block that is built of drawn records comes back as them, with its chain,
 * also when some of them are blanked.
 *
 * An input: a byte that chooses, then the value, or the records (a size, the bytes).
 */
#include "fuzz/input.h"
#include "store/counters.h"
#include "store/pack.h"
#include "store/receipt_block.h"
#include "store/receipt_index.h"

#include <errno.h>

static void read_block(struct slice value)
{
	struct receipt *receipt = malloc(sizeof(*receipt));
	const struct hash none = {{0}};
	struct block_view view;
	size_t total = 0;

	assert(receipt);
	if (block_view_open(&view, value) == 0 && view.gap_first) {
		assert(view.count == 0 && value.size == BLOCK_GAP_BYTES);
	} else if (block_view_open(&view, value) == 0) {
		for (uint32_t i = 0; i < view.count; i++) {
			struct slice record = block_view_record(&view, i);

			total += record.size;
			assert(record.data >= value.data && record.data + record.size <= value.data + value.size);
			(void)receipt_decode(record, receipt);
			(void)block_view_hash(&view, i);
		}
		assert(total + BLOCK_HEAD_BYTES + (size_t)view.count * (4 + HASH_BYTES) == value.size);
		(void)block_view_chain(&view, &none);
	}
	free(receipt);
}

/* Without some of its records it is the same block; without all, a gap that goes on with the same chain. */
static void blank_block(const struct block_view *view, const struct slice *records)
{
	char *memory = malloc(BLOCK_BYTES_MAX), gap[BLOCK_GAP_BYTES];
	bool keep[BLOCK_RECEIPTS_MAX];
	struct block_view blanked;

	assert(memory);
	for (uint32_t i = 0; i < view->count; i++)
		keep[i] = records[i].data[0] & 1;
	assert(block_view_open(&blanked, block_view_blank(view, keep, memory)) == 0 && blanked.count == view->count);
	for (uint32_t i = 0; i < view->count; i++) {
		struct hash now = block_view_hash(&blanked, i), before = block_view_hash(view, i);

		assert(slice_equal(block_view_record(&blanked, i), keep[i] ? records[i] : SLICE("")));
		assert(memcmp(&now, &before, sizeof(now)) == 0);
	}
	assert(memcmp(&blanked.chain, &view->chain, sizeof(struct hash)) == 0);
	assert(block_view_open(&blanked, block_gap_make(gap, 3, view->count, view)) == 0);
	assert(blanked.gap_first == 3 && blanked.gap_receipts == view->count &&
		blanked.committed_ns == view->committed_ns);
	assert(memcmp(&blanked.chain, &view->chain, sizeof(struct hash)) == 0);
	free(memory);
}

static void build_block(struct input *input)
{
	struct block_builder *builder = malloc(sizeof(*builder));
	struct hash before = {{1}}, chain = before, again;
	struct slice records[32], value;
	struct block_view view;
	uint32_t count = 0;
	char *copy;

	assert(builder);
	block_builder_clear(builder);
	while (count < 32 && input->at < input->end) {
		struct slice record = input_take(input, 1 + (size_t)input_byte(input) * 16);

		if (record.size && block_builder_fits(builder, record.size)) {
			block_builder_add(builder, record);
			records[count++] = record;
		}
	}
	value = block_builder_finish(builder, &chain, 5);
	copy = copy_of(value);
	assert(block_view_open(&view, slice_of(copy, value.size)) == 0);
	assert(view.count == count && view.committed_ns == 5);
	for (uint32_t i = 0; i < count; i++) {
		struct hash is = hash_of(records[i]), should = block_view_hash(&view, i);

		assert(slice_equal(block_view_record(&view, i), records[i]) && memcmp(&is, &should, sizeof(is)) == 0);
	}
	again = block_view_chain(&view, &before);
	assert(memcmp(&again, &chain, sizeof(chain)) == 0 && memcmp(&view.chain, &chain, sizeof(chain)) == 0);
	if (count)
		blank_block(&view, records);
	assert(block_view_open(&view, slice_of(copy, value.size - 1)) == -EBADMSG);
	free(copy);
	free(builder);
}

static void read_index(struct slice value)
{
	struct ulid id = {{0}};

	if (value.size >= sizeof(id.bytes))
		memcpy(id.bytes, value.data + value.size - sizeof(id.bytes), sizeof(id.bytes));
	(void)index_time_may_hold(value, &id);
	(void)index_key_may_hold(value, index_key_hash(value));
}

/* Written again, what was read is as it was, or shorter where a row names a minute twice or an empty one. */
static void write_again(void *context, struct slice key, struct slice value)
{
	struct counters *counters;

	(void)context;
	assert(counters_open(&counters) == 0);
	assert(counters_load(counters, key, value) == 0);
	counters_close(counters);
}

static void load_counter(struct slice row)
{
	size_t key_bytes = row.size ? (unsigned char)row.data[0] : 0;
	struct slice key = slice_after(row, 1);
	struct slice value = slice_after(row, 1 + key_bytes);
	struct unpacker u = {value.data, value.data + value.size, false};
	struct counters *counters;
	const struct counter *found;

	if (key.size < key_bytes)
		return;
	key.size = key_bytes;
	assert(counters_open(&counters) == 0);
	if (counters_load(counters, key, value) == 0) {
		uint64_t receipts = unpack_u8(&u) ? unpack_u64(&u) : 0;

		found = counters_find(counters, key);
		assert(found ? found->receipts == receipts && found->spend_nusd == (int64_t)unpack_u64(&u) : !receipts);
	}
	counters_each(counters, write_again, NULL);
	counters_close(counters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	unsigned kind = input_byte(&input) % 8;
	struct slice value;
	char *copy;

	copy = copy_of(input_rest(&input));
	value = slice_of(copy, input_rest(&input).size);
	if (kind < 4)
		read_block(value);
	else if (kind == 4)
		build_block(&input);
	else if (kind == 5)
		read_index(value);
	else
		load_counter(value);
	free(copy);
	return 0;
}
