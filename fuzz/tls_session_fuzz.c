/*
 * Fuzzes TLS sessions: wolfSSL as it is driven here, from records that come in any pieces. Two sessions, a client's and
 * a server's, without a socket between them; entropy and time stand still, so that an input does the same each time.
 *
 * An input: a letter for what is done, a byte that seeds the pieces, then bytes:
 *   a  they come to a server;  b  they come to a client;  c, d  the same, after a handshake
 *   e  pairs of bytes change what the two say to each other: how many bytes on, and what is flipped there
 *   f  nothing is changed: what one writes the other reads, whole and in order, and then the end
 */
#include "core/clock.h"
#include "core/rand.h"
#include "fuzz/input.h"
#include "tls/server.h"
#include "tls/session.h"
#include "tls/tests/authority.h"
#include "tls/ticket.h"

#include <errno.h>

enum { TRAFFIC_BYTES = 256 * 1024, TURNS_MAX = 8 };

static _Thread_local uint64_t chance;

uint64_t clock_monotonic_ns(void)
{
	return NS_PER_S;
}

uint64_t clock_wall_ns(void)
{
	return 1700000000 * NS_PER_S;
}

void rand_system(void *bytes, size_t size)
{
	struct rand rand;

	rand_seed(&rand, ++chance);
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = (uint8_t)rand_u64(&rand);
}

struct pair {
	struct shard shard;
	struct tls_worker *worker;
	struct tls_listener listener;
	struct tls_tickets *tickets;
	struct tls_target target;
	struct tls_session client, server;
	struct cuts cuts;
	struct input *flips; /* NULL: none */
	size_t until_flip;
	char traffic[TRAFFIC_BYTES];
};

static _Thread_local struct tls_server *server;
static _Thread_local struct tls_client *client;
static _Thread_local struct pair pair;

static void make_certificates(void)
{
	struct authority *authority = authority_open();
	struct tls_tickets *tickets = tls_tickets_make();
	struct tls_key_pair key_pair;
	struct tls_server_options options = {.pairs = &key_pair, .pair_count = 1, .tickets = tickets};
	struct tls_client_options client_options;
	char why[256];

	assert(tickets);
	authority_issue(authority, "a.example");
	key_pair = (struct tls_key_pair){
		authority_path(authority, "a.example", ".pem"), authority_path(authority, "a.example", ".key")};
	client_options = (struct tls_client_options){.ca = authority_path(authority, "issuer", ".pem")};
	assert(tls_server_make(&server, &options, why, sizeof(why)) == 0);
	assert(tls_client_make(&client, &client_options, why, sizeof(why)) == 0);
	authority_close(authority);
	pair.tickets = tickets;
}

static void open_pair(void)
{
	if (!server)
		make_certificates();
	chance = 1000;
	list_init(&pair.shard.turn_end);
	assert(tls_worker_open(&pair.worker, &pair.shard) == 0);
	pair.listener = (struct tls_listener){pair.worker, server};
	assert(tls_target_set(&pair.target, client, SLICE("a.example")) == 0);
	tls_session_accept(&pair.server, &pair.listener);
	assert(tls_session_connect(&pair.client, pair.worker, &pair.target) == 0);
}

static void close_pair(void)
{
	tls_session_fini(&pair.client);
	tls_session_fini(&pair.server);
	tls_target_fini(&pair.target);
	tls_worker_close(pair.worker);
}

static size_t take_output(struct tls_session *from)
{
	size_t size = 0;

	for (unsigned count; (count = tls_output_take(&from->output));) {
		for (unsigned i = 0; i < count; i++) {
			struct iovec *v = &from->output.vectors[i];

			assert(size + v->iov_len <= TRAFFIC_BYTES);
			memcpy(pair.traffic + size, v->iov_base, v->iov_len);
			size += v->iov_len;
		}
		tls_output_landed(&pair.worker->outputs, &from->output);
	}
	return size;
}

