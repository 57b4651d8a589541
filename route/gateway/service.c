/* The table of routes, and the HTTP service that leads each request into its exchange. */
#include "route/gateway/service.h"

#include "proto/http/multipart.h"
#include "route/exchange/exchange_upload.h"
#include "route/gateway/pages.h"
#include "route/tenancy/tenancy.h"

#define PATH(literal)                                                                                                  \
	{                                                                                                              \
		"" literal, sizeof(literal) - 1                                                                        \
	}
#define API_ROUTE(p, s, a)                                                                                             \
	{                                                                                                              \
		.path = PATH(p), .method = HTTP_POST, .access = ACCESS_KEY, .scope = (s), .is_api = true, .api = (a),  \
		.handle = exchange_run                                                                                 \
	}
#define PAGE(p, h)                                                                                                     \
	{                                                                                                              \
		.path = PATH(p), .method = HTTP_GET, .access = ACCESS_OPEN, .handle = (h)                              \
	}
#define KEY_PAGE(p, pre, s, h)                                                                                         \
	{                                                                                                              \
		.path = PATH(p), .prefix = (pre), .method = HTTP_GET, .access = ACCESS_KEY, .scope = (s),              \
		.handle = (h)                                                                                          \
	}
#define ADMIN_PAGE(p, pre, h)                                                                                          \
	{                                                                                                              \
		.path = PATH(p), .prefix = (pre), .method = HTTP_GET, .access = ACCESS_ADMIN, .action = ACTION_VIEW,   \
		.handle = (h)                                                                                          \
	}

#define ADMIN_ACTION(p, h)                                                                                             \
	{                                                                                                              \
		.path = PATH(p), .method = HTTP_POST, .access = ACCESS_ADMIN, .action = ACTION_OPERATE,                \
		.body_bytes_max = ADMIN_BODY_BYTES, .handle = (h)                                                      \
	}

/* Of one workspace: behind its id in the path. */
#define BALANCE_PAGE(s, h)                                                                                             \
	{                                                                                                              \
		.path = PATH("/admin/workspaces/"), .prefix = true, .suffix = PATH(s), .method = HTTP_GET,             \
		.access = ACCESS_ADMIN, .action = ACTION_VIEW_BALANCE, .handle = (h)                                   \
	}
#define BALANCE_ACTION(s, h)                                                                                           \
	{                                                                                                              \
		.path = PATH("/admin/workspaces/"), .prefix = true, .suffix = PATH(s), .method = HTTP_POST,            \
		.access = ACCESS_ADMIN, .action = ACTION_CHANGE_BALANCE, .body_bytes_max = ADMIN_BODY_BYTES,           \
		.handle = (h)                                                                                          \
	}

/* What the tenancy answers: of all of a kind, and of one. */
#define TENANCY_ALL(p, k, m, v, a)                                                                                     \
	{                                                                                                              \
		.path = PATH(p), .method = (m), .access = ACCESS_ADMIN, .action = (a), .kind = (k), .verb = (v),       \
		.body_bytes_max = (m) == HTTP_POST ? ADMIN_BODY_BYTES : 0, .handle = admin_tenancy                     \
	}
#define TENANCY_ONE(p, s, k, m, v, a)                                                                                  \
	{                                                                                                              \
		.path = PATH(p), .prefix = true, .suffix = PATH(s), .method = (m), .access = ACCESS_ADMIN,             \
		.action = (a), .kind = (k), .verb = (v),                                                               \
		.body_bytes_max = (m) == HTTP_GET || (m) == HTTP_DELETE ? 0 : ADMIN_BODY_BYTES,                        \
		.handle = admin_tenancy                                                                                \
	}
#define TENANCY_PAGES(p, k, view, change)                                                                              \
	TENANCY_ALL(p, k, HTTP_GET, TENANCY_LIST, view), TENANCY_ALL(p, k, HTTP_POST, TENANCY_CREATE, change),         \
		TENANCY_ONE(p "/", "", k, HTTP_GET, TENANCY_SHOW, view),                                               \
		TENANCY_ONE(p "/", "", k, HTTP_DELETE, TENANCY_REMOVE, change)
#define TENANCY_UPDATES(p, k, change) TENANCY_ONE(p "/", "", k, HTTP_PATCH, TENANCY_UPDATE, change)

