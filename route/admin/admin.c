/* The admin's views: the state of the gateway, and lists of receipts with filters and cursors. */
#include "route/gateway/pages.h"

#include "core/civil.h"

#include <errno.h>

enum { RECEIPTS_DEFAULT = 100, RECEIPTS_MAX = 1000 };

static void add_member(struct text *text, struct slice name, uint64_t value)
{
	text_char(text, '"');
	text_add(text, name);
	text_literal(text, "\":");
	text_u64(text, value);
}

static void print_totals(const struct gateway *gateway, struct text *text)
{
	uint64_t requests = 0, attempts = 0, in_flight = 0, connections = 0, upstream = 0;

	for (unsigned i = 0; i < GATEWAY_SHARDS_MAX; i++) {
		const struct gateway_shard *gs = atomic_load(&gateway->shards[i]);

		if (!gs)
			continue;
		for (unsigned api = 0; api < API_COUNT; api++)
			for (unsigned class = 0; class < STATUS_CLASSES; class ++)
				requests += metric_get(&gs->metrics.requests[api][class]);
		attempts += metric_get(&gs->metrics.attempts);
		in_flight += metric_get(&gs->metrics.in_flight);
		connections += metric_get(&gs->metrics.connections);
		upstream += metric_get(&gs->metrics.upstream_connections);
	}
	add_member(text, SLICE("requests"), requests);
	text_char(text, ',');
	add_member(text, SLICE("attempts"), attempts);
	text_char(text, ',');
	add_member(text, SLICE("in_flight"), in_flight);
	text_char(text, ',');
	add_member(text, SLICE("connections"), connections);
	text_char(text, ',');
	add_member(text, SLICE("upstream_connections"), upstream);
}

static void print_store(const struct gateway *gateway, struct text *text)
{
	struct store_counts counts = store_counts(gateway->store);

	text_literal(text, ",\"store\":{\"writable\":");
	text_add(text, store_writable(gateway->store) ? SLICE("true") : SLICE("false"));
	text_char(text, ',');
	add_member(text, SLICE("receipts"), counts.receipts);
	text_char(text, ',');
	add_member(text, SLICE("groups"), counts.groups);
	text_char(text, ',');
	add_member(text, SLICE("bytes"), counts.bytes);
	text_char(text, ',');
	add_member(text, SLICE("replayed"), counts.replayed);
	text_char(text, ',');
	add_member(text, SLICE("failed_commits"), counts.failed_commits);
	text_literal(text, ",\"spend_usd\":");
	text_usd(text, counts.spend_nusd);
	text_literal(text, "}");
}

static void print_status(const struct exchange *e, struct text *text)
{
	const struct gateway *gateway = e->gateway_shard->gateway;
	const struct settings *settings = e->config->config->settings;
	bool draining = atomic_load(&gateway->draining);

	text_literal(text, "{\"status\":");
	text_add(text, draining ? SLICE("\"draining\"") : SLICE("\"serving\""));
	text_literal(text, ",\"version\":\"" TOLLGATE_VERSION "\",\"node\":");
	text_json(text, gateway->node);
	text_literal(text, ",\"region\":");
	text_json_or_null(text, slice_of_string(settings->region));
	text_literal(text, ",\"started_at\":\"");
	text_rfc3339(text, gateway->started_wall_ns);
	text_literal(text, "\",\"uptime_s\":");
	text_u64(text, (shard_wall_ns(e->gateway_shard->shard) - gateway->started_wall_ns) / 1000000000u);
	text_char(text, ',');
	add_member(text, SLICE("shards"), gateway->shard_count);
	text_char(text, ',');
	add_member(text, SLICE("models"), settings->model_count);
	text_char(text, ',');
	add_member(text, SLICE("providers"), settings->provider_count);
	text_char(text, ',');
	print_totals(gateway, text);
	print_store(gateway, text);
	text_literal(text, "}\n");
}

void admin_status(struct exchange *e)
{
	page_answer_printed(e, 200, SLICE("application/json"), print_status);
}

bool page_parse_u64(struct slice s, uint64_t *number)
{
	uint64_t value = 0;

	if (s.size == 0 || s.size > 19)
		return false;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(s.data[i] - '0');
	}
	*number = value;
	return true;
}

