/* See plan.h. A plan is a good answer, or one of the bad days of the table below. */
#include "fuzz/sim/plan.h"

#include <stdlib.h>

#include "fuzz/sim/race.h"
#include "fuzz/sim/tongue.h"

enum day {
	DAY_GOOD,
	DAY_STATUS,      /* an error status */
	DAY_SILENT,      /* never a byte */
	DAY_HANGS_UP,    /* closes without a byte */
	DAY_RESETS,      /* or breaks the connection */
	DAY_STALLS,      /* stops in the middle */
	DAY_TRUNCATES,   /* closes in the middle */
	DAY_BREAKS,      /* breaks the connection in the middle */
	DAY_NONSENSE,    /* a body that is no answer */
	DAY_NO_HTTP,     /* bytes that are no HTTP */
	DAY_NO_END,      /* a stream without its end marker */
	DAY_ERROR_EVENT, /* a stream with an error in it */
	DAYS
};

/* How an answer is framed. */
enum framing { FRAMED_LENGTH, FRAMED_CHUNKS, FRAMED_CLOSE };

struct body {
	struct bytes bytes;
	size_t piece_count, piece_capacity;
	size_t *pieces; /* where each ends; framed as a chunk of its own */
};

static void end_piece(struct body *body)
{
	if (body->piece_count == body->piece_capacity) {
		body->piece_capacity = body->piece_capacity ? 2 * body->piece_capacity : 16;
		body->pieces = sim_grown(body->pieces, body->piece_capacity * sizeof(*body->pieces));
	}
	body->pieces[body->piece_count++] = body->bytes.size;
}

static const struct tongue *tongue_of(const struct scenario *s, const struct call *call, const struct attempt *attempt)
{
	return tongue_answering(s->terms.provider_tongues[attempt->provider], call->tongue);
}

static void draw_figures(struct scenario *s, const struct call *call, struct attempt *attempt)
{
	struct figures *f = &attempt->figures;

	if (is_race(s)) {
		race_draw_figures(s, call, f);
		return;
	}
	f->prompt = (int64_t)pick(s, 1, s->terms.budget_nusd ? 30 : 5000);
	f->completion = (int64_t)pick(s, 1, s->terms.budget_nusd ? 500 : 2000);
	f->cached = chance(s, 16384) ? (int64_t)pick(s, 0, (uint64_t)f->prompt) : 0;
	f->reasoning = chance(s, 16384) ? (int64_t)pick(s, 0, (uint64_t)f->completion) : 0;
	if (attempt->model == MODEL_EMBED || attempt->model == MODEL_MODERATE)
		f->completion = f->cached = f->reasoning = 0;
	if (tongue_of(s, call, attempt)->cached_untold)
		f->cached = 0;
	if (tongue_of(s, call, attempt)->thought_untold)
		f->reasoning = 0;
}

/* Most are credible. */
static enum usage_told draw_usage(struct scenario *s, struct attempt *attempt)
{
	attempt->usage_known = is_race(s) || !chance(s, 3000);
	if (attempt->usage_known)
		return USAGE_WHOLE;
	if (chance(s, 32768))
		return USAGE_NULL;
	return chance(s, 32768) ? USAGE_NEGATIVE : USAGE_ABSURD;
}

static struct answer_told draw_told(struct scenario *s, const struct call *call, struct attempt *attempt)
{
	return (struct answer_told){.kind = call->kind,
		.attempt = attempt,
		.model = model_terms[attempt->model].upstream[attempt->provider],
		.usage = draw_usage(s, attempt)};
}

static void unary_body(struct scenario *s, const struct call *call, struct attempt *attempt, struct body *body)
{
	bool long_answer = chance(s, 4096) && !s->terms.budget_nusd;
	struct answer_told told;

	attempt->deltas = 1;
	attempt->delta_bytes = (unsigned)pick(s, 1, long_answer ? 60000 : 800);
	told = draw_told(s, call, attempt);
	tongue_of(s, call, attempt)->write_answer(&body->bytes, &told);
	end_piece(body);
}

static void add_event(struct body *body, const struct tongue *tongue, const struct answer_told *told,
	enum event_told event, unsigned k)
{
	size_t before = body->bytes.size;

	tongue->write_event(&body->bytes, told, event, k);
	if (body->bytes.size > before)
		end_piece(body);
}

static void stream_body(
	struct scenario *s, const struct call *call, struct attempt *attempt, struct body *body, enum day day)
{
	const struct tongue *tongue = tongue_of(s, call, attempt);
	struct answer_told told;
	unsigned error_at, count;

