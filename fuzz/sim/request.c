/* See request.h. */
#include "fuzz/sim/request.h"

#include "fuzz/sim/race.h"
#include "fuzz/sim/tongue.h"
#include "fuzz/sim/words.h"

enum call_kind request_draw_kind(struct scenario *s)
{
	static const enum call_kind served[] = {CALL_CHAT, CALL_CHAT, CALL_CHAT, CALL_CHAT_STREAM, CALL_CHAT_STREAM,
		CALL_CHAT_STREAM, CALL_COMPLETION, CALL_COMPLETION_STREAM, CALL_EMBEDDING, CALL_MODERATION};
	enum call_kind kind;

	if (chance(s, s->terms.mischief / 4))
		return (enum call_kind)pick(s, CALL_SERVED, CALL_REFUSED - 1);
	if (chance(s, 6000))
		return (enum call_kind)pick(s, CALL_REFUSED, CALL_PAGES_END - 1);
	kind = served[pick(s, 0, sizeof(served) / sizeof(*served) - 1)];
	if (s->terms.mixed)
		return kind == CALL_COMPLETION_STREAM || kind == CALL_CHAT_STREAM ? CALL_CHAT_STREAM : CALL_CHAT;
	return kind;
}

static enum tongue_name draw_tongue(struct scenario *s, const struct call *call)
{
	if (!s->terms.mixed || !call_is_chat(call))
		return TONGUE_OPENAI;
	return tongue_of_clients(pick(s, 0, UINT32_MAX));
}

unsigned request_expected_status(enum call_kind kind)
{
	switch (kind) {
	case CALL_BAD_JSON:
	case CALL_NO_MESSAGES:
	case CALL_BAD_HTTP:
		return 400;
	case CALL_UNKNOWN_KEY:
	case CALL_NO_KEY:
		return 401;
	case CALL_NOT_ALLOWED:
		return 403;
	case CALL_UNKNOWN_PATH:
	case CALL_UNKNOWN_MODEL:
		return 404;
	case CALL_WRONG_METHOD:
		return 405;
	case CALL_TOO_LARGE:
		return 413;
	case CALL_WRONG_TYPE:
		return 415;
	default:
		return 200;
	}
}

static const char *path_of(const struct call *call)
{
	switch (call->kind) {
	case CALL_CHAT:
	case CALL_CHAT_STREAM:
		return tongue_named(call->tongue)->path;
	case CALL_COMPLETION:
	case CALL_COMPLETION_STREAM:
		return "/v1/completions";
	case CALL_EMBEDDING:
		return "/v1/embeddings";
	case CALL_MODERATION:
		return "/v1/moderations";
	case CALL_UNKNOWN_PATH:
		return "/v1/chat/complections";
	default:
		return "/v1/chat/completions";
	}
}

static size_t draw_text_bytes(struct scenario *s)
{
	if (is_race(s))
		return pick(s, 16, RACE_TEXT_BYTES_MAX);
	if (chance(s, 1500))
		return pick(s, 20000, BODY_MAX_BYTES / 2);
	return pick(s, 16, chance(s, 8000) ? 12000 : 400);
}

static const char *draw_model(struct scenario *s, struct call *call)
{
	if (call->kind == CALL_UNKNOWN_MODEL)
		return "sim/wto";
	if (call->kind == CALL_NOT_ALLOWED)
		call->model = MODEL_ONE;
	else if (call->kind == CALL_EMBEDDING)
		call->model = MODEL_EMBED;
	else if (call->kind == CALL_MODERATION)
		call->model = MODEL_MODERATE;
	else
		call->model = is_race(s) ? MODEL_BOTH : (unsigned)pick(s, MODEL_ONE, MODEL_BOTH);
	return model_terms[call->model].id;
}

static void write_text(const struct call *call, size_t text_bytes, struct bytes *json)
{
	struct bytes text = {0};

	scenario_text(&text, call->id, text_bytes);
	words_escape(json, bytes_slice(&text), call->id % WORDS_STYLES);
	bytes_free(&text);
}

static void write_subject(const struct call *call, size_t text_bytes, struct bytes *json)
{
	switch (call->kind) {
	case CALL_COMPLETION:
	case CALL_COMPLETION_STREAM:
		bytes_add(json, SLICE("\"prompt\":\""));
		break;
	case CALL_EMBEDDING:
	case CALL_MODERATION:
		bytes_add(json, SLICE("\"input\":\""));
		break;
	case CALL_NO_MESSAGES:
		bytes_add(json, SLICE("\"massages\":\""));
		break;
	default:
		bytes_print(json, "%s", tongue_named(call->tongue)->before);
		write_text(call, text_bytes, json);
		bytes_print(json, "%s", tongue_named(call->tongue)->behind);
		return;
	}
	write_text(call, text_bytes, json);
	bytes_add(json, SLICE("\""));
}

