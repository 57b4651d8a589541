/* Index rows over blocks of receipts: see receipt_index.h for their form. */
#include "store/receipt_index.h"

#include <assert.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/pack.h"

enum { INDEX_VERSION = 1, BUCKET_SHIFT = 61, TAG_SHIFT = 29 };

static uint32_t second_of(const struct ulid *id)
{
	uint64_t ms = 0;

	for (unsigned i = 0; i < 6; i++)
		ms = ms << 8 | id->bytes[i];
	return (uint32_t)(ms / 1000);
}

static uint16_t last_bits_of(const struct ulid *id)
{
	return (uint16_t)(id->bytes[14] << 8 | id->bytes[15]);
}

static uint8_t bucket_of(uint64_t key_hash)
{
	return (uint8_t)(key_hash >> BUCKET_SHIFT);
}

static uint32_t tag_of(uint64_t key_hash)
{
	return (uint32_t)(key_hash >> TAG_SHIFT);
}

uint64_t index_key_hash(struct slice key_id)
{
	return XXH3_64bits(key_id.data ? key_id.data : "", key_id.size);
}

static void put_time_key(char *key, uint32_t second, uint64_t block)
{
	struct packer p = {key, key + INDEX_TIME_KEY_BYTES, false};

	pack_u8(&p, 't');
	pack_be32(&p, second);
	pack_be64(&p, block);
}

void index_time_key(char key[static INDEX_TIME_KEY_BYTES], const struct ulid *request_id, uint64_t block)
{
	put_time_key(key, second_of(request_id), block);
}

void index_key_key(char key[static INDEX_KEY_KEY_BYTES], uint64_t key_hash, uint64_t block)
{
	struct packer p = {key, key + INDEX_KEY_KEY_BYTES, false};

	pack_u8(&p, 'k');
	pack_u8(&p, bucket_of(key_hash));
	pack_be64(&p, block);
}

void index_builder_clear(struct index_builder *builder)
{
	builder->count = 0;
}

void index_builder_add(struct index_builder *builder, const struct ulid *request_id, struct slice key_id)
{
	assert(builder->count < BLOCK_RECEIPTS_MAX);
	builder->starts[builder->count] = (uint64_t)second_of(request_id) << 16 | last_bits_of(request_id);
	builder->keys[builder->count] = index_key_hash(key_id);
	builder->count++;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void time_rows(struct index_builder *builder, uint64_t block, index_emit *emit, void *context)
{
	char key[INDEX_TIME_KEY_BYTES], value[1 + 2 * BLOCK_RECEIPTS_MAX];

	qsort(builder->starts, builder->count, sizeof(*builder->starts), compare);
	for (uint32_t i = 0; i < builder->count;) {
		uint64_t second = builder->starts[i] >> 16;
		struct packer p = {value, value + sizeof(value), false};

		pack_u8(&p, INDEX_VERSION);
		for (; i < builder->count && builder->starts[i] >> 16 == second; i++) {
			uint16_t bits = htobe16((uint16_t)builder->starts[i]);

			pack_bytes(&p, &bits, sizeof(bits));
		}
		put_time_key(key, (uint32_t)second, block);
		emit(context, slice_of(key, sizeof(key)), slice_of(value, (size_t)(p.at - value)));
	}
}

static void key_rows(struct index_builder *builder, uint64_t block, index_emit *emit, void *context)
{
	char key[INDEX_KEY_KEY_BYTES], value[1 + 4 * BLOCK_RECEIPTS_MAX];

	qsort(builder->keys, builder->count, sizeof(*builder->keys), compare);
	for (uint32_t i = 0; i < builder->count;) {
		uint64_t first = builder->keys[i];
		struct packer p = {value, value + sizeof(value), false};

		pack_u8(&p, INDEX_VERSION);
		pack_be32(&p, tag_of(first));
		for (i++; i < builder->count && bucket_of(builder->keys[i]) == bucket_of(first); i++)
			if (tag_of(builder->keys[i]) != tag_of(builder->keys[i - 1]))
				pack_be32(&p, tag_of(builder->keys[i]));
		index_key_key(key, first, block);
		emit(context, slice_of(key, sizeof(key)), slice_of(value, (size_t)(p.at - value)));
	}
}

void index_builder_rows(struct index_builder *builder, uint64_t block, index_emit *emit, void *context)
{
	time_rows(builder, block, emit, context);
	key_rows(builder, block, emit, context);
}

bool index_time_may_hold(struct slice value, const struct ulid *request_id)
{
	uint16_t bits = htobe16(last_bits_of(request_id)), held;

	for (size_t at = 1; at + sizeof(held) <= value.size; at += sizeof(held)) {
		memcpy(&held, value.data + at, sizeof(held));
		if (held == bits)
			return true;
	}
	return false;
}

bool index_key_may_hold(struct slice value, uint64_t key_hash)
{
	uint32_t tag = htobe32(tag_of(key_hash)), held;

	for (size_t at = 1; at + sizeof(held) <= value.size; at += sizeof(held)) {
		memcpy(&held, value.data + at, sizeof(held));
		if (held == tag)
			return true;
	}
	return false;
}
