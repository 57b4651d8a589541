/*
 * /admin/alerts: from which percentage of a budget on, and where, each workspace is told. A change is one of the
 * workspace's `alerts`, and takes its way.
 */
#include "route/gateway/pages.h"

enum { ROW_BYTES = 128 };

#define NONE slice_of(NULL, 0)

static void refuse_memory(struct exchange *e)
{
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
}

void admin_alerts(struct exchange *e)
{
	const struct settings *settings = e->config->config->settings;
	size_t bytes = ROW_BYTES;
	struct text json;

	for (unsigned i = 0; i < settings->workspace_count; i++)
		bytes += ROW_BYTES + 6 * (strlen(settings->workspaces[i].id) +
						 slice_of_string(settings->workspaces[i].alert_webhook_url).size);
	json = text_over(arena_alloc(&e->arena, bytes), bytes);
	if (!json.data) {
		refuse_memory(e);
		return;
	}
	text_literal(&json, "{\"data\":[");
	for (unsigned i = 0; i < settings->workspace_count; i++) {
		const struct workspace_settings *workspace = &settings->workspaces[i];

		text_string(&json, i ? ",{\"workspace\":" : "{\"workspace\":");
		text_json(&json, slice_of_string(workspace->id));
		text_literal(&json, ",\"threshold_percent\":");
		text_u64(&json, workspace->alert_threshold_percent);
		text_literal(&json, ",\"webhook_url\":");
		text_json_or_null(&json, slice_of_string(workspace->alert_webhook_url));
		text_char(&json, '}');
	}
	text_literal(&json, "]}\n");
	page_answer(e, 200, SLICE("application/json"), text_slice(&json));
}

/* {"alerts": what the body says besides the workspace}: what is wrong in it is named by who reads that. */
static struct slice alerts_of(struct exchange *e)
{
	const struct json_parser *json = e->gateway_shard->json;
	size_t bytes = e->request->body.size + ROW_BYTES;
	struct text text = text_over(arena_alloc(&e->arena, bytes), bytes);
	bool first = true;

	if (!text.data)
		return NONE;
	text_literal(&text, "{\"alerts\":{");
	for (json_ref m = json_first(json, 0); m != JSON_NONE; m = json_next(json, m)) {
		if (slice_equal(json_key(json, m), SLICE("workspace")))
			continue;
		text_string(&text, first ? "" : ",");
		text_json(&text, json_key(json, m));
		text_char(&text, ':');
		text_add(&text, json_raw(json, m));
		first = false;
	}
	text_literal(&text, "}}");
	return text.full ? NONE : text_slice(&text);
}

void admin_alerts_change(struct exchange *e)
{
	struct json_parser *json = e->gateway_shard->json;
	struct slice workspace, body;
	struct json_error error;
	json_ref value;

	if (json_parse(json, e->request->body, &error) || json_type(json, 0) != JSON_OBJECT) {
		exchange_refuse_invalid(e, SLICE("invalid_json"),
			SLICE("Send a JSON object: {\"workspace\": \"...\", \"threshold_percent\": 80, "
			      "\"webhook_url\": \"...\"}."),
			NONE);
		return;
	}
	value = json_member(json, 0, SLICE("workspace"));
	if (value == JSON_NONE || json_type(json, value) != JSON_STRING || json_string(json, value).size == 0) {
		exchange_refuse_invalid(e, SLICE("invalid_value"),
			SLICE("'workspace' says whose alerts these are: its id."), SLICE("workspace"));
		return;
	}
	workspace = arena_copy(&e->arena, json_string(json, value));
	body = alerts_of(e);
	if (workspace.data && body.data)
		admin_workspace_update(e, workspace, body);
	else
		refuse_memory(e);
}
