/* Costs: what each part is charged at, rounding once and up, and figures that no provider should send. */
#include "route/money/price.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* gpt-4o-mini's: 0.15, 0.075 and 0.60 USD per million tokens. */
#define MINI                                                                                                           \
	{                                                                                                              \
		.known = true, .input_pusd = 150000, .cached_input_pusd = 75000, .output_pusd = 600000,                \
		.has_cached_input = true                                                                               \
	}

struct row {
	const char *what;
	struct price_settings price;
	struct usage usage;
	uint32_t fee_ppm;
	struct cost cost;
};

static void check(const struct row *rows, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct cost cost = price_cost(&rows[i].price, &rows[i].usage, rows[i].fee_ppm);

		if (cost.provider_nusd != rows[i].cost.provider_nusd || cost.fee_nusd != rows[i].cost.fee_nusd ||
			cost.total_nusd != rows[i].cost.total_nusd)
			fail_msg("%s: %lld + %lld = %lld", rows[i].what, (long long)cost.provider_nusd,
				(long long)cost.fee_nusd, (long long)cost.total_nusd);
	}
}

static void test_parts(void **state)
{
	static const struct row rows[] = {
		{"unknown", {.input_pusd = 5}, {.prompt_tokens = 1000000}, 0, {0, 0, 0}},
		{"nothing used", MINI, {.prompt_tokens = 0}, 50000, {0, 0, 0}},
		{"plain", MINI, {.prompt_tokens = 150, .completion_tokens = 89}, 0, {75900, 0, 75900}},
		{"cached", MINI, {.prompt_tokens = 150, .cached_tokens = 100}, 0, {15000, 0, 15000}},
		{"cached without its price", {.known = true, .input_pusd = 150000},
			{.prompt_tokens = 150, .cached_tokens = 100}, 0, {22500, 0, 22500}},
		{"cache write",
			{.known = true, .input_pusd = 1000000, .cache_write_pusd = 1250000, .has_cache_write = true},
			{.prompt_tokens = 10, .cache_write_tokens = 4}, 0, {11000, 0, 11000}},
		{"reasoning", {.known = true, .output_pusd = 1000000, .reasoning_pusd = 3000000, .has_reasoning = true},
			{.completion_tokens = 10, .reasoning_tokens = 4}, 0, {18000, 0, 18000}},
		{"reasoning without its price", {.known = true, .output_pusd = 1000000},
			{.completion_tokens = 10, .reasoning_tokens = 4}, 0, {10000, 0, 10000}},
		{"images", {.known = true, .image_nusd = 40000000}, {.images = 3}, 0, {120000000, 0, 120000000}},
		{"a second of sound", {.known = true, .per_minute_nusd = 6000000}, {.audio_ms = 1000}, 0,
			{100000, 0, 100000}},
		{"a millisecond of it, rounded once", {.known = true, .per_minute_nusd = 7}, {.audio_ms = 1}, 100000,
			{1, 0, 1}},
		{"characters, beside tokens",
			{.known = true, .input_pusd = 1000000, .per_million_chars_nusd = 15000000000},
			{.prompt_tokens = 1, .characters = 12}, 0, {181000, 0, 181000}},
		{"one pico-USD is one nano-USD", {.known = true, .input_pusd = 1}, {.prompt_tokens = 1}, 0, {1, 0, 1}},
		{"a fee of 10 %", MINI, {.prompt_tokens = 150, .completion_tokens = 89}, 100000, {75900, 7590, 83490}},
		{"rounded once: 600 + 60 pico-USD", /* twice would be 2 */
			{.known = true, .input_pusd = 600}, {.prompt_tokens = 1}, 100000, {1, 0, 1}},
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_tier(void **state)
{
	static const struct price_settings price = {.known = true,
		.input_pusd = 1000,
		.cached_input_pusd = 100,
		.has_cached_input = true,
		.output_pusd = 5000,
		.above_tokens = 200,
		.above_input_pusd = 2000,
		.above_cached_input_pusd = 300,
		.above_output_pusd = 7000};
	struct usage usage = {.prompt_tokens = 200, .cached_tokens = 50, .completion_tokens = 10};
	struct price_settings no_cached = price;

	(void)state;
	assert_int_equal(price_cost(&price, &usage, 0).total_nusd, 150 + 5 + 50);
	usage.prompt_tokens = 201;
	assert_int_equal(price_cost(&price, &usage, 0).total_nusd, 302 + 15 + 70);
	no_cached.above_cached_input_pusd = 0; /* never cheaper than what the tier does name */
	assert_int_equal(price_cost(&no_cached, &usage, 0).total_nusd, 402 + 70);
}

static void test_absurd_figures(void **state)
{
	static const struct row rows[] = {
		{"more cached than sent", MINI, {.prompt_tokens = 100, .cached_tokens = 1000}, 0, {7500, 0, 7500}},
		{"more written than left", MINI,
			{.prompt_tokens = 100, .cached_tokens = 60, .cache_write_tokens = UINT64_MAX}, 0,
			{10500, 0, 10500}},
		{"more reasoned than said", MINI, {.completion_tokens = 10, .reasoning_tokens = UINT64_MAX}, 0,
			{6000, 0, 6000}},
		{"beyond what money can be", {.known = true, .input_pusd = INT64_MAX, .output_pusd = INT64_MAX},
			{.prompt_tokens = UINT64_MAX, .completion_tokens = UINT64_MAX}, UINT32_MAX,
			{INT64_MAX, 0, INT64_MAX}},
		{"a fee that makes it so", {.known = true, .input_pusd = 1000}, {.prompt_tokens = INT64_MAX - 5},
			1000000, {INT64_MAX - 5, 5, INT64_MAX}},
		{"more pieces than money can pay",
			{.known = true,
				.image_nusd = INT64_MAX,
				.per_minute_nusd = INT64_MAX,
				.per_million_chars_nusd = INT64_MAX},
			{.images = UINT64_MAX, .audio_ms = UINT64_MAX, .characters = UINT64_MAX}, 1000000,
			{INT64_MAX, 0, INT64_MAX}},
		{"a negative price", {.known = true, .input_pusd = -5}, {.prompt_tokens = 10}, 0, {0, 0, 0}},
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(rows[0]));
}

/* No usage within the bounds costs more. */
static void test_worst(void **state)
{
	static const struct price_settings prices[] = {
		MINI,
		{.known = true,
			.input_pusd = 3000000,
			.cache_write_pusd = 3750000,
			.has_cache_write = true,
			.output_pusd = 15000000,
			.reasoning_pusd = 20000000,
			.has_reasoning = true},
		{.known = true,
			.input_pusd = 1000,
			.output_pusd = 5000,
			.above_tokens = 100,
			.above_input_pusd = 2000,
			.above_output_pusd = 7000},
		{.known = true,
			.input_pusd = 2000,
			.output_pusd = 7000,
			.above_tokens = 100, /* cheaper above */
			.above_input_pusd = 1000,
			.above_output_pusd = 5000},
	};

	(void)state;
	for (unsigned p = 0; p < sizeof(prices) / sizeof(prices[0]); p++) {
		int64_t worst = price_worst_nusd(&prices[p], 150, 40, 20000);

		for (uint64_t prompt = 0; prompt <= 150; prompt += 15) {
			for (unsigned parts = 0; parts < 8; parts++) {
				struct usage usage = {.prompt_tokens = prompt,
					.completion_tokens = 40,
					.cached_tokens = parts & 1 ? prompt / 3 : 0,
					.cache_write_tokens = parts & 2 ? prompt : 0,
					.reasoning_tokens = parts & 4 ? 40 : 0};

				assert_true(price_cost(&prices[p], &usage, 20000).total_nusd <= worst);
			}
		}
	}
	assert_int_equal(price_worst_nusd(&prices[0], 150, 89, 0), 75900);
	assert_true(price_worst_nusd(&prices[0], UINT64_MAX, UINT64_MAX, 1000000) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_tier),
		cmocka_unit_test(test_worst),
		cmocka_unit_test(test_absurd_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
