/* Connections: what is kept of one that changes, how its secrets lie, and what each kind of provider takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "route/tenancy/connection.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

static void same_text(const char *a, const char *b)
{
	assert_true(a == b || (a && b && strcmp(a, b) == 0));
}

static void seals_and_unseals(void **state)
{
	static const struct {
		struct connection_settings connection;
		const char *sealed;
	} rows[] = {
		{{.api_key = TEXT("sk-1")}, "sk-1"},
		{{.access_key_id = TEXT("AKID"), .secret_access_key = TEXT("secret")}, "\nAKID\nsecret\n"},
		{{.access_key_id = TEXT("AKID"), .secret_access_key = TEXT("secret"), .session_token = TEXT("token")},
			"\nAKID\nsecret\ntoken"},
	};
	struct config_memory memory;

	(void)state;
	config_memory_init(&memory, 1 << 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct connection_settings sealed = rows[i].connection, back = {.disabled = false};

		assert_int_equal(connection_seal(&sealed, &memory), 0);
		assert_string_equal(sealed.sealed, rows[i].sealed);
		assert_int_equal(connection_unseal(&back, slice_of_string(sealed.sealed), &memory), 0);
		same_text(back.api_key, sealed.api_key);
		same_text(back.access_key_id, sealed.access_key_id);
		same_text(back.secret_access_key, sealed.secret_access_key);
		same_text(back.session_token, sealed.session_token);
		same_text(back.sealed, sealed.sealed);
	}
	config_memory_fini(&memory);
}

/* Of a connection with AWS's three, or with a key: what a change of some of them leaves. */
static void keeps_what_goes_together(void **state)
{
	static const struct connection_settings aws = {
		.access_key_id = TEXT("a"), .secret_access_key = TEXT("s"), .session_token = TEXT("t")};
	static const struct connection_settings key = {.api_key = TEXT("k")};
	static const struct {
		const struct connection_settings *before;
		struct connection_settings after, expected;
	} rows[] = {
		{&aws, {0}, {.access_key_id = TEXT("a"), .secret_access_key = TEXT("s"), .session_token = TEXT("t")}},
		{&aws, {.session_token = TEXT("t2")},
			{.access_key_id = TEXT("a"), .secret_access_key = TEXT("s"), .session_token = TEXT("t2")}},
		{&aws, {.secret_access_key = TEXT("s2")},
			{.access_key_id = TEXT("a"), .secret_access_key = TEXT("s2"), .session_token = TEXT("t")}},
		{&aws, {.access_key_id = TEXT("a2")}, {.access_key_id = TEXT("a2")}},
		{&aws, {.api_key = TEXT("k2")}, {.api_key = TEXT("k2")}},
		{&key, {0}, {.api_key = TEXT("k")}},
		{&key, {.api_key = TEXT("k2")}, {.api_key = TEXT("k2")}},
		{&key, {.access_key_id = TEXT("a2")}, {.access_key_id = TEXT("a2")}},
		{&key, {.session_token = TEXT("t2")}, {.session_token = TEXT("t2")}},
	};
	struct config_memory memory;

	(void)state;
	config_memory_init(&memory, 1 << 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct connection_settings after = rows[i].after;

		connection_keep(&after, rows[i].before, &memory);
		same_text(after.api_key, rows[i].expected.api_key);
		same_text(after.access_key_id, rows[i].expected.access_key_id);
		same_text(after.secret_access_key, rows[i].expected.secret_access_key);
		same_text(after.session_token, rows[i].expected.session_token);
	}
	config_memory_fini(&memory);
}

static void says_what_a_kind_takes(void **state)
{
	static const struct {
		enum provider_kind kind;
		struct connection_settings connection;
		const char *param;
		bool missing;
	} rows[] = {
		{PROVIDER_OPENAI, {.api_key = TEXT("k")}, NULL, false},
		{PROVIDER_OPENAI, {0}, "api_key", true},
		{PROVIDER_OPENAI, {.api_key = TEXT("k"), .region = TEXT("r")}, "region", false},
		{PROVIDER_OPENAI, {.api_key = TEXT("k"), .api_version = TEXT("v")}, "api_version", false},
		{PROVIDER_AZURE, {.api_key = TEXT("k"), .api_version = TEXT("v")}, NULL, false},
		{PROVIDER_AZURE, {.api_version = TEXT("v")}, "api_key", true},
		{PROVIDER_BEDROCK, {.api_key = TEXT("k"), .region = TEXT("r")}, NULL, false},
		{PROVIDER_BEDROCK, {.access_key_id = TEXT("a"), .secret_access_key = TEXT("s")}, NULL, false},
		{PROVIDER_BEDROCK, {0}, "access_key_id", true},
		{PROVIDER_BEDROCK, {.secret_access_key = TEXT("s")}, "access_key_id", true},
		{PROVIDER_BEDROCK, {.access_key_id = TEXT("a")}, "secret_access_key", true},
		{PROVIDER_BEDROCK, {.api_key = TEXT("k"), .access_key_id = TEXT("a")}, "access_key_id", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct connection_problem problem = connection_check(&rows[i].connection, rows[i].kind);

		same_text(problem.param, rows[i].param);
		assert_int_equal(problem.missing, rows[i].missing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seals_and_unseals),
		cmocka_unit_test(keeps_what_goes_together),
		cmocka_unit_test(says_what_a_kind_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
