/* The exchange's way in: who calls, what the body says, and what of it is refused before a provider hears of it. */
#include "route/exchange_conversation.h"
#include "route/roles.h"
#include "route/service.h"

#include <errno.h>

#define NONE slice_of(NULL, 0)

static bool refuse(struct exchange *e, unsigned status, struct slice type, struct slice code, struct slice message)
{
	struct api_error error = {.status = status, .type = type, .code = code, .message = message};

	exchange_refuse(e, &error, NONE);
	return false;
}

static bool refuse_key(struct exchange *e, struct slice code, struct slice message)
{
	return refuse(e, 401, SLICE("authentication_error"), code, message);
}

static bool refuse_permission(struct exchange *e, struct slice code, struct slice message)
{
	return refuse(e, 403, SLICE("permission_error"), code, message);
}

static const struct workspace_settings *find_workspace(const struct settings *settings, const char *id)
{
	for (unsigned i = 0; i < settings->workspace_count; i++)
		if (strcmp(settings->workspaces[i].id, id) == 0)
			return &settings->workspaces[i];
	return NULL;
}

bool exchange_authenticate(struct exchange *e, uint32_t scope)
{
	const struct gateway_config *config = e->config->config;
	const struct http_head *head = &e->request->head;
	struct slice secret = key_presented(head);
	struct slice workspace = http_header(head, SLICE("x-workspace-id"));
	const struct key_settings *key;

	if (!secret.data)
		return refuse_key(e, SLICE("invalid_api_key"),
			SLICE("No API key was sent. Send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'."));
	key = key_find(config->keys, &e->gateway_shard->keys, secret, e->received_wall_ns);
	if (!key)
		return refuse_key(e, SLICE("invalid_api_key"),
			SLICE("This API key is not known here. Check it for a typing error."));
	e->workspace = find_workspace(config->settings, key->workspace);
	if (key->revoked_at_ns)
		return refuse_key(
			e, SLICE("revoked_api_key"), SLICE("This API key was revoked. Ask its owner for a new one."));
	if (key->disabled)
		return refuse_key(
			e, SLICE("disabled_api_key"), SLICE("This API key is disabled. Ask its owner to enable it."));
	if (key->expires_at_ns && key->expires_at_ns <= e->received_wall_ns)
		return refuse_key(
			e, SLICE("expired_api_key"), SLICE("This API key has expired. Ask its owner for a new one."));
	if (!address_allowed(&key->allow_ips, e->client) ||
		(e->workspace && !address_allowed(&e->workspace->allow_ips, e->client)))
		return refuse_permission(
			e, SLICE("ip_not_allowed"), SLICE("This API key may not be used from this address."));
	if (workspace.data && !slice_equal(workspace, slice_of_string(key->workspace)))
		return refuse_permission(e, SLICE("workspace_mismatch"),
			SLICE("X-Workspace-ID names another workspace than the API key's. Leave it out or correct "
			      "it."));
	e->key = key;
	if (!(key->scopes & scope))
		return refuse_permission(
			e, SLICE("scope_missing"), SLICE("This API key's scopes do not cover this API."));
	return true;
}

/* In a time that does not depend on where the first difference is. */
static bool same_secret(struct slice a, struct slice b)
{
	unsigned difference = a.size != b.size;

	for (size_t i = 0; i < a.size; i++)
		difference |= (unsigned char)(a.data[i] ^ (b.size ? b.data[i % b.size] : 1));
	return difference == 0;
}

bool exchange_authenticate_admin(struct exchange *e)
{
	const struct settings *settings = e->config->config->settings;
	struct slice secret = key_presented(&e->request->head);
	const struct admin_token_settings *token = secret.data ? admin_token_find(settings, secret) : NULL;

	if (!secret.data || (!token && !same_secret(secret, slice_of_string(settings->admin_master_key))))
		return refuse_key(e, SLICE("invalid_api_key"),
			SLICE("Send the master key or an admin token as 'Authorization: Bearer KEY'."));
	if (token && token->expires_at_ns && token->expires_at_ns <= e->received_wall_ns)
		return refuse_key(
			e, SLICE("expired_api_key"), SLICE("This admin token has expired. Ask an owner for a new one."));
	if (!address_allowed(&settings->admin_allow_ips, e->client) ||
		(token && !address_allowed(&token->allow_ips, e->client)))
		return refuse_permission(
			e, SLICE("ip_not_allowed"), SLICE("The admin API may not be used from this address."));
	if (token && !role_may(token->role, e->route->action))
		return refuse_permission(
			e, SLICE("role_missing"), SLICE("This admin token's role does not allow this. Ask an owner."));
	e->admin = true;
	e->admin_token = token;
	return true;
}

static bool refuse_json(struct exchange *e, int err, const struct json_error *error)
{
	struct text message = text_over(arena_alloc(&e->arena, 512), 512);

	if (err == -E2BIG)
		return refuse(e, 413, SLICE("invalid_request_error"), SLICE("body_too_large"),
			SLICE("The JSON document is larger than the gateway reads."));
	if (err == -ENOMEM || !message.data) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return false;
	}
	text_literal(&message, "The body is not valid JSON, at byte ");
	text_u64(&message, error->offset);
	text_literal(&message, ": ");
	text_string(&message, error->message);
	return refuse(e, 400, SLICE("invalid_request_error"), SLICE("invalid_json"), text_slice(&message));
}

static bool read_body(struct exchange *e)
{
	struct json_parser *json = e->gateway_shard->json;
	struct openai_problem problem;
	struct json_error json_error;
	struct api_error error;
	int err = json_parse(json, e->request->body, &json_error);

	if (err)
		return refuse_json(e, err, &json_error);
	if (e->dialect->read_request(json, e->api, &e->asked, &problem) == 0)
		return true;
	error = (struct api_error){.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = problem.code,
		.message = problem.message,
		.param = problem.param};
	exchange_refuse(e, &error, NONE);
	return false;
}

/* Before any work: the store takes no receipts, or the gateway is about to stop. */
static bool refuse_closed(struct exchange *e)
{
	struct gateway *gateway = e->gateway_shard->gateway;

	if (atomic_load_explicit(&gateway->draining, memory_order_relaxed)) {
		exchange_refuse_overloaded(
			e, SLICE("draining"), SLICE("This gateway is shutting down. Try again; another will answer."));
		return true;
	}
	if (!store_writable(gateway->store)) {
		exchange_refuse_overloaded(e, SLICE("store_not_writable"),
			SLICE("The gateway cannot store receipts at the moment. Try again in a moment."));
		return true;
	}
	return false;
}

/* Reads the body, which what was said before may take the place of; see exchange_conversation.c. */
static void run_body(struct exchange *e)
{
	if (!read_body(e))
		return;
	e->view_lost = false;
	if (e->api == API_RESPONSES && exchange_converse(e, run_body) != CONVERSATION_READY)
		return;
	e->model_name = arena_copy(&e->arena, e->asked.model);
	e->stream = e->asked.stream;
	if (!e->model_name.data) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	if (exchange_plan(e))
		exchange_limit(e);
}

void exchange_run(struct exchange *e)
{
	e->body_begun_ns = exchange_now_ns(e);
	if (!refuse_closed(e))
		run_body(e);
}

void exchange_go(struct exchange *e)
{
	if (e->stream)
		exchange_stream_prepare(e);
	exchange_attempt(e);
}
