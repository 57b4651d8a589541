/*
 * Golden files of what goes between dialects, in proto/chat/tests/golden:
 *
 *   requests/CASE.CLIENT.json   a client's request      requests/CASE.CLIENT-to-PROVIDER.json   what the provider gets
 *   answers/CASE.PROVIDER.json  a provider's answer     answers/CASE.PROVIDER-to-CLIENT.json    what the client gets
 *   streams/CASE.PROVIDER.sse   a provider's stream     streams/CASE.PROVIDER-to-CLIENT.sse     what the client gets
 *
 * Inputs are what providers' documents and clients' libraries send; the other files are written with GOLDEN_WRITE=1 and
 * read by a reviewer. A new case is a new input, a new dialect is a row of `dialects` and its inputs. A case that has
 * both an answer and a stream says the same in both: what a client makes of the stream is compared with the answer.
 */
#include "proto/http/sse.h"
#include "proto/chat/tests/golden.h"

#include <unistd.h>

#define FOLDER "proto/chat/tests/golden/"
#define SEVERAL "several-answers" /* the case of a client that asked for as many as it has */
#define NO_ANSWER "\"no answer\""
#define ERROR ": the provider's error "
#define NO_EVENT ": an event that is not the provider's own\n\n"

enum side { CLIENT = 1, PROVIDER = 2 };
enum { SEVERAL_ANSWERS = 3 };

static const struct {
	const struct chat_dialect *dialect;
	unsigned sides;
} dialects[] = {
	{&chat_openai, CLIENT | PROVIDER},
	{&chat_mistral, PROVIDER},
	{&chat_cohere, PROVIDER},
	{&chat_anthropic, CLIENT | PROVIDER},
	{&chat_responses, CLIENT},
	{&chat_gemini, PROVIDER},
	{&chat_bedrock, PROVIDER},
};

typedef void check_case(struct fixture *f, const char *name, const struct chat_dialect *from,
	const struct chat_dialect *to, struct slice in);

/* Each case of a folder from each dialect that is on the side `from_side` to each other one on the other side. */
static void each_case(struct fixture *f, const char *folder, const char *suffix, enum side from_side, check_case *check)
{
	static struct golden_list list;
	enum side to_side = from_side == CLIENT ? PROVIDER : CLIENT;
	char path[256];
	size_t size = 0;
	char *in;

	for (size_t d = 0; d < COUNT(dialects); d++) {
		if (!(dialects[d].sides & from_side))
			continue;
		golden_list(folder, dialects[d].dialect->name, suffix, &list);
		assert_int_not_equal(list.count, 0);
		for (unsigned i = 0; i < list.count; i++) {
			snprintf(path, sizeof(path), "%s%s.%s.%s", folder, list.names[i], dialects[d].dialect->name,
				suffix);
			in = golden_read(path, &size);
			assert_non_null(in);
			for (size_t o = 0; o < COUNT(dialects); o++)
				if (o != d && dialects[o].sides & to_side)
					check(f, list.names[i], dialects[d].dialect, dialects[o].dialect,
						slice_of(in, size));
			free(in);
		}
	}
}

static const char *path_to(const char *folder, const char *name, const struct chat_dialect *from,
	const struct chat_dialect *to, const char *suffix)
{
	static char path[256];

	snprintf(path, sizeof(path), FOLDER "%s/%s.%s-to-%s.%s", folder, name, from->name, to->name, suffix);
	return path;
}

