/*
 * Queries over blocks of receipts. A cursor is a receipt's place, block << 16 | index in the block; a list goes from
 * the newest place to the oldest and a page begins strictly before its cursor. The order is that of commits, which is
 * nearly that of ends.
 */
#include "store/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/commit.h"
#include "store/receipt_index.h"

enum reader_bounds {
	BLOCKS_A_QUERY_MAX =
		2048, /* some 0.1 ms each: a filter that matches nothing gives the thread back after 0.2 s */
	ROWS_A_QUERY_MAX = 131072, /* of an index walked for them, some 1 us each */
	JSON_BYTES_FIRST = 4096,
	INDEX_BITS = 16,
};

static_assert(BLOCK_RECEIPTS_MAX <= 1 << INDEX_BITS, "a place names any receipt");

struct page {
	struct kv *kv;
	struct store_query *query;
	size_t capacity;
	struct receipt receipt;
};

static int make_room(struct page *page, size_t bytes)
{
	size_t wanted = page->capacity ? page->capacity : JSON_BYTES_FIRST;
	char *grown;

	while (wanted - page->query->json_size < bytes)
		wanted *= 2;
	if (wanted == page->capacity)
		return 0;
	grown = realloc(page->query->json, wanted);
	if (!grown)
		return -ENOMEM;
	page->query->json = grown;
	page->capacity = wanted;
	return 0;
}

static int add_bytes(struct page *page, struct slice bytes)
{
	int rc = make_room(page, bytes.size);

	if (rc < 0)
		return rc;
	memcpy(page->query->json + page->query->json_size, bytes.data, bytes.size);
	page->query->json_size += bytes.size;
	return 0;
}

static int add_receipt(struct page *page)
{
	struct store_query *query = page->query;

	for (size_t guess = 2048;; guess *= 2) {
		struct text json;
		int rc = make_room(page, guess);

		if (rc < 0)
			return rc;
		json = text_over(query->json + query->json_size, page->capacity - query->json_size);
		(query->print ? query->print : receipt_print)(&page->receipt, &json);
		if (json.full)
			continue;
		query->json_size += json.size;
		query->count++;
		return 0;
	}
}

static bool fallback_matches(enum store_query_fallback wanted, const struct receipt *receipt)
{
	return wanted == STORE_FALLBACK_ANY || receipt_fallback_used(receipt) == (wanted == STORE_FALLBACK_USED);
}

static bool matches(const struct store_query *query, const struct receipt *receipt)
{
	return (!query->workspace.data || slice_equal(query->workspace, receipt->workspace)) &&
	       (!query->key_id.data || slice_equal(query->key_id, receipt->key_id)) &&
	       (!query->model.data || slice_equal(query->model, receipt->model)) &&
	       (!query->status || query->status == receipt->status) &&
	       (!query->cache.data || slice_equal(query->cache, receipt->cache_status)) &&
	       fallback_matches(query->fallback, receipt) &&
	       (!query->since_ns || receipt->wall_ns >= query->since_ns) &&
	       (!query->until_ns || receipt->wall_ns < query->until_ns);
}

/* The receipt of that id when the block holds it: 0, -ENOENT, -EBADMSG. */
static int find_in_block(struct page *page, struct slice value)
{
	struct block_view view;
	int rc = block_view_open(&view, value);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < view.count; i++) {
		struct slice record = block_view_record(&view, i);

		if (record.size == 0 || receipt_decode(record, &page->receipt) < 0)
			continue;
		if (memcmp(&page->receipt.request_id, &page->query->request_id, sizeof(struct ulid)) == 0)
			return 0;
	}
	return -ENOENT;
}

static uint64_t block_of_row(struct slice key)
{
	uint64_t block;

	memcpy(&block, key.data + key.size - sizeof(block), sizeof(block));
	return be64toh(block);
}

static int get_block(struct kv *kv, uint64_t block, struct kv_row *row)
{
	char key[8];

	block_key(key, block);
	return kv_get(kv, KV_RECEIPTS, slice_of(key, sizeof(key)), row);
}

static int answer_from_block(struct page *page, uint64_t block)
{
	struct kv_row row;
	int rc = get_block(page->kv, block, &row);

	if (rc < 0)
		return rc;
	rc = find_in_block(page, row.value);
	if (rc == 0)
		rc = matches(page->query, &page->receipt) ? add_receipt(page) : -ENOENT;
	kv_row_fini(&row);
	return rc;
}

