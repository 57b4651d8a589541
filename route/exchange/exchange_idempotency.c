/*
 * Claims and kept answers: see exchange_idempotency.h. A row's value:
 *
 *   state (1), when the process that wrote it began (8), SHA-256 of path and body (32), then of an answer its body
 *
 * A claim that another process left behind is nobody's: its request died with it.
 */
#include "route/exchange/exchange_idempotency.h"

#include "proto/http/multipart.h"
#include "route/exchange/exchange_conversation.h"
#include "route/exchange/exchange_stream.h"
#include "route/gateway/pages.h"

#include <errno.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/sha256.h>

enum { KEY_BYTES_MAX = 255, HASH_AT = 1 + 8, HEAD_BYTES = HASH_AT + WC_SHA256_DIGEST_SIZE, TTL_S = 24 * 3600 };

enum state { CLAIMED = 'c', ANSWERED = 'a', STREAMED = 's' };

struct idempotency {
	struct exchange *e;
	bool claimed, kept, busy; /* busy: `op` is the store's */
	bool too_long;
	char head[HEAD_BYTES];
	struct text noted;
	void (*then)(struct exchange *e);
	struct store_sealed op;
};

static void start(
	struct exchange *e, enum store_sealed_kind kind, struct slice value, void (*done)(struct store_sealed *))
{
	struct idempotency *i = e->idempotency;

	i->op.kind = kind;
	i->op.value = value;
	i->op.ttl_s = TTL_S;
	i->op.shard = e->gateway_shard->shard;
	i->op.done = done;
	i->busy = true;
	e->holds |= HOLD_IDEMPOTENCY;
	store_sealed_start(e->gateway_shard->gateway->store, &i->op);
}

static void on_released(struct store_sealed *op);

/* A claim that no answer took the place of; true: it is on its way. */
static bool release(struct idempotency *i)
{
	if (!i->claimed || i->kept || i->busy)
		return false;
	i->claimed = false;
	start(i->e, STORE_SEALED_REMOVE, slice_of(NULL, 0), on_released);
	return true;
}

/* What followed from an answer of the store's may have asked it again. */
static void finish(struct idempotency *i)
{
	if (!i->busy)
		exchange_unhold(i->e, HOLD_IDEMPOTENCY);
}

static void on_released(struct store_sealed *op)
{
	struct idempotency *i = container_of(op, struct idempotency, op);

	i->busy = false;
	finish(i);
}

/* ---- the claim ---------------------------------------------------------------------------------------------- */

/* On the store's thread: whether a claim may take the place of what is there. */
static bool takes_place(struct slice found, struct slice claim)
{
	return found.size < HEAD_BYTES || (found.data[0] == CLAIMED && memcmp(found.data + 1, claim.data + 1, 8) != 0);
}

static void refuse(struct exchange *e, unsigned status, struct slice code, struct slice message, uint32_t retry_after_s)
{
	struct api_error error = {.status = status,
		.type = SLICE("invalid_request_error"),
		.code = code,
		.message = message,
		.param = SLICE("Idempotency-Key"),
		.retry_after_s = retry_after_s};

	exchange_refuse(e, &error, slice_of(NULL, 0));
}

static void replay(struct exchange *e, struct slice found)
{
	struct slice body = arena_copy(&e->arena, slice_after(found, HEAD_BYTES));

	if (!body.data) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	page_answer(e, 200,
		found.data[0] == STREAMED ? SLICE("text/event-stream; charset=utf-8\r\nCache-Control: "
						  "no-cache\r\nIdempotent-Replayed: true")
					  : SLICE("application/json\r\nIdempotent-Replayed: true"),
		body);
	exchange_append_receipt(e, NULL);
}

static void meet(struct exchange *e, struct slice found)
{
	if (memcmp(found.data + HASH_AT, e->idempotency->head + HASH_AT, WC_SHA256_DIGEST_SIZE) != 0)
		refuse(e, 409, SLICE("idempotency_conflict"),
			SLICE("This Idempotency-Key came with another request before. Send each request with a key of "
			      "its own."),
			0);
	else if (found.data[0] == CLAIMED)
		refuse(e, 409, SLICE("idempotency_in_progress"),
			SLICE("The first request with this Idempotency-Key is still under way. Try again in a moment."),
			1);
	else
		replay(e, found);
}

static void on_claimed(struct store_sealed *op)
{
	struct idempotency *i = container_of(op, struct idempotency, op);
	struct exchange *e = i->e;

	i->busy = false;
	i->claimed = op->result == 0;
	if (e->state == EXCHANGE_ENDED)
		release(i); /* its client left meanwhile */
	else if (op->result == -EEXIST)
		meet(e, slice_of(op->found, op->found_size));
	else if (op->result < 0)
		exchange_refuse_overloaded(e, SLICE("store_not_writable"),
			SLICE("The gateway cannot keep an Idempotency-Key at the moment. Try again in a moment."));
	else
		i->then(e);
	store_sealed_fini(op); /* a claim that went through found nothing */
	finish(i);
}

