/* How many handshakes begin, told by counts alone: the time is the test's. */
#include "tls/ration.h"

#include "core/clock.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define START_NS (1000 * NS_PER_S)

static struct tls_ration *ration_open(uint32_t per_s, uint32_t per_ip_per_s)
{
	struct tls_ration *r = malloc(sizeof(*r));

	tls_ration_init(r, 0x0123456789abcdefull);
	r->per_s = per_s;
	r->per_ip_per_s = per_ip_per_s;
	return r;
}

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	else
		address.ss_family = AF_UNIX;
	return address;
}

static unsigned count(struct tls_ration *r, uint64_t now_ns, unsigned tries)
{
	unsigned taken = 0;

	while (tries--)
		taken += tls_ration_take(r, now_ns);
	return taken;
}

static unsigned count_from(struct tls_ration *r, const char *text, uint64_t now_ns, unsigned tries)
{
	struct sockaddr_storage address = address_of(text);
	unsigned taken = 0;

	while (tries--)
		taken += tls_ration_take_from(r, &address, now_ns);
	return taken;
}

static void test_a_burst_then_the_rate(void **state)
{
	struct tls_ration *r = ration_open(100, 0);

	(void)state;
	assert_int_equal(count(r, START_NS, 1000), 100);
	assert_int_equal(tls_ration_next_ns(r), START_NS + NS_PER_S / 100);
	assert_int_equal(count(r, START_NS + NS_PER_S / 100 - 1, 10), 0);
	assert_int_equal(count(r, START_NS + NS_PER_S / 100, 10), 1);
	assert_int_equal(count(r, START_NS + NS_PER_S / 2, 1000), 49);
	assert_int_equal(count(r, START_NS + 100 * NS_PER_S, 1000), 100);
	free(r);
}

static void test_no_bound(void **state)
{
	struct tls_ration *r = ration_open(0, 0);

	(void)state;
	assert_int_equal(count(r, START_NS, 100000), 100000);
	assert_int_equal(count_from(r, "192.0.2.1", START_NS, 100000), 100000);
	free(r);
}

static void test_each_address_has_its_own(void **state)
{
	static const struct {
		const char *address;
		unsigned taken;
	} table[] = {
		{"192.0.2.1", 5},
		{"192.0.2.1", 0},
		{"192.0.2.2", 5},
		{"::ffff:192.0.2.2", 0}, /* the same */
		{"2001:db8::1", 5},
		{"2001:db8::ffff:1", 0}, /* of the same network */
		{"2001:db8:0:1::1", 5},
		{"a socket of the file system", 20},
	};
	struct tls_ration *r = ration_open(0, 5);

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(count_from(r, table[i].address, START_NS, 20), table[i].taken);
	assert_int_equal(count_from(r, "192.0.2.1", START_NS + NS_PER_S / 5, 20), 1);
	assert_int_equal(count_from(r, "192.0.2.1", START_NS + 10 * NS_PER_S, 20), 5);
	free(r);
}

/* One that keeps on stays bounded while many others pass by once each. */
static void test_others_do_not_drive_it_out(void **state)
{
	struct tls_ration *r = ration_open(0, 5);
	struct sockaddr_storage other = address_of("10.0.0.0");

	(void)state;
	assert_int_equal(count_from(r, "192.0.2.1", START_NS, 20), 5);
	for (uint32_t i = 0; i < 100000; i++) {
		((struct sockaddr_in *)&other)->sin_addr.s_addr = htonl(0x0a000000 + i);
		assert_true(tls_ration_take_from(r, &other, START_NS));
	}
	assert_int_equal(count_from(r, "192.0.2.1", START_NS, 20), 0);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_then_the_rate),
		cmocka_unit_test(test_no_bound),
		cmocka_unit_test(test_each_address_has_its_own),
		cmocka_unit_test(test_others_do_not_drive_it_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
