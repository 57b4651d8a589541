/* The record of a receipt: there and back, the longest one, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "core/rand.h"
#include "store/tests/receipts.h"

static char long_text[600];

static void fill_empty(struct receipt *r)
{
	memset(r, 0, sizeof(*r));
}

static void fill_usual(struct receipt *r)
{
	test_receipt(r, 4711);
}

/* Every list full and every text too long, so that all are cut. */
static void fill_longest(struct receipt *r)
{
	struct slice text = slice_of(long_text, sizeof(long_text));

	test_receipt(r, UINT32_MAX);
	r->node = r->region = r->workspace = r->team = r->key_id = r->endpoint = r->finish_reason = text;
	r->strategy = r->requested_model = r->winner = r->reason = r->bucket = text;
	r->provider = r->model = r->credential = r->cache_status = r->client_certificate = text;
	r->stream = r->has_score = r->tokens_estimated = r->client_gone = true;
	r->score_milli = UINT32_MAX;
	r->status = UINT16_MAX;
	r->latency_ns = r->ttft_ns = r->overhead_ns = r->prompt_tokens = r->completion_tokens = UINT64_MAX;
	r->cached_tokens = r->reasoning_tokens = r->free_tokens = UINT64_MAX;
	r->provider_cost_nusd = INT64_MIN;
	r->platform_fee_nusd = INT64_MAX;
	r->savings_nusd = -1;
	r->candidate_count = RECEIPT_CANDIDATES_MAX;
	for (unsigned i = 0; i < RECEIPT_CANDIDATES_MAX; i++)
		r->candidates[i] = (struct receipt_candidate){text, (enum receipt_verdict)(i % VERDICT_COUNT)};
	r->attempt_count = RECEIPT_ATTEMPTS_MAX;
	for (unsigned i = 0; i < RECEIPT_ATTEMPTS_MAX; i++)
		r->attempts[i] = (struct receipt_attempt){text, text, text, text, UINT16_MAX, UINT64_MAX};
	r->tag_count = RECEIPT_TAGS_MAX;
	for (unsigned i = 0; i < RECEIPT_TAGS_MAX; i++)
		r->tags[i] = (struct receipt_tag){text, text};
	r->decision =
		(struct receipt_decision){true, true, true, true, 2, 2, UINT32_MAX, UINT32_MAX, UINT64_MAX, UINT64_MAX};
	for (unsigned i = 0; i < RECEIPT_CANDIDATES_MAX; i++)
		r->figures[i] = (struct receipt_figures){
			(uint8_t)i, true, true, UINT32_MAX, UINT32_MAX, UINT32_MAX, INT64_MIN, UINT64_MAX};
}

/* A decision of which some candidates have figures. */
static void fill_decided(struct receipt *r)
{
	test_receipt(r, 12);
	r->decision = (struct receipt_decision){.made = true, .rule = 3, .priority = 1, .tokens = 700};
	r->candidate_count = 3;
	for (unsigned i = 0; i < 3; i++)
		r->candidates[i] = (struct receipt_candidate){SLICE("m"), VERDICT_DEARER};
	r->figures[1] = (struct receipt_figures){.known = true, .place = 1, .cost_nusd = 12345, .latency_ns = 80000000};
}

static const struct {
	const char *name;
	void (*fill)(struct receipt *r);
} cases[] = {{"empty", fill_empty}, {"usual", fill_usual}, {"longest", fill_longest}, {"decided", fill_decided}};

static int encode_case(size_t which, char record[static RECEIPT_BYTES_MAX])
{
	struct receipt *receipt = malloc(sizeof(*receipt));
	int size;

	assert_non_null(receipt);
	cases[which].fill(receipt);
	size = receipt_encode(receipt, record, RECEIPT_BYTES_MAX);
	free(receipt);
	return size;
}

/* Encoded, decoded and encoded again it is the same bytes: nothing was lost on the way. */
static void comes_back_as_it_went(void **state)
{
	static char first[RECEIPT_BYTES_MAX], second[RECEIPT_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct receipt receipt;
		int size = encode_case(i, first);

		assert_true(size > 0);
		assert_int_equal(receipt_decode(slice_of(first, (size_t)size), &receipt), 0);
		assert_int_equal(receipt_encode(&receipt, second, sizeof(second)), size);
		assert_memory_equal(first, second, (size_t)size);
		assert_int_equal(receipt_encode(&receipt, second, (size_t)size - 1), -ENOSPC);
	}
}

