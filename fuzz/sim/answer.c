/* See answer.h. */
#include "fuzz/sim/answer.h"

#include <stdarg.h>
#include <stdio.h>

#include "fuzz/sim/look.h"

#define WRONG(s, call, invariant, ...) wrong((s), (call), (invariant), __VA_ARGS__)

static __attribute__((format(printf, 4, 5))) void wrong(
	struct scenario *s, const struct call *call, const char *invariant, const char *format, ...)
{
	char what[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	scenario_break(
		s, invariant, "call %u (%s, status %u): %s", call->id, call_kind_name(call->kind), call->status, what);
}

static bool is_streaming(const struct call *call)
{
	return call_is_stream(call) && call->status == 200;
}

static void note_cost(struct scenario *s, struct call *call, struct slice value)
{
	int64_t nusd;

	if (!value.data)
		return;
	if (!look_nusd(value, &nusd))
		WRONG(s, call, "answers are well-formed", "a cost that is no amount: %.*s", (int)value.size,
			value.data);
	else if (call->cost_nusd >= 0 && call->cost_nusd != nusd)
		WRONG(s, call, "costs agree", "told as %lld and as %lld nano-USD", (long long)call->cost_nusd,
			(long long)nusd);
	else
		call->cost_nusd = nusd;
}

void answer_head(struct scenario *s, struct call *call, struct answer *answer, const struct wire *wire)
{
	struct slice id = wire_header(wire, "x-request-id");

	(void)answer;
	call->status = wire->status;
	call->answer_begun = true;
	call->decided = wire_header(wire, "x-gateway-decision").data;
	if (id.size != ID_BYTES || memcmp(id.data, "req_", 4) != 0)
		WRONG(s, call, "answers are well-formed", "x-request-id is missing or malformed");
	else
		memcpy(call->request_id, id.data, ID_BYTES);
	if (is_streaming(call) && !slice_starts_with(wire_header(wire, "content-type"), SLICE("text/event-stream")))
		WRONG(s, call, "answers are well-formed", "a stream is not text/event-stream");
	note_cost(s, call, wire_header(wire, "x-gateway-cost-usd"));
}

/* "sim-<call>-<attempt>" of an answer or event: whose it is, and of which attempt. */
static const struct attempt *find_attempt(struct scenario *s, struct call *call, struct slice json)
{
	struct slice id = look_string(look_member(json, "id"));
	const struct attempt *attempt;
	unsigned number = 0;
	uint32_t marker;
	const char *dash;

	if (!book_find_marker(id, &marker) || !(dash = memrchr(id.data, '-', id.size)) || dash < id.data + 4) {
		WRONG(s, call, "answers are well-formed", "an answer without its id");
		return NULL;
	}
	for (const char *at = dash + 1; at < id.data + id.size; at++)
		number = number * 10 + (unsigned)(*at - '0');
	if (marker != call->id) {
		WRONG(s, call, "no answer reaches another's client", "it got what was meant for call %u", marker);
		return NULL;
	}
	attempt = book_attempt(&s->book, call->id, number);
	if (!attempt)
		WRONG(s, call, "answers are well-formed", "it got an answer of attempt %u, which never was", number);
	return attempt;
}

/* False when another attempt has spoken before. */
static bool note_attempt(struct scenario *s, struct call *call, const struct attempt *attempt)
{
	if (call->served_by && call->served_by != attempt->number) {
		WRONG(s, call, "streams have one voice", "attempt %u goes on where attempt %u spoke", attempt->number,
			call->served_by);
		return false;
	}
	call->served_by = attempt->number;
	return true;
}

static void check_model(struct scenario *s, struct call *call, const struct attempt *attempt, struct slice json)
{
	struct slice model = look_string(look_member(json, "model"));

	if (!slice_equal(model, slice_of_string(model_terms[attempt->model].id)))
		WRONG(s, call, "answers name the model that served", "\"%.*s\" instead of %s", (int)model.size,
			model.data, model_terms[attempt->model].id);
}

/* "<call.attempt.k>..." of `attempt`, in its whole length. */
static void check_content(
	struct scenario *s, struct call *call, const struct attempt *attempt, unsigned k, struct slice text)
{
	char mark[48];

