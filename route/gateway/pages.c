/* What the gateway answers itself: health, models, and a key's own receipts. */
#include "route/gateway/pages.h"

#include "core/clock.h"
#include "route/auto/decision.h"

#include <errno.h>

enum { PAGE_FIRST_BYTES = 16384, PAGE_BYTES_MAX = 16 * 1024 * 1024, PAGE_HEADERS_BYTES = 512, ERROR_BYTES = 256 };

void page_answer(struct exchange *e, unsigned status, struct slice type, struct slice body)
{
	struct text headers = text_over(arena_alloc(&e->arena, PAGE_HEADERS_BYTES), PAGE_HEADERS_BYTES);

	if (!headers.data) {
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
		return;
	}
	text_literal(&headers, "Content-Type: ");
	text_add(&headers, type);
	text_literal(&headers, "\r\n");
	exchange_print_headers(e, &headers, false);
	e->state = EXCHANGE_ENDED;
	e->answered = true;
	e->status = status;
	e->answer_iov[0] = (struct iovec){(char *)(uintptr_t)body.data, body.size};
	if (!e->gone)
		http_respond_borrowed(e->request, status, text_slice(&headers), e->answer_iov, 1);
}

void page_answer_printed(struct exchange *e, unsigned status, struct slice type, page_print *print)
{
	for (size_t capacity = PAGE_FIRST_BYTES; capacity <= PAGE_BYTES_MAX; capacity *= 4) {
		struct text text = text_over(arena_alloc(&e->arena, capacity), capacity);

		if (!text.data)
			break;
		print(e, &text);
		if (!text.full) {
			page_answer(e, status, type, text_slice(&text));
			return;
		}
	}
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory for this page. Try again in a moment."));
}

void page_healthz(struct exchange *e)
{
	page_answer(e, 200, SLICE("application/json"), SLICE("{\"status\":\"ok\"}\n"));
}

void page_readyz(struct exchange *e)
{
	struct gateway *gateway = e->gateway_shard->gateway;

	if (atomic_load_explicit(&gateway->draining, memory_order_relaxed))
		page_answer(e, 503, SLICE("application/json"), SLICE("{\"status\":\"draining\"}\n"));
	else if (!store_writable(gateway->store))
		page_answer(e, 503, SLICE("application/json"), SLICE("{\"status\":\"store_not_writable\"}\n"));
	else
		page_answer(e, 200, SLICE("application/json"), SLICE("{\"status\":\"ready\"}\n"));
}

static void print_metrics(const struct exchange *e, struct text *text)
{
	gateway_metrics_print(e->gateway_shard->gateway, text);
	deployment_metrics_print(e, text);
}

