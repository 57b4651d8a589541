/* Webhooks of budgets: see alert.h. */
#include "route/alert.h"

#include "core/clock.h"
#include "core/kconfig.h"
#include "route/gateway_shard.h"
#include "route/gateway_tls.h"
#include "route/settings_text.h"

#include <stdlib.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hmac.h>

enum {
	PENDING_MAX = 256, /* of a shard; more at once are in the log alone */
	BODY_BYTES = 1536,
	HEAD_BYTES = 1536,
	PAUSES = 5,
};

struct alert {
	struct list link;
	struct alert_shard *own;
	struct resolve_query query;
	struct timer timer;
	struct http_call call;
	struct http_head answer_head;
	struct http_origin *origin;
	struct iovec body_iov;
	unsigned failures, status;
	bool asking, calling;
	size_t host_bytes, body_bytes, head_bytes;
	uint16_t port;
	bool tls;
	char host[RESOLVE_NAME_MAX + 1], body[BODY_BYTES], head[HEAD_BYTES];
};

uint64_t alert_pause_ns(unsigned failures)
{
	static const unsigned seconds[PAUSES] = {1, 5, 30, 120, 600};

	return failures >= 1 && failures <= PAUSES ? seconds[failures - 1] * NS_PER_S : 0;
}

/* ---- the signature ---- */

static bool hmac(const void *key, size_t key_bytes, const struct slice *parts, unsigned count,
	uint8_t digest[static WC_SHA256_DIGEST_SIZE])
{
	Hmac state;
	int rc = wc_HmacInit(&state, NULL, INVALID_DEVID);

	if (rc == 0)
		rc = wc_HmacSetKey(&state, WC_SHA256, key, (word32)key_bytes);
	for (unsigned i = 0; rc == 0 && i < count; i++)
		rc = wc_HmacUpdate(&state, (const byte *)parts[i].data, (word32)parts[i].size);
	if (rc == 0)
		rc = wc_HmacFinal(&state, digest);
	wc_HmacFree(&state);
	return rc == 0;
}

bool alert_sign(struct slice master_key, struct slice workspace, struct slice body,
	char signature[static ALERT_SIGNATURE_BYTES])
{
	const struct slice name[] = {slice_of("webhook", sizeof("webhook")), workspace};
	uint8_t key[WC_SHA256_DIGEST_SIZE], digest[WC_SHA256_DIGEST_SIZE];
	struct text hex = text_over(signature, ALERT_SIGNATURE_BYTES);
	bool good = hmac(master_key.data, master_key.size, name, 2, key) && hmac(key, sizeof(key), &body, 1, digest);

	text_hex(&hex, digest, sizeof(digest));
	explicit_bzero(key, sizeof(key));
	return good && !hex.full;
}

/* ---- what is sent ---- */

struct report {
	const struct alert_subject *subject;
	const struct budget_scope *scope;
	enum budget_window window;
	uint32_t day;
	const struct budget_account *account;
	bool full;
};

static const char *scope_name(enum budget_place place)
{
	static const char *const names[BUDGET_PLACES] = {"key", "team", "workspace", "balance"};

	return names[place];
}

static const char *scope_id(const struct report *r)
{
	return r->scope->place == BUDGET_KEY    ? r->subject->key_id
	       : r->scope->place == BUDGET_TEAM ? r->subject->team
						: r->subject->workspace->id;
}

static void print_day(struct text *json, uint32_t day)
{
	char memory[64];
	struct text time = text_over(memory, sizeof(memory));

	text_rfc3339(&time, day * UINT64_C(86400) * NS_PER_S);
	text_json(json, slice_of(memory, sizeof("2026-01-01") - 1));
}

static void print_body(const struct gateway_shard *gs, const struct report *r, struct text *json)
{
	int64_t limit_nusd = r->scope->limits_nusd[r->window];
	struct ulid id = ulid_make(&gs->shard->rand, shard_wall_ns(gs->shard));
	char id_text[ULID_TEXT_BYTES];

	ulid_print(&id, id_text);
	text_literal(json, "{\"id\":\"alert_");
	text_add(json, slice_of(id_text, sizeof(id_text)));
	text_string(json, r->full ? "\",\"type\":\"budget.exceeded\"" : "\",\"type\":\"budget.threshold\"");
	text_literal(json, ",\"created_at\":\"");
	text_rfc3339(json, shard_wall_ns(gs->shard));
	text_literal(json, "\",\"node\":");
	text_json(json, gs->gateway->node);
	text_literal(json, ",\"workspace\":");
	text_json(json, slice_of_string(r->subject->workspace->id));
	text_literal(json, ",\"scope\":\"");
	text_string(json, scope_name(r->scope->place));
	text_literal(json, "\",\"scope_id\":");
	text_json_or_null(json, slice_of_string(scope_id(r)));
	text_literal(json, ",\"window\":\"");
	text_string(json, budget_window_name(r->window));
	text_literal(json, "\",\"window_begins\":");
	print_day(json, budget_first_day(r->window, r->day));
	text_literal(json, ",\"threshold_percent\":");
	text_u64(json, r->full ? 100 : r->subject->workspace->alert_threshold_percent);
	text_literal(json, ",\"budget_usd\":");
	text_usd(json, limit_nusd);
	text_literal(json, ",\"spent_usd\":");
	text_usd(json, r->account->used_nusd);
	text_literal(json, ",\"reserved_usd\":");
	text_usd(json, r->account->reserved_nusd);
	text_literal(json, "}");
}

