/* Errors: which fields are there, and the type each status has. */
#include "route/gateway/api_error.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_print(void **state)
{
	static const struct {
		struct api_error error;
		const char *request_id, *json;
	} rows[] = {
		{{.status = 404, .message = {"no \"x\"", 6}}, "",
			"{\"error\":{\"type\":\"not_found_error\",\"message\":\"no "
			"\\\"x\\\"\",\"code\":null,\"param\":null}}"},
		{{.status = 429,
			 .type = {"t", 1},
			 .code = {"c", 1},
			 .message = {"m", 1},
			 .param = {"p", 1},
			 .kind = {"rpm", 3},
			 .retry_after_s = 7,
			 .upstream = {"{\"a\":1}", 7}},
			"req_1",
			"{\"error\":{\"type\":\"t\",\"message\":\"m\",\"code\":\"c\",\"param\":\"p\",\"kind\":\"rpm\","
			"\"retry_after_seconds\":7,\"request_id\":\"req_1\",\"upstream\":{\"a\":1}}}"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char memory[512];
		struct text json = text_over(memory, sizeof(memory));

		api_error_print(&rows[i].error, slice_of_string(rows[i].request_id), &json);
		text_char(&json, '\0');
		assert_false(json.full);
		assert_string_equal(memory, rows[i].json);
	}
}

static void test_types(void **state)
{
	static const struct {
		unsigned status;
		const char *type;
	} rows[] = {
		{400, "invalid_request_error"},
		{401, "authentication_error"},
		{402, "budget_exceeded"},
		{403, "permission_error"},
		{404, "not_found_error"},
		{405, "invalid_request_error"},
		{413, "invalid_request_error"},
		{431, "invalid_request_error"},
		{429, "rate_limit_exceeded"},
		{500, "upstream_error"},
		{502, "upstream_error"},
		{503, "overloaded"},
		{504, "upstream_timeout"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(slice_equal(api_error_type(rows[i].status), slice_of_string(rows[i].type)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