	attempt->deltas = (unsigned)pick(s, 1, chance(s, 6000) && !s->terms.budget_nusd ? 120 : 12);
	attempt->delta_bytes = (unsigned)pick(s, 1, 120);
	if (chance(s, s->terms.flood)) {
		attempt->deltas = (unsigned)pick(s, 100, 200);
		attempt->delta_bytes =
			tongue->repeats ? 150 : 8000; /* its last event would be larger than any may be */
	}
	error_at = (unsigned)pick(s, 0, attempt->deltas);
	told = draw_told(s, call, attempt);
	add_event(body, tongue, &told, TOLD_START, 0);
	for (unsigned k = 0; k < attempt->deltas; k++) {
		if (day == DAY_ERROR_EVENT && k == error_at)
			break;
		if (chance(s, 2000) && !tongue->stream_type) {
			bytes_add(&body->bytes, SLICE(": a provider's comment\n\n"));
			end_piece(body);
		}
		add_event(body, tongue, &told, TOLD_TEXT, k);
	}
	count = day == DAY_ERROR_EVENT ? error_at : attempt->deltas;
	if (day == DAY_ERROR_EVENT)
		add_event(body, tongue, &told, TOLD_ERROR, count);
	add_event(body, tongue, &told, TOLD_FINISH, count);
	add_event(body, tongue, &told, TOLD_USAGE, count);
	if (day != DAY_NO_END && day != DAY_ERROR_EVENT)
		add_event(body, tongue, &told, TOLD_END, count);
}

static unsigned bad_status(struct scenario *s)
{
	static const unsigned statuses[] = {
		400, 401, 403, 404, 408, 409, 413, 422, 429, 429, 500, 502, 503, 504, 529, 302};

	return statuses[pick(s, 0, sizeof(statuses) / sizeof(*statuses) - 1)];
}

static void error_body(struct scenario *s, const struct attempt *attempt, struct body *body)
{
	if (chance(s, 16384))
		bytes_add(&body->bytes, SLICE("<html><body>Bad gateway</body></html>"));
	else if (chance(s, 60000))
		bytes_print(&body->bytes,
			"{\"error\":{\"message\":\"Refused "
			"sim-%u-%u.\",\"type\":\"sim\",\"param\":null,\"code\":\"sim\"}}",
			attempt->call, attempt->number);
	end_piece(body);
}

static void nonsense_body(struct scenario *s, struct body *body)
{
	static const char *const bodies[] = {"", "{\"id\":", "[]", "null", "{\"error\":{\"message\":\"no\"}}",
		"data: {\"choices\":[}\n\n", "{\"choices\":[{\"text\":\"\xff\xfe\"}]}"};

	bytes_add(&body->bytes, slice_of_string(bodies[pick(s, 0, sizeof(bodies) / sizeof(*bodies) - 1)]));
	end_piece(body);
}

static void frame(struct plan *plan, const struct body *body, enum framing framing)
{
	size_t start = 0;

	if (framing == FRAMED_LENGTH)
		bytes_print(&plan->bytes, "Content-Length: %zu\r\n\r\n", body->bytes.size);
	else if (framing == FRAMED_CHUNKS)
		bytes_add(&plan->bytes, SLICE("Transfer-Encoding: chunked\r\n\r\n"));
	else
		bytes_add(&plan->bytes, SLICE("Connection: close\r\n\r\n"));
	for (size_t i = 0; i < body->piece_count; i++) {
		size_t size = body->pieces[i] - start;

		if (framing == FRAMED_CHUNKS && size)
			bytes_print(&plan->bytes, "%zx\r\n", size);
		bytes_add(&plan->bytes, slice_of(body->bytes.data + start, size));
		if (framing == FRAMED_CHUNKS && size)
			bytes_add(&plan->bytes, SLICE("\r\n"));
		start += size;
	}
	if (framing == FRAMED_CHUNKS)
		bytes_add(&plan->bytes, SLICE("0\r\n\r\n"));
}

/* A stream's reader need not wait for what follows the end marker. */
static void note_whole(struct plan *plan, const struct tongue *tongue, bool stream)
{
	size_t size = strlen(tongue->done);
	const char *done = stream ? memmem(plan->bytes.data, plan->bytes.size, tongue->done, size) : NULL;

	plan->done = done;
	plan->whole_at = done ? (size_t)(done - plan->bytes.data) + size + tongue->behind_done : plan->bytes.size;
}

static void write_answer(
	struct plan *plan, struct scenario *s, const struct call *call, struct attempt *attempt, enum day day)
{
	unsigned status = day == DAY_STATUS ? bad_status(s) : 200;
	const struct tongue *tongue = tongue_of(s, call, attempt);
	bool stream = call_is_stream(call) && status == 200;
	enum framing framing = stream ? FRAMED_CHUNKS : FRAMED_LENGTH;
	struct body body = {0};

