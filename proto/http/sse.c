/*
 * Server-sent events. While nothing is pending, lines are read where they lie, and an event that ends within the given
 * bytes is yielded from there. What remains at their end goes to `pending`, with each line end as one LF; the next
 * bytes complete it.
 */
#include "proto/http/sse.h"

#include "core/buffer.h"

enum { PENDING_FIRST_BYTES = 2048 };

/* [begin, end) and where the next one begins. */
struct line {
	size_t begin, end, next;
	bool cr_last; /* ended by a CR that is the last byte there is: a LF may follow */
};

/* False when no line ends in bytes[from..]. */
static bool find_line(struct slice bytes, size_t from, struct line *line)
{
	const char *begin = bytes.data + from, *end, *cr;
	size_t left = bytes.size - from;

	if (left == 0)
		return false;
	end = memchr(begin, '\n', left);
	cr = memchr(begin, '\r', end ? (size_t)(end - begin) : left);
	if (!end && !cr)
		return false;
	if (cr)
		end = cr;
	line->begin = from;
	line->end = (size_t)(end - bytes.data);
	line->next = line->end + 1;
	line->cr_last = cr && line->next == bytes.size;
	if (cr && !line->cr_last && bytes.data[line->next] == '\n')
		line->next++;
	return true;
}

static bool join(struct sse_parser *parser, struct sse_event *event, struct slice value)
{
	struct text *joined = &parser->joined;

	if (joined->size == 0)
		text_add(joined, event->data);
	text_literal(joined, "\n");
	text_add(joined, value);
	event->data = text_slice(joined);
	return !joined->full;
}

/* False when joined data lines pass the capacity. */
static bool take_field(struct sse_parser *parser, struct sse_event *event, struct slice line)
{
	const char *colon = memchr(line.data, ':', line.size);
	struct slice name = slice_of(line.data, colon ? (size_t)(colon - line.data) : line.size);
	struct slice value = slice_after(line, name.size + 1);

	if (value.size > 0 && value.data[0] == ' ')
		value = slice_after(value, 1);
	if (slice_equal(name, SLICE("data"))) {
		if (event->data.data)
			return join(parser, event, value);
		event->data = value;
	} else if (slice_equal(name, SLICE("event"))) {
		event->name = value;
	}
	return true;
}

static enum sse_result yield_comment(struct sse_event *event, struct slice line)
{
	line = slice_after(line, 1);
	if (line.size > 0 && line.data[0] == ' ')
		line = slice_after(line, 1);
	*event = (struct sse_event){.data = line, .comment = true};
	return SSE_EVENT;
}

/* How many bytes a byte order mark takes from the stream's first line. */
static size_t skip_mark(struct sse_parser *parser, struct slice line)
{
	bool first = !parser->begun;

	parser->begun = true;
	return first && slice_starts_with(line, SLICE("\xef\xbb\xbf")) ? 3 : 0;
}

/* For so many more bytes, as far as an event may be large; what does not fit then sets `full`. */
static void make_room(struct sse_parser *parser, size_t more)
{
	struct text *pending = &parser->pending;
	size_t wanted = pending->size + more, capacity = pending->capacity ? pending->capacity : PENDING_FIRST_BYTES;
	char *memory;

	if (wanted > parser->event_max)
		wanted = parser->event_max;
	if (wanted <= pending->capacity)
		return;
	while (capacity < wanted)
		capacity *= 2;
	if (capacity > parser->event_max)
		capacity = parser->event_max;
	memory = arena_alloc(parser->arena, capacity + BUFFER_PADDING_BYTES);
	if (!memory)
		return;
	if (pending->size)
		memcpy(memory, pending->data, pending->size);
	pending->data = memory;
	pending->capacity = capacity;
}

static enum sse_result more_or_full(const struct sse_parser *parser)
{
	if (!parser->pending.full)
		return SSE_MORE;
	return parser->pending.capacity < parser->event_max ? SSE_NO_MEMORY : SSE_TOO_LARGE;
}

static enum sse_result keep(struct sse_parser *parser, struct slice bytes)
{
	struct text *pending = &parser->pending;
	struct line line;
	size_t at = 0;

	make_room(parser, bytes.size); /* a line's end takes no more than it did */
	for (; find_line(bytes, at, &line); at = line.next) {
		text_add(pending, slice_of(bytes.data + at, line.end - at));
		text_literal(pending, "\n");
	}
	parser->line = pending->size;
	text_add(pending, slice_after(bytes, at));
	return more_or_full(parser);
}