static void flip(char *bytes, size_t size)
{
	while (pair.flips && pair.until_flip < size) {
		bytes[pair.until_flip] ^= (char)input_byte(pair.flips);
		pair.until_flip += 1 + 8 * (size_t)input_byte(pair.flips);
		if (pair.flips->at == pair.flips->end)
			pair.flips = NULL;
	}
	pair.until_flip -= pair.until_flip < size ? pair.until_flip : size;
}

/* Reads what is there, appending it to `record`. False: nothing more will come. */
static bool read_session(struct tls_session *to, struct text *record)
{
	for (;;) {
		struct buffer *buffer = tls_worker_buffer(pair.worker);
		int rc = tls_session_read(to, buffer);

		if (rc > 0 && record)
			text_add(record, slice_of(buffer->data, (size_t)rc));
		buffer_give(&buffer);
		if (rc <= 0)
			return rc == -EAGAIN;
	}
}

/* Gives `bytes` to a session in pieces, as a stream would. False: it has ended or failed. */
static bool give(struct tls_session *to, struct slice bytes, struct text *record)
{
	while (bytes.size) {
		size_t n = cuts_next(&pair.cuts, bytes.size < TLS_RECORD_MAX_BYTES ? bytes.size : TLS_RECORD_MAX_BYTES);
		struct buffer *buffer = tls_worker_buffer(pair.worker);
		bool taken;

		memcpy(buffer->data, bytes.data, n);
		buffer->used_bytes = (uint32_t)n;
		taken = tls_session_feed(to, buffer);
		buffer_give(&buffer);
		if (!taken)
			return false;
		if (!to->established && tls_session_handshake(to) == TLS_STEP_FAILED)
			return false;
		if (to->established && !read_session(to, record))
			return false;
		tls_session_keep(to);
		bytes = slice_after(bytes, n);
	}
	return true;
}

static bool carry(struct tls_session *from, struct tls_session *to, struct text *record)
{
	size_t size = take_output(from);

	flip(pair.traffic, size);
	return give(to, slice_of(pair.traffic, size), record);
}

static bool shake_hands(void)
{
	bool goes_on = tls_session_handshake(&pair.client) != TLS_STEP_FAILED;

	for (int i = 0; goes_on && i < TURNS_MAX && !(pair.client.established && pair.server.established); i++)
		goes_on = carry(&pair.client, &pair.server, NULL) && carry(&pair.server, &pair.client, NULL);
	return pair.client.established && pair.server.established;
}

/* What came through is what was written, or its beginning. */
static void talk(struct tls_session *from, struct tls_session *to, bool unchanged)
{
	static char plain[40000], read[sizeof(plain) + 1];
	struct text record = text_over(read, sizeof(read));
	struct iovec iov[] = {{plain, 1}, {plain + 1, 99}, {plain + 100, sizeof(plain) - 100}};
	struct tls_cursor cursor = {iov, 3, 0};

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (char)(i * 7 + (i >> 8));
	while (cursor.count && tls_session_seal(from, &cursor) == 0)
		;
	tls_session_end(from);
	carry(from, to, &record);
	assert(!record.full && memcmp(read, plain, record.size) == 0);
	assert(!unchanged || record.size == sizeof(plain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	unsigned what = input_byte(&input) % 6; /* 'a' is 1 */
	uint8_t seed = input_byte(&input);

	open_pair();
	pair.cuts = cuts_drawn(seed);
	pair.flips = what == 5 ? &input : NULL;
	pair.until_flip = pair.flips ? 2 * (size_t)input_byte(&input) : 0;
	if (what == 3 || what == 4)
		assert(shake_hands());
	if (what == 1 || what == 3) {
		give(&pair.server, input_rest(&input), NULL);
	} else if (what == 2 || what == 4) {
		if (what == 2)
			tls_session_handshake(&pair.client);
		give(&pair.client, input_rest(&input), NULL);
	} else if (shake_hands()) {
		talk(&pair.server, &pair.client, what == 0);
		talk(&pair.client, &pair.server, what == 0);
	} else {
		assert(what == 5);
	}
	close_pair();
	return 0;
}
