/* Request heads for providers: whole texts compared. */
#include "route/fleet/upstream.h"

#include "route/gateway/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TAIL "User-Agent: tollgate/" TOLLGATE_VERSION "\r\n"

static char host[] = "api.example.com", host_v6[] = "::1", v1[] = "/v1", none[] = "", key[] = "sk-1";

static void heads(void **state)
{
	static const struct {
		char *host, *prefix, *key;
		uint16_t port;
		bool tls, stream;
		enum receipt_api api;
		const char *trace, *expected;
	} table[] = {
		{host, v1, key, 443, true, false, API_CHAT_COMPLETIONS, NULL,
			"POST /v1/chat/completions HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer sk-1\r\n"
			"Content-Type: application/json\r\nContent-Length: 12\r\nAccept: application/json\r\n" TAIL
			"\r\n"},
		{host, v1, key, 80, false, true, API_COMPLETIONS, "00-ab",
			"POST /v1/completions HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer sk-1\r\n"
			"Content-Type: application/json\r\nContent-Length: 12\r\nAccept: text/event-stream\r\n" TAIL
			"traceparent: 00-ab\r\n\r\n"},
		{host_v6, none, none, 8000, false, false, API_EMBEDDINGS, NULL,
			"POST /embeddings HTTP/1.1\r\nHost: [::1]:8000\r\n"
			"Content-Type: application/json\r\nContent-Length: 12\r\nAccept: application/json\r\n" TAIL
			"\r\n"},
		{host, NULL, NULL, 443, false, false, API_MODERATIONS, NULL,
			"POST /moderations HTTP/1.1\r\nHost: api.example.com:443\r\n"
			"Content-Type: application/json\r\nContent-Length: 12\r\nAccept: application/json\r\n" TAIL
			"\r\n"},
		{host, v1, NULL, 443, true, false, API_SPEECH, NULL,
			"POST /v1/audio/speech HTTP/1.1\r\nHost: api.example.com\r\n"
			"Content-Type: application/json\r\nContent-Length: 12\r\nAccept: */*\r\n" TAIL "\r\n"},
		{host, v1, NULL, 443, true, false, API_TRANSCRIPTIONS, NULL,
			"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: api.example.com\r\n"
			"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 12\r\nAccept: */*\r\n" TAIL
			"\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct provider_settings provider = {.host = table[i].host,
			.path_prefix = table[i].prefix,
			.port = table[i].port,
			.tls = table[i].tls};
		struct credential_settings credential = {.api_key = table[i].key};
		struct upstream_request request = {.provider = &provider,
			.credential = table[i].key ? &credential : NULL,
			.dialect = dialect_of(PROVIDER_OPENAI_COMPATIBLE),
			.api = table[i].api,
			.stream = table[i].stream,
			.body_bytes = 12,
			.traceparent = slice_of_string(table[i].trace)};
		struct slice form = SLICE("multipart/form-data; boundary=b");
		char memory[UPSTREAM_HEAD_BYTES];
		struct text head = text_over(memory, sizeof(memory));

		if (table[i].api == API_TRANSCRIPTIONS)
			request.content_type = form;
		upstream_head(&request, &head);
		assert_false(head.full);
		if (!slice_equal(text_slice(&head), slice_of_string(table[i].expected)))
			fail_msg("row %zu: %.*s", i, (int)head.size, head.data);
	}
}

static void a_head_that_does_not_fit_says_so(void **state)
{
	struct provider_settings provider = {.host = host, .path_prefix = v1, .port = 443, .tls = true};
	struct upstream_request request = {
		.provider = &provider, .dialect = dialect_of(PROVIDER_OPENAI), .api = API_EMBEDDINGS};
	char memory[64];
	struct text head = text_over(memory, sizeof(memory));

	(void)state;
	upstream_head(&request, &head);
	assert_true(head.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(heads), cmocka_unit_test(a_head_that_does_not_fit_says_so)};

	return cmocka_run_group_tests_name("upstream", tests, NULL, NULL);
}