/* Nothing is pending: events are read in place. */
static enum sse_result read_in_place(struct sse_parser *parser, struct slice *bytes, struct sse_event *event)
{
	const struct slice given = *bytes;
	size_t block = 0, at = 0; /* of the event's first line, of the next line */
	bool fields = false;
	struct line line;

	while (find_line(given, at, &line)) {
		struct slice text = slice_of(given.data + at, line.end - at);
		size_t mark = skip_mark(parser, text);
		enum sse_result kept = SSE_MORE;

		text = slice_after(text, mark);
		if (!fields)
			block = at + mark;
		at = line.next;
		parser->skip_lf = line.cr_last;
		*bytes = slice_after(given, at);
		if (text.size == 0) {
			if (!fields)
				continue;
			return line.end - block > parser->event_max ? SSE_TOO_LARGE : SSE_EVENT;
		}
		if (text.data[0] == ':') {
			if (fields)
				kept = keep(parser, slice_of(given.data + block, line.begin - block));
			return kept == SSE_MORE ? yield_comment(event, text) : kept;
		}
		fields = true;
		if (!take_field(parser, event, text))
			return SSE_TOO_LARGE;
	}
	*bytes = slice_after(given, given.size);
	return keep(parser, slice_after(given, fields ? block : at));
}

/* Yields what is pending: whole lines. It stays in memory until the next call. */
static enum sse_result yield_pending(struct sse_parser *parser, struct sse_event *event)
{
	struct slice lines = text_slice(&parser->pending);

	parser->pending.size = parser->line = 0;
	while (lines.size > 0) {
		const char *end = memchr(lines.data, '\n', lines.size);
		size_t size = (size_t)(end - lines.data);

		if (!take_field(parser, event, slice_of(lines.data, size)))
			return SSE_TOO_LARGE;
		lines = slice_after(lines, size + 1);
	}
	return SSE_EVENT;
}

/* Completes the last pending line with bytes up to its end. */
static void complete_line(struct sse_parser *parser, struct slice *bytes, const struct line *line)
{
	struct text *pending = &parser->pending;
	size_t mark;

	make_room(parser, line->end + 1);
	text_add(pending, slice_of(bytes->data, line->end));
	*bytes = slice_after(*bytes, line->next);
	parser->skip_lf = line->cr_last;
	mark = skip_mark(parser, text_slice(pending));
	if (mark > 0) {
		pending->size -= mark;
		memmove(pending->data, pending->data + mark, pending->size);
	}
}

static enum sse_result read_pending(struct sse_parser *parser, struct slice *bytes, struct sse_event *event)
{
	struct text *pending = &parser->pending;
	struct line line;

	while (find_line(*bytes, 0, &line)) {
		struct slice text;

		complete_line(parser, bytes, &line);
		if (pending->full)
			return more_or_full(parser);
		text = slice_of(pending->data + parser->line, pending->size - parser->line);
		if (text.size == 0) {
			if (parser->line > 0)
				return yield_pending(parser, event);
			return read_in_place(parser, bytes, event);
		}
		if (text.data[0] == ':') {
			pending->size = parser->line;
			return yield_comment(event, text);
		}
		text_literal(pending, "\n");
		parser->line = pending->size;
	}
	make_room(parser, bytes->size);
	text_add(pending, *bytes);
	*bytes = slice_after(*bytes, bytes->size);
	return more_or_full(parser);
}

void sse_init(struct sse_parser *parser, char *memory, size_t capacity)
{
	*parser = (struct sse_parser){
		.pending = text_over(memory, capacity),
		.joined = text_over(memory + capacity, capacity),
		.event_max = capacity,
	};
}

void sse_init_growing(struct sse_parser *parser, struct arena *arena, char *joined, size_t capacity)
{
	*parser = (struct sse_parser){
		.joined = text_over(joined, capacity),
		.arena = arena,
		.event_max = capacity,
	};
}

enum sse_result sse_next(struct sse_parser *parser, struct slice *bytes, struct sse_event *event)
{
	*event = (struct sse_event){.comment = false};
	parser->joined.size = 0;
	if (bytes->size == 0)
		return SSE_MORE;
	if (parser->skip_lf && bytes->data[0] == '\n')
		*bytes = slice_after(*bytes, 1);
	parser->skip_lf = false;
	if (parser->pending.size > 0)
		return read_pending(parser, bytes, event);
	return read_in_place(parser, bytes, event);
}

bool sse_at_boundary(const struct sse_parser *parser)
{
	return parser->pending.size == 0;
}
