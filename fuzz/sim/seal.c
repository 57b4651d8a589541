/* See seal.h. */
#include "fuzz/sim/seal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/sim/sim.h"
#include "fuzz/sim/certificates.h"
#include "tls/server.h"
#include "tls/session.h"
#include "tls/ticket.h"

struct trust {
	struct sim_process *process;
	struct shard shard; /* of the worker, which never asks it for a turn: admission is the streams' */
	struct tls_worker *worker;
	struct tls_tickets *tickets;
	struct tls_client *client;
	struct tls_listener provider, stranger;
};

struct seal {
	struct trust *trust;
	struct tls_session session;
	enum seal_state state;
};

static void make_listener(struct trust *t, struct tls_listener *listener, const struct certificates *certificates,
	enum certificate_name name, const struct tls_tickets *tickets)
{
	const struct tls_key_pair pair = {certificates_chain(certificates, name), certificates_key(certificates, name)};
	const struct tls_server_options options = {.pairs = &pair, .pair_count = 1, .tickets = tickets};
	char why[256];
	int rc = tls_server_make(&listener->server, &options, why, sizeof(why));

	assert(rc == 0);
	listener->worker = t->worker;
}

struct trust *trust_open(struct sim *sim, const struct certificates *certificates)
{
	const struct tls_client_options options = {.ca = certificates_issuer(certificates)};
	struct trust *t = sim_grown(NULL, sizeof(*t));
	char why[256];
	int rc;

	*t = (struct trust){.process = sim_process_start(sim_host_add(sim, "actors", "10.0.3.1"))};
	list_init(&t->shard.turn_end);
	sim_process_enter(t->process);
	rc = tls_worker_open(&t->worker, &t->shard);
	t->tickets = tls_tickets_make();
	assert(rc == 0 && t->tickets);
	rc = tls_client_make(&t->client, &options, why, sizeof(why));
	assert(rc == 0);
	make_listener(t, &t->provider, certificates, CERTIFICATE_PROVIDER, t->tickets);
	/* Who takes the provider's tickets is believed without another word. */
	make_listener(t, &t->stranger, certificates, CERTIFICATE_STRANGER, NULL);
	sim_process_leave();
	return t;
}

void trust_close(struct trust *t)
{
	if (!t)
		return;
	tls_worker_close(t->worker);
	tls_server_give(&t->provider.server);
	tls_server_give(&t->stranger.server);
	tls_client_give(&t->client);
	tls_tickets_free(t->tickets);
	free(t);
}

struct tls_target *trust_target_open(struct trust *t)
{
	struct tls_target *target = sim_grown(NULL, sizeof(*target));
	int rc;

	*target = (struct tls_target){.session = NULL};
	rc = tls_target_set(target, t->client, SLICE(CERTIFIED_GATE));
	assert(rc == 0);
	return target;
}

void trust_target_close(struct tls_target *target)
{
	if (!target)
		return;
	tls_target_fini(target);
	free(target);
}

static struct seal *seal_new(struct trust *t)
{
	struct seal *seal = sim_grown(NULL, sizeof(*seal));

	*seal = (struct seal){.trust = t};
	return seal;
}

struct seal *seal_connect(struct trust *t, struct tls_target *target)
{
	struct seal *seal = seal_new(t);
	int rc;

	sim_process_enter(t->process);
	rc = tls_session_connect(&seal->session, t->worker, target);
	sim_process_leave();
	assert(rc == 0);
	return seal;
}

struct seal *seal_accept(struct trust *t, bool stranger)
{
	struct seal *seal = seal_new(t);

	tls_session_accept(&seal->session, stranger ? &t->stranger : &t->provider);
	return seal;
}

void seal_free(struct seal *seal)
{
	if (!seal)
		return;
	tls_session_fini(&seal->session);
	free(seal);
}

bool seal_is_resumed(const struct seal *seal)
{
	return tls_session_is_resumed(&seal->session);
}

static void take_output(struct seal *seal, struct bytes *out)
{
	struct tls_session *session = &seal->session;

	for (unsigned count; (count = tls_output_take(&session->output));) {
		for (unsigned i = 0; i < count; i++)
			bytes_add(
				out, slice_of(session->output.vectors[i].iov_base, session->output.vectors[i].iov_len));
		tls_output_landed(&session->worker->outputs, &session->output);
	}
}

static void read_all(struct seal *seal, struct bytes *plain)
{
	int rc = 1;

	while (rc > 0) {
		struct buffer *buffer = tls_worker_buffer(seal->session.worker);

		assert(buffer);
		rc = tls_session_read(&seal->session, buffer);
		if (rc > 0)
			bytes_add(plain, slice_of(buffer->data, (size_t)rc));
		buffer_give(&buffer);
	}
	if (rc == 0)
		seal->state = SEAL_ENDED;
	else if (rc != -EAGAIN)
		seal->state = SEAL_FAILED;
}

static void step(struct seal *seal, struct bytes *plain)
{
	if (seal->state == SEAL_SHAKING) {
		switch (tls_session_handshake(&seal->session)) {
		case TLS_STEP_WAIT:
			break;
		case TLS_STEP_DONE:
			seal->state = SEAL_OPEN;
			break;
		case TLS_STEP_FAILED:
			seal->state = SEAL_FAILED;
			break;
		}
	}
	if (seal->state == SEAL_OPEN)
		read_all(seal, plain);
	tls_session_keep(&seal->session);
}

/* In pieces of a buffer's size. */
static bool feed_piece(struct seal *seal, struct slice *sealed)
{
	size_t size = sealed->size < TLS_RECORD_MAX_BYTES ? sealed->size : TLS_RECORD_MAX_BYTES;
	struct buffer *buffer = tls_worker_buffer(seal->session.worker);
	bool taken;

	assert(buffer);
	memcpy(buffer->data, sealed->data, size);
	buffer->used_bytes = (uint32_t)size;
	taken = tls_session_feed(&seal->session, buffer);
	buffer_give(&buffer);
	*sealed = slice_after(*sealed, size);
	return taken;
}

enum seal_state seal_feed(struct seal *seal, struct slice sealed, struct bytes *plain, struct bytes *out)
{
	bool first = sealed.size == 0;

	sim_process_enter(seal->trust->process);
	while ((sealed.size || first) && (seal->state == SEAL_SHAKING || seal->state == SEAL_OPEN)) {
		if (!first && !feed_piece(seal, &sealed))
			seal->state = SEAL_FAILED;
		else
			step(seal, plain);
		first = false;
	}
	take_output(seal, out);
	sim_process_leave();
	return seal->state;
}

void seal_write(struct seal *seal, struct slice plain, struct bytes *out)
{
	const struct iovec vector = {(void *)(uintptr_t)plain.data, plain.size};
	struct tls_cursor cursor = {&vector, 1, 0};

	assert(seal->session.established);
	sim_process_enter(seal->trust->process);
	while (cursor.count && seal->state != SEAL_FAILED)
		if (tls_session_seal(&seal->session, &cursor) < 0)
			seal->state = SEAL_FAILED;
	take_output(seal, out);
	sim_process_leave();
}

void seal_end(struct seal *seal, struct bytes *out)
{
	if (!seal->session.established || seal->state == SEAL_FAILED)
		return;
	sim_process_enter(seal->trust->process);
	tls_session_end(&seal->session);
	take_output(seal, out);
	sim_process_leave();
}
