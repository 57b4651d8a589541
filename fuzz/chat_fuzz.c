/*
 * Fuzzes what goes between two dialects of a table: requests, whole answers and streams, each from one to the other.
 * What is written must be JSON (of a stream: each of its events), what is refused must say why, and a request that was
 * written must be read by the other dialect's own reader and, where nothing was dropped, say the same when it is
 * written back and forth once more. A stream is read again in pieces and must give the same.
 *
 * An input: a byte that chooses, a byte of choices, a seed of cuts, then the document.
 */
#include "fuzz/document.h"
#include "proto/responses/responses.h"
#include "proto/http/sse.h"

enum { ARENA_BYTES = 1 << 23, OUT_BYTES = 1 << 18 };

enum choices {
	CHOICE_SAMPLING = 1,
	CHOICE_REASONING = 2,
	CHOICE_NEW_LIMIT = 4,
	CHOICE_USAGE = 8,
	CHOICE_NEW_MODEL = 16,
	CHOICE_KEPT = 32,
	CHOICE_ANSWERS = 64, /* and twice that: how many are asked for */
};

struct room {
	struct json_parser *parser;
	struct arena_pool pool;
	struct arena arena;
};

static struct text open_out(struct room *room)
{
	struct text out = text_over(arena_alloc(&room->arena, OUT_BYTES), OUT_BYTES);

	assert(out.data);
	return out;
}

/* Parses in memory of its own size. The caller frees it; NULL: no JSON. */
static char *parse(struct room *room, struct slice bytes)
{
	struct json_error error;
	char *document = padded_copy(bytes);

	if (json_parse(room->parser, slice_of(document, bytes.size), &error) == 0)
		return document;
	free(document);
	return NULL;
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static void check_problem(int err, const struct openai_problem *problem)
{
	assert(err == -EINVAL && problem->code.size && problem->message.size);
}

/* What the view holds, in the other dialect; false when it is refused. Counts what was dropped. */
static bool rewrite(struct room *room, const struct chat_dialect *from, const struct chat_dialect *to,
	const struct chat_target *target, struct text *out, unsigned *dropped_count)
{
	struct openai_problem problem = {0};
	char header[64];
	struct text dropped = text_over(header, sizeof(header));
	struct chat *chat = arena_alloc(&room->arena, sizeof(*chat));
	int err;

	assert(chat);
	chat_init(chat, &room->arena);
	err = from->read_request(room->parser, chat, &problem);
	if (!err)
		err = chat_check(chat, to->has, &problem);
	*out = open_out(room);
	if (!err)
		err = to->write_request(chat, target, out, &problem);
	if (err) {
		check_problem(err, &problem);
		return false;
	}
	assert(!out->full);
	*dropped_count += chat->dropped_count;
	chat_print_dropped(chat, &dropped);
	assert(!dropped.full);
	for (size_t i = 0; i < dropped.size; i++)
		assert(dropped.data[i] > ' ' && dropped.data[i] <= '~');
	return true;
}

static void print_said(struct text *t, enum chat_role role, const struct chat_parts *parts, bool results)
{
	for (const struct chat_part *part = parts->first; part; part = part->next) {
		const struct slice fields[] = {part->text, part->url, part->media_type, part->data, part->name,
			part->id, part->arguments, part->signature, part->cache_control};

		if ((part->kind == CHAT_TEXT && !part->text.size) || (part->kind == CHAT_TOOL_RESULT) != results)
			continue;
		text_char(t, '\n');
		text_u64(t, role);
		text_u64(t, part->kind);
		text_u64(t, part->is_error);
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			text_char(t, ' ');
			text_json(t, fields[i]);
		}
		print_said(t, role, &part->content, false);
	}
}

static void print_turn(struct text *t, const struct chat_message *begin, const struct chat_message *end, bool results)
{
	for (; begin != end; begin = begin->next)
		print_said(t, begin->role, &begin->parts, results);
}

