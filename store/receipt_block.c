/* Blocks of receipts and their hash chain: see receipt_block.h for the form. */
#include "store/receipt_block.h"

#include <assert.h>
#include <errno.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "store/pack.h"

enum { BLOCK_VERSION = 1, GAP_VERSION = 2 };

struct hash hash_of(struct slice bytes)
{
	struct hash hash;
	wc_Sha256 sha;
	int rc = wc_InitSha256(&sha);

	rc |= wc_Sha256Update(&sha, (const byte *)bytes.data, (word32)bytes.size);
	rc |= wc_Sha256Final(&sha, hash.bytes);
	assert(rc == 0); /* in software it has nothing to fail on */
	wc_Sha256Free(&sha);
	return hash;
}

static struct hash chain_of(const struct hash *before, const void *hashes, size_t count)
{
	struct hash chain;
	wc_Sha256 sha;
	int rc = wc_InitSha256(&sha);

	rc |= wc_Sha256Update(&sha, before->bytes, HASH_BYTES);
	rc |= wc_Sha256Update(&sha, hashes, (word32)(count * HASH_BYTES));
	rc |= wc_Sha256Final(&sha, chain.bytes);
	assert(rc == 0);
	wc_Sha256Free(&sha);
	return chain;
}

void block_builder_clear(struct block_builder *builder)
{
	builder->count = 0;
	builder->records_bytes = 0;
}

bool block_builder_fits(const struct block_builder *builder, size_t record_bytes)
{
	return builder->count < BLOCK_RECEIPTS_MAX && record_bytes <= BLOCK_RECORDS_BYTES_MAX - builder->records_bytes;
}

void block_builder_add(struct block_builder *builder, struct slice record)
{
	assert(block_builder_fits(builder, record.size) && record.size > 0);
	memcpy(builder->value + BLOCK_HEAD_BYTES + builder->records_bytes, record.data, record.size);
	builder->records_bytes += record.size;
	builder->ends[builder->count] = (uint32_t)builder->records_bytes;
	builder->hashes[builder->count] = hash_of(record);
	builder->count++;
}

static void pack_head(
	struct packer *head, uint32_t count, size_t records_bytes, uint64_t committed_ns, const struct hash *chain)
{
	pack_u32(head, BLOCK_VERSION);
	pack_u32(head, count);
	pack_u32(head, (uint32_t)records_bytes);
	pack_u32(head, 0);
	pack_u64(head, committed_ns);
	pack_bytes(head, chain->bytes, HASH_BYTES);
}

struct slice block_builder_finish(struct block_builder *builder, struct hash *chain, uint64_t committed_ns)
{
	struct packer head = {builder->value, builder->value + BLOCK_HEAD_BYTES, false};
	struct packer rest = {head.end + builder->records_bytes, builder->value + sizeof(builder->value), false};

	*chain = chain_of(chain, builder->hashes, builder->count);
	pack_head(&head, builder->count, builder->records_bytes, committed_ns, chain);
	for (uint32_t i = 0; i < builder->count; i++)
		pack_u32(&rest, builder->ends[i]);
	pack_bytes(&rest, builder->hashes, builder->count * sizeof(struct hash));
	assert(!head.full && !rest.full);
	return slice_of(builder->value, (size_t)(rest.at - builder->value));
}

static uint32_t end_of(const struct block_view *view, uint32_t index)
{
	uint32_t end;

	memcpy(&end, view->ends + index * sizeof(end), sizeof(end));
	return le32toh(end);
}

static int open_gap(struct block_view *view, struct slice value)
{
	struct unpacker u = {value.data, value.data + value.size, false};
	const char *chain;

	*view = (struct block_view){.count = 0};
	u.bad |= unpack_u64(&u) != GAP_VERSION;
	view->gap_first = unpack_u64(&u);
	view->gap_receipts = unpack_u64(&u);
	view->committed_ns = unpack_u64(&u);
	chain = unpack_bytes(&u, HASH_BYTES);
	if (u.bad || u.at != u.end || !chain || view->gap_first == 0)
		return -EBADMSG;
	memcpy(view->chain.bytes, chain, HASH_BYTES);
	return 0;
}