static bool write_head(struct alert *alert, const struct workspace_settings *workspace, struct slice path)
{
	const struct settings *settings = alert->own->gateway_shard->config->config->settings;
	struct text head = text_over(alert->head, sizeof(alert->head));
	char signature[ALERT_SIGNATURE_BYTES];

	if (!alert_sign(slice_of_string(settings->admin_master_key), slice_of_string(workspace->id),
		    slice_of(alert->body, alert->body_bytes), signature))
		return false;
	text_literal(&head, "POST ");
	text_add(&head, path.size ? path : SLICE("/"));
	text_literal(&head, " HTTP/1.1\r\nHost: ");
	text_add(&head, slice_of(alert->host, alert->host_bytes));
	if (alert->port != (alert->tls ? 443 : 80)) {
		text_char(&head, ':');
		text_u64(&head, alert->port);
	}
	text_literal(&head, "\r\nContent-Type: application/json\r\nUser-Agent: tollgate\r\nX-Tollgate-Signature: sha256=");
	text_add(&head, slice_of(signature, sizeof(signature)));
	text_literal(&head, "\r\nContent-Length: ");
	text_u64(&head, alert->body_bytes);
	text_literal(&head, "\r\n\r\n");
	alert->head_bytes = head.size;
	return !head.full;
}

/* ---- the call, and the next ---- */

static void say(const struct alert *alert, enum log_level level, const char *what)
{
	struct log_writer *log = alert->own->gateway_shard->log;
	struct log_field fields[] = {LOG_TEXT("host", slice_of(alert->host, alert->host_bytes)),
		LOG_INT("status", alert->status), LOG_INT("failures", alert->failures)};

	if (log)
		log_say(log, level, what, fields, sizeof(fields) / sizeof(fields[0]));
}

static void forget(struct alert *alert)
{
	struct alert_shard *own = alert->own;

	if (alert->calling)
		http_call_cancel(&alert->call);
	timer_disarm(&own->gateway_shard->shard->timers, &alert->timer);
	list_remove(&alert->link);
	own->count--;
	free(alert);
}

static void failed(struct alert *alert)
{
	struct shard *shard = alert->own->gateway_shard->shard;
	uint64_t pause_ns = alert_pause_ns(++alert->failures);

	if (pause_ns && !alert->own->closed) {
		timer_arm(&shard->timers, &alert->timer, shard_now_ns(shard) + pause_ns);
		return;
	}
	say(alert, LOG_WARN, "an alert was not delivered");
	forget(alert);
}

static void on_head(struct http_call *call)
{
	struct alert *alert = call->user;

	alert->status = call->head->status;
}

static void on_data(struct http_call *call, struct slice data, struct buffer *buffer)
{
	(void)call; /* what it says besides is of no interest */
	(void)data;
	(void)buffer;
}

static void on_end(struct http_call *call)
{
	struct alert *alert = call->user;

	alert->calling = false;
	if (alert->status / 100 == 2)
		forget(alert);
	else
		failed(alert);
}

static void on_failed(struct http_call *call, enum http_failure failure, int error, struct slice detail)
{
	struct alert *alert = call->user;

	(void)failure;
	(void)error;
	(void)detail;
	alert->calling = false;
	alert->status = 0;
	failed(alert);
}

static const struct http_call_handler handler = {
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
	.on_failed = on_failed,
};

static void start_call(struct alert *alert)
{
	alert->body_iov = (struct iovec){alert->body, alert->body_bytes};
	alert->call = (struct http_call){.handler = &handler,
		.origin = alert->origin,
		.request_head = slice_of(alert->head, alert->head_bytes),
		.body = &alert->body_iov,
		.body_count = 1,
		.timeouts = {.connect_ns = 5 * NS_PER_S, .head_ns = 10 * NS_PER_S, .idle_ns = 10 * NS_PER_S,
			.total_ns = 20 * NS_PER_S},
		.limits = {16384, HTTP_HEADERS_MAX, 1 << 20},
		.head = &alert->answer_head,
		.user = alert};
	alert->calling = true;
	http_call_start(alert->own->gateway_shard->client, &alert->call);
}

static void resolved(struct resolve_query *query)
{
	struct alert *alert = container_of(query, struct alert, query);

	alert->asking = false;
	alert->own->asking--;
	if (alert->own->closed) {
		forget(alert);
		return;
	}
	http_origin_set_addresses(alert->origin, query->addresses, query->result == 0 ? query->count : 0);
	start_call(alert);
}

