/* Webhooks, from a text to its delivery: see webhook.h. */
#include "route/money/webhook.h"

#include "core/clock.h"
#include "core/kconfig.h"
#include "route/gateway/courier.h"
#include "route/gateway/gateway_shard.h"
#include "route/gateway/gateway_tls.h"
#include "route/settings/settings_text.h"

#include <stdlib.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hmac.h>

enum {
	PENDING_MAX = 256, /* of a shard; more at once are refused */
	HEAD_BYTES = 1536,
	PAUSES = 5,
};

/* The shard's, then the courier's thread's, then the shard's again. */
struct webhook {
	struct letter letter;
	struct list link;
	struct courier *courier;
	struct gateway_config *config; /* that it was sent under, and whose issuers it trusts; a reference */
	struct webhook_shard *own;
	webhook_done *done;
	void *context;
	bool taken;
	struct resolve_query query;
	struct timer timer;
	struct http_call call;
	struct http_head answer_head;
	struct http_origin *origin;
	struct iovec body_iov;
	unsigned failures, status;
	bool asking, calling, given_up;
	size_t host_bytes, body_bytes, head_bytes;
	uint16_t port;
	bool tls;
	char host[RESOLVE_NAME_MAX + 1], body[WEBHOOK_BODY_BYTES], head[HEAD_BYTES];
};

uint64_t webhook_pause_ns(unsigned failures)
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

bool webhook_sign(struct slice master_key, struct slice workspace, struct slice body,
	char signature[static WEBHOOK_SIGNATURE_BYTES])
{
	const struct slice name[] = {slice_of("webhook", sizeof("webhook")), workspace};
	uint8_t key[WC_SHA256_DIGEST_SIZE], digest[WC_SHA256_DIGEST_SIZE];
	struct text hex = text_over(signature, WEBHOOK_SIGNATURE_BYTES);
	bool good = hmac(master_key.data, master_key.size, name, 2, key) && hmac(key, sizeof(key), &body, 1, digest);

	text_hex(&hex, digest, sizeof(digest));
	explicit_bzero(key, sizeof(key));
	return good && !hex.full;
}

static bool write_head(struct webhook *hook, const struct workspace_settings *workspace, struct slice path)
{
	const struct settings *settings = hook->config->settings;
	struct text head = text_over(hook->head, sizeof(hook->head));
	char signature[WEBHOOK_SIGNATURE_BYTES];

	if (!webhook_sign(slice_of_string(settings->admin_master_key), slice_of_string(workspace->id),
		    slice_of(hook->body, hook->body_bytes), signature))
		return false;
	text_literal(&head, "POST ");
	text_add(&head, path.size ? path : SLICE("/"));
	text_literal(&head, " HTTP/1.1\r\nHost: ");
	text_add(&head, slice_of(hook->host, hook->host_bytes));
	if (hook->port != (hook->tls ? 443 : 80)) {
		text_char(&head, ':');
		text_u64(&head, hook->port);
	}
	text_literal(
		&head, "\r\nContent-Type: application/json\r\nUser-Agent: tollgate\r\nX-Tollgate-Signature: sha256=");
	text_add(&head, slice_of(signature, sizeof(signature)));
	text_literal(&head, "\r\nContent-Length: ");
	text_u64(&head, hook->body_bytes);
	text_literal(&head, "\r\n\r\n");
	hook->head_bytes = head.size;
	return !head.full;
}

/* ---- the call, and the next ---- */

static void say(const struct webhook *hook, enum log_level level, const char *what)
{
	struct log_writer *log = hook->courier->log;
	struct log_field fields[] = {LOG_TEXT("host", slice_of(hook->host, hook->host_bytes)),
		LOG_INT("status", hook->status), LOG_INT("failures", hook->failures)};

	if (log)
		log_say(log, level, what, fields, sizeof(fields) / sizeof(fields[0]));
}

