/*
 * Errors as JSON, in the dialect that OpenAI's clients read. The Anthropic dialect puts the same fields in its own
 * envelope.
 */
#include "route/gateway/api_error.h"

struct slice api_error_type(unsigned status)
{
	switch (status) {
	case 401:
		return SLICE("authentication_error");
	case 402:
		return SLICE("budget_exceeded");
	case 403:
		return SLICE("permission_error");
	case 404:
		return SLICE("not_found_error");
	case 429:
		return SLICE("rate_limit_exceeded");
	case 501: /* a method or coding that is unknown, a version that is not spoken: the request's fault */
	case 505:
		return SLICE("invalid_request_error");
	case 503:
		return SLICE("overloaded");
	case 504:
		return SLICE("upstream_timeout");
	default:
		return status >= 500 ? SLICE("upstream_error") : SLICE("invalid_request_error");
	}
}

void api_error_print_member(const struct api_error *error, struct slice request_id, struct text *json)
{
	text_literal(json, "\"error\":{\"type\":");
	text_json(json, error->type.data ? error->type : api_error_type(error->status));
	text_literal(json, ",\"message\":");
	text_json(json, error->message);
	text_literal(json, ",\"code\":");
	text_json_or_null(json, error->code);
	text_literal(json, ",\"param\":");
	text_json_or_null(json, error->param);
	if (error->kind.data) {
		text_literal(json, ",\"kind\":");
		text_json(json, error->kind);
	}
	if (error->retry_after_s) {
		text_literal(json, ",\"retry_after_seconds\":");
		text_u64(json, error->retry_after_s);
	}
	if (request_id.size) {
		text_literal(json, ",\"request_id\":");
		text_json(json, request_id);
	}
	if (error->upstream.data) {
		text_literal(json, ",\"upstream\":");
		text_add(json, error->upstream);
	}
	text_char(json, '}');
}

void api_error_print(const struct api_error *error, struct slice request_id, struct text *json)
{
	text_char(json, '{');
	api_error_print_member(error, request_id, json);
	text_char(json, '}');
}