static void start(struct fixture *f, struct chat *chat)
{
	clear_out(f);
	arena_fini(&f->arena);
	arena_init(&f->arena, &f->pool, 1 << 24);
	chat_init(chat, &f->arena);
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static void print_refusal(const struct openai_problem *problem, struct text *t)
{
	text_literal(t, "{\"refused\":{\"code\":");
	text_json(t, problem->code);
	text_literal(t, ",\"message\":");
	text_json(t, problem->message);
	text_literal(t, ",\"param\":");
	text_json_or_null(t, problem->param);
	text_literal(t, "}}");
}

static void check_request(struct fixture *f, const char *name, const struct chat_dialect *from,
	const struct chat_dialect *to, struct slice in)
{
	/* A name that tells what the model's generation wants, where the dialect depends on it. */
	const struct chat_target target = {.model = to == &chat_gemini ? SLICE("gemini-3.1-pro-preview") : SLICE("up"),
		.max_tokens_default = 4096,
		.sampling = true,
		.reasoning = true,
		.max_completion_tokens = true};
	struct openai_problem problem = {0};
	struct chat chat;

	parse(f, in);
	start(f, &chat);
	text_literal(&f->out, "{\"request\":");
	if (from->read_request(f->parser, &chat, &problem) || chat_check(&chat, to->has, &problem) ||
		to->write_request(&chat, &target, &f->out, &problem)) {
		clear_out(f);
		print_refusal(&problem, &f->out);
	} else {
		text_literal(&f->out, ",\"dropped\":\"");
		chat_print_dropped(&chat, &f->out);
		text_literal(&f->out, "\"}");
	}
	assert_false(f->out.full);
	golden_check_json(f, path_to("requests", name, from, to, "json"), text_slice(&f->out));
}

static void requests(void **state)
{
	each_case(*state, FOLDER "requests/", "json", CLIENT, check_request);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static struct chat_frame make_frame(const struct openai_usage *usage)
{
	return (struct chat_frame){.model_json = SLICE("\"asked-for\""),
		.members = SLICE("\"x-llm-gateway\":{}"),
		.created_s = 1790000000,
		.prompt_tokens_estimate = 3,
		.include_usage = true,
		.usage = *usage,
		.id = SLICE("01K00000000000000000000000"),
		.echo = SLICE(",\"tools\":[]")};
}

static void check_answer(struct fixture *f, const char *name, const struct chat_dialect *from,
	const struct chat_dialect *to, struct slice in)
{
	struct chat_answer answer;
	struct chat_frame frame;
	struct chat chat;
	int err;

	parse(f, in);
	start(f, &chat);
	err = from->read_answer(f->parser, &chat, &answer);
	if (!err) {
		frame = make_frame(&answer.usage);
		err = to->write_answer(&answer, &frame, &f->out);
	}
	if (err) {
		clear_out(f);
		text_literal(&f->out, NO_ANSWER);
	}
	assert_false(f->out.full);
	golden_check_json(f, path_to("answers", name, from, to, "json"), text_slice(&f->out));
}

static void answers(void **state)
{
	each_case(*state, FOLDER "answers/", "json", PROVIDER, check_answer);
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

struct relay {
	struct chat_sink sink;
	struct fixture *f;
	const struct chat_dialect *to;
	struct chat_reader reader;
	struct chat_writer writer;
	struct chat_frame frame;
	unsigned asked;
	bool over;
};

/* What ends a stream is the gateway's to say; here it is a comment. */
static void relay_event(struct chat_sink *sink, const struct chat_event *event)
{
	struct relay *relay = (struct relay *)sink;

	if (relay->over)
		return;
	relay->over = event->kind == CHAT_EVENT_END || event->kind == CHAT_EVENT_ERROR;
	if (event->kind == CHAT_EVENT_END)
		relay->frame.usage = relay->reader.usage;
	relay->to->write_event(&relay->writer, event, &relay->frame, &relay->f->out);
	if (event->kind == CHAT_EVENT_END)
		text_literal(&relay->f->out, ": the end\n\n");
	if (event->kind != CHAT_EVENT_ERROR)
		return;
	text_literal(&relay->f->out, ERROR);
	text_add(&relay->f->out, json_raw(relay->f->parser, event->error));
	text_literal(&relay->f->out, "\n\n");
}

static int relay_data(struct relay *relay, const struct chat_dialect *from, struct slice data)
{
	const struct chat_event end = {.kind = CHAT_EVENT_END, .error = JSON_NONE};

	if (slice_equal(data, SLICE("[DONE]"))) {
		relay_event(&relay->sink, &end);
		return 0;
	}
	parse(relay->f, data);
	return from->read_event(&relay->reader, relay->f->parser, &relay->sink);
}

static void relay_stream(struct relay *relay, const struct chat_dialect *from, struct slice stream, size_t piece)
{
	static char memory[2 * FIXTURE_DOCUMENT_BYTES];
	struct sse_event event;
	struct sse_parser sse;
	struct slice bytes;
	int err = 0;

	clear_out(relay->f);
	relay->reader = (struct chat_reader){.asked = relay->asked};
	relay->writer = (struct chat_writer){.open = -1, .kept.arena = &relay->f->arena};
	relay->frame = make_frame(&relay->reader.usage);
	relay->over = false;
	sse_init(&sse, memory, FIXTURE_DOCUMENT_BYTES);
	while (stream.size && !err) {
		bytes = slice_of(stream.data, stream.size < piece ? stream.size : piece);
		stream = slice_after(stream, bytes.size);
		while (!err && sse_next(&sse, &bytes, &event) == SSE_EVENT)
			if (!event.comment && event.data.size)
				err = relay_data(relay, from, event.data);
	}
	if (err)
		text_literal(&relay->f->out, NO_EVENT);
	else if (!relay->over)
		text_literal(&relay->f->out, ": cut off\n\n");
	assert_false(relay->f->out.full);
}

/* Some providers end their lines so. For the caller to free. */
static char *with_carriage_returns(struct slice stream, size_t *size)
{
	char *text = malloc(2 * stream.size + 1);

	assert_non_null(text);
	*size = 0;
	for (size_t i = 0; i < stream.size; i++) {
		if (stream.data[i] == '\n')
			text[(*size)++] = '\r';
		text[(*size)++] = stream.data[i];
	}
	return text;
}

static void check_stream(struct fixture *f, const char *name, const struct chat_dialect *from,
	const struct chat_dialect *to, struct slice in)
{
	static const size_t pieces[] = {SIZE_MAX, 1, 7};
	struct relay relay = {
		.sink.event = relay_event, .f = f, .to = to, .asked = strcmp(name, SEVERAL) == 0 ? SEVERAL_ANSWERS : 1};
	size_t size;
	char *other = with_carriage_returns(in, &size);

	for (size_t i = 0; i < COUNT(pieces); i++) {
		relay_stream(&relay, from, in, pieces[i]);
		golden_check(path_to("streams", name, from, to, "sse"), text_slice(&f->out));
		relay_stream(&relay, from, slice_of(other, size), pieces[i]);
		golden_check(path_to("streams", name, from, to, "sse"), text_slice(&f->out));
	}
	free(other);
}

static void streams(void **state)
{
	each_case(*state, FOLDER "streams/", "sse", PROVIDER, check_stream);
}

/* ---- what a client makes of a stream is the answer that it would have had --------------------------------------- */

/* All that is said in one choice, part by part, as text to compare. */
struct digest {
	enum chat_part_kind open;
	bool any, in_string, escaped; /* of arguments */
	char memory[FIXTURE_OUT_BYTES];
	struct text text;
};

struct digests {
	struct chat_sink sink;
	struct digest choices[SEVERAL_ANSWERS];
};

static void digest_piece(struct digest *d, enum chat_part_kind kind, struct slice piece)
{
	static const char *const names[] = {[CHAT_TEXT] = "text",
		[CHAT_REFUSAL] = "refusal",
		[CHAT_THINKING] = "thinking",
		[CHAT_TOOL_CALL] = "call",
		[CHAT_REDACTED_THINKING] = "redacted"};

	if (!d->any || d->open != kind || kind == CHAT_TOOL_CALL || kind == CHAT_REDACTED_THINKING) {
		text_string(&d->text, "\n");
		text_string(&d->text, names[kind]);
		text_string(&d->text, " ");
	}
	d->any = true;
	d->open = kind;
	text_add(&d->text, piece);
}

/* JSON in pieces, without the spaces between its words. */
static void digest_arguments(struct digest *d, struct slice piece)
{
	for (size_t i = 0; i < piece.size; i++) {
		char c = piece.data[i];

		if (c == '"' && !d->escaped)
			d->in_string = !d->in_string;
		d->escaped = c == '\\' && !d->escaped;
		if (d->in_string || (c != ' ' && c != '\n' && c != '\t' && c != '\r'))
			text_char(&d->text, c);
	}
}

static void digest_event(struct chat_sink *sink, const struct chat_event *event)
{
	struct digest *d = &((struct digests *)sink)->choices[event->choice];

	assert_true(event->choice < SEVERAL_ANSWERS);
	switch (event->kind) {
	case CHAT_EVENT_TEXT:
		digest_piece(d, CHAT_TEXT, event->text);
		break;
	case CHAT_EVENT_REFUSAL:
		digest_piece(d, CHAT_REFUSAL, event->text);
		break;
	case CHAT_EVENT_THINKING:
		digest_piece(d, CHAT_THINKING, event->text);
		break;
	case CHAT_EVENT_REDACTED:
		digest_piece(d, CHAT_REDACTED_THINKING, event->text);
		break;
	case CHAT_EVENT_TOOL:
		digest_piece(d, CHAT_TOOL_CALL, event->id);
		text_char(&d->text, ' ');
		text_add(&d->text, event->name);
		text_char(&d->text, ' ');
		break;
	case CHAT_EVENT_ARGUMENTS:
		digest_arguments(d, event->text);
		break;
	case CHAT_EVENT_SIGNATURE:
		text_literal(&d->text, " signed ");
		text_add(&d->text, event->text);
		break;
	case CHAT_EVENT_FINISH:
		text_literal(&d->text, "\nfinish ");
		text_add(&d->text, chat_finish_name(event->finish));
		break;
	default:
		break;
	}
}

static void digest_answer(struct digest *d, const struct chat_answer *answer)
{
	for (const struct chat_part *part = answer->parts.first; part; part = part->next) {
		digest_piece(d, part->kind, part->kind == CHAT_TOOL_CALL ? part->id : part->text);
		if (part->kind == CHAT_TOOL_CALL) {
			text_char(&d->text, ' ');
			text_add(&d->text, part->name);
			text_char(&d->text, ' ');
			digest_arguments(d, part->arguments);
		} else if (part->signature.size) {
			text_literal(&d->text, " signed ");
			text_add(&d->text, part->signature);
		}
	}
	text_literal(&d->text, "\nfinish ");
	text_add(&d->text, chat_finish_name(answer->finish));
}

static void digest_usage(struct digest *d, const struct openai_usage *usage)
{
	text_literal(&d->text, "\ntokens ");
	text_u64(&d->text, usage->prompt_tokens);
	text_char(&d->text, ' ');
	text_u64(&d->text, usage->completion_tokens);
	text_char(&d->text, ' ');
	text_u64(&d->text, usage->cached_tokens);
}

static struct digests *make_digests(void)
{
	struct digests *all = calloc(1, sizeof(*all));

	assert_non_null(all);
	all->sink.event = digest_event;
	for (unsigned i = 0; i < SEVERAL_ANSWERS; i++)
		all->choices[i].text = text_over(all->choices[i].memory, sizeof(all->choices[i].memory));
	return all;
}

/* The client's own view of bytes that the gateway wrote for it. */
static void digest_stream(
	struct fixture *f, const struct chat_dialect *client, struct slice stream, struct digests *all)
{
	static char memory[2 * FIXTURE_DOCUMENT_BYTES];
	struct chat_reader reader = {.asked = SEVERAL_ANSWERS};
	struct sse_event event;
	struct sse_parser sse;

	sse_init(&sse, memory, FIXTURE_DOCUMENT_BYTES);
	while (sse_next(&sse, &stream, &event) == SSE_EVENT) {
		if (event.comment || !event.data.size)
			continue;
		parse(f, event.data);
		assert_int_equal(client->read_event(&reader, f->parser, &all->sink), 0);
	}
	digest_usage(&all->choices[0], &reader.usage);
}

static struct digests *digest_of_answer(struct fixture *f, const struct chat_dialect *client, struct slice text)
{
	struct digests *all = make_digests();
	struct chat_answer answer;
	struct chat chat;

	parse(f, text);
	start(f, &chat);
	assert_int_equal(client->read_answer(f->parser, &chat, &answer), 0);
	for (const struct chat_answer *choice = &answer; choice; choice = choice->next) {
		assert_true(choice->choice < SEVERAL_ANSWERS);
		digest_answer(&all->choices[choice->choice], choice);
	}
	digest_usage(&all->choices[0], &answer.usage);
	return all;
}

static struct digests *digest_of_stream(struct fixture *f, const struct chat_dialect *client, struct slice text)
{
	struct digests *all = make_digests();

	digest_stream(f, client, text, all);
	return all;
}

static bool same_digests(struct digests *streamed, struct digests *whole)
{
	bool same = true;

	for (unsigned i = 0; i < SEVERAL_ANSWERS; i++) {
		const struct text *one = &streamed->choices[i].text, *other = &whole->choices[i].text;

		if (slice_equal(text_slice(one), text_slice(other)))
			continue;
		print_error("choice %u streamed%.*s\n\nwhole%.*s\n", i, (int)one->size, one->data, (int)other->size,
			other->data);
		same = false;
	}
	free(streamed);
	free(whole);
	return same;
}

static void compare_case(struct fixture *f, const char *name, const struct chat_dialect *from,
	const struct chat_dialect *to, struct slice in)
{
	size_t stream_size = 0, answer_size = 0;
	char *stream = golden_read(path_to("streams", name, from, to, "sse"), &stream_size);
	char *answer = golden_read(path_to("answers", name, from, to, "json"), &answer_size);
	bool same = true;

	(void)in;
	assert_non_null(answer);
	if (stream && strcmp(answer, NO_ANSWER "\n") == 0)
		same = strstr(stream, NO_EVENT) || strstr(stream, ERROR);
	else if (stream)
		same = same_digests(digest_of_stream(f, to, slice_of(stream, stream_size)),
			digest_of_answer(f, to, slice_of(answer, answer_size)));
	free(stream);
	free(answer);
	if (!same)
		fail_msg("%s from %s to %s: the stream and the answer differ", name, from->name, to->name);
}

static void streams_say_what_answers_say(void **state)
{
	each_case(*state, FOLDER "answers/", "json", PROVIDER, compare_case);
}

/* Each provider's dialect is compared in what matters most, so that no new one goes without. */
static void each_provider_is_compared(void **state)
{
	static const char *const names[] = {"text", "tools", "parallel-tools", "length"};
	char answer[256], stream[256];

	(void)state;
	for (size_t d = 0; d < COUNT(dialects); d++)
		for (size_t i = 0; dialects[d].sides & PROVIDER && i < COUNT(names); i++) {
			snprintf(answer, sizeof(answer), FOLDER "answers/%s.%s.json", names[i],
				dialects[d].dialect->name);
			snprintf(stream, sizeof(stream), FOLDER "streams/%s.%s.sse", names[i],
				dialects[d].dialect->name);
			if (access(answer, R_OK) != 0 || access(stream, R_OK) != 0)
				fail_msg("%s and %s: both are needed", answer, stream);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(streams, set_up, tear_down),
		cmocka_unit_test(each_provider_is_compared),
		cmocka_unit_test_setup_teardown(streams_say_what_answers_say, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("chat_golden", tests, NULL, NULL);
}