bool page_parse_time(struct slice s, uint64_t *wall_ns)
{
	static const char form[] = "0000-00-00T00:00:00";
	uint64_t seconds, part[6] = {0};
	unsigned at = 0;

	if (page_parse_u64(s, &seconds)) {
		if (seconds > UINT64_MAX / 1000000000u)
			return false;
		*wall_ns = seconds * 1000000000u;
		return true;
	}
	if (s.size < 10)
		return false;
	for (size_t i = 0; i < s.size && i < sizeof(form) - 1; i++) {
		if (form[i] != '0') {
			if (s.data[i] != form[i])
				return false;
			at++;
		} else if (s.data[i] < '0' || s.data[i] > '9') {
			return false;
		} else {
			part[at] = part[at] * 10 + (uint64_t)(s.data[i] - '0');
		}
	}
	if (s.size != 10 && (s.size < 20 || s.data[s.size - 1] != 'Z'))
		return false;
	if (part[0] < 1970 || part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 ||
		part[4] > 59 || part[5] > 60)
		return false;
	seconds = (uint64_t)civil_days((int64_t)part[0], (int64_t)part[1], (int64_t)part[2]) * 86400 + part[3] * 3600 +
		  part[4] * 60 + part[5];
	*wall_ns = seconds * 1000000000u;
	return true;
}

static bool parse_fallback(struct slice value, enum store_query_fallback *fallback)
{
	*fallback = slice_equal(value, SLICE("true")) ? STORE_FALLBACK_USED : STORE_FALLBACK_UNUSED;
	return *fallback == STORE_FALLBACK_USED || slice_equal(value, SLICE("false"));
}

static bool is_cache_status(struct slice value)
{
	return slice_equal(value, SLICE("hit")) || slice_equal(value, SLICE("semantic")) ||
	       slice_equal(value, SLICE("miss")) || slice_equal(value, SLICE("bypass"));
}

static bool set_parameter(struct store_query *query, struct slice name, struct slice value)
{
	uint64_t number;

	if (slice_equal(name, SLICE("key"))) {
		query->key_id = value;
		return true;
	}
	if (slice_equal(name, SLICE("model"))) {
		query->model = value;
		return true;
	}
	if (slice_equal(name, SLICE("workspace"))) {
		query->workspace = value;
		return true;
	}
	if (slice_equal(name, SLICE("cache"))) {
		query->cache = value;
		return is_cache_status(value);
	}
	if (slice_equal(name, SLICE("fallback")))
		return parse_fallback(value, &query->fallback);
	if (slice_equal(name, SLICE("since")))
		return page_parse_time(value, &query->since_ns);
	if (slice_equal(name, SLICE("until")))
		return page_parse_time(value, &query->until_ns);
	if (!page_parse_u64(value, &number))
		return false;
	if (slice_equal(name, SLICE("cursor"))) {
		query->cursor = number;
		return true;
	}
	if (slice_equal(name, SLICE("limit"))) {
		query->limit = (uint32_t)(number < RECEIPTS_MAX ? number : RECEIPTS_MAX);
		return number > 0;
	}
	if (slice_equal(name, SLICE("status"))) {
		query->status = (uint16_t)number;
		return number >= 100 && number <= 599;
	}
	return false;
}

void admin_receipts(struct exchange *e)
{
	struct slice rest = e->request->head.query, value, name;
	struct api_error error = {.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = SLICE("invalid_query"),
		.message = SLICE("Filters are key, model, workspace, status, fallback (true or false), cache (hit, "
				 "semantic, miss or bypass), since, until (RFC 3339 or Unix seconds), limit (1 to "
				 "1000) and cursor.")};

	e->query.kind = STORE_QUERY_LIST;
	e->query.limit = RECEIPTS_DEFAULT;
	while (page_next_parameter(e, &rest, &name, &value)) {
		if (!set_parameter(&e->query, name, value)) {
			error.param = name;
			exchange_refuse(e, &error, slice_of(NULL, 0));
			return;
		}
	}
	page_ask_store(e);
}
