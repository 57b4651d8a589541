/* Signatures of AWS's own test suite (awslabs/aws-c-auth), and of one request as Bedrock has them. */
#include "proto/bedrock/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S(literal)                                                                                                     \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}
#define TOKEN "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
#define BODY "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]}"
#define BODY_HASH "c3335e07d6e89650bf94cb98664be69f8774dbc3198df221f113db0a59ea14f0"

#define SUITE_HOST                                                                                                     \
	{                                                                                                              \
		S("host"), S("example.amazonaws.com")                                                                  \
	}
#define DATE                                                                                                           \
	{                                                                                                              \
		S("x-amz-date"), S("20150830T123600Z")                                                                 \
	}

static const struct {
	const char *name;
	struct slice method, path, query, service, body;
	struct sigv4_header headers[4];
	unsigned header_count;
	const char *signature;
} vectors[] = {
	{"get-vanilla", S("GET"), S("/"), S(""), S("service"), S(""), {SUITE_HOST, DATE}, 2,
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"post-vanilla-query", S("POST"), S("/"), S("Param1=value1"), S("service"), S(""), {SUITE_HOST, DATE}, 2,
		"28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"get-vanilla-with-session-token", S("GET"), S("/"), S(""), S("service"), S(""),
		{SUITE_HOST, DATE, {S("x-amz-security-token"), S(TOKEN)}}, 3,
		"07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{"get-space-normalized", S("GET"), S("/example space/"), S(""), S("service"), S(""), {SUITE_HOST, DATE}, 2,
		"652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{"a path that is encoded already", S("POST"), S("/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"),
		S(""), S("bedrock"), S(BODY),
		{{S("content-type"), S("application/json")}, {S("host"), S("bedrock-runtime.us-east-1.amazonaws.com")},
			{S("x-amz-content-sha256"), S(BODY_HASH)}, DATE},
		4, "ed1c6b01620d52209196b50b4b30a706b6dc7fb7fd2f7763b4136033874dd4e5"},
};

static struct sigv4_credentials credentials_for(struct slice service)
{
	return (struct sigv4_credentials){.access_key_id = SLICE("AKIDEXAMPLE"),
		.secret_access_key = SLICE("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
		.region = SLICE("us-east-1"),
		.service = service};
}

static void signatures(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		struct sigv4_credentials credentials = credentials_for(vectors[i].service);
		struct iovec body = {(void *)(uintptr_t)vectors[i].body.data, vectors[i].body.size};
		char hash[SIGV4_HEX_BYTES], signature[SIGV4_HEX_BYTES];
		struct sigv4_request request = {.method = vectors[i].method,
			.path = vectors[i].path,
			.query = vectors[i].query,
			.headers = vectors[i].headers,
			.header_count = vectors[i].header_count,
			.time = SLICE("20150830T123600Z"),
			.body_hash = slice_of(hash, sizeof(hash))};

		assert_int_equal(sigv4_hash(&body, 1, hash), 0);
		assert_int_equal(sigv4_sign(&request, &credentials, signature), 0);
		if (!slice_equal(slice_of(signature, sizeof(signature)), slice_of_string(vectors[i].signature)))
			fail_msg("%s: %.*s", vectors[i].name, SIGV4_HEX_BYTES, signature);
	}
}

/* A body in pieces has the hash of the whole. */
static void bodies_in_pieces(void **state)
{
	static char body[] = BODY;
	char hash[SIGV4_HEX_BYTES];

	(void)state;
	for (size_t cut = 0; cut <= sizeof(BODY) - 1; cut++) {
		struct iovec pieces[] = {{body, cut}, {body + cut, sizeof(BODY) - 1 - cut}};

		assert_int_equal(sigv4_hash(pieces, COUNT(pieces), hash), 0);
		assert_memory_equal(hash, BODY_HASH, sizeof(hash));
	}
}

static void headers(void **state)
{
	static const char expected[] =
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
		"SignedHeaders=host;x-amz-date, "
		"Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
	struct sigv4_credentials credentials = credentials_for(SLICE("service"));
	char memory[512], hash[SIGV4_HEX_BYTES];
	struct text value = text_over(memory, sizeof(memory));
	struct sigv4_request request = {.method = SLICE("GET"),
		.path = SLICE("/"),
		.headers = vectors[0].headers,
		.header_count = 2,
		.time = SLICE("20150830T123600Z"),
		.body_hash = slice_of(hash, sizeof(hash))};

	(void)state;
	assert_int_equal(sigv4_hash(NULL, 0, hash), 0);
	assert_int_equal(sigv4_authorization(&request, &credentials, &value), 0);
	assert_true(slice_equal(text_slice(&value), slice_of_string(expected)));
}

static void times(void **state)
{
	static const struct {
		uint64_t wall_ns;
		const char *time;
	} table[] = {
		{0, "19700101T000000Z"},
		{UINT64_C(1440938160) * 1000000000, "20150830T123600Z"},
		{UINT64_C(1709251199999999999), "20240229T235959Z"},
	};
	char time[SIGV4_TIME_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		sigv4_time(table[i].wall_ns, time);
		assert_memory_equal(time, table[i].time, sizeof(time));
	}
}

/* What no credential is: the library is not asked, and nothing is signed. */
static void endless_secret(void **state)
{
	static char secret[4096];
	struct sigv4_credentials credentials = credentials_for(SLICE("service"));
	char memory[512], hash[SIGV4_HEX_BYTES];
	struct text value = text_over(memory, sizeof(memory));
	struct sigv4_request request = {.method = SLICE("GET"),
		.path = SLICE("/"),
		.headers = vectors[0].headers,
		.header_count = 2,
		.time = SLICE("20150830T123600Z"),
		.body_hash = slice_of(hash, sizeof(hash))};

	(void)state;
	memset(secret, 's', sizeof(secret));
	credentials.secret_access_key = slice_of(secret, sizeof(secret));
	assert_int_equal(sigv4_hash(NULL, 0, hash), 0);
	assert_true(sigv4_authorization(&request, &credentials, &value) < 0);
	assert_int_equal(value.size, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures),
		cmocka_unit_test(bodies_in_pieces),
		cmocka_unit_test(headers),
		cmocka_unit_test(times),
		cmocka_unit_test(endless_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
