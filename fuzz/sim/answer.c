/* See answer.h. */
#include "fuzz/sim/answer.h"

#include <stdarg.h>
#include <stdio.h>

#include "fuzz/sim/tongue.h"
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

static unsigned look_count(struct slice text)
{
	unsigned count = 0;

	for (size_t i = 0; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		count = count * 10 + (unsigned)(text.data[i] - '0');
	return count;
}

void answer_head(struct scenario *s, struct call *call, struct answer *answer, const struct wire *wire)
{
	struct slice id = wire_header(wire, "x-request-id");

	(void)answer;
	call->status = wire->status;
	call->answer_begun = true;
	call->retry_after_s = look_count(wire_header(wire, "retry-after"));
	call->decided = wire_header(wire, "x-gateway-decision").data;
	if (id.size != ID_BYTES || memcmp(id.data, "req_", 4) != 0)
		WRONG(s, call, "answers are well-formed", "x-request-id is missing or malformed");
	else
		memcpy(call->request_id, id.data, ID_BYTES);
	if (is_streaming(call) && !slice_starts_with(wire_header(wire, "content-type"), SLICE("text/event-stream")))
		WRONG(s, call, "answers are well-formed", "a stream is not text/event-stream");
	note_cost(s, call, wire_header(wire, "x-gateway-cost-usd"));
}

static const struct tongue *tongue_of(const struct call *call)
{
	return tongue_named(call->tongue);
}

static const struct attempt *attempt_numbered(struct scenario *s, struct call *call, uint32_t marker, unsigned number)
{
	const struct attempt *attempt;

	if (marker != call->id) {
		WRONG(s, call, "no answer reaches another's client", "it got what was meant for call %u", marker);
		return NULL;
	}
	attempt = book_attempt(&s->book, call->id, number);
	if (!attempt)
		WRONG(s, call, "answers are well-formed", "it got an answer of attempt %u, which never was", number);
	return attempt;
}

/* "sim-<call>-<attempt>" of an answer or event: whose it is, and of which attempt. */
static const struct attempt *attempt_by_id(struct scenario *s, struct call *call, struct slice id)
{
	unsigned number = 0;
	uint32_t marker;
	const char *dash;

	if (!book_find_marker(id, &marker) || !(dash = memrchr(id.data, '-', id.size)) || dash < id.data + 4) {
		WRONG(s, call, "answers are well-formed", "an answer without its id");
		return NULL;
	}
	for (const char *at = dash + 1; at < id.data + id.size; at++)
		number = number * 10 + (unsigned)(*at - '0');
	return attempt_numbered(s, call, marker, number);
}

/* The same from its text: "<call.attempt.k>...". */
static const struct attempt *attempt_by_text(struct scenario *s, struct call *call, struct slice text)
{
	char mark[48];
	unsigned marker, number;

	snprintf(mark, sizeof(mark), "%.*s", (int)(text.size < 40 ? text.size : 40), text.data ? text.data : "");
	if (sscanf(mark, "<%9u.%9u.", &marker, &number) != 2) {
		WRONG(s, call, "answers are well-formed", "an answer without its mark: %s", mark);
		return NULL;
	}
	return attempt_numbered(s, call, marker, number);
}

/* Of an answer that has the gateway's id: its tongue is such, or the provider gave none. */
static bool has_own_id(const struct scenario *s, const struct call *call, struct slice id)
{
	bool nameless = false;

	for (unsigned i = 0; i < PROVIDERS; i++)
		nameless |= tongue_named(s->terms.provider_tongues[i])->nameless;
	return tongue_of(call)->own_id || (nameless && slice_equal(id, slice_of(call->request_id, ID_BYTES)));
}

static const struct attempt *find_attempt(struct scenario *s, struct call *call, const struct said *said, bool own_id)
{
	return own_id ? attempt_by_text(s, call, said->text) : attempt_by_id(s, call, said->id);
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

static void check_model(struct scenario *s, struct call *call, const struct attempt *attempt, struct slice model)
{
	if (!slice_equal(model, slice_of_string(model_terms[attempt->model].id)))
		WRONG(s, call, "answers name the model that served", "\"%.*s\" instead of %s", (int)model.size,
			model.data, model_terms[attempt->model].id);
}

/* As much of `text` as belongs to the piece that is due, which is to have it there. Returns its size. */
static size_t take_piece(
	struct scenario *s, struct call *call, struct answer *answer, const struct attempt *attempt, struct slice text)
{
	struct bytes due = {0};
	struct slice left;

	if (answer->deltas < attempt->deltas)
		tongue_content(&due, attempt, answer->deltas);
	left = slice_after(bytes_slice(&due), answer->delta_bytes);
	if (text.size > left.size)
		text.size = left.size;
	left.size = text.size;
	if (!text.size || !slice_equal(text, left))
		WRONG(s, call, "the provider's bytes come in order, none twice",
			"%.*s... was due in piece %u of %u, %.*s... came", (int)(left.size < 40 ? left.size : 40),
			left.data ? left.data : "", answer->deltas, attempt->deltas,
			(int)(text.size < 40 ? text.size : 40), text.data);
	answer->delta_bytes += text.size;
	if (answer->delta_bytes == due.size) {
		answer->deltas++;
		answer->delta_bytes = 0;
	}
	bytes_free(&due);
	return text.size;
}

/* The pieces that the provider sent, one behind the other, wherever the gateway has parted them. */
static void take_text(struct scenario *s, struct call *call, struct answer *answer, const struct attempt *attempt,
	struct slice string)
{
	struct bytes text = {0};
	struct slice rest;

	look_text(string, &text);
	rest = bytes_slice(&text);
	while (rest.size && !s->broken)
		rest = slice_after(rest, take_piece(s, call, answer, attempt, rest));
	bytes_free(&text);
}

static bool text_is_whole(const struct answer *answer, const struct attempt *attempt)
{
	return answer->deltas == attempt->deltas && answer->delta_bytes == 0;
}

/* ---- Unary ---- */

static void check_served(struct scenario *s, struct call *call, struct answer *answer, struct slice json)
{
	const struct attempt *attempt;
	struct said said;

	tongue_of(call)->read_answer(call->kind, json, &said);
	attempt = find_attempt(s, call, &said, has_own_id(s, call, said.id));
	if (!attempt || !note_attempt(s, call, attempt))
		return;
	if (!attempt->good || !attempt->sent_whole)
		WRONG(s, call, "only whole answers are passed on", "attempt %u was %s", attempt->number,
			attempt->good ? "not at its end" : "no good answer");
	check_model(s, call, attempt, said.model);
	take_text(s, call, answer, attempt, said.text);
	if (call->kind < CALL_EMBEDDING && !text_is_whole(answer, attempt))
		WRONG(s, call, "the provider's bytes come in order, none twice", "an end is missing");
	if (!slice_equal(look_string(look_member(said.summary, "request_id")), slice_of(call->request_id, ID_BYTES)))
		WRONG(s, call, "answers are well-formed", "x-llm-gateway names another request");
	note_cost(s, call, look_member(said.summary, "cost_usd"));
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

static void check_unary(struct scenario *s, struct call *call, struct answer *answer, struct slice body)
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
		check_served(s, call, answer, body);
	else if (call->kind == CALL_RECEIPT)
		check_receipt_page(s, call, body);
}

/* ---- Streams ---- */

static void take_usage(struct scenario *s, struct call *call, struct answer *answer, const struct attempt *attempt,
	const struct said *said)
{
	if (!said->usage.data || slice_equal(said->usage, SLICE("null")))
		return;
	if (tongue_of(call)->usage_is_asked && !call->include_usage)
		WRONG(s, call, "usage goes to those who asked for it", "it did not ask");
	if (!attempt->usage_known)
		return;
	answer->usage_came = true;
	note_cost(s, call, look_member(said->summary, "cost_usd"));
}

static void take_end(struct scenario *s, struct call *call, struct answer *answer)
{
	const struct attempt *attempt = book_attempt(&s->book, call->id, call->served_by);

	call->got_done = true;
	if (!attempt || !attempt->good || !attempt->sent_whole)
		WRONG(s, call, "an end only if the provider sent it", "attempt %u did not", call->served_by);
	else if (!text_is_whole(answer, attempt))
		WRONG(s, call, "the provider's bytes come in order, none twice", "%u of %u pieces came before the end",
			answer->deltas, attempt->deltas);
	else if (!answer->summary_came)
		WRONG(s, call, "answers are well-formed", "a stream without its summary");
	else if (attempt->usage_known && !answer->usage_came &&
		 (call->include_usage || !tongue_of(call)->usage_is_asked))
		WRONG(s, call, "usage goes to those who asked for it", "it asked");
}

static void take_part(struct scenario *s, struct call *call, struct answer *answer, const struct said *said)
{
	bool stands = said->opens ? !answer->in_part : answer->in_part;

	if (!tongue_of(call)->has_parts)
		return;
	if ((said->opens || said->closes || said->text.size) && !stands)
		WRONG(s, call, "answers are well-formed",
			"a block opens in another, or text or an end is outside of one");
	if (said->end && answer->in_part)
		WRONG(s, call, "answers are well-formed", "a stream ends in the middle of a block");
	answer->in_part = said->opens || (answer->in_part && !said->closes);
}

static void check_order(struct scenario *s, struct call *call, struct answer *answer, const struct said *said)
{
	if (tongue_of(call)->has_numbers && said->number != answer->events)
		WRONG(s, call, "answers are well-formed", "event %lld has the number %lld", (long long)answer->events,
			(long long)said->number);
	answer->events++;
	take_part(s, call, answer, said);
}

/* What is told at the end as a whole is what was told in pieces. */
static void check_whole(struct scenario *s, struct call *call, const struct attempt *attempt, struct slice text)
{
	struct answer whole = {.deltas = 0};

	if (!text.size)
		return;
	take_text(s, call, &whole, attempt, text);
	if (!text_is_whole(&whole, attempt))
		WRONG(s, call, "the provider's bytes come in order, none twice", "the whole text lacks its end");
}

/* NULL also when it is too early to tell. */
static const struct attempt *speaker(struct scenario *s, struct call *call, const struct said *said, bool own_id)
{
	if ((said->id.data && !own_id) || (!call->served_by && said->text.size))
		return find_attempt(s, call, said, own_id);
	return call->served_by ? book_attempt(&s->book, call->id, call->served_by) : NULL;
}

static void take_said(struct scenario *s, struct call *call, struct answer *answer, const struct said *said)
{
	const struct attempt *attempt;

	answer->own_id |= has_own_id(s, call, said->id);
	attempt = speaker(s, call, said, answer->own_id);
	if (!attempt && !said->end && !answer->own_id)
		WRONG(s, call, "answers are well-formed", "a stream that begins without its id");
	if (attempt && note_attempt(s, call, attempt)) {
		if (said->id.data || said->model.data)
			check_model(s, call, attempt, said->model);
		take_usage(s, call, answer, attempt, said);
		take_text(s, call, answer, attempt, said->text);
		check_whole(s, call, attempt, said->whole);
	}
	if (said->end)
		take_end(s, call, answer);
}

static void take_data(
	struct scenario *s, struct call *call, struct answer *answer, struct slice name, struct slice data)
{
	const char *problem;
	struct said said;

	if (call->got_done || call->error_event) {
		WRONG(s, call, "nothing comes behind the end", "%.*s", (int)(data.size < 80 ? data.size : 80),
			data.data);
		return;
	}
	problem = tongue_of(call)->read_event(call->kind, name, data, &said);
	if (problem) {
		WRONG(s, call, "answers are well-formed", "%s: %.*s", problem, (int)(data.size < 80 ? data.size : 80),
			data.data);
		return;
	}
	check_order(s, call, answer, &said);
	call->error_event = said.failure.data;
	if (said.failure.data)
		check_error(s, call, said.failure);
	else
		take_said(s, call, answer, &said);
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

/* Takes the line with an event's name off, where there is one; false when no data follow. */
static bool take_name(struct slice *event, struct slice *name)
{
	const char *end = memchr(event->data, '\n', event->size);

	*name = slice_of(NULL, 0);
	if (end && slice_starts_with(*event, SLICE("event: "))) {
		*name = slice_of(event->data + 7, (size_t)(end - event->data) - 7);
		*event = slice_after(*event, (size_t)(end - event->data) + 1);
	}
	return slice_starts_with(*event, SLICE("data: ")) && !memchr(event->data, '\n', event->size);
}

/* Events as the gateway writes them: data in one line, perhaps one with its name before, then an empty one. */
static void take_events(struct scenario *s, struct call *call, struct answer *answer)
{
	struct slice rest = bytes_slice(&answer->body);
	const char *end;

	while (!s->broken && rest.size && (end = memmem(rest.data, rest.size, "\n\n", 2))) {
		struct slice event = slice_of(rest.data, (size_t)(end - rest.data)), name;

		rest = slice_after(rest, event.size + 2);
		if (take_name(&event, &name))
			take_data(s, call, answer, name, slice_after(event, 6));
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
		check_unary(s, call, answer, body);
	else if (body.size || (!call->got_done && !call->error_event))
		WRONG(s, call, "answers are well-formed", "a stream ends with neither [DONE] nor an error");
	answer_free(answer);
}

void answer_free(struct answer *answer)
{
	bytes_free(&answer->body);
	*answer = (struct answer){.deltas = 0};
}