static void on_returned(struct letter *letter)
{
	struct webhook *hook = container_of(letter, struct webhook, letter);

	hook->own->count--;
	if (hook->done)
		hook->done(hook->own, hook->context, hook->taken);
	free(hook);
}

/* Its owner is told once, whatever became of it. */
static void give_back(struct webhook *hook, bool taken)
{
	struct courier *courier = hook->courier;

	if (hook->calling)
		http_call_cancel(&hook->call);
	timer_disarm(&courier->shard.timers, &hook->timer);
	list_remove(&hook->link);
	gateway_config_give(&hook->config);
	hook->taken = taken;
	hook->letter.open = on_returned;
	shard_post(hook->own->gateway_shard->shard, &hook->letter, &courier->shard);
}

static void failed(struct webhook *hook)
{
	struct shard *shard = &hook->courier->shard;
	uint64_t pause_ns = webhook_pause_ns(++hook->failures);

	if (pause_ns && !hook->given_up) {
		timer_arm(&shard->timers, &hook->timer, shard_now_ns(shard) + pause_ns);
		return;
	}
	say(hook, LOG_WARN, "a webhook was not delivered");
	give_back(hook, false);
}

static void on_head(struct http_call *call)
{
	struct webhook *hook = call->user;

	hook->status = call->head->status;
}

static void on_data(struct http_call *call, struct slice data, struct buffer *buffer)
{
	(void)call; /* what it says besides is of no interest */
	(void)data;
	(void)buffer;
}

static void on_end(struct http_call *call)
{
	struct webhook *hook = call->user;

	hook->calling = false;
	if (hook->status / 100 == 2)
		give_back(hook, true);
	else
		failed(hook);
}

static void on_failed(struct http_call *call, enum http_failure failure, int error, struct slice detail)
{
	struct webhook *hook = call->user;

	(void)failure;
	(void)error;
	(void)detail;
	hook->calling = false;
	hook->status = 0;
	failed(hook);
}

static const struct http_call_handler handler = {
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
	.on_failed = on_failed,
};

static void start_call(struct webhook *hook)
{
	hook->body_iov = (struct iovec){hook->body, hook->body_bytes};
	hook->call = (struct http_call){.handler = &handler,
		.origin = hook->origin,
		.request_head = slice_of(hook->head, hook->head_bytes),
		.body = &hook->body_iov,
		.body_count = 1,
		.timeouts = {.connect_ns = 5 * NS_PER_S,
			.head_ns = 10 * NS_PER_S,
			.idle_ns = 10 * NS_PER_S,
			.total_ns = 20 * NS_PER_S},
		.limits = {16384, HTTP_HEADERS_MAX, 1 << 20},
		.head = &hook->answer_head,
		.user = hook};
	hook->calling = true;
	http_call_start(hook->courier->client, &hook->call);
}

static void resolved(struct resolve_query *query)
{
	struct webhook *hook = container_of(query, struct webhook, query);

	hook->asking = false;
	if (hook->given_up) {
		give_back(hook, false);
		return;
	}
	http_origin_set_addresses(hook->origin, query->addresses, query->result == 0 ? query->count : 0);
	start_call(hook);
}

/* The name is looked up for each attempt: webhooks are rare. */
static void attempt(struct webhook *hook)
{
	struct resolver *resolver = hook->courier->gateway->resolver;
	struct sockaddr_storage address;

	if (resolve_literal(slice_of(hook->host, hook->host_bytes), hook->port, &address)) {
		http_origin_set_addresses(hook->origin, &address, 1);
		start_call(hook);
		return;
	}
	if (!resolver) {
		failed(hook);
		return;
	}
	hook->query = (struct resolve_query){.shard = &hook->courier->shard, .done = resolved, .port = hook->port};
	memcpy(hook->query.name, hook->host, hook->host_bytes + 1);
	hook->asking = true;
	resolve_start(resolver, &hook->query);
}

static void again(struct timer *timer)
{
	attempt(container_of(timer, struct webhook, timer));
}

