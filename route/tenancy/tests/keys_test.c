/* Keys: found by their secret alone, cache and reload, globs, address ranges, where a request carries its key. */
#include "proto/http/http.h"
#include "route/tenancy/keys.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

#include <cmocka.h>

enum { KEY_COUNT = 1000 };

static void secret_of(unsigned i, char text[static 32])
{
	snprintf(text, 32, "gw_virt_%u", i);
}

static void test_find(void **state)
{
	struct key_settings *keys = calloc(KEY_COUNT, sizeof(*keys));
	struct key_cache *cache = calloc(1, sizeof(*cache));
	struct settings settings = {.key_count = KEY_COUNT, .keys = keys};
	struct key_index *index, *second;
	char secret[32];

	(void)state;
	assert_non_null(keys);
	assert_non_null(cache);
	for (unsigned i = 0; i < KEY_COUNT; i++) {
		secret_of(i, secret);
		wc_Sha256Hash((const byte *)secret, (word32)strlen(secret), keys[i].secret_sha256);
	}
	index = key_index_make(&settings);
	assert_non_null(index);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < KEY_COUNT; i++) {
			secret_of(i, secret);
			for (unsigned again = 0; again < 2; again++)
				assert_ptr_equal(key_find(index, cache, slice_of_string(secret), 1), &keys[i]);
		}
	secret_of(KEY_COUNT, secret);
	assert_null(key_find(index, cache, slice_of_string(secret), 1));
	assert_null(key_find(index, cache, SLICE("gw_virt_"), 1));
	assert_null(key_find(index, cache, slice_of(NULL, 0), 1));

	/* A second index: what the cache knows of the first must not count. */
	settings.key_count = 1;
	second = key_index_make(&settings);
	assert_non_null(second);
	secret_of(1, secret);
	assert_ptr_equal(key_find(index, cache, slice_of_string(secret), 1), &keys[1]);
	assert_null(key_find(second, cache, slice_of_string(secret), 1));
	key_cache_wipe(cache);
	for (size_t i = 0; i < sizeof(*cache); i++)
		assert_int_equal(((const char *)cache)[i], 0);
	key_index_free(second);
	key_index_free(index);
	free(cache);
	free(keys);
}

static void test_long_secret(void **state)
{
	struct key_settings key = {.name = NULL};
	struct settings settings = {.key_count = 1, .keys = &key};
	struct key_cache *cache = calloc(1, sizeof(*cache));
	struct key_index *index;
	char secret[KEY_SECRET_BYTES_MAX + 1];

	(void)state;
	assert_non_null(cache);
	memset(secret, 's', sizeof(secret));
	for (size_t size = KEY_SECRET_BYTES_MAX; size <= KEY_SECRET_BYTES_MAX + 1; size++) {
		wc_Sha256Hash((const byte *)secret, (word32)size, key.secret_sha256);
		index = key_index_make(&settings);
		assert_non_null(index);
		for (unsigned again = 0; again < 2; again++)
			assert_ptr_equal(key_find(index, cache, slice_of(secret, size), 1), &key);
		assert_null(key_find(index, cache, slice_of(secret, size - 1), 1));
		key_index_free(index);
	}
	free(cache);
}