/* Of a project, or of one of its endpoints: the argument goes on behind the project's id. */
#define PROJECT_PART(m, v, a)                                                                                          \
	{                                                                                                              \
		.path = PATH("/admin/projects/"), .prefix = true, .method = (m), .access = ACCESS_ADMIN,               \
		.action = (a), .kind = TENANT_PROJECT, .verb = (v),                                                    \
		.body_bytes_max = (m) == HTTP_GET || (m) == HTTP_DELETE ? 0 : ADMIN_BODY_BYTES,                        \
		.handle = admin_tenancy                                                                                \
	}

enum { ADMIN_BODY_BYTES = 65536, EXPLAIN_BODY_BYTES = 4 << 20 };

/* The busiest first: it is searched in order. */
static const struct service_route routes[] = {
	API_ROUTE("/v1/chat/completions", SCOPE_CHAT, API_CHAT_COMPLETIONS),
	API_ROUTE("/v1/responses", SCOPE_RESPONSES, API_RESPONSES),
#ifdef CONFIG_ANTHROPIC
	API_ROUTE("/v1/messages", SCOPE_CHAT, API_MESSAGES),
	API_ROUTE("/v1/messages/count_tokens", SCOPE_CHAT, API_COUNT_TOKENS),
#endif
	API_ROUTE("/v1/embeddings", SCOPE_EMBEDDINGS, API_EMBEDDINGS),
	API_ROUTE("/v1/completions", SCOPE_CHAT, API_COMPLETIONS),
	API_ROUTE("/v1/moderations", SCOPE_MODERATIONS, API_MODERATIONS),
	API_ROUTE("/v1/images/generations", SCOPE_IMAGES, API_IMAGES),
	API_ROUTE("/v1/audio/speech", SCOPE_AUDIO, API_SPEECH),
	API_ROUTE("/v1/audio/transcriptions", SCOPE_AUDIO, API_TRANSCRIPTIONS),
	{
		.path = PATH("/api/"),
		.prefix = true,
		.method = HTTP_POST,
		.access = ACCESS_KEY,
		.scope = SCOPE_ENDPOINTS,
		.is_api = true,
		.api = API_ENDPOINT,
		.handle = exchange_run,
	},
	KEY_PAGE("/v1/models", false, SCOPE_MODELS, page_models),
	KEY_PAGE("/v1/models/", true, SCOPE_MODELS, page_model),
	KEY_PAGE("/v1/receipts/", true, SCOPE_RECEIPTS, page_receipt),
	KEY_PAGE("/v1/responses/", true, SCOPE_RESPONSES, page_response),
	{
		.path = PATH("/v1/responses/"),
		.prefix = true,
		.method = HTTP_DELETE,
		.access = ACCESS_KEY,
		.scope = SCOPE_RESPONSES,
		.handle = page_response_remove,
	},
	KEY_PAGE("/v1/balance", false, UINT32_MAX, page_balance),
	PAGE("/healthz", page_healthz),
	PAGE("/readyz", page_readyz),
	PAGE("/metrics", page_metrics),
	ADMIN_PAGE("/admin/status", false, admin_status),
	ADMIN_PAGE("/admin/receipts", false, admin_receipts),
	{.path = PATH("/admin/receipts/"),
		.prefix = true,
		.suffix = PATH("/explain"),
		.method = HTTP_GET,
		.access = ACCESS_ADMIN,
		.action = ACTION_VIEW,
		.handle = admin_receipt_explain},
	{.path = PATH("/admin/receipts/"),
		.prefix = true,
		.suffix = PATH("/content"),
		.method = HTTP_GET,
		.access = ACCESS_ADMIN,
		.action = ACTION_VIEW_CONTENT,
		.handle = admin_content},
	ADMIN_PAGE("/admin/receipts/", true, admin_receipt),
	{.path = PATH("/admin/spend"),
		.method = HTTP_GET,
		.access = ACCESS_ADMIN,
		.action = ACTION_VIEW_SPEND,
		.handle = admin_spend},
	{.path = PATH("/admin/routing/explain"),
		.method = HTTP_POST,
		.access = ACCESS_ADMIN,
		.action = ACTION_VIEW,
		.body_bytes_max = EXPLAIN_BODY_BYTES,
		.handle = admin_explain},
	ADMIN_PAGE("/admin/routing/shadow", false, admin_shadow),
	ADMIN_PAGE("/admin/routing", false, admin_routing),
	{.path = PATH("/admin/routing"),
		.method = HTTP_PATCH,
		.access = ACCESS_ADMIN,
		.action = ACTION_CHANGE_ROUTING,
		.verb = TENANCY_ROUTING,
		.body_bytes_max = ADMIN_BODY_BYTES,
		.handle = admin_tenancy},
	ADMIN_PAGE("/admin/deployments", false, admin_deployments),
	ADMIN_ACTION("/admin/deployments/disable", admin_deployment_disable),
	ADMIN_ACTION("/admin/deployments/enable", admin_deployment_enable),
	ADMIN_ACTION("/admin/deployments/reset", admin_deployment_reset),
	ADMIN_PAGE("/admin/alerts", false, admin_alerts),
	{.path = PATH("/admin/alerts"),
		.method = HTTP_PATCH,
		.access = ACCESS_ADMIN,
		.action = ACTION_CHANGE_ALERTS,
		.body_bytes_max = ADMIN_BODY_BYTES,
		.handle = admin_alerts_change},
	TENANCY_ONE("/admin/keys/", "/rotate", TENANT_KEY, HTTP_POST, TENANCY_ROTATE, ACTION_CHANGE_KEYS),
	TENANCY_PAGES("/admin/keys", TENANT_KEY, ACTION_VIEW_TENANTS, ACTION_CHANGE_KEYS),
	TENANCY_UPDATES("/admin/keys", TENANT_KEY, ACTION_CHANGE_KEYS),
	TENANCY_PAGES("/admin/teams", TENANT_TEAM, ACTION_VIEW_TENANTS, ACTION_CHANGE_TEAMS),
	TENANCY_UPDATES("/admin/teams", TENANT_TEAM, ACTION_CHANGE_TEAMS),
	BALANCE_PAGE("/balance", admin_balance),
	BALANCE_PAGE("/transactions", admin_transactions),
	BALANCE_ACTION("/deposits", admin_deposit),
	BALANCE_ACTION("/refunds", admin_refund),
	TENANCY_PAGES("/admin/workspaces", TENANT_WORKSPACE, ACTION_VIEW_TENANTS, ACTION_CHANGE_WORKSPACES),
	TENANCY_UPDATES("/admin/workspaces", TENANT_WORKSPACE, ACTION_CHANGE_WORKSPACES),
	{.path = PATH("/admin/connections/"),
		.prefix = true,
		.suffix = PATH("/test"),
		.method = HTTP_POST,
		.access = ACCESS_ADMIN,
		.action = ACTION_CHANGE_CONNECTIONS,
		.body_bytes_max = ADMIN_BODY_BYTES,
		.handle = admin_connection_test},
	TENANCY_PAGES("/admin/connections", TENANT_CONNECTION, ACTION_VIEW_TENANTS, ACTION_CHANGE_CONNECTIONS),
	TENANCY_UPDATES("/admin/connections", TENANT_CONNECTION, ACTION_CHANGE_CONNECTIONS),
	TENANCY_ALL("/admin/projects", TENANT_PROJECT, HTTP_GET, TENANCY_LIST, ACTION_VIEW_TENANTS),
	TENANCY_ALL("/admin/projects", TENANT_PROJECT, HTTP_POST, TENANCY_CREATE, ACTION_CHANGE_PROJECTS),
	PROJECT_PART(HTTP_GET, TENANCY_SHOW, ACTION_VIEW_TENANTS),
	PROJECT_PART(HTTP_PUT, TENANCY_PUT, ACTION_CHANGE_PROJECTS),
	PROJECT_PART(HTTP_PATCH, TENANCY_UPDATE, ACTION_CHANGE_PROJECTS),
	PROJECT_PART(HTTP_DELETE, TENANCY_REMOVE, ACTION_CHANGE_PROJECTS),
	TENANCY_PAGES("/admin/tokens", TENANT_TOKEN, ACTION_VIEW_TOKENS, ACTION_CHANGE_TOKENS),
	TENANCY_ALL("/admin/audit", TENANT_KEY, HTTP_GET, TENANCY_AUDIT, ACTION_VIEW_AUDIT),
};