/* The name is looked up for each attempt: alerts are rare. */
static void attempt(struct alert *alert)
{
	struct gateway_shard *gs = alert->own->gateway_shard;
	struct sockaddr_storage address;

	if (resolve_literal(slice_of(alert->host, alert->host_bytes), alert->port, &address)) {
		http_origin_set_addresses(alert->origin, &address, 1);
		start_call(alert);
		return;
	}
	if (!gs->gateway->resolver) {
		failed(alert);
		return;
	}
	alert->query = (struct resolve_query){.shard = gs->shard, .done = resolved, .port = alert->port};
	memcpy(alert->query.name, alert->host, alert->host_bytes + 1);
	alert->asking = true;
	alert->own->asking++;
	resolve_start(gs->gateway->resolver, &alert->query);
}

static void again(struct timer *timer)
{
	attempt(container_of(timer, struct alert, timer));
}

static bool find_origin(struct alert *alert)
{
	struct gateway_shard *gs = alert->own->gateway_shard;
	struct slice host = slice_of(alert->host, alert->host_bytes), trust = slice_of(NULL, 0);

	if (alert->tls)
		trust = SLICE("system");
	alert->origin = http_client_origin(gs->client, host, alert->port, trust);
	if (!alert->origin || !alert->tls)
		return alert->origin;
	return CONFIG(TLS) && gateway_tls_webhook(gs->config->config->tls) &&
	       http_origin_set_tls(alert->origin, gs->tls, gateway_tls_webhook(gs->config->config->tls), host) == 0;
}

static struct alert *make(struct alert_shard *own, const struct url_parts *url)
{
	struct alert *alert = own->count < PENDING_MAX ? calloc(1, sizeof(*alert)) : NULL;

	if (!alert)
		return NULL;
	alert->own = own;
	list_init(&alert->link);
	list_append(&own->pending, &alert->link);
	own->count++;
	timer_init(&alert->timer, again);
	alert->port = url->port;
	alert->tls = url->https;
	alert->host_bytes = url->host.size;
	memcpy(alert->host, url->host.data, url->host.size);
	return alert;
}

static void deliver(struct alert_shard *own, const struct report *report)
{
	const struct workspace_settings *workspace = report->subject->workspace;
	struct url_parts url;
	struct alert *alert;
	struct text body;

	if (own->closed || !workspace->alert_webhook_url ||
		!url_split(slice_of_string(workspace->alert_webhook_url), &url) || url.host.size > RESOLVE_NAME_MAX)
		return;
	alert = make(own, &url);
	if (!alert)
		return;
	body = text_over(alert->body, sizeof(alert->body));
	print_body(own->gateway_shard, report, &body);
	alert->body_bytes = body.size;
	if (body.full || !write_head(alert, workspace, url.path) || !find_origin(alert)) {
		say(alert, LOG_WARN, "an alert could not be sent");
		forget(alert);
		return;
	}
	attempt(alert);
}

/* ---- what was reached ---- */

static void tell(struct alert_shard *own, const struct report *report)
{
	struct log_field fields[] = {LOG_TEXT("workspace", slice_of_string(report->subject->workspace->id)),
		LOG_TEXT("scope", slice_of_string(scope_name(report->scope->place))),
		LOG_TEXT("id", slice_of_string(scope_id(report))),
		LOG_TEXT("window", slice_of_string(budget_window_name(report->window))),
		LOG_INT("budget_nusd", report->scope->limits_nusd[report->window]),
		LOG_INT("spent_nusd", report->account->used_nusd)};

	if (own->gateway_shard->log)
		log_say(own->gateway_shard->log, LOG_WARN,
			report->full ? "a budget has no room for a call" : "a budget comes near its end", fields,
			sizeof(fields) / sizeof(fields[0]));
	deliver(own, report);
}

void alert_budget(struct alert_shard *own, const struct alert_subject *subject, const struct budget_scope *scope,
	uint32_t day, const struct budget_refusal *refusal)
{
	for (enum budget_window window = 0; !scope->balance && window < BUDGET_WINDOWS; window++) {
		bool refused = refusal && refusal->place == scope->place && refusal->window == window;
		const struct budget_account *account;
		unsigned reached = budget_reached(scope, window, day, subject->workspace->alert_threshold_percent,
			refused, &account);
		struct report report = {subject, scope, window, day, account, false};

		if (reached & BUDGET_NEAR)
			tell(own, &report);
		report.full = true;
		if (reached & BUDGET_FULL)
			tell(own, &report);
	}
}

/* ---- opening and closing ---- */

void alert_shard_init(struct alert_shard *own, struct gateway_shard *gs)
{
	*own = (struct alert_shard){.gateway_shard = gs};
	list_init(&own->pending);
}

bool alert_shard_close(struct alert_shard *own)
{
	own->closed = true;
	for (struct list *l = own->pending.next, *next; l != &own->pending; l = next) {
		struct alert *alert = container_of(l, struct alert, link);

		next = l->next;
		if (alert->asking)
			continue;
		say(alert, LOG_WARN, "an alert was not delivered");
		forget(alert);
	}
	return own->count == 0;
}