void page_metrics(struct exchange *e)
{
	if (!e->config->config->settings->metrics) {
		struct api_error error = {.status = 404,
			.type = SLICE("not_found_error"),
			.code = SLICE("metrics_off"),
			.message = SLICE("Metrics are turned off in the configuration (telemetry.metrics).")};

		exchange_refuse(e, &error, slice_of(NULL, 0));
		return;
	}
	page_answer_printed(e, 200, SLICE("text/plain; version=0.0.4; charset=utf-8"), print_metrics);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Ids hold "/", which some clients send as %2F. A bad escape stays as it is, and names nothing. */
struct slice page_unescape(struct exchange *e, struct slice path)
{
	char *memory = arena_alloc(&e->arena, path.size + 1);
	size_t size = 0;

	if (!memory)
		return path;
	for (size_t i = 0; i < path.size; i++) {
		int high = path.data[i] == '%' && i + 2 < path.size ? hex_digit(path.data[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(path.data[i + 2]) : -1;

		if (low >= 0) {
			memory[size++] = (char)(high * 16 + low);
			i += 2;
		} else {
			memory[size++] = path.data[i];
		}
	}
	return slice_of(memory, size);
}

struct slice page_cut(struct slice *s, char separator)
{
	const char *at = s->size ? memchr(s->data, separator, s->size) : NULL;
	struct slice first = *s;

	if (!at) {
		*s = slice_of(NULL, 0);
		return first;
	}
	first.size = (size_t)(at - s->data);
	*s = slice_after(*s, first.size + 1);
	return first;
}

bool page_next_parameter(struct exchange *e, struct slice *rest, struct slice *name, struct slice *value)
{
	while (rest->size) {
		*value = page_cut(rest, '&');
		*name = page_cut(value, '=');
		if (name->size == 0)
			continue;
		*value = page_unescape(e, *value);
		return true;
	}
	return false;
}

/* How long receipts are kept at the most, where this one may be. */
static uint32_t receipts_days(const struct exchange *e)
{
	const struct settings *settings = e->config->config->settings;
	uint32_t days = 0;

	if (!e->admin && e->workspace)
		return e->workspace->receipts_days;
	for (unsigned i = 0; i < settings->workspace_count; i++)
		if (settings->workspaces[i].receipts_days > days)
			days = settings->workspaces[i].receipts_days;
	return days;
}

static bool parse_id(struct slice argument, struct ulid *id)
{
	struct slice prefix = SLICE("req_");

	return slice_starts_with(argument, prefix) && ulid_parse(slice_after(argument, prefix.size), id);
}

static void refuse_expired_receipt(struct exchange *e, uint32_t days)
{
	struct text message = text_over(arena_alloc(&e->arena, ERROR_BYTES), ERROR_BYTES);
	struct api_error error = {.status = 404, .type = SLICE("not_found_error"), .code = SLICE("receipt_expired")};

	if (message.data) {
		text_literal(&message, "There is no receipt of this id any more: they are kept for ");
		text_u64(&message, days);
		text_literal(
			&message, " days here ('retention.receipts_days' of the workspace), and its request is older.");
		error.message = text_slice(&message);
	}
	exchange_refuse(e, &error, slice_of(NULL, 0));
}

static void refuse_receipt(struct exchange *e)
{
	struct api_error error = {.status = 404,
		.type = SLICE("not_found_error"),
		.code = SLICE("receipt_not_found"),
		.message = SLICE(
			"There is no receipt of this id. An id looks like req_01J... and comes in x-request-id.")};
	uint32_t days = receipts_days(e);
	struct ulid id;

	if (parse_id(e->route_argument, &id) && ulid_wall_ns(&id) + days * NS_PER_DAY <= e->received_wall_ns)
		refuse_expired_receipt(e, days);
	else
		exchange_refuse(e, &error, slice_of(NULL, 0));
}

static void print_list(const struct exchange *e, struct text *text)
{
	const struct store_query *query = &e->query;

	text_literal(text, "{\"data\":");
	text_add(text, slice_of(query->json, query->json_size));
	text_literal(text, ",\"next_cursor\":");
	if (query->next_cursor) {
		text_char(text, '"');
		text_u64(text, query->next_cursor);
		text_char(text, '"');
	} else {
		text_literal(text, "null");
	}
	text_literal(text, "}");
}

static void print_receipt(const struct exchange *e, struct text *text)
{
	text_add(text, slice_of(e->query.json, e->query.json_size));
}

bool page_store_refused(struct exchange *e)
{
	int result = e->query.result;

	e->state = EXCHANGE_ENDED;
	if (e->gone)
		return true; /* nobody waits */
	if (result == -ENOENT)
		refuse_receipt(e);
	else if (result == -E2BIG)
		exchange_refuse_overloaded(e, SLICE("range_too_large"),
			SLICE("These days hold too many rows. Ask for fewer days at a time."));
	else if (result < 0)
		exchange_refuse_overloaded(
			e, SLICE("store_failed"), SLICE("The store could not be read. Try again in a moment."));
	return result < 0;
}

static void store_answered(struct store_query *query)
{
	struct exchange *e = container_of(query, struct exchange, query);

	if (!page_store_refused(e))
		page_answer_printed(e, 200, SLICE("application/json"),
			query->kind == STORE_QUERY_LIST ? print_list : print_receipt);
	store_query_fini(query);
	exchange_unhold(e, HOLD_QUERY);
}

void page_ask_store(struct exchange *e)
{
	page_ask_store_then(e, store_answered);
}

void page_ask_store_then(struct exchange *e, void (*done)(struct store_query *query))
{
	e->query.shard = e->gateway_shard->shard;
	e->query.done = done;
	e->state = EXCHANGE_ASKING;
	e->holds |= HOLD_QUERY;
	store_query_start(e->gateway_shard->gateway->store, &e->query);
}

void page_ask_receipt(struct exchange *e, struct slice workspace, void (*done)(struct store_query *query))
{
	e->query.kind = STORE_QUERY_BY_ID;
	e->query.workspace = workspace;
	if (parse_id(e->route_argument, &e->query.request_id))
		page_ask_store_then(e, done);
	else
		refuse_receipt(e);
}

void page_receipt(struct exchange *e)
{
	page_ask_receipt(e, slice_of_string(e->key->workspace), store_answered);
}

void admin_receipt(struct exchange *e)
{
	page_ask_receipt(e, slice_of(NULL, 0), store_answered);
}

void admin_receipt_explain(struct exchange *e)
{
	e->query.print = decision_print;
	page_ask_receipt(e, slice_of(NULL, 0), store_answered);
}
