/* Endpoints by name: found, kept from others, suggested. */
#include "route/endpoints/endpoint_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char yaml[] =
	"admin: { master_key: 0123456789abcdef }\n"
	"workspaces: [{ id: default }, { id: other }]\n"
	"keys:\n"
	"  - { name: all, secret: a }\n"
	"  - { name: some, secret: b, endpoints: ['p/a*', '?/zebra'] }\n"
	"projects:\n"
	"  - { id: p, endpoints: [{ slug: zebra, system_prompt: 'x {{input}}' }, { slug: ape }, { slug: apes }] }\n"
	"  - { id: q, workspace: other, endpoints: [{ slug: zebra }] }\n"
	"  - { id: empty }\n";

static void complain(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context;
	fail_msg("%u:%u: %s", line, column, message);
}

static struct settings *read_settings(void)
{
	struct settings *settings = settings_parse(slice_of_string(yaml), complain, NULL, NULL);

	assert_non_null(settings);
	return settings;
}

static void finds(void **state)
{
	static const struct {
		const char *name;
		bool found;
	} names[] = {{"p/ape", true}, {"p/apes", true}, {"p/zebra", true}, {"q/zebra", true}, {"p/ap", false},
		{"p", false}, {"", false}, {"q/ape", false}, {"p/apes2", false}, {"r/zebra", false}};
	struct settings *settings = read_settings();
	struct endpoint_table *table = endpoint_table_make(settings);

	(void)state;
	assert_non_null(table);
	assert_int_equal(endpoint_count(settings), 4);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct endpoint *found = endpoint_find(table, slice_of_string(names[i].name));

		assert_int_equal(found != NULL, names[i].found);
		if (found)
			assert_true(slice_equal(found->name, slice_of_string(names[i].name)));
	}
	assert_int_equal(endpoint_find(table, SLICE("p/zebra"))->system.part_count, 2);
	assert_int_equal(endpoint_find(table, SLICE("p/ape"))->system.part_count, 0);
	endpoint_table_free(table);
	endpoint_table_free(NULL);
	settings_free(settings);
}

static void belongs(void **state)
{
	struct settings *settings = read_settings();
	struct endpoint_table *table = endpoint_table_make(settings);
	const struct key_settings *all = &settings->keys[0], *some = &settings->keys[1];

	(void)state;
	assert_true(endpoint_is_of(endpoint_find(table, SLICE("p/ape")), all));
	assert_false(endpoint_is_of(endpoint_find(table, SLICE("q/zebra")), all));
	assert_true(endpoint_is_allowed(endpoint_find(table, SLICE("p/apes")), some));
	assert_true(endpoint_is_allowed(endpoint_find(table, SLICE("p/zebra")), some));
	assert_true(slice_equal(endpoint_suggest(table, all, SLICE("p/aep")), SLICE("p/ape")));
	assert_true(slice_equal(endpoint_suggest(table, all, SLICE("q/zebra")), SLICE("p/zebra")));
	assert_null(endpoint_suggest(table, all, SLICE("something-else")).data);
	endpoint_table_free(table);
	settings_free(settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(finds), cmocka_unit_test(belongs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
