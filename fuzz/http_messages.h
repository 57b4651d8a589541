/*
 * What the targets for HTTP requests and responses share. A connection's bytes, messages one after the other, are read
 * at once, byte by byte, and in drawn pieces; each piece lies in memory of its own that is gone before the next. Heads
 * (whose slices must hold until the message ends), bodies, ends and refusals must be the same each time.
 *
 * An input: a byte of choices, a byte that seeds the pieces, then the connection's bytes.
 */
#ifndef FUZZ_HTTP_MESSAGES_H
#define FUZZ_HTTP_MESSAGES_H

#include "fuzz/input.h"
#include "proto/http/http_parser.h"

enum {
	CONNECTION_MAX_BYTES = 8192,
	CHOICE_SMALL_LIMITS = 1,
	CHOICE_BODILESS = 2,
	CHOICE_LOWER_BODY = 4, /* as a server does once it knows the caller */
	CHOICE_LESS_HEADERS = 8,
};

struct reading {
	struct http_parser *parser;
	struct http_head head;
	unsigned choices;
	bool responses, bad;
	struct text body; /* of this message, so far */
	struct text *record;
	struct http_problem problem; /* when it is bad */
};

static inline struct http_limits limits_of(unsigned choices)
{
	struct http_limits limits = {4096, HTTP_HEADERS_MAX, 1 << 20};

	if (choices & CHOICE_SMALL_LIMITS)
		limits.max_head_bytes = 200;
	if (choices & CHOICE_SMALL_LIMITS)
		limits.max_body_bytes = 40;
	if (choices & CHOICE_LESS_HEADERS)
		limits.max_headers = 3;
	return limits;
}

static inline void begin_message(struct reading *reading)
{
	reading->body.size = 0;
	http_parser_begin(reading->parser, &reading->head, reading->choices & CHOICE_BODILESS);
}

static inline unsigned count_lines(const struct http_head *head, struct slice name)
{
	unsigned count = 0;

	for (unsigned i = 0; i < head->header_count; i++)
		count += slice_equal_nocase(head->headers[i].name, name);
	return count;
}

/* The body's framing is what one line says, and no other line says anything. */
static inline void check_framing(const struct http_head *head)
{
	unsigned lengths = count_lines(head, SLICE("content-length"));
	unsigned codings = count_lines(head, SLICE("transfer-encoding"));
	struct slice length = http_header(head, SLICE("content-length"));
	uint64_t sum = 0;

	assert(lengths + codings <= 1 && head->has_length == (lengths == 1) && head->chunked == (codings == 1));
	assert(!codings || slice_equal_nocase(http_header(head, SLICE("transfer-encoding")), SLICE("chunked")));
	for (size_t i = 0; i < length.size; i++)
		sum = sum * 10 + (unsigned)(length.data[i] - '0');
	assert(!lengths || (length.size > 0 && sum == head->content_length));
}

/* The head's bytes, read line by line as anybody would: each header line is one that was found, name and value. */
static inline void check_lines(const struct http_head *head, struct slice bytes)
{
	unsigned line = 0;

	assert(bytes.size >= 4 && memcmp(bytes.data + bytes.size - 4, "\r\n\r\n", 4) == 0);
	if (slice_starts_with(bytes, SLICE("\r\n")))
		bytes = slice_after(bytes, 2);
	for (;; line++) {
		const char *end = memmem(bytes.data, bytes.size, "\r\n", 2);
		size_t size = end ? (size_t)(end - bytes.data) : 0;
		const char *colon = size ? memchr(bytes.data, ':', size) : NULL;

		assert(!memchr(bytes.data, '\n', size) && !memchr(bytes.data, '\r', size));
		if (size == 0)
			break;
		if (line > 0) {
			const struct http_header *header = &head->headers[line - 1];

			assert(line <= head->header_count && colon && header->name.data == bytes.data);
			assert(header->name.data + header->name.size == colon);
			assert(header->value.data > colon && header->value.data + header->value.size <= end);
		}
		bytes = slice_after(bytes, size + 2);
	}
	assert(line == head->header_count + 1 && bytes.size == 2);
}

/* What must hold for any head that was let pass. */
static inline void check_head(const struct reading *reading, const struct http_head *head)
{
	assert(head->minor_version <= 1 && head->header_count <= limits_of(reading->choices).max_headers);
	check_framing(head);
	for (unsigned i = 0; i < head->header_count; i++) {
		struct slice name = head->headers[i].name, value = head->headers[i].value;

		assert(name.size > 0 && !memchr(name.data, ' ', name.size));
		assert(!value.size || (!memchr(value.data, '\n', value.size) && !memchr(value.data, '\r', value.size) &&
					      !memchr(value.data, '\0', value.size)));
		assert(http_header(head, name).data);
	}
	if (reading->responses)
		assert(head->status >= 100 && head->status <= 599);
	else
		assert(head->path.size > 0 && (head->path.data[0] == '/' || slice_equal(head->path, SLICE("*"))));
}

