/* Calls of endpoints by hand: the chat request that each becomes, or why it becomes none. */
#include "route/endpoints/endpoint_request.h"

#include "core/buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { DOCUMENT_BYTES = 512 };

static char slug[] = "s", project_id[] = "p", model[] = "a/m";

struct world {
	struct project_settings project;
	struct endpoint_settings settings;
	struct endpoint endpoint;
	struct config_memory memory;
	struct arena_pool pool;
	struct arena arena;
	struct json_parser *json;
	char document[DOCUMENT_BYTES + BUFFER_PADDING_BYTES];
};

static void open_world(struct world *w, const char *system, const char *user, const char *document)
{
	struct json_error error;

	*w = (struct world){
		.project = {.id = project_id}, .settings = {.slug = slug, .model = model, .streaming = true}};
	w->endpoint = (struct endpoint){.project = &w->project, .settings = &w->settings, .name = SLICE("p/s")};
	config_memory_init(&w->memory, 1 << 20);
	template_compile(&w->endpoint.system, slice_of_string(system), &w->memory);
	template_compile(&w->endpoint.user, slice_of_string(user), &w->memory);
	arena_pool_init(&w->pool, 1);
	arena_init(&w->arena, &w->pool, 1 << 20);
	w->json = json_parser_open(1 << 20);
	assert_non_null(w->json);
	memcpy(w->document, document, strlen(document));
	assert_int_equal(json_parse(w->json, slice_of_string(w->document), &error), 0);
}

static void close_world(struct world *w)
{
	json_parser_close(w->json);
	arena_fini(&w->arena);
	arena_pool_fini(&w->pool);
	config_memory_fini(&w->memory);
}

static int write_request(struct world *w, size_t bytes_max, struct slice *request, struct openai_problem *problem)
{
	struct endpoint_call call;
	int err = endpoint_read_call(&w->endpoint, w->json, &call, problem);

	return err ? err : endpoint_write_request(&w->endpoint, w->json, &call, &w->arena, bytes_max, request, problem);
}

static const struct {
	const char *system, *user, *call;
	const char *request; /* NULL: refused, */
	const char *param;   /* for this */
} cases[] = {
	{"", "", "{\"input\":\"hi\"}", "{\"model\":\"a/m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
		NULL},
	{"S", "T {{input.x}}", "{\"input\":{\"x\":[1]},\"stream\":true, \"n\" : 1}",
		"{\"model\":\"a/"
		"m\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"T "
		"[1]\"}],\"stream_options\":null,\"stream\":true,\"n\":1}",
		NULL},
	{"S", "T {{input}}", "{\"messages\":[ {\"role\":\"user\"} ],\"input\":null}",
		"{\"model\":\"a/m\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"}, {\"role\":\"user\"} ]}",
		NULL},
	{"", "", "{\"input\":{\"a\":\"\\\"\"},\"messages\":null}",
		"{\"model\":\"a/m\",\"messages\":[{\"role\":\"user\",\"content\":\"{\\\"a\\\":\\\"\\\\\\\"\\\"}\"}]}",
		NULL},
	{"", "{{input.a.b}}", "{\"input\":{\"a\":1}}", NULL, "input.a.b"},
	{"{{input}}", "", "{\"messages\":[{}]}", NULL, "input"},
	{"", "", "{}", NULL, "input"},
	{"", "", "{\"input\":[]}", NULL, "input"},
	{"", "", "{\"input\":\"a\",\"messages\":[{}]}", NULL, "input"},
	{"", "", "{\"messages\":{}}", NULL, "messages"},
	{"", "", "{\"messages\":[]}", NULL, "messages"},
	{"", "", "{\"input\":\"a\",\"model\":null}", NULL, "model"},
	{"", "", "{\"input\":\"a\",\"stream\":false,\"stream\":true}", NULL, "stream"},
	{"", "", "[]", NULL, NULL},
};

static void requests(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct openai_problem problem = {.param = SLICE("none")};
		struct slice request;
		struct world w;
		int err;

		open_world(&w, cases[i].system, cases[i].user, cases[i].call);
		err = write_request(&w, 4096, &request, &problem);
		if (cases[i].request) {
			assert_int_equal(err, 0);
			assert_int_equal(request.size, strlen(cases[i].request));
			assert_memory_equal(request.data, cases[i].request, request.size);
		} else {
			assert_int_equal(err, -EINVAL);
			assert_true(slice_equal(problem.param, slice_of_string(cases[i].param)));
		}
		close_world(&w);
	}
}

static void bounds(void **state)
{
	struct openai_problem problem;
	struct slice request;
	struct world w;

	(void)state;
	open_world(&w, "", "{{input}}{{input}}{{input}}", "{\"input\":\"0123456789012345678901234567890123456789\"}");
	assert_int_equal(write_request(&w, 100, &request, &problem), -E2BIG);
	assert_int_equal(write_request(&w, 200, &request, &problem), 0);
	w.arena.max_bytes = w.arena.used_bytes;
	w.arena.next = w.arena.end;
	assert_int_equal(write_request(&w, 200, &request, &problem), -ENOMEM);
	close_world(&w);
}

static void streams(void **state)
{
	struct openai_problem problem;
	struct slice request;
	struct world w;

	(void)state;
	open_world(&w, "", "", "{\"input\":\"a\",\"stream\":true}");
	w.settings.streaming = false;
	assert_int_equal(write_request(&w, 4096, &request, &problem), -EINVAL);
	assert_true(slice_equal(problem.code, SLICE("streaming_disabled")));
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests), cmocka_unit_test(bounds), cmocka_unit_test(streams)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