	if (chance(s, 10000))
		framing = chance(s, 32768) ? FRAMED_CLOSE : FRAMED_CHUNKS;
	if (day == DAY_TRUNCATES && s->terms.provider_tls && chance(s, 32768))
		framing = FRAMED_CLOSE;
	if (day == DAY_STATUS)
		error_body(s, attempt, &body);
	else if (day == DAY_NONSENSE)
		nonsense_body(s, &body);
	else if (stream)
		stream_body(s, call, attempt, &body, day);
	else
		unary_body(s, call, attempt, &body);
	if (chance(s, 1500))
		bytes_add(&plan->bytes, SLICE("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"));
	bytes_print(&plan->bytes, "HTTP/1.1 %u Whatever\r\nServer: sim\r\nContent-Type: %s\r\n", status,
		!stream               ? "application/json"
		: tongue->stream_type ? tongue->stream_type
				      : "text/event-stream");
	if (status != 200 && chance(s, 32768))
		bytes_print(&plan->bytes, "Retry-After: %u\r\n", (unsigned)pick(s, 0, 200));
	frame(plan, &body, framing);
	note_whole(plan, tongue, stream);
	bytes_free(&body.bytes);
	free(body.pieces);
	if (framing == FRAMED_CLOSE || chance(s, 2500))
		plan->end = PLAN_CLOSE;
}

static enum day draw_day(struct scenario *s, const struct call *call)
{
	enum day day;

	if (!chance(s, s->terms.misery))
		return DAY_GOOD;
	day = (enum day)pick(s, DAY_GOOD + 1, DAYS - 1);
	if (!call_is_stream(call) && (day == DAY_NO_END || day == DAY_ERROR_EVENT))
		return DAY_STATUS;
	return day;
}

static void cut(struct plan *plan, struct scenario *s, enum day day)
{
	size_t size = plan->bytes.size;

	plan->end_at = size;
	switch (day) {
	case DAY_SILENT:
	case DAY_HANGS_UP:
	case DAY_RESETS:
		plan->end_at = 0;
		break;
	case DAY_STALLS:
	case DAY_TRUNCATES:
	case DAY_BREAKS:
		plan->end_at = pick(s, 1, size - 1);
		break;
	default:
		return;
	}
	plan->end = day == DAY_SILENT || day == DAY_STALLS        ? PLAN_STALL
		    : day == DAY_HANGS_UP || day == DAY_TRUNCATES ? PLAN_CLOSE
								  : PLAN_RESET;
}

static bool ends_with_connection(const struct plan *plan)
{
	return memmem(plan->bytes.data, plan->bytes.size, "Connection: close\r\n", 19);
}

/*
 * An answer that ends with the connection and is cut is whole for its reader, so it is not cut by a mere close; but
 * over TLS, where an end has to be said: there it is cut even behind its last byte.
 */
static void end_too_early(struct plan *plan, struct scenario *s)
{
	bool endless = ends_with_connection(plan);

	if (s->terms.provider_tls && chance(s, 40000)) {
		plan->end = PLAN_CUT;
		if (endless && !plan->done && chance(s, 32768))
			plan->end_at = plan->bytes.size;
	} else if (endless) {
		plan->end = PLAN_RESET;
	}
}

void plan_draw(struct plan *plan, struct scenario *s, const struct call *call, struct attempt *attempt)
{
	enum day day = draw_day(s, call);

	*plan = (struct plan){.piece_max_bytes = 1};
	draw_figures(s, call, attempt);
	attempt->good = day == DAY_GOOD;
	if (day == DAY_NO_HTTP) {
		bytes_add(&plan->bytes,
			chance(s, 32768) ? SLICE("SSH-2.0-OpenSSH_9.2\r\n\r\n") : SLICE("HTTP/1.1 200\x01OK\r\n\r\n"));
		plan->end = PLAN_CLOSE;
	} else {
		write_answer(plan, s, call, attempt, day);
	}
	cut(plan, s, day);
	attempt->good = attempt->good || (plan->done && plan->end_at >= plan->whole_at);
	if (day == DAY_TRUNCATES)
		end_too_early(plan, s);
	/* A call that is sent before these have come takes them for its answer; so they are the connection's last ones.
	 */
	if (day == DAY_GOOD && s->terms.misery && chance(s, 600)) {
		bytes_add(&plan->bytes, SLICE("HTTP/1.1 200 Surplus\r\nContent-Length: 0\r\n\r\n"));
		plan->end_at = plan->bytes.size;
		plan->end = PLAN_CLOSE;
		return;
	}
	plan->delay_ns = pick(s, 0, chance(s, s->terms.hedge_percent ? 12000 : 4000) ? 500 * NS_PER_MS : 5 * NS_PER_MS);
	if (s->terms.hedge_percent)
		plan->delay_ns *= 1 + 3 * attempt->provider; /* one is slow */
	if (chance(s, 24000)) {
		plan->pause_max_ns = pick(s, 1, chance(s, 8000) ? 50 * NS_PER_MS : NS_PER_MS);
		plan->piece_max_bytes = plan->bytes.size / pick(s, 1, 12) + 1;
	}
}