/* A schema that says no type is of an object, and a tool without one takes an object: some dialects have to say so. */
static void print_schema(struct text *t, const struct chat_tool *tool)
{
	struct slice rest = tool->parameters.data ? tool->parameters : SLICE("{}");

	if (tool->untyped || !tool->parameters.data) {
		rest = slice_after(rest, 1);
		while (memchr(" \n\r\t", rest.data[0], 4))
			rest = slice_after(rest, 1);
		text_literal(t, "{\"type\":\"object\",");
		if (rest.data[0] == '}')
			text_literal(t, "\"properties\":{}");
	}
	text_add(t, rest);
}

static void print_tool(struct text *t, const struct chat_tool *tool)
{
	const struct slice fields[] = {tool->name, tool->description, tool->strict, tool->cache_control};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		text_json(t, fields[i]);
		text_char(t, ' ');
	}
	print_schema(t, tool);
	text_char(t, '\n');
}

/*
 * What a request says: its tools, all else but its messages as it stands, then who said what in which order, the
 * results of tools before what else is in their turn. Where one message ends and the speaker's next begins is not in
 * it, nor what is empty: not every dialect has either.
 */
static struct text meaning(struct room *room, const struct chat_dialect *dialect, const struct text *request)
{
	struct openai_problem problem = {0};
	struct text said = open_out(room);
	struct chat *chat = arena_alloc(&room->arena, sizeof(*chat));
	char *document = parse(room, text_slice(request));
	const struct chat_message *begin, *end;

	assert(chat && document);
	for (json_ref m = json_first(room->parser, 0); m != JSON_NONE; m = json_next(room->parser, m))
		if (!slice_equal(json_key(room->parser, m), SLICE("messages")) &&
			!slice_equal(json_key(room->parser, m), SLICE("tools"))) {
			text_add(&said, json_raw(room->parser, m));
			text_char(&said, '\n');
		}
	chat_init(chat, &room->arena);
	assert(dialect->read_request(room->parser, chat, &problem) == 0);
	for (const struct chat_tool *tool = chat->tools; tool; tool = tool->next)
		print_tool(&said, tool);
	for (begin = chat->messages; begin; begin = end) {
		for (end = begin->next; end && end->role == begin->role;)
			end = end->next;
		print_turn(&said, begin, end, true);
		print_turn(&said, begin, end, false);
	}
	assert(!said.full);
	free(document);
	return said;
}

/*
 * Requests in a dialect that providers alone speak are not read back: its row has OpenAI's reader, and ids and parts
 * are written otherwise.
 */
static bool is_clients(const struct chat_dialect *dialect)
{
	return dialect->read_request && dialect != &chat_mistral && dialect != &chat_cohere;
}

static void fuzz_request(
	struct room *room, const struct chat_dialect *from, const struct chat_dialect *to, unsigned choices)
{
	struct chat_target target = {.model = choices & CHOICE_NEW_MODEL ? SLICE("gemini-3") : SLICE("m"),
		.max_tokens_default = 4096,
		.sampling = choices & CHOICE_SAMPLING,
		.reasoning = choices & CHOICE_REASONING,
		.max_completion_tokens = choices & CHOICE_NEW_LIMIT};
	struct text first, back, again, meant, kept;
	unsigned dropped = 0;
	char *document;

	if (json_type(room->parser, 0) != JSON_OBJECT || !is_clients(from) || !to->write_request ||
		!rewrite(room, from, to, &target, &first, &dropped))
		return;
	document = parse(room, text_slice(&first));
	assert(document);
	if (from->write_request && is_clients(to) && rewrite(room, to, from, &target, &back, &dropped)) {
		free(document);
		document = parse(room, text_slice(&back));
		assert(document);
		if (rewrite(room, from, to, &target, &again, &dropped) && dropped == 0) {
			meant = meaning(room, to, &first);
			kept = meaning(room, to, &again);
			expect_same(&meant, &kept);
		}
	}
	free(document);
}

