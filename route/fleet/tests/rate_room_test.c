/* What providers say is left: durations, headers, and how long it holds. */
#include "route/fleet/rate_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define WALL_NS (UINT64_C(1790000000) * S) /* 2026-09-21T14:13:20Z */

static void durations(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t ns;
	} table[] = {
		{"1s", true, S},
		{"120ms", true, 120 * MS},
		{"6m0s", true, 360 * S},
		{"1h2m3.5s", true, 3723 * S + 500 * MS},
		{"7.66s", true, 7660 * MS},
		{"12", true, 12 * S},
		{"0.5", true, 500 * MS},
		{"0", true, 0},
		{"88us", true, 88000},
		{"", false, 0},
		{"s", false, 0},
		{"1x", false, 0},
		{"-1s", false, 0},
		{"1s2", false, 0},
		{"99999999999999s", false, 0},
		{"2024-01-27T02:31:51Z", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		uint64_t ns = 1;
		bool good = rate_room_duration(slice_of_string(table[i].text), &ns);

		if (good != table[i].good || (good && ns != table[i].ns))
			fail_msg("\"%s\": %d, %llu", table[i].text, good, (unsigned long long)ns);
	}
}

static void headers(void **state)
{
	static const struct {
		const char *remaining_requests, *reset_requests, *remaining_tokens, *reset_tokens;
		uint64_t tokens; /* of the call that is asked for */
		uint64_t full_for_ns;
	} table[] = {
		{NULL, NULL, NULL, NULL, 1000, 0},
		{"10", "1s", "1000", "1s", 1000, 0},
		{"0", "2s", "1000", "1s", 10, 2 * S},
		{"10", "1s", "999", "6m0s", 1000, 60 * S}, /* no longer than a minute */
		{"0", "2s", "0", "3s", 10, 3 * S},
		{"0", NULL, NULL, NULL, 10, S},
		{"0", "soon", NULL, NULL, 10, S},
		{NULL, "2s", NULL, "2s", 10, 0},
		{"none", "2s", "-1", "2s", 10, 0},
		{"0x", "2s", "", "2s", 10, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct rate_room room = {0};
		struct http_head head = {.header_count = 0};
		const struct http_header all[] = {
			{SLICE("X-RateLimit-Remaining-Requests"), slice_of_string(table[i].remaining_requests)},
			{SLICE("x-ratelimit-reset-requests"), slice_of_string(table[i].reset_requests)},
			{SLICE("content-type"), SLICE("text/plain")},
			{SLICE("x-ratelimit-remaining-tokens"), slice_of_string(table[i].remaining_tokens)},
			{SLICE("x-ratelimit-reset-tokens"), slice_of_string(table[i].reset_tokens)},
		};
		uint64_t until_ns, wanted_ns = table[i].full_for_ns ? 100 * S + table[i].full_for_ns : 0;

		for (size_t h = 0; h < COUNT(all); h++)
			if (all[h].value.data)
				head.headers[head.header_count++] = all[h];
		rate_room_read(&room, &head, 100 * S, WALL_NS);
		until_ns = rate_room_full_until_ns(&room, table[i].tokens, 100 * S);
		if (until_ns != wanted_ns)
			fail_msg("row %zu: until %llu", i, (unsigned long long)until_ns);
		assert_int_equal(rate_room_full_until_ns(&room, table[i].tokens, 100 * S + table[i].full_for_ns), 0);
	}
}

/* Anthropic's: several limits of tokens, and a time instead of a duration. */
static void headers_with_times(void **state)
{
	static const struct {
		const char *requests, *requests_reset, *tokens, *input, *output, *tokens_reset;
		uint64_t tokens_asked, full_for_ns;
	} table[] = {
		{"5", "2026-09-21T14:13:25Z", "1000", NULL, NULL, "2026-09-21T14:13:30Z", 1000, 0},
		{"0", "2026-09-21T14:13:25Z", "1000", NULL, NULL, "2026-09-21T14:13:30Z", 10, 5 * S},
		{"5", "2026-09-21T14:13:25Z", "1000", "9", "1000", "2026-09-21T14:13:30Z", 10, 10 * S},
		{"5", "2026-09-21T14:13:25Z", NULL, "900", "9", "2026-09-21T14:13:30.5Z", 10, 10 * S + 500 * MS},
		{"0", "2026-09-21T14:13:00Z", NULL, NULL, NULL, NULL, 10, 0}, /* over already */
		{"0", "2026-09-21T18:13:00+02:00", NULL, NULL, NULL, NULL, 10, 60 * S},
		{"0", "tomorrow", NULL, NULL, NULL, NULL, 10, S},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct rate_room room = {.tokens = {7, 200 * S}};
		struct http_head head = {.header_count = 0};
		const struct http_header all[] = {
			{SLICE("anthropic-ratelimit-requests-remaining"), slice_of_string(table[i].requests)},
			{SLICE("Anthropic-RateLimit-Requests-Reset"), slice_of_string(table[i].requests_reset)},
			{SLICE("anthropic-ratelimit-tokens-remaining"), slice_of_string(table[i].tokens)},
			{SLICE("anthropic-ratelimit-tokens-reset"), slice_of_string(table[i].tokens_reset)},
			{SLICE("anthropic-ratelimit-input-tokens-remaining"), slice_of_string(table[i].input)},
			{SLICE("anthropic-ratelimit-input-tokens-reset"), slice_of_string(table[i].tokens_reset)},
			{SLICE("anthropic-ratelimit-output-tokens-remaining"), slice_of_string(table[i].output)},
			{SLICE("anthropic-ratelimit-output-tokens-reset"), slice_of_string(table[i].tokens_reset)},
		};
		uint64_t wanted_ns = table[i].full_for_ns ? 100 * S + table[i].full_for_ns : 0, until_ns;

		if (!table[i].tokens_reset)
			room.tokens.reset_ns = 0; /* else what was known before would count */
		for (size_t h = 0; h < COUNT(all); h++)
			if (all[h].value.data)
				head.headers[head.header_count++] = all[h];
		rate_room_read(&room, &head, 100 * S, WALL_NS);
		until_ns = rate_room_full_until_ns(&room, table[i].tokens_asked, 100 * S);
		if (until_ns != wanted_ns)
			fail_msg("row %zu: until %llu", i, (unsigned long long)until_ns);
	}
}

static void calls_use_what_is_left(void **state)
{
	struct rate_room room = {.requests = {2, 110 * S}, .tokens = {100, 105 * S}};

	(void)state;
	rate_room_use(&room, 60, 100 * S);
	assert_int_equal(rate_room_full_until_ns(&room, 40, 100 * S), 0);
	assert_int_equal(rate_room_full_until_ns(&room, 41, 100 * S), 105 * S);
	rate_room_use(&room, 60, 100 * S);
	assert_int_equal(room.tokens.left, 0);
	assert_int_equal(rate_room_full_until_ns(&room, 0, 100 * S), 110 * S);
	rate_room_use(&room, 60, 100 * S);
	assert_int_equal(room.requests.left, 0);
	assert_int_equal(rate_room_full_until_ns(&room, 1000, 110 * S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(headers),
		cmocka_unit_test(headers_with_times),
		cmocka_unit_test(calls_use_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
