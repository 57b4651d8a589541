/*
 * The admin API of keys, teams, workspaces, tokens and the audit log: what of a request the tenancy's thread needs, copied since
 * the client may leave, and its answer.
 */
#include "core/buffer.h"
#include "route/client_address.h"
#include "route/pages.h"
#include "route/service.h"
#include "route/tenancy.h"

#include <stdlib.h>

struct admin_ask {
	struct tenancy_ask ask;
	struct exchange *exchange;
};

static void tell_refusal(struct exchange *e, const struct tenancy_ask *ask)
{
	struct api_error error = {.status = ask->status,
		.type = api_error_type(ask->status),
		.code = ask->code,
		.message = slice_of_string(ask->message),
		.param = ask->param[0] ? slice_of_string(ask->param) : slice_of(NULL, 0),
		.retry_after_s = ask->status == 503};

	exchange_refuse(e, &error, slice_of(NULL, 0));
}

static void answered(struct tenancy_ask *ask)
{
	struct exchange *e = container_of(ask, struct admin_ask, ask)->exchange;
	struct slice body;

	e->state = EXCHANGE_ENDED;
	if (!e->gone && !ask->answer)
		tell_refusal(e, ask);
	if (!e->gone && ask->answer) {
		body = arena_copy(&e->arena, slice_of(ask->answer, ask->answer_bytes));
		if (body.data)
			page_answer(e, ask->status, ask->csv ? SLICE("text/csv; charset=utf-8") : SLICE("application/json"),
				body);
		else
			exchange_refuse_overloaded(
				e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	}
	if (ask->answer)
		explicit_bzero(ask->answer, ask->answer_bytes);
	free(ask->answer);
	exchange_unhold(e, HOLD_QUERY);
}

/* With the bytes behind it that the JSON parser reads past the end. */
static struct slice copy_body(struct exchange *e)
{
	struct slice body = e->request->body;
	char *copy = arena_alloc(&e->arena, body.size + BUFFER_PADDING_BYTES);

	if (!copy)
		return slice_of(NULL, 0);
	if (body.size)
		memcpy(copy, body.data, body.size);
	memset(copy + body.size, 0, BUFFER_PADDING_BYTES);
	return slice_of(copy, body.size);
}

static void note_actor(struct exchange *e, struct tenancy_actor *actor)
{
	const struct admin_token_settings *token = e->admin_token; /* lives as long as the exchange's configuration */
	struct text address = text_over(actor->address, sizeof(actor->address) - 1);

	actor->role = token ? token->role : ROLE_OWNER;
	actor->id = slice_of_string(token ? token->id : NULL);
	actor->name = slice_of_string(token ? token->name : NULL);
	actor->request_id = slice_of(e->id_text, sizeof(e->id_text));
	client_address_print(e->client, &address);
}

void admin_tenancy(struct exchange *e)
{
	struct admin_ask *ask = arena_zalloc(&e->arena, sizeof(*ask));
	struct tenancy *tenancy = e->gateway_shard->gateway->tenancy;

	if (!ask || !tenancy) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	ask->exchange = e;
	ask->ask = (struct tenancy_ask){
		.shard = e->gateway_shard->shard, .done = answered, .verb = e->route->verb, .kind = e->route->kind};
	ask->ask.id = page_unescape(e, e->route_argument);
	ask->ask.query = arena_copy(&e->arena, e->request->head.query);
	ask->ask.body = copy_body(e);
	if (!ask->ask.query.data || !ask->ask.body.data) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	note_actor(e, &ask->ask.actor);
	e->state = EXCHANGE_ASKING;
	e->holds |= HOLD_QUERY;
	tenancy_ask_start(tenancy, &ask->ask);
}
