/* Anthropic's row of the table of dialects. */
#include "route/dialects/dialect.h"

#include "proto/anthropic/anthropic.h"
#include "route/dialects/dialect_errors.h"
#include "route/fleet/upstream.h"

#define VERSION_DEFAULT SLICE("2023-06-01")

static void add_line(struct text *head, struct slice name, struct slice value)
{
	if (!value.size)
		return;
	text_add(head, name);
	text_add(head, value);
	text_literal(head, "\r\n");
}

/* A body that stays as it is keeps the version that it was written for. */
static void authorize(const struct upstream_request *request, struct text *head)
{
	struct slice version = slice_of_string(request->provider->api_version);

	if (request->credential)
		add_line(head, SLICE("x-api-key: "), slice_of_string(request->credential->api_key));
	if (request->anthropic_version.size)
		version = request->anthropic_version;
	add_line(head, SLICE("anthropic-version: "), version.size ? version : VERSION_DEFAULT);
	add_line(head, SLICE("anthropic-beta: "), request->anthropic_beta);
}

static void read_error(const struct json_parser *p, struct openai_error *error)
{
	json_ref details;

	openai_read_error(p, error); /* the same members, and one more around them */
	details = json_member(p, 0, SLICE("error"));
	if (details != JSON_NONE && json_type(p, details) == JSON_OBJECT)
		details = json_member(p, details, SLICE("details"));
	if (!error->code.data && details != JSON_NONE)
		error->code = chat_member_text(p, details, SLICE("error_code"));
}

static int read_request(const struct json_parser *p, enum receipt_api api, struct openai_request *request,
	struct openai_problem *problem)
{
	return api == API_COUNT_TOKENS ? anthropic_read_count(p, request, problem)
				       : anthropic_read_common(p, request, problem);
}

static struct slice error_type(unsigned status)
{
	switch (status) {
	case 401:
		return SLICE("authentication_error");
	case 402:
		return SLICE("billing_error");
	case 403:
		return SLICE("permission_error");
	case 404:
		return SLICE("not_found_error");
	case 413:
		return SLICE("request_too_large");
	case 429:
		return SLICE("rate_limit_error");
	case 503:
		return SLICE("overloaded_error");
	case 504:
		return SLICE("timeout_error");
	default:
		return status >= 500 ? SLICE("api_error") : SLICE("invalid_request_error");
	}
}

/* {"type":"error","error":{...},"request_id":...}: the fields of the contract in Anthropic's envelope and with its
 * types. */
static void print_error(const struct api_error *error, struct slice request_id, struct text *json)
{
	struct api_error own = *error;

	own.type = error_type(error->status);
	text_literal(json, "{\"type\":\"error\",");
	api_error_print_member(&own, slice_of(NULL, 0), json);
	if (request_id.size) {
		text_literal(json, ",\"request_id\":");
		text_json(json, request_id);
	}
	text_char(json, '}');
}

const struct dialect dialect_anthropic = {
	.name = "anthropic",
	.chat = &chat_anthropic,
	.paths = {[API_CHAT_COMPLETIONS] = "/messages", [API_MESSAGES] = "/messages"},
	.authorize = authorize,
	.edit_request = anthropic_edit_request,
	.read_answer = anthropic_read_figures,
	.edit_event = anthropic_edit_event,
	.event_name = chat_event_name,
	.read_error = read_error,
	.errors = dialect_errors_anthropic,
	.read_request = read_request,
	.print_error = print_error,
	.error_event = {"event: error\ndata: ", 19},
	.end_event = {"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", 51},
	.id_header = {"request-id: ", 12},
};

/* How many tokens a request of Messages has: what the provider itself says, where it can. */
const struct dialect dialect_anthropic_count = {
	.name = "anthropic",
	.chat = &chat_anthropic,
	.paths = {[API_COUNT_TOKENS] = "/messages/count_tokens"},
	.authorize = authorize,
	.edit_request = anthropic_edit_request,
	.read_answer = anthropic_read_counted,
	.read_error = read_error,
	.errors = dialect_errors_anthropic,
	.read_request = read_request,
	.print_error = print_error,
	.id_header = {"request-id: ", 12},
};