/* A request that goes on from what was kept, and what was kept as it is read again: JSON either way. */
static void fuzz_conversation(struct room *room)
{
	static const struct slice before = {"{\"role\":\"user\",\"content\":\"q\"}", 29};
	struct text input = open_out(room), kept = open_out(room), items = open_out(room), body = open_out(room);
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	struct openai_problem problem = {0};
	struct responses_conversation asked;
	struct openai_request request;
	struct json_edits edits;
	unsigned count;
	char *document;
	size_t size;

	if (responses_read_common(room->parser, &request, &problem) ||
		responses_read_conversation(room->parser, &asked, &problem)) {
		check_problem(-EINVAL, &problem);
		return;
	}
	responses_write_kept(asked.input, SLICE("{\"output\":[]}"), &kept);
	if (asked.previous_id.data) {
		json_edits_init(&edits);
		responses_continue(room->parser, &asked, before, &input, &edits);
		count = json_edited(&edits, json_document(room->parser), iov, &size);
		for (unsigned i = 0; i < count; i++)
			text_add(&body, slice_of(iov[i].iov_base, iov[i].iov_len));
		document = parse(room, text_slice(&body));
		assert(document && json_member(room->parser, 0, SLICE("previous_response_id")) == JSON_NONE);
		free(document);
	}
	document = parse(room, text_slice(&kept));
	assert(document && !kept.full && responses_read_kept(room->parser, &items) == 0 && !items.full);
	assert(items.size <= kept.size);
	free(document);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static struct chat_frame make_frame(unsigned choices, const struct openai_usage *usage)
{
	return (struct chat_frame){.model_json = SLICE("\"m\""),
		.members = SLICE("\"x-llm-gateway\":{}"),
		.created_s = 5,
		.include_usage = choices & CHOICE_USAGE,
		.id = SLICE("01K00000000000000000000000"),
		.usage = *usage};
}

static void check_usage(const struct openai_usage *usage)
{
	assert(usage->present || usage->prompt_tokens + usage->completion_tokens == 0);
	assert(usage->cached_tokens + usage->cache_write_tokens <= usage->prompt_tokens);
	assert(usage->reasoning_tokens <= usage->completion_tokens);
}

static void fuzz_answer(
	struct room *room, const struct chat_dialect *from, const struct chat_dialect *to, unsigned choices)
{
	struct chat *chat = arena_alloc(&room->arena, sizeof(*chat));
	struct text out = open_out(room);
	struct chat_answer answer, again;
	struct chat_frame frame;
	char *document;

	assert(chat);
	chat_init(chat, &room->arena);
	if (!to->write_answer || from->read_answer(room->parser, chat, &answer) < 0)
		return;
	check_usage(&answer.usage);
	frame = make_frame(choices, &answer.usage);
	if (to->write_answer(&answer, &frame, &out) < 0)
		return;
	assert(!out.full);
	document = parse(room, text_slice(&out));
	assert(document && to->read_answer(room->parser, chat, &again) == 0);
	assert(answer.usage.prompt_tokens == again.usage.prompt_tokens);
	assert(answer.usage.completion_tokens == again.usage.completion_tokens);
	free(document);
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

struct relay {
	struct chat_sink sink;
	const struct chat_dialect *to;
	struct chat_writer writer;
	struct chat_frame frame;
	struct text out;
};

static void relay_event(struct chat_sink *sink, const struct chat_event *event)
{
	struct relay *relay = (struct relay *)sink;

	relay->to->write_event(&relay->writer, event, &relay->frame, &relay->out);
}

static struct text relay_stream(struct room *room, const struct chat_dialect *from, const struct chat_dialect *to,
	unsigned choices, struct slice stream, struct cuts cuts)
{
	static const struct openai_usage nothing;
	struct relay relay = {.sink.event = relay_event,
		.to = to,
		.writer = {.open = -1, .kept.arena = &room->arena},
		.frame = make_frame(choices, &nothing),
		.out = open_out(room)};
	char *memory = malloc(2 * DOCUMENT_MAX_BYTES), *piece, *document;
	struct chat_reader reader = {.asked = choices / CHOICE_ANSWERS % 4};
	struct sse_parser sse;
	struct sse_event event;
	enum sse_result result;
	int err = 0;

	assert(memory);
	sse_init(&sse, memory, DOCUMENT_MAX_BYTES);
	while (stream.size && !err) {
		struct slice bytes = slice_of(stream.data, cuts_next(&cuts, stream.size));

		stream = slice_after(stream, bytes.size);
		piece = copy_of(bytes);
		bytes.data = piece;
		while (!err && (result = sse_next(&sse, &bytes, &event)) != SSE_MORE) {
			document = result == SSE_EVENT && event.data.size ? parse(room, event.data) : NULL;
			if (result == SSE_TOO_LARGE || (event.data.size && !event.comment && !document))
				err = -EPROTO;
			else if (document && !event.comment)
				err = from->read_event(&reader, room->parser, &relay.sink);
			free(document);
		}
		free(piece);
	}
	free(memory);
	check_usage(&reader.usage);
	assert(!relay.out.full);
	return relay.out;
}

/* Whole events, each of them JSON. */
static void check_stream(struct room *room, struct slice stream)
{
	char *memory = malloc(OUT_BYTES * 2), *document;
	struct sse_parser sse;
	struct sse_event event;

	assert(memory);
	sse_init(&sse, memory, OUT_BYTES);
	while (sse_next(&sse, &stream, &event) == SSE_EVENT) {
		assert(!event.comment && event.data.size);
		document = parse(room, event.data);
		assert(document);
		free(document);
	}
	assert(sse_at_boundary(&sse));
	free(memory);
}

static void fuzz_stream(struct room *room, const struct chat_dialect *from, const struct chat_dialect *to,
	unsigned choices, struct slice stream, uint8_t seed)
{
	struct text whole, pieces;

	if (!to->write_event)
		return;
	whole = relay_stream(room, from, to, choices, stream, cuts_none());
	pieces = relay_stream(room, from, to, choices, stream, seed ? cuts_drawn(seed) : cuts_bytes());
	expect_same(&whole, &pieces);
	check_stream(room, text_slice(&whole));
}

/* Both ways of each; no provider is written to in the dialect of Responses. */
static const struct pair {
	const struct chat_dialect *first, *second;
} pairs[] = {
	{&chat_openai, &chat_anthropic},
	{&chat_openai, &chat_responses},
	{&chat_anthropic, &chat_responses},
	{&chat_openai, &chat_gemini},
	{&chat_anthropic, &chat_gemini},
	{&chat_responses, &chat_gemini},
	{&chat_openai, &chat_cohere},
	{&chat_anthropic, &chat_cohere},
	{&chat_openai, &chat_mistral},
	{&chat_anthropic, &chat_mistral},
	{&chat_openai, &chat_bedrock},
	{&chat_anthropic, &chat_bedrock},
};

/* The first byte 'a' to 'e' is the first pair, 'f' to 'k' the second, and so on. */
enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	unsigned kind = input_byte(&input), choices = input_byte(&input);
	uint8_t seed = input_byte(&input);
	const struct pair *pair = &pairs[(kind / 6 + 16 * (PAIRS - 1)) % PAIRS];
	const struct chat_dialect *from = kind & 1 ? pair->second : pair->first;
	const struct chat_dialect *to = kind & 1 ? pair->first : pair->second;
	struct slice rest = input_rest(&input);
	struct room room;
	char *document;

	if (rest.size > DOCUMENT_MAX_BYTES)
		return 0;
	room.parser = json_parser_open(OUT_BYTES);
	assert(room.parser);
	arena_pool_init(&room.pool, 0);
	arena_init(&room.arena, &room.pool, ARENA_BYTES);
	if (kind % 6 >= 4) {
		fuzz_stream(&room, from, to, choices, rest, seed);
	} else if ((document = parse(&room, rest))) {
		if (kind % 6 >= 2)
			fuzz_answer(&room, from, to, choices);
		else if (from == &chat_responses && choices & CHOICE_KEPT)
			fuzz_conversation(&room);
		else
			fuzz_request(&room, from, to, choices);
		free(document);
	}
	arena_fini(&room.arena);
	arena_pool_fini(&room.pool);
	json_parser_close(room.parser);
	return 0;
}
