/* The catalog: every name of a model, which one wins, suggestions, what clients see. */
#include "route/fleet/catalog.h"

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

#define A                                                                                                              \
	"{\"type\":\"model\",\"id\":\"a/gpt-4o-mini\",\"display_name\":\"a/gpt-4o-mini\",\"created_at\":"              \
	"\"1970-01-01T00:00:17.000000Z\",\"max_input_tokens\":128000,\"max_tokens\":16384}"
#define B                                                                                                              \
	"{\"type\":\"model\",\"id\":\"b/two\",\"display_name\":\"b/"                                                   \
	"two\",\"created_at\":\"1970-01-01T00:00:17.000000Z\","                                                        \
	"\"max_input_tokens\":null,\"max_tokens\":null}"
#define C                                                                                                              \
	"{\"type\":\"model\",\"id\":\"three\",\"display_name\":\"three\",\"created_at\":\"1970-01-01T00:00:17."        \
	"000000Z\","                                                                                                   \
	"\"max_input_tokens\":null,\"max_tokens\":null}"
#define PAGE(data, more, first, last)                                                                                  \
	"{\"data\":[" data "],\"has_more\":" more ",\"first_id\":" first ",\"last_id\":" last "}"

static void test_pages(void **state)
{
	static const struct {
		struct catalog_page page;
		bool narrow; /* a key of the first and the last */
		const char *expected;
	} rows[] = {
		{{NULL, NULL, 20}, false, PAGE(A "," B "," C, "false", "\"a/gpt-4o-mini\"", "\"three\"")},
		{{NULL, NULL, 3}, false, PAGE(A "," B "," C, "false", "\"a/gpt-4o-mini\"", "\"three\"")},
		{{NULL, NULL, 2}, false, PAGE(A "," B, "true", "\"a/gpt-4o-mini\"", "\"b/two\"")},
		{{&models[0], NULL, 1}, false, PAGE(B, "true", "\"b/two\"", "\"b/two\"")},
		{{&models[1], NULL, 1}, false, PAGE(C, "false", "\"three\"", "\"three\"")},
		{{&models[2], NULL, 1}, false, PAGE("", "false", "null", "null")},
		{{NULL, &models[2], 1}, false, PAGE(B, "true", "\"b/two\"", "\"b/two\"")},
		{{NULL, &models[2], 2}, false, PAGE(A "," B, "false", "\"a/gpt-4o-mini\"", "\"b/two\"")},
		{{&models[0], &models[2], 5}, false, PAGE(B, "false", "\"b/two\"", "\"b/two\"")},
		{{&models[2], &models[0], 5}, false, PAGE("", "false", "null", "null")},
		{{NULL, NULL, 1}, true, PAGE(A, "true", "\"a/gpt-4o-mini\"", "\"a/gpt-4o-mini\"")},
		{{&models[0], NULL, 1}, true, PAGE(C, "false", "\"three\"", "\"three\"")},
	};
	char *allowed[] = {(char[]){"a/*"}, (char[]){"three"}}, memory[1024];
	struct key_settings key = {.models = {2, allowed}};
	struct catalog *catalog = catalog_make(&settings);
	struct text text;

	(void)state;
	assert_non_null(catalog);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text = text_over(memory, sizeof(memory));
		catalog_print_messages_list(catalog, rows[i].narrow ? &key : NULL, 17, &rows[i].page, &text);
		text_char(&text, '\0');
		assert_string_equal(memory, rows[i].expected);
	}
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
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
