/* The life of an exchange: where it comes from, who holds it, and its end. */
#include "route/exchange/exchange_idempotency.h"

#include "route/tenancy/client_address.h"

#include "core/clock.h"

#include <assert.h>
#include <stdlib.h>

/* Who is trusted to speak for others is rare, so the usual request pays one comparison. */
static void find_client(struct exchange *e)
{
	const struct strings *proxies = &e->config->config->settings->http.trusted_proxies;
	struct sockaddr_storage *client = NULL;

	e->client = &e->request->peer;
	if (proxies->count)
		client = arena_alloc(&e->arena, sizeof(*client));
	if (!client)
		return;
	client_address(proxies, &e->request->head, &e->request->peer, client);
	e->client = client;
}

/* The connection may be gone when the receipt is written. */
static void find_certificate(struct exchange *e)
{
	struct slice certificate = http_client_certificate(e->request);

	if (certificate.size)
		e->client_certificate = arena_copy(&e->arena, certificate);
}

struct exchange *exchange_make(struct gateway_shard *gs, struct http_request *request, struct shard_config *config)
{
	struct exchange *e = gs->free;

	if (e) {
		gs->free = e->next_free;
		gs->free_count--;
	} else {
		e = malloc(sizeof(*e));
		if (!e)
			return NULL;
	}
	memset(e, 0, EXCHANGE_CLEARED_BYTES);
	e->attempt = &e->first_attempt;
	exchange_attempt_init(e->attempt, e);
	e->gateway_shard = gs;
	e->config = config;
	e->config->exchanges++;
	limit_request_clear(&e->limit);
	limit_request_clear(&e->address_limit);
	limit_request_clear(&e->credential_limit);
	e->request = request;
	e->dialect = &dialect_openai;
	e->holds = HOLD_REQUEST;
	e->received_ns = request->received_ns;
	e->received_wall_ns = shard_wall_ns(gs->shard);
	e->id = ulid_make(&gs->shard->rand, e->received_wall_ns);
	memcpy(e->id_text, "req_", 4);
	ulid_print(&e->id, e->id_text + 4);
	arena_init(&e->arena, &gs->shard->arenas, EXCHANGE_ARENA_BYTES_MAX);
	gs->exchange_count++;
	metric_add(&gs->metrics.in_flight, 1);
	return e;
}

struct exchange *exchange_open(struct gateway_shard *gs, struct http_request *request)
{
	struct exchange *e = exchange_make(gs, request, gs->config);

	if (!e)
		return NULL;
	find_client(e);
	find_certificate(e);
	return e;
}

static void exchange_free(struct exchange *e)
{
	struct gateway_shard *gs = e->gateway_shard;

	exchange_hedge_end(e);
	exchange_call_done(e);
	exchange_stream_stop(e);
	exchange_forget_answer(e);
	arena_fini(&e->arena);
	gs->exchange_count--;
	metric_add(&gs->metrics.in_flight, (uint64_t)-1);
	shard_config_give(e->config);
	if (gs->free_count >= GATEWAY_EXCHANGES_KEPT) {
		free(e);
		return;
	}
	e->next_free = gs->free;
	gs->free = e;
	gs->free_count++;
}

void exchange_unhold(struct exchange *e, enum exchange_hold hold)
{
	assert(e->holds & hold);
	e->holds &= ~(unsigned)hold;
	if (e->holds == 0)
		exchange_free(e);
}

/* The client left: nothing more is bought for it, and what was bought is on the receipt. */
void exchange_gone(struct exchange *e)
{
	e->gone = true;
	if (e->state == EXCHANGE_SETTLING || e->state == EXCHANGE_ENDED || e->state == EXCHANGE_ASKING)
		return;
	exchange_hedge_end(e);
	if (e->attempt->candidate && (e->state == EXCHANGE_ANSWERING || e->state == EXCHANGE_STREAMING))
		exchange_settle_usage(e);
	exchange_cancel_call(e);
	exchange_stream_stop(e);
	e->state = EXCHANGE_ENDED;
	e->status = 499;
	if (e->is_api && e->key)
		exchange_receipt_quietly(e);
}

void exchange_done(struct exchange *e)
{
	if (!e->gone && e->state != EXCHANGE_ENDED && e->state != EXCHANGE_SETTLING)
		exchange_gone(e); /* the server was aborted */
	exchange_account(e);
	exchange_limit_settle(e); /* of one that was broken off where nothing else does */
	e->request = NULL;
	e->gone = true;
	idempotency_release(e);
	exchange_unhold(e, HOLD_REQUEST);
}

void exchange_drained(struct exchange *e)
{
	if (!e->paused)
		return;
	e->paused = false;
	if ((e->holds & HOLD_CALL) && !e->budget.waiting)
		http_call_resume(&e->attempt->call);
}
