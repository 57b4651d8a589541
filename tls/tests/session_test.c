/*
 * Two sessions without a socket between them: bytes are carried by hand, in pieces of any size. The clock is the
 * test's, so that certificates expire when it says.
 */
#include "tls/session.h"

#include "core/clock.h"
#include "tls/server.h"
#include "tls/tests/authority.h"
#include "tls/ticket.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

enum { FLIGHT_BYTES = 1 << 20 };

static uint64_t wall_ns = 1700000000 * NS_PER_S; /* the linker takes these clocks for the real ones */

uint64_t clock_monotonic_ns(void)
{
	return wall_ns;
}

uint64_t clock_wall_ns(void)
{
	return wall_ns;
}

struct world {
	struct authority *authority;
	struct shard shard; /* of hooks alone */
	struct tls_worker *worker;
	struct tls_listener listener;
	struct tls_tickets *tickets;
	struct tls_client *client;
	struct tls_target target;
	struct tls_session here, there; /* client, server */
	const char *shown;              /* the client's certificate; NULL: none */
	char bytes[FLIGHT_BYTES];
};

static struct tls_server *make_server(struct world *w, const char *name, const char *client_ca, bool allow_12)
{
	struct tls_key_pair pair = {
		authority_path(w->authority, name, ".pem"), authority_path(w->authority, name, ".key")};
	struct tls_server_options options = {
		.pairs = &pair, .pair_count = 1, .client_ca = client_ca, .tickets = w->tickets, .allow_12 = allow_12};
	struct tls_server *server = NULL;
	char why[256];

	assert_int_equal(tls_server_make(&server, &options, why, sizeof(why)), 0);
	return server;
}

static struct world *world_open(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct tls_client_options options = {.ca = NULL};
	char why[256];

	w->authority = authority_open();
	authority_issue(w->authority, "a.example");
	list_init(&w->shard.turn_end);
	assert_int_equal(tls_worker_open(&w->worker, &w->shard), 0);
	w->tickets = tls_tickets_make();
	w->listener = (struct tls_listener){w->worker, make_server(w, "a.example", NULL, false)};
	options.ca = authority_path(w->authority, "issuer", ".pem");
	assert_int_equal(tls_client_make(&w->client, &options, why, sizeof(why)), 0);
	assert_int_equal(tls_target_set(&w->target, w->client, SLICE("a.example")), 0);
	return w;
}

static void end_sessions(struct world *w)
{
	tls_session_fini(&w->here);
	tls_session_fini(&w->there);
}

static void world_close(struct world *w)
{
	tls_target_fini(&w->target);
	tls_client_give(&w->client);
	tls_server_give(&w->listener.server);
	tls_worker_close(w->worker);
	tls_tickets_free(w->tickets);
	authority_close(w->authority);
	free(w);
}

/* All that `from` has to send, into `w->bytes`. */
static size_t take_output(struct world *w, struct tls_session *from)
{
	size_t size = 0;

	for (unsigned count; (count = tls_output_take(&from->output));) {
		for (unsigned i = 0; i < count; i++) {
			assert_true(size + from->output.vectors[i].iov_len <= sizeof(w->bytes));
			memcpy(w->bytes + size, from->output.vectors[i].iov_base, from->output.vectors[i].iov_len);
			size += from->output.vectors[i].iov_len;
		}
		tls_output_landed(&w->worker->outputs, &from->output);
	}
	return size;
}

static void feed(struct world *w, struct tls_session *to, const char *bytes, size_t size)
{
	struct buffer *buffer = tls_worker_buffer(w->worker);

	assert_true(size <= buffer->capacity_bytes);
	memcpy(buffer->data, bytes, size);
	buffer->used_bytes = (uint32_t)size;
	assert_true(tls_session_feed(to, buffer));
	buffer_give(&buffer);
}

/* Carries what `from` has to send, `piece` bytes at a time; the last step that was other than to wait. */
static enum tls_step carry(struct world *w, struct tls_session *from, struct tls_session *to, size_t piece)
{
	size_t size = take_output(w, from);
	enum tls_step step = TLS_STEP_WAIT;

	for (size_t at = 0; at < size && step != TLS_STEP_FAILED; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		feed(w, to, w->bytes + at, n);
		if (!to->established)
			step = tls_session_handshake(to);
		if (step == TLS_STEP_WAIT)
			tls_session_keep(to);
	}
	return step;
}

