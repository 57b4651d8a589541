/* Tenants as rows: what is printed is read back the same, and what cannot be read is nothing. JSON documents as trees.
 */
#include "core/buffer.h"
#include "route/tenancy/tenant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ROW_BYTES = 65536, LONG_LIST = 12000 };

struct fixture {
	struct json_parser *json;
	char bytes[ROW_BYTES + BUFFER_PADDING_BYTES];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (f)
		f->json = json_parser_open(ROW_BYTES);
	return f && f->json ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	json_parser_close(f->json);
	free(f);
	return 0;
}

static struct slice pad(struct fixture *f, const char *row)
{
	size_t size = strlen(row);

	assert_true(size <= ROW_BYTES);
	memcpy(f->bytes, row, size);
	memset(f->bytes + size, 0, BUFFER_PADDING_BYTES);
	return slice_of(f->bytes, size);
}

#define META                                                                                                           \
	"\"meta\":{\"created_ns\":1,\"updated_ns\":2,\"revoked_ns\":0,\"previous_until_ns\":4,\"secret_sha256\":"      \
	"\"0101010101010101010101010101010101010101010101010101010101010101\",\"previous_sha256\":"                    \
	"\"0202020202020202020202020202020202020202020202020202020202020202\",\"secret_prefix\":\"gw_virt_abcd\"}"

static const struct {
	enum tenant_kind kind;
	const char *id, *settings, *printed; /* printed NULL: as it was */
} rows[] = {
	{TENANT_KEY, "vk_01M7ZBMTR23M8R86A5EV85SPTE",
		"{\"name\":\"n\",\"workspace\":\"w\",\"team\":\"t\",\"environment\":\"prod\",\"models\":[\"a/"
		"*\",\"b\"],"
		"\"endpoints\":[\"*\"],\"scopes\":[\"chat\",\"receipts\"],\"limits\":{\"rpm\":1,\"rph\":2,\"rpd\":3,"
		"\"tpm\":4,"
		"\"concurrency\":5,\"smooth\":true},\"budget\":{\"daily_usd\":0.000000001,\"weekly_usd\":2.5,"
		"\"monthly_usd\":null,\"per_request_usd\":1000,\"reserve_output_tokens\":7},\"allow_ips\":[\"10.0.0.0/"
		"8\","
		"\"::1\"],\"expires_at\":\"2199-01-31T12:00:00.000000Z\",\"tags\":{\"a\":\"1\",\"\\\"b\\\"\":\"\"},"
		"\"disabled\":true}",
		NULL},
	{TENANT_KEY, "vk_1", "{\"name\":\"least\"}",
		"{\"name\":\"least\",\"workspace\":\"default\",\"team\":null,\"environment\":null,\"models\":[\"*\"],"
		"\"endpoints\":[\"*\"],\"scopes\":[\"chat\",\"responses\",\"embeddings\",\"moderations\",\"images\","
		"\"audio\","
		"\"models\",\"endpoints\",\"receipts\"],\"limits\":{\"rpm\":0,\"rph\":0,\"rpd\":0,\"tpm\":0,"
		"\"concurrency\":0,"
		"\"smooth\":false},\"budget\":{\"daily_usd\":null,\"weekly_usd\":null,\"monthly_usd\":null,"
		"\"per_request_usd\":null,\"reserve_output_tokens\":1024},\"allow_ips\":[],\"expires_at\":null,"
		"\"tags\":{},"
		"\"disabled\":false}"},
	{TENANT_TEAM, "t", "{\"id\":\"t\"}",
		"{\"id\":\"t\",\"workspace\":\"default\",\"budget\":{\"daily_usd\":null,\"weekly_usd\":null,\"monthly_"
		"usd\":null,"
		"\"per_request_usd\":null,\"reserve_output_tokens\":1024},\"limits\":{\"rpm\":0,\"rph\":0,\"rpd\":0,"
		"\"tpm\":0,"
		"\"concurrency\":0,\"smooth\":false}}"},
	{TENANT_TOKEN, "tok_1",
		"{\"name\":\"ci\",\"role\":\"billing\",\"allow_ips\":[\"127.0.0.1\"],\"expires_at\":null}", NULL},
};

