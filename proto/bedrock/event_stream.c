/* AWS event streams: see event_stream.h. */
#include "proto/bedrock/event_stream.h"

#include <assert.h>

enum {
	PRELUDE_BYTES = 12,
	FRAME_BYTES = 16, /* beside headers and payload */
	CHECKSUM_BYTES = 4,
	PENDING_FIRST_BYTES = 2048,
	HEADERS_BYTES = 512, /* of what is written */
	TYPE_STRING = 7
};

void event_stream_init(struct event_stream *stream, struct arena *arena, size_t message_max)
{
	*stream = (struct event_stream){.arena = arena, .message_max = message_max};
}

static uint32_t read_u32(const char *at)
{
	const unsigned char *b = (const unsigned char *)at;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* CRC-32 of IEEE 802.3, reflected; four bits at a time. */
static uint32_t checksum(struct slice bytes)
{
	static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
		0xa00ae278, 0xbdbdf21c};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.size; i++) {
		crc ^= (unsigned char)bytes.data[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* ---- headers ------------------------------------------------------------------------------------------------ */

/* The bytes of a value of that type; 0 and *sized when two bytes before it tell; -1: no such type. */
static int value_bytes(unsigned char type, bool *sized)
{
	static const signed char bytes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};

	*sized = type == 6 || type == TYPE_STRING;
	return type < sizeof(bytes) ? bytes[type] : -1;
}

static void take_header(struct event_stream_message *message, struct slice name, struct slice value)
{
	const struct {
		struct slice name;
		struct slice *to;
	} known[] = {
		{SLICE(":message-type"), &message->type},
		{SLICE(":event-type"), &message->name},
		{SLICE(":exception-type"), &message->name},
		{SLICE(":error-code"), &message->name},
		{SLICE(":error-message"), &message->error_message},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_equal(name, known[i].name))
			*known[i].to = value;
}

static bool take(struct slice *from, size_t size, struct slice *taken)
{
	if (from->size < size)
		return false;
	*taken = slice_of(from->data, size);
	*from = slice_after(*from, size);
	return true;
}

static bool read_header(struct slice *headers, struct event_stream_message *message)
{
	struct slice name, type, value, length;
	int bytes;
	bool sized;

	if (!take(headers, 1, &length) || !take(headers, (unsigned char)length.data[0], &name) || !name.size ||
		!take(headers, 1, &type))
		return false;
	bytes = value_bytes((unsigned char)type.data[0], &sized);
	if (bytes < 0 || (sized && !take(headers, 2, &length)))
		return false;
	if (sized)
		bytes = (unsigned char)length.data[0] << 8 | (unsigned char)length.data[1];
	if (!take(headers, (size_t)bytes, &value))
		return false;
	if (type.data[0] == TYPE_STRING)
		take_header(message, name, value);
	return true;
}

/* ---- messages ----------------------------------------------------------------------------------------------- */

/* Of at least a prelude: the message's size, or why there is none. */
static enum event_stream_result read_prelude(const struct event_stream *stream, struct slice bytes, size_t *total)
{
	uint32_t size = read_u32(bytes.data), headers = read_u32(bytes.data + 4);

	if (checksum(slice_of(bytes.data, 8)) != read_u32(bytes.data + 8) || size < FRAME_BYTES ||
		headers > size - FRAME_BYTES)
		return EVENT_STREAM_BROKEN;
	*total = size;
	return size > stream->message_max ? EVENT_STREAM_TOO_LARGE : EVENT_STREAM_MESSAGE;
}

static enum event_stream_result read_message(struct slice whole, struct event_stream_message *message)
{
	struct slice headers = slice_of(whole.data + PRELUDE_BYTES, read_u32(whole.data + 4));
	size_t checked = whole.size - CHECKSUM_BYTES;

	*message = (struct event_stream_message){
		.payload = slice_of(headers.data + headers.size, checked - PRELUDE_BYTES - headers.size)};
	if (checksum(slice_of(whole.data, checked)) != read_u32(whole.data + checked))
		return EVENT_STREAM_BROKEN;
	while (headers.size)
		if (!read_header(&headers, message))
			return EVENT_STREAM_BROKEN;
	return EVENT_STREAM_MESSAGE;
}

static bool make_room(struct event_stream *stream, size_t wanted)
{
	struct text *pending = &stream->pending;
	size_t capacity = pending->capacity ? pending->capacity : PENDING_FIRST_BYTES;
	char *memory;

	if (wanted <= pending->capacity)
		return true;
	while (capacity < wanted)
		capacity *= 2;
	memory = arena_alloc(stream->arena, capacity);
	if (!memory)
		return false;
	if (pending->size)
		memcpy(memory, pending->data, pending->size);
	pending->data = memory;
	pending->capacity = capacity;
	return true;
}

/* Moves what is missing of `wanted` bytes to `pending`. */
static enum event_stream_result gather(struct event_stream *stream, struct slice *bytes, size_t wanted)
{
	size_t missing = wanted - stream->pending.size;
	struct slice piece = slice_of(bytes->data, bytes->size < missing ? bytes->size : missing);

	if (!make_room(stream, wanted))
		return EVENT_STREAM_NO_MEMORY;
	text_add(&stream->pending, piece);
	assert(!stream->pending.full);
	*bytes = slice_after(*bytes, piece.size);
	return stream->pending.size == wanted ? EVENT_STREAM_MESSAGE : EVENT_STREAM_MORE;
}

static enum event_stream_result next_joined(
	struct event_stream *stream, struct slice *bytes, struct event_stream_message *message)
{
	enum event_stream_result result = EVENT_STREAM_MESSAGE;
	size_t total = 0;

	if (stream->pending.size < PRELUDE_BYTES)
		result = gather(stream, bytes, PRELUDE_BYTES);
	if (result == EVENT_STREAM_MESSAGE)
		result = read_prelude(stream, text_slice(&stream->pending), &total);
	if (result == EVENT_STREAM_MESSAGE)
		result = gather(stream, bytes, total);
	if (result != EVENT_STREAM_MESSAGE)
		return result;
	stream->yielded = true;
	return read_message(text_slice(&stream->pending), message);
}

enum event_stream_result event_stream_next(
	struct event_stream *stream, struct slice *bytes, struct event_stream_message *message)
{
	enum event_stream_result result;
	struct slice whole;
	size_t total;

	if (stream->yielded)
		stream->pending.size = 0;
	stream->yielded = false;
	if (!bytes->size)
		return EVENT_STREAM_MORE;
	if (stream->pending.size || bytes->size < PRELUDE_BYTES)
		return next_joined(stream, bytes, message);
	result = read_prelude(stream, *bytes, &total);
	if (result != EVENT_STREAM_MESSAGE)
		return result;
	if (!take(bytes, total, &whole))
		return next_joined(stream, bytes, message);
	return read_message(whole, message);
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

void event_stream_print(const struct event_stream_message *message, struct text *json)
{
	struct slice payload = message->payload.size ? message->payload : SLICE("{}");

	if (slice_equal(message->type, SLICE("error")) || slice_equal(message->type, SLICE("exception"))) {
		text_literal(json, "{\"error\":{\"type\":");
		text_json(json, message->name);
		if (message->error_message.data) {
			text_literal(json, ",\"message\":");
			text_json(json, message->error_message);
		} else {
			text_literal(json, ",\"exception\":");
			text_add(json, payload);
		}
		text_literal(json, "}}");
		return;
	}
	text_char(json, '{');
	text_json(json, message->name);
	text_char(json, ':');
	text_add(json, payload);
	text_char(json, '}');
}

static void write_u32(char *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (char)(value >> (24 - 8 * i));
}

static void write_header(struct text *out, struct slice name, struct slice value)
{
	assert(name.size <= UINT8_MAX && value.size <= UINT16_MAX);
	text_char(out, (char)name.size);
	text_add(out, name);
	text_char(out, TYPE_STRING);
	text_char(out, (char)(value.size >> 8));
	text_char(out, (char)value.size);
	text_add(out, value);
}

void event_stream_frame(struct slice headers, struct slice payload, struct text *out)
{
	char prelude[PRELUDE_BYTES], last[CHECKSUM_BYTES];
	size_t from = out->size;

	write_u32(prelude, (uint32_t)(FRAME_BYTES + headers.size + payload.size));
	write_u32(prelude + 4, (uint32_t)headers.size);
	write_u32(prelude + 8, checksum(slice_of(prelude, 8)));
	text_add(out, slice_of(prelude, sizeof(prelude)));
	text_add(out, headers);
	text_add(out, payload);
	if (out->full)
		return;
	write_u32(last, checksum(slice_of(out->data + from, out->size - from)));
	text_add(out, slice_of(last, sizeof(last)));
}

void event_stream_write(struct slice type, struct slice name, struct slice payload, struct text *out)
{
	bool exception = slice_equal(type, SLICE("exception"));
	char memory[HEADERS_BYTES];
	struct text headers = text_over(memory, sizeof(memory));

	write_header(&headers, exception ? SLICE(":exception-type") : SLICE(":event-type"), name);
	if (payload.size)
		write_header(&headers, SLICE(":content-type"), SLICE("application/json"));
	write_header(&headers, SLICE(":message-type"), type);
	assert(!headers.full);
	event_stream_frame(text_slice(&headers), payload, out);
}