static void show_certificate(struct world *w)
{
	WOLFSSL *ssl = w->here.ssl;

	assert_int_equal(
		wolfSSL_use_certificate_file(ssl, authority_path(w->authority, w->shown, ".pem"), WOLFSSL_FILETYPE_PEM),
		WOLFSSL_SUCCESS);
	assert_int_equal(
		wolfSSL_use_PrivateKey_file(ssl, authority_path(w->authority, w->shown, ".key"), WOLFSSL_FILETYPE_PEM),
		WOLFSSL_SUCCESS);
}

static enum tls_step shake_hands(struct world *w, size_t piece)
{
	enum tls_step step = TLS_STEP_WAIT;

	tls_session_accept(&w->there, &w->listener);
	assert_int_equal(tls_session_connect(&w->here, w->worker, &w->target), 0);
	if (w->shown)
		show_certificate(w);
	assert_int_equal(tls_session_handshake(&w->here), TLS_STEP_WAIT);
	for (int i = 0; i < 6 && step != TLS_STEP_FAILED && !(w->here.established && w->there.established); i++) {
		step = carry(w, &w->here, &w->there, piece);
		if (step != TLS_STEP_FAILED)
			step = carry(w, &w->there, &w->here, piece);
	}
	return w->here.established && w->there.established ? TLS_STEP_DONE : step;
}

/* What `to` reads of what `from` sent so far. */
static size_t read_all(struct world *w, struct tls_session *to, char *plain, size_t capacity, int *end)
{
	size_t size = 0;

	for (;;) {
		struct buffer *buffer = tls_worker_buffer(w->worker);
		int rc = tls_session_read(to, buffer);

		if (rc > 0) {
			assert_true(size + (size_t)rc <= capacity);
			memcpy(plain + size, buffer->data, (size_t)rc);
			size += (size_t)rc;
		}
		buffer_give(&buffer);
		if (rc <= 0) {
			*end = rc;
			return size;
		}
	}
}

static void test_any_splitting(void **state)
{
	static const size_t pieces[] = {1, 2, 5, 6, 100, 1400, TLS_RECORD_MAX_BYTES};
	static char plain[100000], got[100000];
	struct world *w = world_open();

	(void)state;
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (char)(i * 31 + (i >> 9));
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct iovec iov[] = {
			{plain, 3}, {plain + 3, 0}, {plain + 3, 40000}, {plain + 40003, sizeof(plain) - 40003}};
		struct tls_cursor cursor = {iov, 4, 0};
		unsigned records = 0;
		size_t size;
		int end;

		assert_int_equal(shake_hands(w, pieces[i]), TLS_STEP_DONE);
		while (cursor.count) {
			assert_int_equal(tls_session_seal(&w->here, &cursor), 0);
			records++;
		}
		assert_true(records <= 8); /* of 16 KB: 100,000 bytes are 6.1 */
		tls_session_end(&w->here);
		size = 0;
		for (size_t at = 0, all = take_output(w, &w->here); at < all; at += pieces[i]) {
			feed(w, &w->there, w->bytes + at, all - at < pieces[i] ? all - at : pieces[i]);
			size += read_all(w, &w->there, got + size, sizeof(got) - size, &end);
		}
		assert_int_equal(size, sizeof(plain));
		assert_int_equal(end, 0);
		assert_memory_equal(got, plain, sizeof(plain));
		end_sessions(w);
	}
	world_close(w);
}

static void test_resumes_on_any_worker_until_keys_are_gone(void **state)
{
	struct world *w = world_open();
	char byte;
	int end;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct iovec iov = {"x", 1};
		struct tls_cursor cursor = {&iov, 1, 0};

		if (i == 3)
			wall_ns += 2ull * TLS_TICKET_ROTATION_S * NS_PER_S;
		assert_int_equal(shake_hands(w, 1400), TLS_STEP_DONE);
		assert_int_equal(tls_session_is_resumed(&w->there), i == 1 || i == 2);
		assert_int_equal(tls_session_is_resumed(&w->here), i == 1 || i == 2);
		assert_int_equal(tls_session_seal(&w->there, &cursor), 0);
		carry(w, &w->there, &w->here, 1400);
		assert_int_equal(read_all(w, &w->here, &byte, 1, &end), 1);
		end_sessions(w);
	}
	assert_int_equal(w->worker->counts.full[TLS_SERVER_SIDE], 2);
	assert_int_equal(w->worker->counts.resumed[TLS_CLIENT_SIDE], 2);
	world_close(w);
}

