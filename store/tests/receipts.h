/* Receipts to test with: number `n` always looks the same. */
#ifndef STORE_TESTS_RECEIPTS_H
#define STORE_TESTS_RECEIPTS_H

#include "store/receipt.h"

enum { TEST_KEYS = 3, TEST_FIRST_S = 1767225600 }; /* 2026-01-01 */

static inline struct ulid test_id(uint64_t n)
{
	uint64_t ms = (uint64_t)TEST_FIRST_S * 1000 + n;
	struct ulid id;

	for (unsigned i = 0; i < 6; i++)
		id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
	for (unsigned i = 6; i < 16; i++)
		id.bytes[i] = (uint8_t)((n + 1) * 2654435761u >> (i % 4) * 8);
	return id;
}

static inline struct slice test_key(uint64_t n)
{
	static const char *const names[TEST_KEYS] = {"vk_one", "vk_two", "vk_three"};

	return slice_of_string(names[n % TEST_KEYS]);
}

static inline int64_t test_cost(uint64_t n)
{
	return (int64_t)(1000 + n * 7);
}

static inline void test_receipt(struct receipt *r, uint64_t n)
{
	memset(r, 0, sizeof(*r));
	r->request_id = test_id(n);
	r->wall_ns = ((uint64_t)TEST_FIRST_S * 1000 + n) * 1000000;
	r->node = SLICE("node-1");
	r->workspace = n % 2 ? SLICE("main") : SLICE("other");
	r->key_id = test_key(n);
	r->api = API_CHAT_COMPLETIONS;
	r->status = n % 5 ? 200 : 502;
	r->finish_reason = SLICE("stop");
	r->strategy = SLICE("direct");
	r->requested_model = r->model = r->winner = SLICE("mock-small");
	r->provider = SLICE("mock");
	r->credential = SLICE("primary");
	r->cache_status = n % 4 ? SLICE("bypass") : SLICE("miss");
	if (n % 8 == 1) {
		r->attempt_count = 1;
		r->attempts[0].provider = SLICE("mock");
		r->attempts[0].model = SLICE("mock-large");
		r->attempts[0].error = SLICE("status");
		r->attempts[0].status = 500;
	}
	r->latency_ns = 12345678;
	r->overhead_ns = 21000;
	r->prompt_tokens = 100 + n;
	r->completion_tokens = 20;
	r->provider_cost_nusd = test_cost(n);
	r->platform_fee_nusd = 10;
	r->candidate_count = 1;
	r->candidates[0].model = SLICE("mock-small");
	r->tag_count = 1;
	r->tags[0].name = SLICE("team");
	r->tags[0].value = n % 3 ? SLICE("red") : SLICE("blue");
}

#endif
