/* The built-in catalog: its rows hold together, what configurations leave open comes from it, and their own words win.
 */
#include "route/fleet/catalog_known.h"
#include "route/money/price.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool has(const struct model_settings *model, const char *capability)
{
	for (unsigned i = 0; i < model->capabilities.count; i++)
		if (strcmp(model->capabilities.list[i], capability) == 0)
			return true;
	return false;
}

static void rows_hold_together(void **state)
{
	const char *names[32];
	const struct catalog_row *rows;
	size_t count;

	(void)state;
	rows = catalog_rows(&count);
	for (size_t i = 0; i < count; i++) {
		const struct catalog_row *row = &rows[i];

		assert_ptr_equal(catalog_known(row->kind, row->model), row); /* no two of one name */
		assert_true(row->input_pusd >= 0 && row->output_pusd >= 0);
		assert_true(row->cached_input_pusd <= row->input_pusd);
		assert_true(row->cache_write_pusd <= 2 * row->input_pusd);
		assert_true(row->use != CATALOG_CHAT || (row->input_pusd > 0 && row->context_window > 0));
		assert_true(
			!row->above_tokens ||
			(row->above_tokens <= row->context_window && row->above_input_pusd > row->input_pusd &&
				row->above_output_pusd > row->output_pusd &&
				(row->above_cached_input_pusd > row->cached_input_pusd ||
					(row->above_cached_input_pusd < 0 && row->cached_input_pusd < 0)))); /* none */
		assert_true(catalog_list_capabilities(row, names, COUNT(names)) > 0);
	}
	assert_null(catalog_known(PROVIDER_OPENAI, "gpt-4o-mini-and-more"));
	assert_null(catalog_known(PROVIDER_OPENAI_COMPATIBLE, "gpt-4o"));
}

static void quiet(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context;
	fail_msg("%u:%u: %s", line, column, message);
}

static const char yaml[] =
	"admin: { master_key: 0123456789abcdef }\n"
	"providers:\n"
	"  - { name: openai, base_url: 'http://h/v1', credentials: [{ api_key: k }] }\n"
	"  - { name: claude, kind: anthropic, base_url: 'http://h/v1', credentials: [{ api_key: k }] }\n"
	"  - { name: google, kind: gemini, base_url: 'http://h/v1beta', credentials: [{ api_key: k }] }\n"
	"  - { name: own, kind: openai_compatible, base_url: 'http://h/v1' }\n"
	"models:\n"
	"  - { id: openai/gpt-4o-mini, provider: openai }\n"
	"  - { id: mine, provider: openai, upstream_model: gpt-4o-mini, price: { input: 1, output: 2 }, quality: 0.5,\n"
	"      context_window: 9, max_output_tokens: 8, capabilities: [chat] }\n"
	"  - { id: own/gpt-4o-mini, provider: own, price: { input: 1 } }\n"
	"  - { id: claude/claude-opus-5-5, provider: claude }\n"
	"  - { id: google/gemini-2.5-pro, provider: google }\n"
	"  - { id: openai/text-embedding-3-small, provider: openai }\n"
	"  - { id: openai/gpt-5, deployments: [{ provider: openai }, { provider: own }] }\n";

static void what_configurations_leave_open(void **state)
{
	struct settings *settings = settings_parse(slice_of_string(yaml), quiet, quiet, NULL);
	const struct model_settings *m;
	struct usage usage = {.prompt_tokens = 100, .completion_tokens = 140};

	(void)state;
	assert_non_null(settings);
	m = settings->models;
	assert_true(m[0].price.known && m[0].price.has_cached_input);
	assert_int_equal(m[0].price.cached_input_pusd, 75000);
	assert_int_equal(price_cost(&m[0].price, &usage, 0).total_nusd, 99000);
	assert_int_equal(m[0].context_window, 128000);
	assert_int_equal(m[0].max_output_tokens, 16384);
	assert_int_equal(m[0].quality_milli, 720);
	assert_true(has(&m[0], "chat") && has(&m[0], "tools") && has(&m[0], "vision") && has(&m[0], "sampling"));
	assert_false(has(&m[0], "embeddings") || has(&m[0], "reasoning") || has(&m[0], "audio_input"));

	assert_int_equal(m[1].price.input_pusd, 1000000);
	assert_int_equal(m[1].context_window, 9);
	assert_int_equal(m[1].max_output_tokens, 8);
	assert_int_equal(m[1].quality_milli, 500);
	assert_int_equal(m[1].capabilities.count, 1);

	/* Another kind of provider under the same name is another thing. */
	assert_int_equal(m[2].context_window, 0);
	assert_int_equal(m[2].capabilities.count, 0);

	assert_true(has(&m[3], "tools") && has(&m[3], "reasoning"));
	assert_false(has(&m[3], "forced_tools") || has(&m[3], "prefill") || has(&m[3], "sampling") || has(&m[3], "n"));

	assert_int_equal(m[4].price.above_tokens, 200000);
	assert_int_equal(m[4].price.above_input_pusd, 2500000);
	assert_int_equal(m[4].price.above_output_pusd, 15000000);
	assert_int_equal(m[4].price.above_cached_input_pusd, 250000);

	assert_true(has(&m[5], "embeddings"));
	assert_false(has(&m[5], "chat"));

	assert_false(has(&m[6], "sampling")); /* the first deployment says what the model is */
	settings_free(settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold_together), cmocka_unit_test(what_configurations_leave_open)};

	return cmocka_run_group_tests_name("catalog_known", tests, NULL, NULL);
}