static inline void note_head(const struct reading *reading, const struct http_head *head)
{
	struct text *record = reading->record;

	check_head(reading, head);
	note_number(record, (uint64_t)head->status << 32 | head->method << 8 | head->minor_version);
	note_number(record, head->keep_alive << 3 | head->expect_continue << 2 | head->chunked << 1 | head->has_length);
	note_number(record, head->has_length ? head->content_length : 0);
	note(record, head->method_name);
	note(record, head->target);
	note(record, head->path);
	note(record, head->query);
	for (unsigned i = 0; i < head->header_count; i++) {
		note(record, head->headers[i].name);
		note(record, head->headers[i].value);
	}
}

/* That a message is refused is settled, not how much of its body was handed out before. */
static inline void note_problem(struct reading *reading)
{
	const struct http_problem *problem = http_parser_problem(reading->parser);

	assert(problem->status >= 400 && problem->status <= 599 && problem->code.size && problem->message.size);
	note(reading->record, SLICE("bad"));
	reading->problem = *problem;
	reading->bad = true;
}

static inline void note_end(struct reading *reading, struct slice word)
{
	note_head(reading, &reading->head);
	note(reading->record, text_slice(&reading->body));
	note(reading->record, word);
}

static inline void take_piece(struct reading *reading, struct slice given, struct slice piece)
{
	assert(piece.size > 0 && piece.data >= given.data && piece.data + piece.size <= given.data + given.size);
	text_add(&reading->body, piece);
	assert(!reading->body.full);
}

/* `given` goes away when this returns. */
static inline void read_piece(struct reading *reading, struct slice given)
{
	struct slice bytes = given, piece = {0};
	const char *start = given.data; /* of the message, when it is in these bytes */
	bool headed = false;            /* the head lies in these bytes */

	for (size_t calls = 0; !reading->bad; calls++) {
		assert(calls <= 4 * given.size + 4); /* each call takes bytes or changes the stage */
		switch (http_parser_next(reading->parser, &bytes, &piece)) {
		case HTTP_PARSED_MORE:
			assert(bytes.size == 0);
			if (headed)
				assert(http_parser_keep_head(reading->parser));
			return;
		case HTTP_PARSED_HEAD:
			headed = true;
			if (!http_parser_gathered(reading->parser))
				check_lines(&reading->head, slice_of(start, (size_t)(bytes.data - start)));
			if (reading->choices & CHOICE_LOWER_BODY)
				http_parser_limit_body(reading->parser, 20);
			break;
		case HTTP_PARSED_BODY:
			take_piece(reading, given, piece);
			break;
		case HTTP_PARSED_END:
			note_end(reading, SLICE("end"));
			begin_message(reading);
			start = bytes.data;
			headed = false;
			break;
		case HTTP_PARSED_BAD:
			note_problem(reading);
			break;
		}
	}
}

static inline struct http_problem read_connection(
	enum http_parser_kind kind, unsigned choices, struct slice bytes, struct cuts cuts, struct text *record)
{
	struct reading reading = {.choices = choices, .responses = kind == HTTP_PARSE_RESPONSES, .record = record};
	struct http_limits limits = limits_of(choices);
	char *body = malloc(bytes.size);

	assert(body);
	reading.body = text_over(body, bytes.size);
	reading.parser = http_parser_open(kind, &limits);
	assert(reading.parser);
	begin_message(&reading);
	while (bytes.size && !reading.bad) {
		struct slice piece = slice_of(bytes.data, cuts_next(&cuts, bytes.size));
		char *copy = copy_of(piece);

		read_piece(&reading, slice_of(copy, piece.size));
		free(copy);
		bytes = slice_after(bytes, piece.size);
	}
	if (!reading.bad && http_parser_finish(reading.parser))
		note_end(&reading, SLICE("finished"));
	http_parser_close(reading.parser);
	free(body);
	return reading.problem;
}

/*
 * The problem's words are static. A header line too many is told where the bytes end or the name does, and so before
 * or after another fault in that name.
 */
static inline void expect_same_problem(const struct http_problem *whole, const struct http_problem *pieces)
{
	if (slice_equal(whole->code, SLICE("headers_too_many")) || slice_equal(pieces->code, SLICE("headers_too_many")))
		return;
	assert(whole->status == pieces->status && slice_equal(whole->code, pieces->code) &&
		slice_equal(whole->message, pieces->message));
}

static inline void fuzz_http(enum http_parser_kind kind, const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	unsigned choices = input_byte(&input);
	uint8_t seed = input_byte(&input);
	struct slice bytes = input_rest(&input);
	size_t room = 16 * bytes.size + 1024;
	char *memory = malloc(2 * room);
	struct text whole = text_over(memory, room), pieces = text_over(memory + room, room);

	assert(memory);
	if (bytes.size && bytes.size <= CONNECTION_MAX_BYTES) {
		const struct cuts cuts[] = {cuts_drawn(seed), cuts_bytes()};
		struct http_problem problem = read_connection(kind, choices, bytes, cuts_none(), &whole);

		for (unsigned i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
			struct http_problem other;

			pieces.size = 0;
			other = read_connection(kind, choices, bytes, cuts[i], &pieces);
			expect_same(&whole, &pieces);
			expect_same_problem(&problem, &other);
		}
	}
	free(memory);
}

#endif