/* A form's boundary is drawn anew each time that the same form is sent. */
static void hash_body(wc_Sha256 *sha, const struct http_request *request)
{
	struct slice rest = request->body, boundary;
	const char *at;

	if (multipart_boundary(http_header(&request->head, SLICE("content-type")), &boundary))
		while (rest.size && (at = memmem(rest.data, rest.size, boundary.data, boundary.size))) {
			wc_Sha256Update(sha, (const byte *)rest.data, (word32)(at - rest.data));
			rest = slice_after(rest, (size_t)(at - rest.data) + boundary.size);
		}
	wc_Sha256Update(sha, (const byte *)rest.data, (word32)rest.size);
}

/* Whose request it is and what it asks. */
static void write_head(struct exchange *e, char head[static HEAD_BYTES])
{
	const struct slice path = e->request->head.path;
	wc_Sha256 sha;

	head[0] = CLAIMED;
	memcpy(head + 1, &e->gateway_shard->gateway->started_wall_ns, 8);
	wc_InitSha256(&sha);
	wc_Sha256Update(&sha, (const byte *)path.data, (word32)path.size);
	wc_Sha256Update(&sha, (const byte *)"", 1);
	hash_body(&sha, e->request);
	wc_Sha256Final(&sha, (byte *)head + HASH_AT);
	wc_Sha256Free(&sha);
}

bool idempotency_claim(struct exchange *e, void (*then)(struct exchange *e))
{
	struct slice key = http_header(&e->request->head, SLICE("idempotency-key"));
	struct idempotency *i;

	if (!key.data)
		return false;
	if (key.size == 0 || key.size > KEY_BYTES_MAX) {
		refuse(e, 400, SLICE("invalid_value"), SLICE("An Idempotency-Key has 1 to 255 characters."), 0);
		return true;
	}
	i = e->idempotency = arena_zalloc(&e->arena, sizeof(*i));
	if (i)
		i->op.name = (struct sealed_name){SEALED_IDEMPOTENCY, conversation_owner(e), key};
	if (!i || !i->op.name.owner.data) {
		e->idempotency = NULL;
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return true;
	}
	i->op.name.id = arena_copy(&e->arena, key); /* the head goes with the request */
	i->e = e;
	i->then = then;
	i->op.replaces = takes_place;
	write_head(e, i->head);
	start(e, STORE_SEALED_CLAIM, slice_of(i->head, sizeof(i->head)), on_claimed);
	return true;
}

/* ---- the answer --------------------------------------------------------------------------------------------- */

void idempotency_note(struct exchange *e, struct slice bytes)
{
	struct idempotency *i = e->idempotency;

	if (!i || i->too_long)
		return;
	i->too_long = i->noted.size + bytes.size > IDEMPOTENCY_STREAM_BYTES_MAX ||
		      !relay_grow(e, &i->noted, i->noted.size + bytes.size);
	if (!i->too_long)
		text_add(&i->noted, bytes);
}

static void on_kept(struct store_sealed *op)
{
	struct idempotency *i = container_of(op, struct idempotency, op);
	struct exchange *e = i->e;

	i->busy = false;
	i->kept = op->result == 0;
	i->then(e);
	if (!e->request)
		release(i); /* its end has come and gone */
	finish(i);
}

bool idempotency_keep(struct exchange *e, const struct iovec *iov, unsigned count, void (*then)(struct exchange *e))
{
	struct idempotency *i = e->idempotency;
	size_t size = HEAD_BYTES;
	struct text value;

	if (!i || !i->claimed || i->too_long || e->status != 200)
		return false;
	size += i->noted.size;
	for (unsigned n = 0; n < count; n++)
		size += iov[n].iov_len;
	value = text_over(arena_alloc(&e->arena, size), size);
	if (!value.data)
		return false;
	i->head[0] = e->stream ? STREAMED : ANSWERED;
	text_add(&value, slice_of(i->head, sizeof(i->head)));
	text_add(&value, text_slice(&i->noted));
	for (unsigned n = 0; n < count; n++)
		text_add(&value, slice_of(iov[n].iov_base, iov[n].iov_len));
	i->then = then;
	start(e, STORE_SEALED_PUT, text_slice(&value), on_kept);
	return true;
}

void idempotency_release(struct exchange *e)
{
	if (e->idempotency)
		release(e->idempotency);
}
