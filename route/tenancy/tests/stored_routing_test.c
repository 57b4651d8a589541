/* Stored routing: what may change goes into the settings, what the file gives stays, and a row comes back as it was. */
#include "core/buffer.h"
#include "route/tenancy/stored_routing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ROW_BYTES = 4096 };

#define FILE_BEFORE "admin: { master_key: 0123456789abcdef }\nrouting: "

static int set_up(void **state)
{
	*state = json_parser_open(ROW_BYTES);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	json_parser_close(*state);
	return 0;
}

static void complain(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context;
	print_error("%u:%u: %s\n", line, column, message);
}

static struct settings *settings_of(const char *routing)
{
	char yaml[1024];
	struct settings *settings;

	snprintf(yaml, sizeof(yaml), FILE_BEFORE "%s\n", routing);
	settings = settings_parse(slice_of_string(yaml), complain, NULL, NULL);
	assert_non_null(settings);
	return settings;
}

static struct stored_routing *read_row(struct json_parser *json, const char *row)
{
	char *copy = json_config_pad(slice_of_string(row));
	struct stored_routing *routing;

	assert_non_null(copy);
	routing = stored_routing_read_row(json, slice_of(copy, strlen(row)));
	free(copy);
	return routing;
}

static void print(const struct settings *settings, char *memory, size_t size)
{
	struct text text = text_over(memory, size - 1);

	stored_routing_print(settings, &text);
	assert_false(text.full);
	memory[text.size] = '\0';
}

/* A stored row over a file shows as another file would alone. */
static void test_applied(void **state)
{
	static const struct {
		const char *file, *row, *same_as;
	} rows[] = {
		{"{}", "{}", "{}"},
		{"{}", "{\"default_priority\":\"latency\",\"quality_threshold\":0.25,\"max_latency_ms\":7}",
			"{ default_priority: latency, quality_threshold: 0.25, max_latency_ms: 7 }"},
		{"{ quality_threshold: 0.5 }", "{\"quality_threshold\":0.25,\"score_always\":true}",
			"{ quality_threshold: 0.5, score_always: true }"},
		{"{ quality_threshold: 0.8 }", "{\"quality_threshold\":0.25}", "{ quality_threshold: 0.8 }"},
		{"{ quality_threshold: null }", "{\"quality_threshold\":0.25}", "{ quality_threshold: 0.25 }"},
		{"{}", "{\"hedge\":{\"enabled\":true},\"retries\":{\"max_attempts\":5,\"budget_percent\":50}}",
			"{ hedge: { enabled: true }, retries: { max_attempts: 5, budget_percent: 50 } }"},
		{"{ hedge: { enabled: true } }", "{\"hedge\":{\"enabled\":false,\"after_percentile\":5}}",
			"{ hedge: { enabled: true } }"},
		{"{ blocked_models: [c] }", "{\"allowed_models\":[\"a/*\",\"b\"],\"blocked_models\":[]}",
			"{ allowed_models: [a/*, b], blocked_models: [c] }"},
		{"{}",
			"{\"default_model\":\"auto\",\"baseline_model\":\"x/y\",\"fallback_enabled\":false,"
			"\"stream_recovery\":\"continue\",\"shadow_percent\":100}",
			"{ baseline_model: x/y, fallback_enabled: false, stream_recovery: continue, shadow_percent: "
			"100 }"},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct settings *settings = settings_of(rows[i].file), *same = settings_of(rows[i].same_as);
		struct stored_routing *routing = read_row(*state, rows[i].row);
		char shown[2048], expected[2048];

		assert_non_null(routing);
		assert_string_equal(stored_routing_row_of(routing).data, rows[i].row);
		stored_routing_apply(routing, settings);
		print(settings, shown, sizeof(shown));
		print(same, expected, sizeof(expected));
		assert_string_equal(shown, expected);
		stored_routing_give(&routing);
		settings_free(settings);
		settings_free(same);
	}
}

static void test_unreadable(void **state)
{
	static const char *const rows[] = {"", "[]", "{\"quality_threshold\":2}", "{\"rules\":[]}", "{\"color\":1}",
		"{\"score_always\":\"true\"}", "{\"hedge\":{\"after_percentile\":0}}", "{\"allowed_models\":\"a\"}"};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_null(read_row(*state, rows[i]));
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(stored_routing_row(SLICE("color")), -1);
	assert_true(stored_routing_may_change(stored_routing_row(SLICE("score_always"))));
	assert_false(stored_routing_may_change(stored_routing_row(SLICE("rules"))));
	assert_false(stored_routing_may_change(stored_routing_row(SLICE("breaker"))));
	assert_true(slice_equal(stored_routing_row_of(NULL), SLICE("{}")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_applied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unreadable, set_up, tear_down),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
