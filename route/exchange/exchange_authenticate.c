/* Who calls: a key's bearer, or the admin API's. What is refused here leaves no receipt, and never reaches a provider.
 */
#include "core/clock.h"
#include "route/exchange/exchange.h"
#include "route/tenancy/lockout.h"
#include "route/tenancy/roles.h"
#include "route/gateway/service.h"

static bool refuse(struct exchange *e, const struct api_error *error)
{
	exchange_refuse(e, error, slice_of(NULL, 0));
	return false;
}

static bool refuse_key(struct exchange *e, struct slice code, struct slice message)
{
	const struct api_error error = {
		.status = 401, .type = SLICE("authentication_error"), .code = code, .message = message};

	return refuse(e, &error);
}

static bool refuse_permission(struct exchange *e, struct slice code, struct slice message)
{
	const struct api_error error = {
		.status = 403, .type = SLICE("permission_error"), .code = code, .message = message};

	return refuse(e, &error);
}

static bool refuse_locked_out(struct exchange *e, uint64_t left_ns)
{
	const struct api_error error = {.status = 429,
		.type = SLICE("rate_limit_exceeded"),
		.code = SLICE("locked_out"),
		.message = SLICE(
			"Too many API keys that do not exist came from here. Correct the key, and try again later."),
		.retry_after_s = (uint32_t)((left_ns + NS_PER_S - 1) / NS_PER_S)};

	metric_add(&e->gateway_shard->metrics.lockout_refusals, 1);
	return refuse(e, &error);
}

/* False: the address is locked out. */
static bool may_try(struct exchange *e)
{
	const struct lockout *lockout = e->gateway_shard->gateway->lockout;
	uint64_t now_ns = exchange_now_ns(e), left_ns;

	if (!lockout || !lockout_is_used(lockout, now_ns))
		return true;
	left_ns = lockout_left_ns(lockout, lockout_id_of_address(lockout, e->client), now_ns);
	return !left_ns || refuse_locked_out(e, left_ns);
}

/* What was presented is no key: counted, and refused. */
static bool refuse_unknown(struct exchange *e, struct slice secret, struct slice message)
{
	const struct lockout_settings *rules = &e->config->config->settings->lockout;
	struct lockout *lockout = e->gateway_shard->gateway->lockout;
	uint64_t now_ns = exchange_now_ns(e), left_ns, id;

	if (!lockout || !rules->failures)
		return refuse_key(e, SLICE("invalid_api_key"), message);
	id = lockout_id_of_secret(lockout, secret);
	left_ns = lockout_left_ns(lockout, id, now_ns);
	if (left_ns)
		return refuse_locked_out(e, left_ns);
	if (lockout_fail(lockout, rules, id, now_ns))
		metric_add(&e->gateway_shard->metrics.lockouts, 1);
	if (lockout_fail(lockout, rules, lockout_id_of_address(lockout, e->client), now_ns))
		metric_add(&e->gateway_shard->metrics.lockouts, 1);
	return refuse_key(e, SLICE("invalid_api_key"), message);
}

const struct workspace_settings *exchange_workspace_of(const struct exchange *e, const struct key_settings *key)
{
	const struct settings *settings = e->config->config->settings;

	if (key->home)
		return key->home;
	for (unsigned i = 0; i < settings->workspace_count; i++)
		if (strcmp(settings->workspaces[i].id, key->workspace) == 0)
			return &settings->workspaces[i];
	return NULL;
}

/* The key is there; whether it is good now. */
static bool is_in_force(struct exchange *e, const struct key_settings *key)
{
	if (key->revoked_at_ns)
		return refuse_key(
			e, SLICE("revoked_api_key"), SLICE("This API key was revoked. Ask its owner for a new one."));
	if (key->disabled)
		return refuse_key(
			e, SLICE("disabled_api_key"), SLICE("This API key is disabled. Ask its owner to enable it."));
	if (key->expires_at_ns && key->expires_at_ns <= e->received_wall_ns)
		return refuse_key(
			e, SLICE("expired_api_key"), SLICE("This API key has expired. Ask its owner for a new one."));
	return true;
}

bool exchange_authenticate(struct exchange *e, uint32_t scope)
{
	const struct gateway_config *config = e->config->config;
	const struct http_head *head = &e->request->head;
	struct slice secret = key_presented(head);
	struct slice workspace = http_header(head, SLICE("x-workspace-id"));
	const struct key_settings *key;

	if (!may_try(e))
		return false;
	if (!secret.data)
		return refuse_key(e, SLICE("invalid_api_key"),
			SLICE("No API key was sent. Send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'."));
	key = key_find(config->keys, &e->gateway_shard->keys, secret, e->received_wall_ns);
	if (!key)
		return refuse_unknown(e, secret, SLICE("This API key is not known here. Check it for a typing error."));
	e->workspace = exchange_workspace_of(e, key);
	if (!is_in_force(e, key))
		return false;
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
	static const char wanted[] = "Send the master key or an admin token as 'Authorization: Bearer KEY'.";
	const struct settings *settings = e->config->config->settings;
	struct slice secret = key_presented(&e->request->head);
	const struct admin_token_settings *token;

	if (!may_try(e))
		return false;
	if (!secret.data)
		return refuse_key(e, SLICE("invalid_api_key"), slice_of_string(wanted));
	token = admin_token_find(settings, secret);
	if (!token && !same_secret(secret, slice_of_string(settings->admin_master_key)))
		return refuse_unknown(e, secret, slice_of_string(wanted));
	if (token && token->expires_at_ns && token->expires_at_ns <= e->received_wall_ns)
		return refuse_key(e, SLICE("expired_api_key"),
			SLICE("This admin token has expired. Ask an owner for a new one."));
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