static bool find_origin(struct webhook *hook)
{
	struct slice host = slice_of(hook->host, hook->host_bytes), trust = slice_of(NULL, 0);
	struct tls_client *client = CONFIG(TLS) ? gateway_tls_webhook(hook->config->tls) : NULL;

	if (hook->tls)
		trust = SLICE("system");
	hook->origin = http_client_origin(hook->courier->client, host, hook->port, trust);
	if (!hook->origin || !hook->tls)
		return hook->origin;
	return CONFIG(TLS) && client && http_origin_set_tls(hook->origin, hook->courier->tls, client, host) == 0;
}

/* In the courier's thread. */
static void on_sent(struct letter *letter)
{
	struct webhook *hook = container_of(letter, struct webhook, letter);

	list_append(&hook->courier->webhooks, &hook->link);
	if (find_origin(hook)) {
		attempt(hook);
		return;
	}
	say(hook, LOG_WARN, "a webhook could not be called");
	give_back(hook, false);
}

bool webhook_send(struct webhook_shard *own, const struct workspace_settings *workspace, const char *address,
	struct slice body, webhook_done *done, void *context)
{
	struct gateway_shard *gs = own->gateway_shard;
	struct courier *courier = gs->gateway->courier;
	struct url_parts url;
	struct webhook *hook;

	if (!courier || own->closed || own->count == PENDING_MAX || body.size > WEBHOOK_BODY_BYTES ||
		!url_split(slice_of_string(address), &url) || url.host.size > RESOLVE_NAME_MAX)
		return false;
	hook = calloc(1, sizeof(*hook));
	if (!hook)
		return false;
	*hook = (struct webhook){.letter.open = on_sent,
		.courier = courier,
		.config = gateway_config_borrow(gs->config->config),
		.own = own,
		.done = done,
		.context = context,
		.host_bytes = url.host.size,
		.body_bytes = body.size,
		.port = url.port,
		.tls = url.https};
	list_init(&hook->link);
	timer_init(&hook->timer, again);
	memcpy(hook->host, url.host.data, url.host.size);
	memcpy(hook->body, body.data, body.size);
	if (!write_head(hook, workspace, url.path)) {
		gateway_config_give(&hook->config);
		free(hook);
		return false;
	}
	own->count++;
	shard_post(&courier->shard, &hook->letter, gs->shard);
	return true;
}

void webhook_shard_init(struct webhook_shard *own, struct gateway_shard *gs)
{
	*own = (struct webhook_shard){.gateway_shard = gs};
}

/* ---- the end ---- */

static void on_given_up(struct letter *letter)
{
	container_of(letter, struct webhook_shard, give_up)->giving_up = false;
}

/* In the courier's thread: those of one shard. One whose name is being looked up comes back when that is over. */
static void on_give_up(struct letter *letter)
{
	struct webhook_shard *own = container_of(letter, struct webhook_shard, give_up);
	struct courier *courier = own->gateway_shard->gateway->courier;

	for (struct list *l = courier->webhooks.next, *next; l != &courier->webhooks; l = next) {
		struct webhook *hook = container_of(l, struct webhook, link);

		next = l->next;
		if (hook->own != own)
			continue;
		hook->given_up = true;
		say(hook, LOG_WARN, "a webhook was not delivered");
		if (!hook->asking)
			give_back(hook, false);
	}
	letter->open = on_given_up;
	shard_post(own->gateway_shard->shard, letter, &courier->shard);
}

bool webhook_shard_close(struct webhook_shard *own)
{
	struct courier *courier = own->gateway_shard->gateway->courier;

	if (!own->closed && own->count) {
		own->giving_up = true;
		own->give_up.open = on_give_up;
		shard_post(&courier->shard, &own->give_up, own->gateway_shard->shard);
	}
	own->closed = true;
	return own->count == 0 && own->storing == 0 && !own->giving_up;
}
