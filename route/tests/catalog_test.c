/* The catalog: every name of a model, which one wins, suggestions, what clients see. */
#include "route/catalog.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char alias_mini[] = "mini", alias_taken[] = "b/two", capability[] = "chat";
static char *aliases[] = {alias_mini, alias_taken}, *capabilities[] = {capability};
static struct provider_settings providers[] = {{.name = (char[]){"openai"}}, {.name = (char[]){"local"}}};
static struct deployment_settings deployments_one[] = {{.provider = 0, .upstream_model = (char[]){"gpt-4o-mini-2024"}},
	{.provider = 1, .upstream_model = (char[]){"mini"}}};
static struct deployment_settings deployments_two[] = {{.provider = 1, .upstream_model = (char[]){"mini"}}};

static struct model_settings models[] = {
	{.id = (char[]){"a/gpt-4o-mini"},
		.deployment_count = 2,
		.deployments = deployments_one,
		.aliases = {2, aliases},
		.context_window = 128000,
		.max_output_tokens = 16384,
		.capabilities = {1, capabilities}},
	{.id = (char[]){"b/two"}, .deployment_count = 1, .deployments = deployments_two, .hosted = true},
	{.id = (char[]){"three"}, .slug = (char[]){"third"}, .hosted = true},
};

static const struct settings settings = {
	.provider_count = 2, .providers = providers, .model_count = 3, .models = models};

static void test_names(void **state)
{
	static const struct {
		const char *name;
		int model; /* -1: none */
	} rows[] = {
		{"a/gpt-4o-mini", 0},
		{"mini", 0},
		{"openai/gpt-4o-mini-2024", 0},
		{"local/mini", 0},
		{"b/two", 1},
		{"pr/two", 1},
		{"three", 2},
		{"pr/third", 2},
		{"pr/three", -1},
		{"pr/mini", -1},
		{"", -1},
		{"A/gpt-4o-mini", -1},
		{"two", -1},
		{"openai/mini", -1},
	};
	struct catalog *catalog = catalog_make(&settings);

	(void)state;
	assert_non_null(catalog);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct model_settings *expected = rows[i].model < 0 ? NULL : &models[rows[i].model];

		if (catalog_find(catalog, slice_of_string(rows[i].name)) != expected)
			fail_msg("%s", rows[i].name);
	}
	catalog_free(catalog);
}

static void test_suggest(void **state)
{
	static const struct {
		const char *name, *near;
	} rows[] = {
		{"gpt-4o-mni", "\"a/gpt-4o-mini\""},
		{"a/gpt4o-mini", "\"a/gpt-4o-mini\""},
		{"thre", "\"three\""},
		{"claude-3-haiku", ""},
		{"", ""},
	};
	struct catalog *catalog = catalog_make(&settings);

	(void)state;
	assert_non_null(catalog);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char memory[256];
		struct text text = text_over(memory, sizeof(memory) - 1);

		assert_int_equal(catalog_suggest(catalog, slice_of_string(rows[i].name), &text), *rows[i].near != '\0');
		memory[text.size] = '\0';
		assert_string_equal(memory, rows[i].near);
	}
	catalog_free(catalog);
}

static void test_print(void **state)
{
	char *allowed[] = {(char[]){"*t*o"}, (char[]){"a/*"}}, memory[1024];
	struct key_settings key = {.models = {2, allowed}};
	struct catalog *catalog = catalog_make(&settings);
	struct text text = text_over(memory, sizeof(memory));

	(void)state;
	assert_non_null(catalog);
	catalog_print_list(catalog, &key, 17, &text);
	text_char(&text, '\0');
	assert_string_equal(memory,
		"{\"object\":\"list\",\"data\":[{\"id\":\"a/gpt-4o-mini\",\"object\":\"model\",\"created\":17,"
		"\"owned_by\":\"openai\",\"context_window\":128000,\"max_output_tokens\":16384,"
		"\"capabilities\":[\"chat\"]},{\"id\":\"b/two\",\"object\":\"model\",\"created\":17,"
		"\"owned_by\":\"local\"}]}");
	text = text_over(memory, sizeof(memory));
	key.models.count = 0;
	catalog_print_list(catalog, &key, 17, &text);
	text_char(&text, '\0');
	assert_string_equal(memory, "{\"object\":\"list\",\"data\":[]}");
	text = text_over(memory, 20);
	catalog_print_model(catalog, &models[0], 17, &text);
	assert_true(text.full);
	catalog_free(catalog);
}

static void test_empty(void **state)
{
	struct settings none = {.model_count = 0};
	struct catalog *catalog = catalog_make(&none);
	char memory[8];
	struct text text = text_over(memory, sizeof(memory));

	(void)state;
	assert_non_null(catalog);
	assert_null(catalog_find(catalog, SLICE("x")));
	assert_false(catalog_suggest(catalog, SLICE("x"), &text));
	catalog_free(catalog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