/* Takes the suffix off, which leaves one part of a path. */
static bool ends_argument(struct slice suffix, struct slice *argument)
{
	if (argument->size <= suffix.size || !slice_equal(slice_after(*argument, argument->size - suffix.size), suffix))
		return false;
	argument->size -= suffix.size;
	return !memchr(argument->data, '/', argument->size);
}

static bool route_matches(const struct service_route *route, struct slice path, struct slice *argument)
{
	*argument = slice_of(NULL, 0);
	if (!route->prefix)
		return slice_equal(path, route->path);
	if (!slice_starts_with(path, route->path) || path.size == route->path.size)
		return false;
	*argument = slice_after(path, route->path.size);
	return !route->suffix.data || ends_argument(route->suffix, argument);
}

const struct service_route *service_route_find(
	enum http_method method, struct slice path, struct slice *argument, unsigned *allowed)
{
	if (method == HTTP_HEAD)
		method = HTTP_GET;
	*allowed = 0;
	for (unsigned i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!route_matches(&routes[i], path, argument))
			continue;
		if (routes[i].method == method)
			return &routes[i];
		*allowed |= 1u << routes[i].method;
	}
	return NULL;
}

static bool is_admin_path(struct slice path)
{
	return slice_equal(path, SLICE("/admin")) || slice_starts_with(path, SLICE("/admin/"));
}

