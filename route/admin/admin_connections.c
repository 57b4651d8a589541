/*
 * Whether a workspace's own key works: the cheapest request that its provider serves to nobody else, made as any call
 * is made. Most list their models; Bedrock, whose list has another host, is asked for one token.
 */
#include "route/exchange/exchange.h"
#include "route/fleet/upstream.h"
#include "route/gateway/gateway_shard.h"
#include "route/gateway/pages.h"
#include "route/tenancy/connection.h"

#include "core/clock.h"

#include <errno.h>

enum { HEAD_BYTES = 16384, BODY_BYTES = 16384, PATH_BYTES = 1024, MESSAGE_BYTES_MAX = 500, ANSWER_BYTES = 8192 };

#define NONE slice_of(NULL, 0)
#define TEST_TIMEOUT_NS (15 * NS_PER_S)

struct connection_test {
	struct exchange *e;
	const struct connection_settings *connection;
	const struct provider_settings *provider;
	struct credential_settings credential;
	const struct dialect *dialect;
	const char *model; /* NULL: the models are listed */
	struct text head, answer;
	struct iovec body;
	unsigned status; /* 0: there was no answer */
	uint64_t latency_ns;
};

/* ---- what is asked ------------------------------------------------------------------------------------------ */

/* Behind base_url; Cohere's list is of another version than its chats, Azure's is told its own. */
static void add_list_path(const struct provider_settings *provider, const char *own_version, struct text *path)
{
	const char *version = own_version ? own_version : provider->api_version;
	struct slice prefix = slice_of_string(provider->path_prefix), v2 = SLICE("/v2");
	bool azure = provider->kind == PROVIDER_AZURE && !slice_ends_with(prefix, SLICE("/v1"));

	if (provider->kind == PROVIDER_COHERE && slice_ends_with(prefix, v2)) {
		text_add(path, slice_of(prefix.data, prefix.size - v2.size));
		text_literal(path, "/v1");
	} else {
		text_add(path, prefix);
	}
	text_string(path, azure && !slice_ends_with(prefix, SLICE("/openai")) ? "/openai/models" : "/models");
	if (provider->kind == PROVIDER_AZURE && version) {
		text_literal(path, "?api-version=");
		upstream_add_segment(path, slice_of_string(version));
	}
}

/* A model that the provider serves here; NULL: none. */
static const char *any_model(const struct settings *settings, unsigned provider)
{
	for (unsigned i = 0; i < settings->model_count; i++)
		for (unsigned k = 0; k < settings->models[i].deployment_count; k++)
			if (settings->models[i].deployments[k].provider == provider)
				return settings->models[i].deployments[k].upstream_model;
	return NULL;
}

static void write_request(struct connection_test *test)
{
	static const char one_token[] = "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}],"
					"\"inferenceConfig\":{\"maxTokens\":1}}";
	char memory[PATH_BYTES];
	struct text path = text_over(memory, sizeof(memory));
	struct upstream_request request = {.provider = test->provider,
		.credential = &test->credential,
		.dialect = test->dialect,
		.api = API_CHAT_COMPLETIONS,
		.wall_ns = shard_wall_ns(test->e->gateway_shard->shard)};

	if (test->model) {
		test->body = (struct iovec){(void *)(uintptr_t)one_token, sizeof(one_token) - 1};
		request.model = slice_of_string(test->model);
		request.body = &test->body;
		request.body_count = 1;
		request.body_bytes = test->body.iov_len;
	} else {
		add_list_path(test->provider, test->credential.api_version, &path);
		request.list_path = text_slice(&path);
	}
	upstream_head(&request, &test->head);
	test->head.full |= path.full;
}

/* ---- what comes of it --------------------------------------------------------------------------------------- */

/* Its own words, as far as they are short and hold nothing of what was sent to it in confidence. */
static bool is_told(const struct connection_test *test, struct slice message)
{
	const char *const secrets[] = {test->credential.api_key, test->credential.access_key_id,
		test->credential.secret_access_key, test->credential.session_token};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (secrets[i] && message.size && memmem(message.data, message.size, secrets[i], strlen(secrets[i])))
			return false;
	return message.size > 0 && message.size <= MESSAGE_BYTES_MAX;
}

static void print_provider_error(struct connection_test *test, struct text *json)
{
	struct json_parser *parser = test->e->gateway_shard->json;
	struct openai_error error = {0};
	struct json_error json_error;
	uint32_t wait_s;
	unsigned means;

	memset(test->answer.data + test->answer.size, 0, BUFFER_PADDING_BYTES);
	if (!test->answer.full && test->answer.size && json_parse(parser, text_slice(&test->answer), &json_error) == 0)
		test->dialect->read_error(parser, &error);
	means = dialect_error_means(test->dialect, test->status, &error, &wait_s);
	text_literal(json, "{\"kind\":");
	text_json(json, means == 401 || means == 403 ? SLICE("credential")
			: means == 429               ? SLICE("rate_limited")
						     : SLICE("status"));
	text_literal(json, ",\"message\":");
	text_json_or_null(json, is_told(test, error.message) ? error.message : NONE);
	text_literal(json, "}");
}

static void print_failure(struct text *json, struct slice kind, struct slice message)
{
	text_literal(json, "{\"kind\":");
	text_json(json, kind);
	text_literal(json, ",\"message\":");
	text_json(json, message);
	text_literal(json, "}");
}