static void test_globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} rows[] = {
		{"*", "", true},
		{"*", "openai/gpt-4o", true},
		{"", "", true},
		{"", "a", false},
		{"openai/*", "openai/gpt-4o", true},
		{"openai/*", "anthropic/openai/x", false},
		{"*-mini", "openai/gpt-4o-mini", true},
		{"*-mini", "openai/gpt-4o-mini-2", false},
		{"*4o*mini*", "openai/gpt-4o-x-mini", true},
		{"gpt-?", "gpt-4", true},
		{"gpt-?", "gpt-", false},
		{"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXbXbX", false},
		{"**a", "bba", true},
		{"[a]", "a", false},
		{"*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	};
	char *models[] = {(char[]){"openai/*"}, (char[]){"x"}};
	struct key_settings key = {.models = {2, models}};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (glob_match(rows[i].pattern, slice_of_string(rows[i].text)) != rows[i].match)
			fail_msg("%s on %s", rows[i].pattern, rows[i].text);
	assert_true(key_allows_model(&key, SLICE("openai/gpt")));
	assert_true(key_allows_model(&key, SLICE("x")));
	assert_false(key_allows_model(&key, SLICE("xy")));
	key.models.count = 0;
	assert_false(key_allows_model(&key, SLICE("x")));
}

static void test_routing(void **state)
{
	static const struct {
		const char *allowed, *blocked, *name;
		bool model, provider; /* whether each may be used */
	} rows[] = {
		{NULL, NULL, "a/b", true, true},
		{"a/b", NULL, "a/b", true, true},
		{"a/*", NULL, "a/b", true, false}, /* providers go by name */
		{"c", NULL, "a/b", false, false},
		{NULL, "a/b", "a/b", false, false},
		{NULL, "a/*", "a/b", false, true},
		{"a/b", "a/b", "a/b", false, false},
		{"a/b", "c", "a/b", true, true},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *allowed = (char *)(uintptr_t)rows[i].allowed, *blocked = (char *)(uintptr_t)rows[i].blocked;
		const struct strings allowed_list = {allowed ? 1 : 0, &allowed},
				     blocked_list = {blocked ? 1 : 0, &blocked};
		const struct settings settings = {.routing.more = {.allowed_models = allowed_list,
							  .blocked_models = blocked_list,
							  .allowed_providers = allowed_list,
							  .blocked_providers = blocked_list}};

		assert_int_equal(routing_allows_model(&settings, slice_of_string(rows[i].name)), rows[i].model);
		assert_int_equal(routing_allows_provider(&settings, rows[i].name), rows[i].provider);
	}
}

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage address = {.ss_family = AF_INET};

	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&address)->sin_addr) != 1) {
		address.ss_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&address)->sin6_addr), 1);
	}
	return address;
}

static void test_addresses(void **state)
{
	static const struct {
		const char *range, *address;
		bool allowed;
	} rows[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"192.168.4.0/22", "192.168.7.255", true},
		{"192.168.4.0/22", "192.168.8.0", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.0.0.1/32", "127.0.0.1", true},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "10.0.0.1", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1", "2001:db8::1", true},
		{"::ffff:10.0.0.0/104", "10.9.9.9", true},
		{"::ffff:10.0.0.0/104", "11.9.9.9", false},
		{"10.0.0.0/33", "10.0.0.0", false},
		{"10.0.0.0/", "10.0.0.0", false},
		{"10.0.0.0/-1", "10.0.0.0", false},
		{"10.0.0.0/8x", "10.0.0.0", false},
		{"example", "10.0.0.0", false},
	};
	struct sockaddr_storage local = {.ss_family = AF_UNIX};
	struct strings none = {0, NULL};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_storage address = address_of(rows[i].address);
		char range[64], *list[] = {(char[]){"198.51.100.1"}, range};

		snprintf(range, sizeof(range), "%s", rows[i].range);
		if (address_allowed(&(struct strings){2, list}, &address) != rows[i].allowed)
			fail_msg("%s in %s", rows[i].address, rows[i].range);
		assert_true(address_allowed(&none, &address));
		assert_false(address_allowed(&(struct strings){2, list}, &local));
	}
}

static void test_presented(void **state)
{
	static const struct {
		const char *name, *value, *secret;
	} rows[] = {
		{"authorization", "Bearer K", "K"},
		{"Authorization", "bearer   K", "K"},
		{"authorization", "Basic K", NULL},
		{"authorization", "Bearer", NULL},
		{"x-api-key", "K", "K"},
		{"authorization", "BEARER a b", "a b"},
		{"proxy-authorization", "Bearer K", NULL},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_head head = {.header_count = 1};
		struct slice secret;

		head.headers[0] = (struct http_header){slice_of_string(rows[i].name), slice_of_string(rows[i].value)};
		secret = key_presented(&head);
		if (!rows[i].secret)
			assert_null(secret.data);
		else
			assert_true(slice_equal(secret, slice_of_string(rows[i].secret)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_long_secret),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_routing),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_presented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