static int answer_by_id(struct page *page)
{
	struct kv_walk *walk = kv_walk_open(page->kv, KV_INDEX);
	char key[INDEX_TIME_KEY_BYTES];
	struct slice prefix = slice_of(key, sizeof(key) - 8);
	int rc = -ENOENT;

	if (!walk)
		return -EIO;
	index_time_key(key, &page->query->request_id, 0);
	for (kv_walk_seek(walk, slice_of(key, sizeof(key))); rc == -ENOENT && kv_walk_valid(walk); kv_walk_next(walk)) {
		struct slice at = kv_walk_key(walk);

		if (at.size != sizeof(key) || !slice_starts_with(at, prefix))
			break;
		if (index_time_may_hold(kv_walk_value(walk), &page->query->request_id))
			rc = answer_from_block(page, block_of_row(at));
	}
	if (rc == -ENOENT && kv_walk_error(walk) < 0)
		rc = -EIO;
	kv_walk_close(walk);
	return rc;
}

/* Adds what matches in the block, from the newest before the cursor. 1: the page is full. */
static int list_block(struct page *page, uint64_t block, struct slice value)
{
	struct store_query *query = page->query;
	struct block_view view;
	int rc = block_view_open(&view, value);
	uint64_t end;

	if (rc < 0)
		return rc;
	if (query->since_ns && view.committed_ns < query->since_ns)
		return 1; /* neither in this block nor in any before it: see receipt_block.h */
	end = query->cursor && query->cursor >> INDEX_BITS == block ? query->cursor & ((1 << INDEX_BITS) - 1)
								    : view.count;
	if (end > view.count)
		end = view.count;
	for (uint32_t i = (uint32_t)end; i-- > 0;) {
		struct slice record = block_view_record(&view, i);

		if (record.size == 0 || receipt_decode(record, &page->receipt) < 0 || !matches(query, &page->receipt))
			continue;
		if (query->count == query->limit) {
			query->next_cursor = block << INDEX_BITS | (i + 1);
			return 1;
		}
		rc = query->count ? add_bytes(page, SLICE(",")) : 0;
		if (rc == 0)
			rc = add_receipt(page);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The block that a row of the walked family stands for: its value there, or by look-up from an index row. */
static int list_row(struct page *page, struct kv_walk *walk, bool by_key)
{
	uint64_t block = block_of_row(kv_walk_key(walk));
	struct kv_row row;
	int rc;

	if (!by_key)
		return list_block(page, block, kv_walk_value(walk));
	rc = get_block(page->kv, block, &row);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc; /* it expired since the walk began */
	rc = list_block(page, block, row.value);
	kv_row_fini(&row);
	return rc;
}

static int answer_list(struct page *page)
{
	struct store_query *query = page->query;
	uint64_t last = query->cursor ? query->cursor >> INDEX_BITS : UINT64_MAX;
	bool by_key = query->key_id.data;
	char key[INDEX_KEY_KEY_BYTES];
	size_t key_bytes = by_key ? sizeof(key) : 8;
	struct kv_walk *walk = kv_walk_open(page->kv, by_key ? KV_INDEX : KV_RECEIPTS);
	uint64_t key_hash = by_key ? index_key_hash(query->key_id) : 0;
	unsigned blocks = 0, rows = 0;
	int rc;

	if (!walk)
		return -EIO;
	if (by_key)
		index_key_key(key, key_hash, last);
	else
		block_key(key, last);
	rc = add_bytes(page, SLICE("["));
	for (kv_walk_seek_back(walk, slice_of(key, key_bytes)); rc == 0 && kv_walk_valid(walk);
		kv_walk_previous(walk)) {
		struct slice at = kv_walk_key(walk);

		if (at.size != key_bytes || !slice_starts_with(at, slice_of(key, key_bytes - 8)))
			break;
		if (rows++ == ROWS_A_QUERY_MAX || blocks == BLOCKS_A_QUERY_MAX) {
			query->next_cursor = (block_of_row(at) + 1) << INDEX_BITS;
			break;
		}
		if (by_key && !index_key_may_hold(kv_walk_value(walk), key_hash))
			continue;
		blocks++;
		rc = list_row(page, walk, by_key);
	}
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc < 0 ? rc : add_bytes(page, SLICE("]"));
}

void reader_answer(struct kv *kv, struct store_query *query)
{
	struct page page = {.kv = kv, .query = query};
	int rc;

	assert(query->kind == STORE_QUERY_BY_ID || (query->limit >= 1 && query->limit <= 1000));
	query->json = NULL;
	query->json_size = 0;
	query->next_cursor = 0;
	query->count = 0;
	rc = query->kind == STORE_QUERY_BY_ID ? answer_by_id(&page) : answer_list(&page);
	query->result = rc == 0 || rc == -ENOENT ? rc : -EIO;
	if (rc < 0) {
		free(query->json);
		query->json = NULL;
		query->json_size = 0;
	}
}
