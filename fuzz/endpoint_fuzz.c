/*
 * Fuzzes endpoints: whatever the templates, the schema and the call are, the call is refused with a word of why, or
 * becomes a chat request in JSON that has the caller's messages in it; and a schema is refused with a word of why, or
 * checks any value and says what is wrong with it.
 *
 * An input: system prompt, user template, schema and call, each up to a NUL.
 */
#include "fuzz/document.h"
#include "route/endpoints/endpoint_request.h"

#include <errno.h>

enum { ARENA_BYTES = 1 << 22, MEMORY_BYTES = 1 << 22, WORDS_BYTES = 256 };

struct world {
	struct endpoint_settings settings;
	struct endpoint endpoint;
	struct config_memory memory;
	struct arena_pool pool;
	struct arena arena;
	struct json_parser *json, *again;
	char *call;
};

static struct slice next_text(struct slice *rest)
{
	const char *end = rest->size ? memchr(rest->data, '\0', rest->size) : NULL;
	struct slice text = slice_of(rest->data, end ? (size_t)(end - rest->data) : rest->size);

	*rest = slice_after(*rest, text.size + (end ? 1 : 0));
	return text;
}

static void compile(struct world *w, struct template *template, struct slice text)
{
	if (template_check(text))
		template_compile(template, text, &w->memory);
	assert(!w->memory.failed);
}

static void compile_schema(struct world *w, struct slice text)
{
	char words[WORDS_BYTES];
	struct text why = text_over(words, sizeof(words));

	w->endpoint.input_schema = json_schema_make(text, &why);
	assert(w->endpoint.input_schema || why.size || why.full);
}

/* The view holds the call. */
static void check_value(struct world *w, json_ref value)
{
	char where_words[WORDS_BYTES], what_words[WORDS_BYTES];
	struct text where = text_over(where_words, sizeof(where_words)),
		    what = text_over(what_words, sizeof(what_words));

	if (w->endpoint.input_schema && !json_schema_check(w->endpoint.input_schema, w->json, value, &where, &what))
		assert(what.size || what.full);
}

static void expect_request(struct world *w, struct slice request, const struct endpoint_call *call)
{
	struct json_error error;
	json_ref messages;

	assert(json_parse(w->again, request, &error) == 0);
	messages = json_member(w->again, 0, SLICE("messages"));
	assert(messages != JSON_NONE && json_type(w->again, messages) == JSON_ARRAY && json_count(w->again, messages));
	assert(call->said.data > request.data && call->said.data + call->said.size < request.data + request.size);
}

static void fuzz_call(struct world *w)
{
	struct openai_problem problem = {0};
	struct endpoint_call call;
	struct slice request;
	int err = endpoint_read_call(&w->endpoint, w->json, &call, &problem);

	if (!err && call.input != JSON_NONE)
		check_value(w, call.input);
	if (!err)
		err = endpoint_write_request(
			&w->endpoint, w->json, &call, &w->arena, DOCUMENT_MAX_BYTES, &request, &problem);
	if (!err)
		expect_request(w, request, &call);
	else
		assert(err == -E2BIG || (err == -EINVAL && problem.code.size && problem.message.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char model[] = "m";
	struct slice rest = slice_of(data, size);
	struct world w = {.settings = {.model = model, .streaming = true}};
	struct json_error error;

	if (size > DOCUMENT_MAX_BYTES)
		return 0;
	w.endpoint.settings = &w.settings;
	config_memory_init(&w.memory, MEMORY_BYTES);
	arena_pool_init(&w.pool, 1);
	arena_init(&w.arena, &w.pool, ARENA_BYTES);
	w.json = json_parser_open(DOCUMENT_MAX_BYTES);
	w.again = json_parser_open(DOCUMENT_MAX_BYTES);
	assert(w.json && w.again);
	compile(&w, &w.endpoint.system, next_text(&rest));
	compile(&w, &w.endpoint.user, next_text(&rest));
	compile_schema(&w, next_text(&rest));
	w.call = padded_copy(rest);
	if (rest.size && json_parse(w.json, slice_of(w.call, rest.size), &error) == 0) {
		check_value(&w, 0);
		fuzz_call(&w);
	}
	json_schema_free(w.endpoint.input_schema);
	json_parser_close(w.json);
	json_parser_close(w.again);
	arena_fini(&w.arena);
	arena_pool_fini(&w.pool);
	config_memory_fini(&w.memory);
	free(w.call);
	return 0;
}