static void keeps_every_field(void **state)
{
	static char record[RECEIPT_BYTES_MAX];
	struct receipt receipt;
	int size = encode_case(2, record);

	(void)state;
	assert_int_equal(receipt_decode(slice_of(record, (size_t)size), &receipt), 0);
	assert_true(receipt.provider_cost_nusd == INT64_MIN && receipt.platform_fee_nusd == INT64_MAX);
	assert_true(receipt.savings_nusd == -1 && receipt.free_tokens == UINT64_MAX);
	assert_true(receipt.score_milli == UINT32_MAX && receipt.has_score && receipt.stream && receipt.client_gone);
	assert_int_equal(receipt.attempts[7].status, UINT16_MAX);
	assert_int_equal(receipt.candidates[15].verdict, 15);
	size = encode_case(1, record);
	assert_int_equal(receipt_decode(slice_of(record, (size_t)size), &receipt), 0);
	assert_null(receipt.team.data);
	assert_true(slice_equal(receipt.key_id, test_key(4711)));
	assert_true(slice_equal(receipt.tags[0].name, SLICE("team")));
}

/* A copy of its own size, so that the sanitizer sees a read past its end. */
static int decode_exact(const char *record, size_t size)
{
	struct receipt *receipt = malloc(sizeof(*receipt));
	char *copy = malloc(size ? size : 1);
	int rc;

	assert_true(receipt && copy);
	memcpy(copy, record, size);
	rc = receipt_decode(slice_of(copy, size), receipt);
	free(copy);
	free(receipt);
	return rc;
}

/* As earlier versions wrote it: without what later ones add at the end. */
static void reads_earlier_versions(void **state)
{
	static char record[RECEIPT_BYTES_MAX];
	int size = encode_case(1, record);

	(void)state;
	for (char version = 1; version < 3; version++) {
		struct receipt receipt = {.client_certificate = SLICE("not there"), .decision.made = true};
		size_t without = 3 - (size_t)version;

		record[0] = version;
		assert_int_equal(decode_exact(record, (size_t)size), -EBADMSG);
		assert_int_equal(receipt_decode(slice_of(record, (size_t)size - without), &receipt), 0);
		assert_true(slice_equal(receipt.key_id, test_key(4711)));
		assert_null(receipt.client_certificate.data);
		assert_false(receipt.decision.made);
	}
}

static void cuts_between_characters(void **state)
{
	static char record[RECEIPT_BYTES_MAX];
	struct receipt receipt, decoded;
	char text[200];
	int size;

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'x', sizeof(text));
		for (size_t at = shift; at + 4 <= sizeof(text); at += 4)
			memcpy(text + at, "\xf0\x9f\x98\x80", 4);
		memset(&receipt, 0, sizeof(receipt));
		receipt.model = slice_of(text, sizeof(text));
		size = receipt_encode(&receipt, record, sizeof(record));
		assert_int_equal(receipt_decode(slice_of(record, (size_t)size), &decoded), 0);
		assert_true(decoded.model.size > 130 && decoded.model.size < sizeof(text));
		assert_int_equal((decoded.model.size - shift) % 4, 0);
	}
}

static void refuses_what_is_cut_or_longer(void **state)
{
	static char record[RECEIPT_BYTES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t size = (size_t)encode_case(i, record);

		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(decode_exact(record, cut), -EBADMSG);
		record[size] = 0;
		assert_int_equal(decode_exact(record, size + 1), -EBADMSG);
	}
}

static void survives_flipped_bytes(void **state)
{
	static char record[RECEIPT_BYTES_MAX];
	size_t size = (size_t)encode_case(1, record);
	struct rand rand;

	(void)state;
	rand_seed(&rand, 1);
	for (unsigned i = 0; i < 20000; i++) {
		size_t at = rand_below(&rand, size);
		char was = record[at];
		int rc;

		record[at] = (char)rand_u64(&rand);
		rc = decode_exact(record, size);
		assert_true(rc == 0 || rc == -EBADMSG);
		if (i % 4 == 0)
			record[at] = was;
		if (i % 64 == 0)
			size = (size_t)encode_case(1, record);
	}
}