	snprintf(mark, sizeof(mark), "<%u.%u.%u>", call->id, attempt->number, k);
	if (!slice_starts_with(text, slice_of_string(mark)) || text.size < attempt->delta_bytes)
		WRONG(s, call, "the provider's bytes come in order, none twice",
			"%s... was due, %.*s... came (%zu of %u bytes)", mark, (int)(text.size < 40 ? text.size : 40),
			text.data, text.size, attempt->delta_bytes);
}

static struct slice content_of(const struct call *call, struct slice json)
{
	struct slice choice = look_item(look_member(json, "choices"), 0);

	switch (call->kind) {
	case CALL_CHAT:
		return look_string(look_member(look_member(choice, "message"), "content"));
	case CALL_CHAT_STREAM:
		return look_string(look_member(look_member(choice, "delta"), "content"));
	default:
		return look_string(look_member(choice, "text"));
	}
}

/* ---- Unary ---- */

static void check_served(struct scenario *s, struct call *call, struct slice json)
{
	const struct attempt *attempt = find_attempt(s, call, json);
	struct slice summary = look_member(json, "x-llm-gateway");

	if (!attempt || !note_attempt(s, call, attempt))
		return;
	if (!attempt->good || !attempt->sent_whole)
		WRONG(s, call, "only whole answers are passed on", "attempt %u was %s", attempt->number,
			attempt->good ? "not at its end" : "no good answer");
	check_model(s, call, attempt, json);
	if (call->kind == CALL_CHAT || call->kind == CALL_COMPLETION)
		check_content(s, call, attempt, 0, content_of(call, json));
	if (!slice_equal(look_string(look_member(summary, "request_id")), slice_of(call->request_id, ID_BYTES)))
		WRONG(s, call, "answers are well-formed", "x-llm-gateway names another request");
	note_cost(s, call, look_member(summary, "cost_usd"));
	if (call->cost_nusd < 0 || !call->decided)
		WRONG(s, call, "answers are well-formed", "an answer without its cost, or without its decision");
}

static void check_error(struct scenario *s, struct call *call, struct slice json)
{
	struct slice error = look_member(json, "error");

	if (!look_string(look_member(error, "type")).size || !look_string(look_member(error, "message")).size ||
		!look_member(error, "code").data || !look_member(error, "param").data)
		WRONG(s, call, "answers are well-formed", "an error without type, message, code or param");
}

static void check_receipt_page(struct scenario *s, struct call *call, struct slice json)
{
	if (!look_string(look_member(json, "request_id")).size)
		WRONG(s, call, "answers are well-formed", "a receipt without its id");
}

static void check_unary(struct scenario *s, struct call *call, struct slice body)
{
	if (call->kind == CALL_METRICS && call->status == 200)
		return;
	if (!look_valid(body)) {
		WRONG(s, call, "answers are well-formed", "the body is not JSON: %.*s",
			(int)(body.size < 80 ? body.size : 80), body.data ? body.data : "");
		return;
	}
	if (call->kind == CALL_HEALTH || call->kind == CALL_READY)
		return;
	if (call->status != 200)
		check_error(s, call, body);
	else if (call_is_served(call))
		check_served(s, call, body);
	else if (call->kind == CALL_RECEIPT)
		check_receipt_page(s, call, body);
}

/* ---- Streams ---- */

static void take_usage(
	struct scenario *s, struct call *call, struct answer *answer, const struct attempt *attempt, struct slice json)
{
	struct slice usage = look_member(json, "usage");