int block_view_open(struct block_view *view, struct slice value)
{
	struct unpacker u = {value.data, value.data + value.size, false};
	uint32_t version = unpack_u32(&u), records_bytes, before = 0;
	const char *chain;

	if (version == GAP_VERSION)
		return open_gap(view, value);
	view->gap_first = view->gap_receipts = 0;
	view->count = unpack_u32(&u);
	records_bytes = unpack_u32(&u);
	u.bad |= unpack_u32(&u) != 0;
	view->committed_ns = unpack_u64(&u);
	chain = unpack_bytes(&u, HASH_BYTES);
	view->records = unpack_bytes(&u, records_bytes);
	view->ends = unpack_bytes(&u, view->count * sizeof(uint32_t));
	view->hashes = unpack_bytes(&u, (size_t)view->count * HASH_BYTES);
	if (u.bad || u.at != u.end || version != BLOCK_VERSION || !chain)
		return -EBADMSG;
	memcpy(view->chain.bytes, chain, HASH_BYTES);
	for (uint32_t i = 0; i < view->count; i++) {
		if (end_of(view, i) < before)
			return -EBADMSG;
		before = end_of(view, i);
	}
	return before == records_bytes ? 0 : -EBADMSG;
}

struct slice block_view_record(const struct block_view *view, uint32_t index)
{
	uint32_t start = index ? end_of(view, index - 1) : 0;

	assert(index < view->count);
	return slice_of(view->records + start, end_of(view, index) - start);
}

struct hash block_view_hash(const struct block_view *view, uint32_t index)
{
	struct hash hash;

	assert(index < view->count);
	memcpy(hash.bytes, view->hashes + (size_t)index * HASH_BYTES, HASH_BYTES);
	return hash;
}

struct hash block_view_chain(const struct block_view *view, const struct hash *before)
{
	return chain_of(before, view->hashes, view->count);
}

struct slice block_view_blank(const struct block_view *view, const bool *keep, char memory[static BLOCK_BYTES_MAX])
{
	struct packer head = {memory, memory + BLOCK_HEAD_BYTES, false};
	struct packer rest = {head.end, memory + BLOCK_BYTES_MAX, false};
	uint32_t ends[BLOCK_RECEIPTS_MAX];

	assert(view->count > 0 && view->count <= BLOCK_RECEIPTS_MAX);
	for (uint32_t i = 0; i < view->count; i++) {
		struct slice record = block_view_record(view, i);

		if (keep[i])
			pack_bytes(&rest, record.data, record.size);
		ends[i] = (uint32_t)(rest.at - head.end);
	}
	pack_head(&head, view->count, (size_t)(rest.at - memory - BLOCK_HEAD_BYTES), view->committed_ns, &view->chain);
	for (uint32_t i = 0; i < view->count; i++)
		pack_u32(&rest, ends[i]);
	pack_bytes(&rest, view->hashes, (size_t)view->count * HASH_BYTES);
	assert(!head.full && !rest.full);
	return slice_of(memory, (size_t)(rest.at - memory));
}

struct slice block_gap_make(
	char memory[static BLOCK_GAP_BYTES], uint64_t first, uint64_t receipts, const struct block_view *last)
{
	struct packer p = {memory, memory + BLOCK_GAP_BYTES, false};

	pack_u64(&p, GAP_VERSION);
	pack_u64(&p, first);
	pack_u64(&p, receipts);
	pack_u64(&p, last->committed_ns);
	pack_bytes(&p, last->chain.bytes, HASH_BYTES);
	assert(!p.full && p.at == p.end);
	return slice_of(memory, BLOCK_GAP_BYTES);
}