static void prints_the_documented_json(void **state)
{
	static const char expected[] =
		"{\"request_id\":\"req_01KDV9N8000000000000000000\",\"timestamp\":\"2026-01-01T00:00:00.007000Z\","
		"\"node\":\"n\",\"region\":null,\"workspace\":\"w\",\"team\":null,\"key_id\":\"vk_1\",\"endpoint\":"
		"null,"
		"\"tags\":{\"a\":\"b\"},\"api\":\"chat.completions\",\"stream\":false,\"status\":200,\"finish_reason\":"
		"\"stop\","
		"\"routing\":{\"strategy\":\"s\",\"requested_model\":\"auto\",\"candidates_evaluated\":1,\"winner\":"
		"\"m\","
		"\"reason\":null,\"bucket\":\"simple\",\"score\":0.210,\"candidates\":[{\"model\":\"m\",\"verdict\":"
		"\"chosen\"}]},"
		"\"execution\":{\"provider\":\"p\",\"model\":\"m\",\"credential\":\"primary\",\"latency_ms\":234,"
		"\"ttft_ms\":null,"
		"\"routing_overhead_ms\":0.012,\"tokens\":{\"prompt\":150,\"completion\":89,\"total\":239,\"cached\":0,"
		"\"reasoning\":0,\"estimated\":false}},"
		"\"cost\":{\"provider_cost_usd\":0.00023,\"platform_fee_usd\":0.00002,\"total_usd\":0.00025,"
		"\"savings_vs_default_usd\":0.00089,\"free_allowance_used_tokens\":0},"
		"\"cache\":{\"status\":\"miss\",\"similarity\":null},\"guardrails\":{\"redactions\":{}},"
		"\"fallback\":{\"used\":true,\"attempts\":[{\"provider\":\"q\",\"model\":\"m\",\"credential\":null,"
		"\"status\":529,"
		"\"error\":\"overloaded\",\"latency_ms\":12}]}}";
	struct receipt r = {.wall_ns = 1767225600007000000,
		.node = SLICE("n"),
		.workspace = SLICE("w"),
		.key_id = SLICE("vk_1"),
		.status = 200,
		.finish_reason = SLICE("stop"),
		.strategy = SLICE("s"),
		.requested_model = SLICE("auto"),
		.winner = SLICE("m"),
		.bucket = SLICE("simple"),
		.has_score = true,
		.score_milli = 210,
		.provider = SLICE("p"),
		.model = SLICE("m"),
		.credential = SLICE("primary"),
		.latency_ns = 234567890,
		.overhead_ns = 12345,
		.prompt_tokens = 150,
		.completion_tokens = 89,
		.provider_cost_nusd = 230000,
		.platform_fee_nusd = 20000,
		.savings_nusd = 890000,
		.cache_status = SLICE("miss"),
		.candidate_count = 1,
		.attempt_count = 1,
		.tag_count = 1};
	char memory[4096];
	struct text json = text_over(memory, sizeof(memory) - 1);
	struct slice id = SLICE("01KDV9N8000000000000000000");

	(void)state;
	assert_true(ulid_parse(id, &r.request_id));
	r.candidates[0].model = SLICE("m");
	r.attempts[0] =
		(struct receipt_attempt){SLICE("q"), SLICE("m"), slice_of(NULL, 0), SLICE("overloaded"), 529, 12000000};
	r.tags[0] = (struct receipt_tag){SLICE("a"), SLICE("b")};
	receipt_print(&r, &json);
	assert_false(json.full);
	memory[json.size] = '\0';
	assert_string_equal(memory, expected);
	r.client_certificate = SLICE("Hash=00;Subject=\"CN=a\"");
	json.size = 0;
	receipt_print(&r, &json);
	memory[json.size] = '\0';
	assert_non_null(strstr(memory, ",\"client_certificate\":\"Hash=00;Subject=\\\"CN=a\\\"\",\"tags\":"));
}

/* A record may hold any two amounts, such as no price makes: their sum is no more than can be said. */
static void sums_amounts_within_bounds(void **state)
{
	static const struct {
		int64_t cost, fee, total;
	} table[] = {
		{5, 2, 7},
		{-5, 2, -3},
		{INT64_MAX, 1, INT64_MAX},
		{1, INT64_MAX, INT64_MAX},
		{INT64_MIN, -1, INT64_MIN},
		{INT64_MIN, INT64_MAX, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct receipt receipt = {.provider_cost_nusd = table[i].cost, .platform_fee_nusd = table[i].fee};

		assert_true(receipt_total_nusd(&receipt) == table[i].total);
	}
}

static int fill_long_text(void **state)
{
	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_went),
		cmocka_unit_test(keeps_every_field),
		cmocka_unit_test(reads_earlier_versions),
		cmocka_unit_test(cuts_between_characters),
		cmocka_unit_test(refuses_what_is_cut_or_longer),
		cmocka_unit_test(survives_flipped_bytes),
		cmocka_unit_test(prints_the_documented_json),
		cmocka_unit_test(sums_amounts_within_bounds),
	};

	return cmocka_run_group_tests(tests, fill_long_text, NULL);
}