/* `failure` is empty when there was an answer. */
static void answer(struct connection_test *test, struct slice failure)
{
	struct exchange *e = test->e;
	struct text json = text_over(arena_alloc(&e->arena, ANSWER_BYTES), ANSWER_BYTES);
	bool ok = test->status / 100 == 2;

	if (!json.data) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	text_literal(&json, "{\"id\":");
	text_json(&json, slice_of_string(test->connection->id));
	text_literal(&json, ",\"provider\":");
	text_json(&json, slice_of_string(test->provider->name));
	text_string(&json, ok ? ",\"ok\":true,\"status\":" : ",\"ok\":false,\"status\":");
	if (test->status)
		text_u64(&json, test->status);
	else
		text_literal(&json, "null");
	text_literal(&json, ",\"latency_ms\":");
	text_milli(&json, test->latency_ns / NS_PER_US);
	text_literal(&json, ",\"error\":");
	if (ok)
		text_literal(&json, "null");
	else if (failure.size)
		print_failure(
			&json, failure, SLICE("The provider could not be asked, or did not answer as HTTP wants it."));
	else
		print_provider_error(test, &json);
	text_literal(&json, "}\n");
	page_answer(e, 200, SLICE("application/json"), text_slice(&json));
}

static void end(struct connection_test *test, struct slice failure)
{
	struct exchange *e = test->e;

	test->latency_ns = exchange_now_ns(e) - e->attempt->call_started_ns;
	e->state = EXCHANGE_ENDED;
	if (!e->gone)
		answer(test, failure);
	exchange_unhold(e, HOLD_CALL);
}

static void on_head(struct http_call *call)
{
	((struct connection_test *)call->user)->status = call->head->status;
}

static void on_data(struct http_call *call, struct slice data, struct buffer *buffer)
{
	struct connection_test *test = call->user;

	(void)buffer;
	text_add(&test->answer, data);
}

static void on_end(struct http_call *call)
{
	end(call->user, NONE);
}

static void on_failed(struct http_call *call, enum http_failure failure, int error, struct slice detail)
{
	struct connection_test *test = call->user;

	(void)error;
	(void)detail;
	test->status = 0;
	end(test, slice_of_string(attempt_failure_name((enum attempt_failure)failure)));
}

static const struct http_call_handler handler = {
	.on_head = on_head, .on_data = on_data, .on_end = on_end, .on_failed = on_failed};

/* ---- from the route ----------------------------------------------------------------------------------------- */

static void refuse(struct exchange *e, unsigned status, struct slice code, struct slice message)
{
	struct api_error error = {.status = status,
		.type = status == 404 ? SLICE("not_found_error") : SLICE("invalid_request_error"),
		.code = code,
		.message = message};

	exchange_refuse(e, &error, NONE);
}

static void start(struct connection_test *test, struct http_origin *origin)
{
	struct exchange *e = test->e;

	e->attempt->call = (struct http_call){.handler = &handler,
		.origin = origin,
		.request_head = text_slice(&test->head),
		.body = &test->body,
		.body_count = test->model ? 1 : 0,
		.timeouts = {.connect_ns = test->provider->connect_ns,
			.head_ns = TEST_TIMEOUT_NS,
			.idle_ns = TEST_TIMEOUT_NS,
			.total_ns = TEST_TIMEOUT_NS},
		.limits = {HEAD_BYTES, HTTP_HEADERS_MAX, e->config->config->settings->http.max_body_bytes},
		.head = &e->attempt->head,
		.user = test};
	e->state = EXCHANGE_ASKING;
	e->holds |= HOLD_CALL;
	e->attempt->call_started_ns = exchange_now_ns(e);
	http_call_start(e->gateway_shard->client, &e->attempt->call);
}

static void prepare(struct exchange *e, const struct connection_settings *connection, unsigned provider)
{
	const struct settings *settings = e->config->config->settings;
	struct connection_test *test = arena_zalloc(&e->arena, sizeof(*test));
	char *answer_memory = arena_alloc(&e->arena, BODY_BYTES + BUFFER_PADDING_BYTES);
	char *head = arena_alloc(&e->arena, HEAD_BYTES);

	if (!test || !answer_memory || !head) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	*test = (struct connection_test){.e = e,
		.connection = connection,
		.provider = &settings->providers[provider],
		.credential = connection_credential(connection),
		.dialect = dialect_of(settings->providers[provider].kind),
		.head = text_over(head, HEAD_BYTES),
		.answer = text_over(answer_memory, BODY_BYTES)};
	if (test->provider->kind == PROVIDER_BEDROCK) {
		test->model = any_model(settings, provider);
		if (!test->model) {
			refuse(e, 409, SLICE("no_model"),
				SLICE("No model of this connection's provider is configured, so there is nothing to "
				      "ask it."));
			return;
		}
	}
	write_request(test);
	if (test->head.full)
		refuse(e, 400, SLICE("head_too_long"),
			SLICE("The request's head would be too long: shorten the secrets."));
	else
		start(test, e->config->origins[provider].origin);
}

void admin_connection_test(struct exchange *e)
{
	const struct settings *settings = e->config->config->settings;
	const struct connection_settings *connection = NULL;

	for (unsigned i = 0; i < settings->connection_count && !connection; i++)
		if (slice_equal(e->route_argument, slice_of_string(settings->connections[i].id)))
			connection = &settings->connections[i];
	if (!connection) {
		refuse(e, 404, SLICE("connection_not_found"),
			SLICE("There is no connection of this id. GET /admin/connections lists them."));
		return;
	}
	for (unsigned i = 0; i < settings->provider_count; i++) {
		if (strcmp(settings->providers[i].name, connection->provider) != 0)
			continue;
		if (dialect_of(settings->providers[i].kind)) {
			prepare(e, connection, i);
			return;
		}
	}
	refuse(e, 409, SLICE("no_provider"),
		SLICE("This connection's provider is not in the configuration any more, or this build cannot speak to "
		      "it."));
}