static void test_who_is_not_trusted(void **state)
{
	static const struct {
		const char *host;
		bool other_issuer;
		unsigned days_later;
		enum tls_cause cause;
		bool told;
	} table[] = {
		{"b.example", false, 0, TLS_CAUSE_WRONG_HOST, true},
		{"127.0.0.1", false, 0, TLS_CAUSE_WRONG_HOST, false}, /* seen when all has been said */
		{"a.example", true, 0, TLS_CAUSE_UNKNOWN_ISSUER, true},
		{"a.example", false, 40, TLS_CAUSE_EXPIRED, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct world *w = world_open();
		struct authority *other = authority_open();
		struct tls_client_options options = {.ca = authority_path(other, "issuer", ".pem")};
		struct tls_client *stranger;
		char why[256];

		assert_int_equal(tls_client_make(&stranger, &options, why, sizeof(why)), 0);
		assert_int_equal(tls_target_set(&w->target, table[i].other_issuer ? stranger : w->client,
					 slice_of_string(table[i].host)),
			0);
		wall_ns += table[i].days_later * 86400ull * NS_PER_S;
		assert_int_equal(shake_hands(w, 1400), TLS_STEP_FAILED);
		assert_string_equal(tls_cause_name(w->here.cause), tls_cause_name(table[i].cause));
		/* The alert says so to the server. */
		if (table[i].told) {
			assert_int_equal(carry(w, &w->here, &w->there, 1400), TLS_STEP_FAILED);
			assert_int_equal(w->there.cause, TLS_CAUSE_REFUSED);
		}
		end_sessions(w);
		tls_client_give(&stranger);
		authority_close(other);
		world_close(w);
	}
}

static void test_insecure_trusts_anybody(void **state)
{
	struct world *w = world_open();
	struct tls_client_options options = {.insecure = true};
	struct tls_client *anybody;
	char why[256];

	(void)state;
	assert_int_equal(tls_client_make(&anybody, &options, why, sizeof(why)), 0);
	assert_int_equal(tls_target_set(&w->target, anybody, SLICE("other.example")), 0);
	assert_int_equal(shake_hands(w, 1400), TLS_STEP_DONE);
	end_sessions(w);
	tls_client_give(&anybody);
	world_close(w);
}

static void test_client_without_certificate_is_refused(void **state)
{
	struct world *w = world_open();

	(void)state;
	tls_server_give(&w->listener.server);
	w->listener.server = make_server(w, "a.example", authority_path(w->authority, "issuer", ".pem"), false);
	assert_int_equal(shake_hands(w, 1400), TLS_STEP_FAILED);
	assert_int_equal(w->there.cause, TLS_CAUSE_NO_CERTIFICATE);
	end_sessions(w);
	world_close(w);
}

static void test_a_client_certificate_says_who_it_is(void **state)
{
	struct world *w = world_open();

	(void)state;
	tls_server_give(&w->listener.server);
	w->listener.server = make_server(w, "a.example", authority_path(w->authority, "issuer", ".pem"), false);
	authority_issue(w->authority, "app.example");
	w->shown = "app.example";
	assert_int_equal(shake_hands(w, 1400), TLS_STEP_DONE);
	assert_true(slice_starts_with(w->there.identity, SLICE("Hash=")));
	assert_true(slice_equal(slice_after(w->there.identity, 69), SLICE(";Subject=\"CN=app.example\"")));
	assert_int_equal(w->here.identity.size, 0); /* who a server is, its host's name tells */
	end_sessions(w);
	world_close(w);
}

/* Connections that stand, or are on their way, outlive the certificates they began with. */
static void test_certificates_change_under_a_connection(void **state)
{
	struct world *w = world_open();
	char byte;
	int end;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct iovec iov = {"x", 1};
		struct tls_cursor cursor = {&iov, 1, 0};

		assert_int_equal(shake_hands(w, 1400), TLS_STEP_DONE);
		authority_issue(w->authority, "a.example");
		tls_server_give(&w->listener.server);
		w->listener.server = make_server(w, "a.example", NULL, false);
		assert_int_equal(tls_session_seal(&w->there, &cursor), 0);
		carry(w, &w->there, &w->here, 1400);
		assert_int_equal(read_all(w, &w->here, &byte, 1, &end), 1);
		end_sessions(w);
	}
	world_close(w);
}