bool service_door_leads(enum service_door door, struct slice path, const struct service_route *route)
{
	if (door == DOOR_BOTH || (route && route->access == ACCESS_OPEN))
		return true;
	return is_admin_path(path) == (door == DOOR_ADMIN);
}

/* The header goes to `header`; what is returned says the same in words, and both are static or the caller's. */
static struct slice print_methods(unsigned allowed, struct text *header)
{
	static const struct {
		enum http_method method;
		struct slice name;
	} names[] = {{HTTP_GET, {"GET", 3}}, {HTTP_GET, {"HEAD", 4}}, {HTTP_POST, {"POST", 4}}, {HTTP_PUT, {"PUT", 3}},
		{HTTP_PATCH, {"PATCH", 5}}, {HTTP_DELETE, {"DELETE", 6}}};
	bool first = true;

	text_literal(header, "Allow: ");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(allowed & (1u << names[i].method)))
			continue;
		if (!first)
			text_literal(header, ", ");
		first = false;
		text_add(header, names[i].name);
	}
	text_literal(header, "\r\n");
	if (allowed == 1u << HTTP_POST)
		return SLICE("This path takes POST only.");
	if (allowed == 1u << HTTP_GET)
		return SLICE("This path takes GET and HEAD only.");
	return SLICE("This path does not take this method. The header Allow lists those that it takes.");
}

static void refuse_path(struct exchange *e, unsigned allowed)
{
	char memory[64];
	struct text text = text_over(memory, sizeof(memory));
	struct api_error error = {.type = SLICE("not_found_error"), .code = SLICE("unknown_path"), .status = 404};

	if (allowed == 0) {
		error.message = SLICE(
			"There is nothing at this path. The APIs begin with /v1/, for instance /v1/chat/completions.");
		exchange_refuse(e, &error, slice_of(NULL, 0));
		return;
	}
	error.status = 405;
	error.type = SLICE("invalid_request_error");
	error.code = SLICE("method_not_allowed");
	error.message = print_methods(allowed, &text);
	exchange_refuse(e, &error, text_slice(&text));
}

/* "application/json", "application/vnd.x+json", with or without parameters; an absent type is taken for JSON. */
static bool is_json_type(struct slice type)
{
	size_t end = 0;

	if (!type.data)
		return true;
	while (end < type.size && type.data[end] != ';' && type.data[end] != ' ' && type.data[end] != '\t')
		end++;
	type.size = end;
	if (slice_equal_nocase(type, SLICE("application/json")))
		return true;
	return type.size > 5 && slice_equal_nocase(slice_after(type, type.size - 5), SLICE("+json"));
}

static void refuse_media(struct exchange *e)
{
	const struct http_head *head = &e->request->head;
	struct slice encoding = http_header(head, SLICE("content-encoding"));
	struct slice type = http_header(head, SLICE("content-type")), boundary;
	bool form = e->is_api && e->api == API_TRANSCRIPTIONS;
	struct api_error error = {
		.status = 415, .type = SLICE("invalid_request_error"), .code = SLICE("unsupported_media_type")};

	if (encoding.size && !slice_equal_nocase(encoding, SLICE("identity")))
		error.message = SLICE("Send the body without Content-Encoding.");
	else if (form && !multipart_boundary(type, &boundary))
		error.message = SLICE("Send a form, with Content-Type: multipart/form-data and its boundary.");
	else if (!form && !is_json_type(type))
		error.message = SLICE("Send JSON, with Content-Type: application/json.");
	else
		return;
	exchange_refuse(e, &error, slice_of(NULL, 0));
}

static void refuse_without_exchange(struct http_request *request)
{
	http_respond(request, 503, SLICE("Content-Type: application/json\r\nRetry-After: 1\r\n"),
		SLICE("{\"error\":{\"type\":\"overloaded\",\"message\":\"The gateway is out of memory for new "
		      "requests. Try again "
		      "in a moment.\",\"code\":\"out_of_memory\",\"param\":null,\"retry_after_seconds\":1}}"));
}