static void write_body(struct scenario *s, struct call *call, struct bytes *json)
{
	size_t text_bytes = call->kind == CALL_TOO_LARGE ? BODY_MAX_BYTES + pick(s, 1, 50000) : draw_text_bytes(s);
	const struct tongue *tongue = tongue_named(call->tongue);
	bool subject_first = chance(s, 32768);

	call->include_usage = call_is_stream(call) && tongue->usage_is_asked && chance(s, 20000);
	call->chain = !is_race(s) && call_is_served(call) && call->kind < CALL_EMBEDDING && chance(s, 6000);
	bytes_print(json, "{\"model\":\"%s\"%s", draw_model(s, call), tongue->besides);
	if (subject_first) {
		bytes_add(json, SLICE(","));
		write_subject(call, text_bytes, json);
	}
	if (call_is_stream(call))
		bytes_add(json, SLICE(",\"stream\": true"));
	if (call->include_usage)
		bytes_add(json, SLICE(",\"stream_options\":{\"include_usage\":true}"));
	if (call->chain)
		bytes_add(json, SLICE(",\"x-fallback-chain\":[\"sim/two\",\"sim/one\"]"));
	if (chance(s, 10000))
		bytes_add(json, SLICE(",\"temperature\":0.25,\"x-routing-hints\":{\"priority\":\"cost\"}"));
	if (is_race(s)) {
		race_draw_output(s, call);
		bytes_print(json, ",\"max_tokens\":%u", call->output_max);
	}
	if (!subject_first) {
		bytes_add(json, SLICE(","));
		write_subject(call, text_bytes, json);
	}
	bytes_add(json, call->kind == CALL_BAD_JSON ? SLICE("]") : SLICE("}"));
}

static void write_page(const struct call *call, const char *about, bool close, struct bytes *bytes)
{
	static const char *const paths[CALL_KINDS] = {
		[CALL_MODELS] = "/v1/models",
		[CALL_HEALTH] = "/healthz",
		[CALL_READY] = "/readyz",
		[CALL_METRICS] = "/metrics",
		[CALL_RECEIPTS] = "/admin/receipts?limit=5",
	};

	if (call->kind == CALL_RECEIPT)
		bytes_print(bytes, "GET /v1/receipts/%.*s", ID_BYTES, about);
	else
		bytes_print(bytes, "GET %s", paths[call->kind]);
	bytes_print(bytes, " HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer %s\r\n%s\r\n",
		call->kind == CALL_RECEIPTS ? MASTER_KEY : KEY_OF_ALL, close ? "Connection: close\r\n" : "");
}

static void write_key(const struct call *call, struct bytes *bytes)
{
	if (call->kind == CALL_NO_KEY)
		return;
	if (call->kind == CALL_UNKNOWN_KEY)
		bytes_add(bytes, SLICE("Authorization: Bearer gw_sim_none\r\n"));
	else if (call->id % 2)
		bytes_print(bytes, "x-api-key: %s\r\n", call->kind == CALL_NOT_ALLOWED ? KEY_OF_TWO : KEY_OF_ALL);
	else
		bytes_print(bytes, "authorization: Bearer %s\r\n",
			call->kind == CALL_NOT_ALLOWED ? KEY_OF_TWO : KEY_OF_ALL);
}

static void write_deposit(struct scenario *s, const struct call *call, struct bytes *bytes)
{
	struct bytes body = {0};

	race_write_deposit(s, call, &body);
	bytes_print(bytes,
		"POST /admin/workspaces/default/deposits HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer %s\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		MASTER_KEY, body.size);
	bytes_add(bytes, bytes_slice(&body));
	bytes_free(&body);
}

void request_write(struct scenario *s, struct call *call, const char *about, bool close, struct bytes *bytes)
{
	struct bytes body = {0};
	bool chunked;

	if (call->kind == CALL_DEPOSIT) {
		write_deposit(s, call, bytes);
		return;
	}
	if (call->kind >= CALL_REFUSED) {
		write_page(call, about, close, bytes);
		return;
	}
	if (call->kind == CALL_BAD_HTTP) {
		bytes_add(bytes, chance(s, 32768) ? SLICE("POST /v1/chat/completions HTTP/1.1\r\nHost: "
							  "gate\r\nContent-Length: 1x\r\n\r\n")
						  : SLICE("POST /v1/chat/completions HTTP/1.1\r\nHost gate\r\n\r\n"));
		return;
	}
	call->tongue = draw_tongue(s, call);
	write_body(s, call, &body);
	call->body_bytes = body.size;
	race_note_body(call, body.size);
	bytes_print(bytes, "%s %s HTTP/1.1\r\nHost: gate\r\n", call->kind == CALL_WRONG_METHOD ? "PUT" : "POST",
		path_of(call));
	write_key(call, bytes);
	bytes_print(bytes, "Content-Type: %s\r\nX-Gateway-Tags: sim=sim-%u\r\n%s",
		call->kind == CALL_WRONG_TYPE ? "text/plain" : "application/json", call->id,
		close ? "Connection: close\r\n" : "");
	chunked = call_is_served(call) && chance(s, 8000);
	if (chunked)
		bytes_print(bytes, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", body.size);
	else
		bytes_print(bytes, "Content-Length: %zu\r\n\r\n", body.size);
	bytes_add(bytes, bytes_slice(&body));
	if (chunked)
		bytes_add(bytes, SLICE("\r\n0\r\n\r\n"));
	bytes_free(&body);
}
