/* Who a request comes from, by peer and by X-Forwarded-For. */
#include "route/tenancy/client_address.h"

#include "core/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char private_v4[] = "10.0.0.0/8", private_v6[] = "fd00::/8";
static char *trusted[] = {private_v4, private_v6};

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage address;

	assert_true(resolve_literal(slice_of_string(text), 0, &address));
	return address;
}

static void names_the_client(void **state)
{
	static const struct {
		const char *peer, *first, *second, *client;
	} table[] = {
		{"192.0.2.1", NULL, NULL, "192.0.2.1"},
		{"192.0.2.1", "198.51.100.7", NULL, "192.0.2.1"}, /* not a proxy: it may say what it likes */
		{"10.0.0.1", NULL, NULL, "10.0.0.1"},
		{"10.0.0.1", "198.51.100.7", NULL, "198.51.100.7"},
		{"10.0.0.1", "1.1.1.1, 198.51.100.7", NULL, "198.51.100.7"}, /* the first is the client's own word */
		{"10.0.0.1", "198.51.100.7, 10.9.9.9", NULL, "198.51.100.7"},
		{"10.0.0.1", "10.1.1.1,10.2.2.2", NULL, "10.1.1.1"},
		{"10.0.0.1", "1.1.1.1", "198.51.100.7", "198.51.100.7"}, /* a second header is the nearer one */
		{"10.0.0.1", "198.51.100.7", "10.3.3.3", "198.51.100.7"},
		{"10.0.0.1", " \t198.51.100.7\t ", NULL, "198.51.100.7"},
		{"10.0.0.1", "198.51.100.7:4711", NULL, "198.51.100.7"},
		{"10.0.0.1", "2001:db8::7", NULL, "2001:db8::7"},
		{"10.0.0.1", "[2001:db8::7]", NULL, "2001:db8::7"},
		{"10.0.0.1", "[2001:db8::7]:4711", NULL, "2001:db8::7"},
		{"fd00::1", "198.51.100.7", NULL, "198.51.100.7"},
		{"::ffff:10.0.0.1", "198.51.100.7", NULL, "198.51.100.7"},
		/* What is no address ends the list at whom it was heard from. */
		{"10.0.0.1", "unknown", NULL, "10.0.0.1"},
		{"10.0.0.1", "", NULL, "10.0.0.1"},
		{"10.0.0.1", "198.51.100.7,", NULL, "10.0.0.1"},
		{"10.0.0.1", "198.51.100.7, nobody, 10.2.2.2", NULL, "10.2.2.2"},
		{"10.0.0.1", "198.51.100.7:port", NULL, "10.0.0.1"},
		{"10.0.0.1", "198.51.100.7:123456", NULL, "10.0.0.1"},
		{"10.0.0.1", "198.51.100.700", NULL, "10.0.0.1"},
		{"10.0.0.1", "[", NULL, "10.0.0.1"},
		{"10.0.0.1", ":", NULL, "10.0.0.1"},
	};
	const struct strings proxies = {COUNT(trusted), trusted};
	struct http_head *head = calloc(1, sizeof(*head));

	(void)state;
	assert_non_null(head);
	for (size_t i = 0; i < COUNT(table); i++) {
		struct sockaddr_storage peer = address_of(table[i].peer), client;
		char memory[CLIENT_ADDRESS_TEXT_BYTES];
		struct text text = text_over(memory, sizeof(memory));

		head->header_count = 0;
		head->headers[head->header_count++] = (struct http_header){SLICE("Accept"), SLICE("8.8.8.8")};
		if (table[i].first)
			head->headers[head->header_count++] =
				(struct http_header){SLICE("X-Forwarded-For"), slice_of_string(table[i].first)};
		if (table[i].second)
			head->headers[head->header_count++] =
				(struct http_header){SLICE("x-forwarded-for"), slice_of_string(table[i].second)};
		client_address(&proxies, head, &peer, &client);
		client_address_print(&client, &text);
		if (!slice_equal(text_slice(&text), slice_of_string(table[i].client)))
			fail_msg("row %zu: %.*s", i, (int)text.size, text.data);
	}
	free(head);
}

static void nobody_is_trusted_by_default(void **state)
{
	const struct strings proxies = {0, NULL};
	struct http_head *head = calloc(1, sizeof(*head));
	struct sockaddr_storage peer = address_of("10.0.0.1"), client;

	(void)state;
	assert_non_null(head);
	head->headers[head->header_count++] = (struct http_header){SLICE("x-forwarded-for"), SLICE("8.8.8.8")};
	client_address(&proxies, head, &peer, &client);
	assert_memory_equal(&client, &peer, sizeof(peer));
	free(head);
}

static void prints_what_has_an_address(void **state)
{
	const struct sockaddr_storage none = {.ss_family = AF_UNSPEC};
	struct sockaddr_storage longest = address_of("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	char memory[CLIENT_ADDRESS_TEXT_BYTES];
	struct text text = text_over(memory, sizeof(memory));

	(void)state;
	client_address_print(&none, &text);
	assert_int_equal(text.size, 0);
	client_address_print(&longest, &text);
	assert_false(text.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_client),
		cmocka_unit_test(nobody_is_trusted_by_default),
		cmocka_unit_test(prints_what_has_an_address),
	};

	return cmocka_run_group_tests_name("client_address", tests, NULL, NULL);
}