static void enter(struct gateway_shard *gs, enum service_door door, struct http_request *request)
{
	struct exchange *e = exchange_open(gs, request);
	unsigned allowed;

	request->user = e;
	if (!e) {
		refuse_without_exchange(request);
		return;
	}
	e->route = service_route_find(request->head.method, request->head.path, &e->route_argument, &allowed);
	if (!service_door_leads(door, request->head.path, e->route)) {
		e->route = NULL;
		allowed = 0;
	}
	if (!e->route) {
		refuse_path(e, allowed);
		return;
	}
	e->is_api = e->route->is_api;
	e->api = e->route->api == API_ENDPOINT ? API_CHAT_COMPLETIONS : e->route->api;
	e->dialect = dialect_of_api(e->api);
	if (e->route->access == ACCESS_KEY && !exchange_authenticate(e, e->route->scope))
		return;
	if (e->route->api == API_ENDPOINT && e->is_api && !exchange_find_endpoint(e))
		return;
	if (e->route->access == ACCESS_ADMIN && !exchange_authenticate_admin(e))
		return;
	if (!e->is_api)
		request->body_max_bytes = e->route->body_bytes_max;
	if (e->is_api || e->route->body_bytes_max)
		refuse_media(e);
	exchange_upload_watch(e);
}

static void on_head(void *context, struct http_request *request)
{
	struct gateway_shard *gs = context;

	enter(gs, gs->admin_server ? DOOR_CLIENTS : DOOR_BOTH, request);
}

static void on_admin_head(void *context, struct http_request *request)
{
	enter(context, DOOR_ADMIN, request);
}

static void on_body(void *context, struct http_request *request, struct slice piece)
{
	(void)context;
	exchange_upload_body(request->user, piece);
}

static void on_request(void *context, struct http_request *request)
{
	struct exchange *e = request->user;

	(void)context;
	e->route->handle(e);
}

static void on_drained(void *context, struct http_request *request)
{
	(void)context;
	if (request->user)
		exchange_drained(request->user);
}

static void on_gone(void *context, struct http_request *request)
{
	(void)context;
	if (request->user)
		exchange_gone(request->user);
	http_end(request);
}

static void on_done(void *context, struct http_request *request)
{
	(void)context;
	if (request->user)
		exchange_done(request->user);
}

/* A request whose head is known keeps its id, and leaves the receipt of what its client is told. */
static void print_id(struct gateway_shard *gs, struct http_request *request, unsigned status, char *id_text)
{
	struct exchange *e = request ? request->user : NULL;
	struct ulid id;

	if (e) {
		exchange_refused_by_server(e, status);
		memcpy(id_text, e->id_text, sizeof(e->id_text));
		return;
	}
	id = ulid_make(&gs->shard->rand, shard_wall_ns(gs->shard));
	memcpy(id_text, "req_", 4);
	ulid_print(&id, id_text + 4);
	metric_add(&gs->metrics.pages[status / 100 % STATUS_CLASSES], 1);
}

static void write_error(void *context, struct http_request *request, unsigned status, struct slice code,
	struct slice message, struct text *headers, struct text *body)
{
	struct api_error error = {.status = status, .type = api_error_type(status), .code = code, .message = message};
	const struct exchange *e = request ? request->user : NULL;
	const struct dialect *dialect = e ? e->dialect : &dialect_openai;
	char id_text[4 + ULID_TEXT_BYTES];

	print_id(context, request, status, id_text);
	if (status == 503) {
		error.retry_after_s = 1;
		text_literal(headers, "Retry-After: 1\r\n");
	}
	text_literal(headers, "Content-Type: application/json\r\nx-request-id: ");
	text_add(headers, slice_of(id_text, sizeof(id_text)));
	text_literal(headers, "\r\n");
	dialect->print_error(&error, slice_of(id_text, sizeof(id_text)), body);
}

const struct http_service gateway_service = {
	.on_head = on_head,
	.on_body = on_body,
	.on_request = on_request,
	.on_drained = on_drained,
	.on_gone = on_gone,
	.on_done = on_done,
	.write_error = write_error,
};

const struct http_service gateway_admin_service = {
	.on_head = on_admin_head,
	.on_request = on_request,
	.on_drained = on_drained,
	.on_gone = on_gone,
	.on_done = on_done,
	.write_error = write_error,
};