static void rows_come_back(void **state)
{
	struct fixture *f = *state;
	char row[ROW_BYTES], expected[ROW_BYTES], memory[ROW_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text printed = text_over(memory, sizeof(memory));
		struct tenant *tenant;

		snprintf(row, sizeof(row), "{" META ",\"settings\":%s}", rows[i].settings);
		snprintf(expected, sizeof(expected), "{" META ",\"settings\":%s}",
			rows[i].printed ? rows[i].printed : rows[i].settings);
		tenant = tenant_read_row(rows[i].kind, slice_of_string(rows[i].id), f->json, pad(f, row));
		assert_non_null(tenant);
		tenant_print_row(tenant, &printed);
		text_char(&printed, '\0');
		assert_string_equal(memory, expected);
		assert_string_equal(tenant->id, rows[i].id);
		if (rows[i].kind == TENANT_KEY) {
			assert_string_equal(tenant->item.key.id, rows[i].id);
			assert_int_equal(tenant->item.key.secret_sha256[31], 1);
			assert_int_equal(tenant->item.key.previous_until_ns, 4);
		}
		tenant_give(&tenant);
	}
}

static void others_do_not(void **state)
{
	static const char *const wrong[] = {
		"",
		"{",
		"[]",
		"{}",
		"{" META "}",
		"{\"settings\":{\"name\":\"n\"},\"meta\":{\"created_ns\":-1}}",
		"{" META ",\"settings\":{\"name\":\"n\",\"later\":1}}",
		"{" META ",\"settings\":{\"name\":1}}",
		"{" META ",\"settings\":{\"name\":\"n\",\"name\":\"m\"}}",
		"{" META ",\"settings\":{\"name\":\"n\",\"limits\":{\"rpm\":\"1\"}}}",
		"{" META ",\"settings\":{\"name\":\"n\\u0000\"}}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (tenant_read_row(TENANT_KEY, SLICE("vk_1"), f->json, pad(f, wrong[i])))
			fail_msg("row %zu was read", i);
}

/* As long as what a body of the admin API may hold. */
static void long_lists_come_back(void **state)
{
	struct fixture *f = *state;
	struct text row = text_over(f->bytes, ROW_BYTES);
	struct tenant *tenant;

	text_literal(&row, "{" META ",\"settings\":{\"name\":\"n\",\"models\":[");
	for (unsigned i = 0; i < LONG_LIST; i++)
		text_string(&row, i ? ",\"t*\"" : "\"t*\"");
	text_literal(&row, "]}}");
	assert_false(row.full);
	memset(f->bytes + row.size, 0, BUFFER_PADDING_BYTES);
	tenant = tenant_read_row(TENANT_KEY, SLICE("vk_1"), f->json, text_slice(&row));
	assert_non_null(tenant);
	assert_int_equal(tenant->item.key.models.count, LONG_LIST);
	tenant_give(&tenant);
}

static void merge_changes_two_levels(void **state)
{
	static const struct {
		const char *target, *patch, *name, *value; /* NULL: it is not there, or null */
	} table[] = {
		{"{\"name\":\"a\"}", "{\"name\":\"b\"}", "name", "b"},
		{"{\"name\":\"a\",\"team\":\"t\"}", "{\"team\":null}", "team", NULL},
		{"{\"name\":\"a\",\"team\":\"t\"}", "{}", "team", "t"},
		{"{\"name\":\"a\"}", "{\"team\":\"t\"}", "team", "t"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct json_config *document = calloc(1, sizeof(*document));
		struct config_memory memory;
		struct config_report report;
		struct config_node *target, *patch;
		struct json_error error;
		const struct config_node *found;

		assert_non_null(document);
		config_memory_init(&memory, 1 << 20);
		config_report_init(&report, &memory);
		document->memory = &memory;
		document->report = &report;
		assert_int_equal(json_parse(f->json, pad(f, table[i].target), &error), 0);
		target = json_config_read(document, f->json, 0);
		assert_int_equal(json_parse(f->json, pad(f, table[i].patch), &error), 0);
		patch = json_config_read(document, f->json, 0);
		assert_non_null(target);
		assert_non_null(patch);
		json_config_merge(target, patch);
		found = config_member(target, table[i].name);
		assert_int_equal(config_is_null(found), !table[i].value);
		if (table[i].value)
			assert_string_equal(found->text.data, table[i].value);
		config_memory_fini(&memory);
		free(document);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_do_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_lists_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(merge_changes_two_levels, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