	if (!usage.data || slice_equal(usage, SLICE("null")))
		return;
	if (!call->include_usage)
		WRONG(s, call, "usage goes to those who asked for it", "it did not ask");
	if (!attempt->usage_known)
		return;
	answer->usage_came = true;
	note_cost(s, call, look_member(look_member(json, "x-llm-gateway"), "cost_usd"));
}

static void take_done(struct scenario *s, struct call *call, struct answer *answer)
{
	const struct attempt *attempt = book_attempt(&s->book, call->id, call->served_by);

	call->got_done = true;
	if (!attempt || !attempt->good || !attempt->sent_whole)
		WRONG(s, call, "[DONE] only if the provider sent it", "attempt %u did not", call->served_by);
	else if (answer->deltas != attempt->deltas)
		WRONG(s, call, "the provider's bytes come in order, none twice", "%u of %u events came before [DONE]",
			answer->deltas, attempt->deltas);
	else if (!answer->summary_came)
		WRONG(s, call, "answers are well-formed", "a stream without its summary");
	else if (call->include_usage && attempt->usage_known && !answer->usage_came)
		WRONG(s, call, "usage goes to those who asked for it", "it asked");
}

static void take_data(struct scenario *s, struct call *call, struct answer *answer, struct slice data)
{
	const struct attempt *attempt;
	struct slice content;

	if (call->got_done || call->error_event) {
		WRONG(s, call, "nothing comes behind the end", "%.*s", (int)(data.size < 80 ? data.size : 80),
			data.data);
		return;
	}
	if (slice_equal(data, SLICE("[DONE]"))) {
		take_done(s, call, answer);
		return;
	}
	if (!look_valid(data)) {
		WRONG(s, call, "answers are well-formed", "an event is not JSON");
		return;
	}
	if (look_member(data, "error").data) {
		check_error(s, call, data);
		call->error_event = true;
		return;
	}
	attempt = find_attempt(s, call, data);
	if (!attempt || !note_attempt(s, call, attempt))
		return;
	check_model(s, call, attempt, data);
	take_usage(s, call, answer, attempt, data);
	content = content_of(call, data);
	if (content.size)
		check_content(s, call, attempt, answer->deltas++, content);
}

static void take_comment(struct scenario *s, struct call *call, struct answer *answer, struct slice comment)
{
	struct slice prefix = SLICE(" x-llm-gateway ");

	if (!slice_starts_with(comment, prefix))
		return;
	comment = slice_after(comment, prefix.size);
	answer->summary_came = true;
	if (!look_valid(comment) ||
		!slice_equal(look_string(look_member(comment, "request_id")), slice_of(call->request_id, ID_BYTES)))
		WRONG(s, call, "answers are well-formed", "the summary is malformed, or another request's");
	note_cost(s, call, look_member(comment, "cost_usd"));
}

/* Events as the gateway writes them: one line each, then an empty one. */
static void take_events(struct scenario *s, struct call *call, struct answer *answer)
{
	struct slice rest = bytes_slice(&answer->body);
	const char *end;

	while (!s->broken && rest.size && (end = memmem(rest.data, rest.size, "\n\n", 2))) {
		struct slice event = slice_of(rest.data, (size_t)(end - rest.data));

		rest = slice_after(rest, event.size + 2);
		if (slice_starts_with(event, SLICE("data: ")))
			take_data(s, call, answer, slice_after(event, 6));
		else if (slice_starts_with(event, SLICE(":")))
			take_comment(s, call, answer, slice_after(event, 1));
		else
			WRONG(s, call, "answers are well-formed", "an event that is neither data nor comment");
	}
	bytes_drop(&answer->body, answer->body.size - rest.size);
}

void answer_body(struct scenario *s, struct call *call, struct answer *answer, struct slice piece)
{
	call->answer_bytes += piece.size;
	bytes_add(&answer->body, piece);
	if (is_streaming(call))
		take_events(s, call, answer);
}

void answer_end(struct scenario *s, struct call *call, struct answer *answer)
{
	struct slice body = bytes_slice(&answer->body);

	call->outcome = OUTCOME_WHOLE;
	if (!is_streaming(call))
		check_unary(s, call, body);
	else if (body.size || (!call->got_done && !call->error_event))
		WRONG(s, call, "answers are well-formed", "a stream ends with neither [DONE] nor an error");
	answer_free(answer);
}

void answer_free(struct answer *answer)
{
	bytes_free(&answer->body);
	*answer = (struct answer){.deltas = 0};
}
