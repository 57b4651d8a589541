/*
 * The admin API of keys, teams, workspaces, tokens and the audit log: what of a request the tenancy's thread needs,
 * copied since the client may leave, and its answer.
 */
#include "core/buffer.h"
#include "route/tenancy/client_address.h"
#include "route/gateway/pages.h"
#include "route/gateway/service.h"
#include "route/tenancy/tenancy.h"

#include <stdlib.h>

struct admin_ask {
	struct tenancy_ask ask;
	struct exchange *exchange;
	struct slice noted; /* of a note that is stored: the answer */
};

static void refuse_memory(struct exchange *e)
{
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
}

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
	const struct admin_ask *whole = container_of(ask, struct admin_ask, ask);
	struct exchange *e = whole->exchange;
	struct slice body;

	e->state = EXCHANGE_ENDED;
	if (ask->status != 200 && ask->verb == TENANCY_NOTE && ask->note.undo)
		ask->note.undo(e, &ask->note);
	if (!e->gone && whole->noted.data && ask->status == 200)
		page_answer(e, 200, SLICE("application/json"), whole->noted);
	else if (!e->gone && !ask->answer)
		tell_refusal(e, ask);
	if (!e->gone && ask->answer) {
		body = arena_copy(&e->arena, slice_of(ask->answer, ask->answer_bytes));
		if (body.data)
			page_answer(e, ask->status,
				ask->csv ? SLICE("text/csv; charset=utf-8") : SLICE("application/json"), body);
		else
			refuse_memory(e);
	}
	if (ask->answer)
		explicit_bzero(ask->answer, ask->answer_bytes);
	free(ask->answer);
	exchange_unhold(e, HOLD_QUERY);
}

/* With the bytes behind it that the JSON parser reads past the end. */
static struct slice copy_body(struct exchange *e, struct slice body)
{
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
	actor->client_certificate = e->client_certificate;
	client_address_print(e->client, &address);
}

static void start(struct exchange *e, struct admin_ask *ask)
{
	ask->exchange = e;
	ask->ask.shard = e->gateway_shard->shard;
	ask->ask.done = answered;
	note_actor(e, &ask->ask.actor);
	e->state = EXCHANGE_ASKING;
	e->holds |= HOLD_QUERY;
	tenancy_ask_start(e->gateway_shard->gateway->tenancy, &ask->ask);
}

void admin_tenancy(struct exchange *e)
{
	struct admin_ask *ask = arena_zalloc(&e->arena, sizeof(*ask));

	if (!ask || !e->gateway_shard->gateway->tenancy) {
		refuse_memory(e);
		return;
	}
	ask->ask.verb = e->route->verb;
	ask->ask.kind = e->route->kind;
	ask->ask.id = page_unescape(e, e->route_argument);
	if (e->route->kind == TENANT_PROJECT)
		tenancy_split_endpoint(&ask->ask);
	ask->ask.query = arena_copy(&e->arena, e->request->head.query);
	ask->ask.body = copy_body(e, e->request->body);
	if (ask->ask.query.data && ask->ask.body.data)
		start(e, ask);
	else
		refuse_memory(e);
}

void admin_workspace_update(struct exchange *e, struct slice id, struct slice body)
{
	struct admin_ask *ask = arena_zalloc(&e->arena, sizeof(*ask));

	if (!ask || !e->gateway_shard->gateway->tenancy) {
		refuse_memory(e);
		return;
	}
	ask->ask.verb = TENANCY_UPDATE;
	ask->ask.kind = TENANT_WORKSPACE;
	ask->ask.id = id;
	ask->ask.query = SLICE("");
	ask->ask.body = copy_body(e, body);
	if (ask->ask.body.data)
		start(e, ask);
	else
		refuse_memory(e);
}

void admin_note(struct exchange *e, const struct tenancy_note *note, struct slice answer)
{
	struct admin_ask *ask = arena_zalloc(&e->arena, sizeof(*ask));

	if (!ask || !e->gateway_shard->gateway->tenancy) {
		page_answer(e, 200, SLICE("application/json"), answer);
		return;
	}
	ask->noted = answer;
	ask->ask.verb = TENANCY_NOTE;
	ask->ask.note = *note;
	start(e, ask);
}
