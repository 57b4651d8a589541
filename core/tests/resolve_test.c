/*
 * The resolver without a network: literals, loopback by its name, names that cannot be, and closing with queries in
 * flight. shard_post() is this test's own: answers arrive in a mailbox that the test waits on.
 */
#include "core/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

struct asked {
	struct resolve_query query;
	unsigned done;
};

static sem_t posted;

void shard_post(struct shard *shard, struct letter *letter, struct shard *from)
{
	assert_null(from);
	mailbox_post(&shard->mailbox, letter);
	sem_post(&posted);
}

static void on_done(struct resolve_query *query)
{
	container_of(query, struct asked, query)->done++;
}

static void ask(struct resolver *resolver, struct shard *shard, struct asked *asked, const char *name)
{
	*asked = (struct asked){.query = {.shard = shard, .done = on_done, .port = 443}};
	assert_true(strlen(name) < sizeof(asked->query.name));
	memcpy(asked->query.name, name, strlen(name) + 1);
	resolve_start(resolver, &asked->query);
}

static void wait_for(struct shard *shard, struct asked *asked)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	while (!asked->done) {
		assert_int_equal(sem_timedwait(&posted, &until), 0);
		mailbox_open_all(&shard->mailbox);
	}
	assert_int_equal(asked->done, 1);
}

static void begin(struct resolver **resolver, struct shard *shard)
{
	char why[200];

	memset(shard, 0, sizeof(*shard));
	mailbox_init(&shard->mailbox);
	sem_init(&posted, 0, 0);
	assert_int_equal(resolver_open(resolver, why, sizeof(why)), 0);
}

static void test_literals(void **state)
{
	static const struct {
		struct slice name;
		sa_family_t family;
		const char *address;
	} rows[] = {
		{SLICE("127.0.0.1"), AF_INET, "127.0.0.1"},
		{SLICE("::1"), AF_INET6, "::1"},
		{SLICE("[2001:db8::1]"), AF_INET6, "2001:db8::1"},
		{SLICE("::ffff:10.0.0.1"), AF_INET6, "::ffff:10.0.0.1"},
		{SLICE("localhost"), 0, NULL},
		{SLICE(""), 0, NULL},
		{SLICE("[]"), 0, NULL},
		{SLICE("127.0.0.1\0x"), 0, NULL},
		{SLICE("127.0.0.256"), 0, NULL},
		{SLICE("1:2:3:4:5:6:7:8:1:2:3:4:5:6:7:8:1:2:3:4:5:6:7:8:1:2:3:4:5:6"), 0, NULL},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_storage address;
		bool literal = resolve_literal(rows[i].name, 8080, &address);
		char text[INET6_ADDRSTRLEN];

		assert_int_equal(literal, rows[i].address != NULL);
		if (!literal)
			continue;
		assert_int_equal(address.ss_family, rows[i].family);
		if (rows[i].family == AF_INET) {
			struct sockaddr_in *v4 = (struct sockaddr_in *)&address;

			assert_int_equal(ntohs(v4->sin_port), 8080);
			inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
		} else {
			struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

			assert_int_equal(ntohs(v6->sin6_port), 8080);
			inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		}
		assert_string_equal(text, rows[i].address);
	}
}

static void expect_loopback(const struct resolve_query *query)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&query->addresses[0];
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&query->addresses[1];

	assert_int_equal(query->result, 0);
	assert_int_equal(query->count, 2);
	assert_int_equal(v4->sin_family, AF_INET);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(ntohs(v4->sin_port), 443);
	assert_int_equal(v6->sin6_family, AF_INET6);
	assert_memory_equal(&v6->sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback));
	assert_int_equal(ntohs(v6->sin6_port), 443);
	assert_true(query->ttl_s > 3600); /* no file and no server was asked */
}

static void test_localhost(void **state)
{
	static const char *const names[] = {"localhost", "LocalHost", "localhost.", "api.localhost", "a.b.localhost."};
	struct resolver *resolver;
	struct shard shard;
	struct asked asked;

	(void)state;
	begin(&resolver, &shard);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ask(resolver, &shard, &asked, names[i]);
		wait_for(&shard, &asked);
		expect_loopback(&asked.query);
	}

	ask(resolver, &shard, &asked, "no-such-name.Invalid.");
	assert_int_equal(asked.done, 0); /* by letter, as any other */
	mailbox_open_all(&shard.mailbox);
	assert_int_equal(asked.done, 1); /* and at once */
	assert_int_equal(asked.query.result, -ENOENT);
	assert_int_equal(sem_wait(&posted), 0);

	ask(resolver, &shard, &asked, "192.0.2.7");
	wait_for(&shard, &asked);
	assert_int_equal(asked.query.result, 0);
	assert_int_equal(asked.query.count, 1);
	assert_true(asked.query.ttl_s > 0);

	ask(resolver, &shard, &asked, "a..b");
	wait_for(&shard, &asked);
	assert_true(asked.query.result < 0);
	assert_int_equal(asked.query.count, 0);
	resolver_close(resolver);
	sem_destroy(&posted);
}

/* Whatever the network is, each query is answered exactly once by the time that close returns. */
static void test_close_answers_all(void **state)
{
	enum { QUERY_COUNT = 32 };
	struct asked *asked = calloc(QUERY_COUNT, sizeof(*asked));
	struct resolver *resolver;
	struct shard shard;

	(void)state;
	assert_non_null(asked);
	begin(&resolver, &shard);
	for (unsigned i = 0; i < QUERY_COUNT; i++)
		ask(resolver, &shard, &asked[i], "name-in-flight.test");
	resolver_close(resolver);
	mailbox_open_all(&shard.mailbox);
	for (unsigned i = 0; i < QUERY_COUNT; i++) {
		assert_int_equal(asked[i].done, 1);
		assert_true(asked[i].query.result < 0);
	}
	sem_destroy(&posted);
	free(asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_localhost),
		cmocka_unit_test(test_close_answers_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