static void test_certificate_files(void **state)
{
	struct world *w = world_open();
	struct tls_server *server;
	char why[256], cert[128], key[128], other_key[128];
	struct tls_key_pair pair;
	struct tls_server_options options = {.pairs = &pair, .pair_count = 1};

	(void)state;
	authority_issue(w->authority, "b.example");
	snprintf(cert, sizeof(cert), "%s", authority_path(w->authority, "a.example", ".pem"));
	snprintf(key, sizeof(key), "%s", authority_path(w->authority, "a.example", ".key"));
	snprintf(other_key, sizeof(other_key), "%s", authority_path(w->authority, "b.example", ".key"));
	const struct {
		const char *cert, *key, *why;
	} table[] = {
		{cert, other_key, "does not belong to the certificate"},
		{key, key, "holds no certificate"},
		{cert, cert, "holds no private key"},
		{"/nonexistent.pem", key, "No such file"},
		{"/tmp", key, "no PEM file"},
		{cert, "/dev/null", "no PEM file"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		pair = (struct tls_key_pair){table[i].cert, table[i].key};
		assert_true(tls_server_make(&server, &options, why, sizeof(why)) < 0);
		if (!strstr(why, table[i].why))
			fail_msg("%s instead of %s", why, table[i].why);
	}
	assert_int_equal(tls_server_not_after_s(w->listener.server) - (int64_t)(wall_ns / NS_PER_S) > 29 * 86400, 1);
	world_close(w);
}

static void test_broken_records(void **state)
{
	struct world *w = world_open();
	static const struct {
		const char *bytes;
		size_t size;
		bool alert; /* wolfSSL just closes over a head that is wrong */
	} table[] = {
		{"\x17\x03\x03\x00\x20"
		 "0123456789abcdef0123456789abcdef",
			37, true},                                 /* its tag is wrong */
		{"\x17\x03\x03\xff\xff", 5, false},                /* too long */
		{"\x16\x03\x03\x00\x04\x01\x00\x00\x00", 9, true}, /* another hello in clear text */
		{"GET / HTTP/1.1\r\n\r\n", 18, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char byte;
		int end;

		assert_int_equal(shake_hands(w, 1400), TLS_STEP_DONE);
		take_output(w, &w->there);
		feed(w, &w->there, table[i].bytes, table[i].size);
		assert_int_equal(read_all(w, &w->there, &byte, 1, &end), 0);
		assert_int_equal(end, -EPROTO);
		assert_int_equal(w->there.cause, TLS_CAUSE_PROTOCOL);
		assert_int_equal(take_output(w, &w->there) > 0, table[i].alert);
		end_sessions(w);
	}
	world_close(w);
}

/* Any one byte of the handshake changed: it fails on one side or the other, and nothing worse. */
static void test_changed_bytes(void **state)
{
	struct world *w = world_open();

	(void)state;
	for (size_t at = 0;; at++) {
		enum tls_step step;
		size_t size;

		tls_session_accept(&w->there, &w->listener);
		assert_int_equal(tls_session_connect(&w->here, w->worker, &w->target), 0);
		tls_session_handshake(&w->here);
		size = take_output(w, &w->here);
		if (at < size) {
			w->bytes[at] ^= 1;
			feed(w, &w->there, w->bytes, size);
			step = tls_session_handshake(&w->there);
			if (step == TLS_STEP_WAIT)
				step = carry(w, &w->there, &w->here, TLS_RECORD_MAX_BYTES);
			/* Nothing covers a hello's record version, which nobody looks at: RFC 8446 section 5.1. */
			assert_int_equal(step == TLS_STEP_DONE, at == 2);
		}
		end_sessions(w);
		if (at >= size)
			break;
	}
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_splitting),
		cmocka_unit_test(test_resumes_on_any_worker_until_keys_are_gone),
		cmocka_unit_test(test_who_is_not_trusted),
		cmocka_unit_test(test_insecure_trusts_anybody),
		cmocka_unit_test(test_a_client_certificate_says_who_it_is),
		cmocka_unit_test(test_client_without_certificate_is_refused),
		cmocka_unit_test(test_certificates_change_under_a_connection),
		cmocka_unit_test(test_certificate_files),
		cmocka_unit_test(test_broken_records),
		cmocka_unit_test(test_changed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
