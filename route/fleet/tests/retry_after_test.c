/* How long each kind of provider asks to be left alone, by the heads of its errors. */
#include "route/fleet/retry_after.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WALL_NS (UINT64_C(1790000000) * 1000000000) /* Mon, 21 Sep 2026 14:13:20 GMT */

struct line {
	const char *name, *value;
};

static void heads(void **state)
{
	static const struct {
		struct line lines[5];
		uint32_t seconds;
	} table[] = {
		{{{"content-type", "application/json"}}, 0},
		/* OpenAI, Anthropic, Groq, Mistral: seconds; some with decimals. */
		{{{"Retry-After", "7"}}, 7},
		{{{"retry-after", "0.2"}}, 1},
		{{{"retry-after", "0"}}, 0},
		{{{"retry-after", "999999"}}, RETRY_AFTER_MAX_S},
		{{{"retry-after", "99999999999999999999"}}, 0},
		{{{"retry-after", "-1"}}, 0},
		{{{"retry-after", "7s"}}, 0},
		{{{"retry-after", ""}}, 0},
		/* Azure, OpenAI: milliseconds besides, which are more exact. */
		{{{"retry-after", "7"}, {"retry-after-ms", "1500"}}, 2},
		{{{"retry-after-ms", "soon"}, {"retry-after", "7"}}, 7},
		/* Dates. */
		{{{"retry-after", "Mon, 21 Sep 2026 14:13:50 GMT"}}, 30},
		{{{"retry-after", "Mon, 21 Sep 2026 14:13:10 GMT"}}, 0},
		{{{"retry-after", "Thu, 01 Oct 2026 00:00:00 GMT"}}, RETRY_AFTER_MAX_S},
		{{{"retry-after", "Mon, 21 Sop 2026 14:13:50 GMT"}}, 0},
		{{{"retry-after", "Mon, 21 Sep 2026 14:13:50 CET"}}, 0},
		{{{"retry-after", "Mon, 41 Sep 2026 14:13:50 GMT"}}, 0},
		/* Cohere: the second of the reset. */
		{{{"X-RateLimit-Reset", "1790000012"}}, 12},
		{{{"x-ratelimit-reset", "12"}}, 0},
		{{{"retry-after", "3"}, {"x-ratelimit-reset", "1790000012"}}, 3},
		/* Groq, Together: what is used up says when it is there again. */
		{{{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "12.5s"},
			 {"x-ratelimit-remaining-tokens", "10"}, {"x-ratelimit-reset-tokens", "40s"}},
			13},
		{{{"x-ratelimit-remaining-requests", "1"}, {"x-ratelimit-reset-requests", "12.5s"}}, 0},
		/* Anthropic, as RFC 3339 says it. */
		{{{"anthropic-ratelimit-tokens-remaining", "0"},
			 {"anthropic-ratelimit-tokens-reset", "2026-09-21T14:13:29Z"}},
			9},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct http_head head = {.header_count = 0};
		uint32_t seconds;

		for (size_t l = 0; l < COUNT(table[i].lines) && table[i].lines[l].name; l++)
			head.headers[head.header_count++] = (struct http_header){
				slice_of_string(table[i].lines[l].name), slice_of_string(table[i].lines[l].value)};
		seconds = retry_after_read(&head, WALL_NS);
		if (seconds != table[i].seconds)
			fail_msg("row %zu: %u", i, seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(heads)};

	return cmocka_run_group_tests_name("retry after", tests, NULL, NULL);
}
