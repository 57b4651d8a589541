/* What a workspace wants kept of its calls: see exchange_content.h. */
#include "route/exchange/exchange_content.h"

#include "core/clock.h"
#include "route/exchange/exchange_stream.h"

#include <endian.h>
#include <errno.h>

enum { VERSION = 1, HEAD_BYTES = 6 };
enum flags { HAS_REQUEST = 1, HAS_ANSWER = 2, REQUEST_CUT = 4, ANSWER_CUT = 8, STREAMED = 16, FLAGS_ALL = 31 };

struct exchange_content {
	struct exchange *e;
	struct text noted; /* events of a stream; the padding behind */
	bool cut;
	struct store_sealed op;
};

/* ---- what a stream has sent --------------------------------------------------------------------------------- */

static struct exchange_content *content_of(struct exchange *e)
{
	if (!e->content)
		e->content = arena_zalloc(&e->arena, sizeof(*e->content));
	if (e->content)
		e->content->e = e;
	return e->content;
}

void content_note(struct exchange *e, struct slice bytes)
{
	struct exchange_content *c;

	if (!e->session && (!e->workspace || !e->workspace->store_responses))
		return;
	c = content_of(e);
	if (!c || c->cut)
		return;
	c->cut = c->noted.size + bytes.size > CONTENT_BYTES_MAX ||
		 !relay_grow(e, &c->noted, c->noted.size + bytes.size + BUFFER_PADDING_BYTES);
	if (!c->cut)
		text_add(&c->noted, bytes);
}

/* The text that an event of any of the dialects adds to the first answer. */
static struct slice delta_of(const struct json_parser *json)
{
	json_ref choices = json_member(json, 0, SLICE("choices")), delta = json_member(json, 0, SLICE("delta"));
	json_ref choice = JSON_NONE;
	struct slice text;

	if (choices != JSON_NONE && json_type(json, choices) == JSON_ARRAY)
		choice = json_first(json, choices);
	if (choice != JSON_NONE) {
		json_ref index = json_member(json, choice, SLICE("index"));

		if (index != JSON_NONE && !slice_equal(json_raw(json, index), SLICE("0")))
			return slice_of(NULL, 0);
		delta = json_member(json, choice, SLICE("delta"));
		if (delta == JSON_NONE)
			return chat_member_text(json, choice, SLICE("text"));
		return chat_member_text(json, delta, SLICE("content"));
	}
	if (delta == JSON_NONE)
		return slice_of(NULL, 0);
	if (json_type(json, delta) == JSON_OBJECT)
		return chat_member_text(json, delta, SLICE("text"));
	text = chat_member_text(json, 0, SLICE("type"));
	return slice_ends_with(text, SLICE("text.delta")) ? chat_member_text(json, 0, SLICE("delta"))
							  : slice_of(NULL, 0);
}

static void add_line(struct exchange *e, struct slice line, struct text *answer)
{
	struct json_parser *json = e->gateway_shard->json;
	struct slice lead = SLICE("data: ");
	struct json_error error;

	if (!slice_starts_with(line, lead) || json_parse(json, slice_after(line, lead.size), &error) != 0)
		return;
	text_add(answer, delta_of(json));
}

/* Of the noted events; what follows a line is padding enough for the parser. NULL data: no memory. */
static struct slice assemble(struct exchange *e)
{
	struct exchange_content *c = e->content;
	struct slice rest = text_slice(&c->noted);
	struct text answer = text_over(arena_alloc(&e->arena, rest.size + 1), rest.size);

	if (!answer.data)
		return slice_of(NULL, 0);
	memset(c->noted.data + c->noted.size, 0, BUFFER_PADDING_BYTES);
	e->view_lost = true;
	while (rest.size) {
		const char *end = memchr(rest.data, '\n', rest.size);
		struct slice line = slice_of(rest.data, end ? (size_t)(end - rest.data) : rest.size);

		add_line(e, line, &answer);
		rest = slice_after(rest, line.size + 1);
	}
	return text_slice(&answer);
}

/* ---- keeping ------------------------------------------------------------------------------------------------ */

static void lose(struct exchange *e)
{
	metric_add(&e->gateway_shard->metrics.content_lost, 1);
}

static void on_kept(struct store_sealed *op)
{
	struct exchange_content *c = container_of(op, struct exchange_content, op);
	struct exchange *e = c->e;

	e->gateway_shard->content_waiting--;
	if (op->result < 0)
		lose(e);
	exchange_unhold(e, HOLD_CONTENT);
}

static struct slice cut_at_most(struct slice text, unsigned flag, unsigned *flags)
{
	if (text.size <= CONTENT_BYTES_MAX)
		return text;
	*flags |= flag;
	return slice_of(text.data, CONTENT_BYTES_MAX);
}

/* A form is mostly a recording: that is not kept. */
static struct slice request_of(const struct exchange *e, unsigned *flags)
{
	if (!e->workspace->store_prompts || !e->request || e->form || !e->request->body.size)
		return slice_of(NULL, 0);
	*flags |= HAS_REQUEST;
	return cut_at_most(e->request->body, REQUEST_CUT, flags);
}

struct slice content_streamed_text(struct exchange *e)
{
	relay_flush(e); /* so that all that was sent is noted */
	return e->content && !e->content->cut && e->content->noted.size ? assemble(e) : slice_of(NULL, 0);
}

static struct slice streamed_answer(struct exchange *e, unsigned *flags)
{
	struct slice answer;

	relay_flush(e); /* so that all that was sent is noted */
	if (!e->content || !e->content->noted.size)
		return slice_of(NULL, 0);
	answer = assemble(e);
	*flags |= (answer.data ? HAS_ANSWER | STREAMED : 0) | (e->content->cut ? ANSWER_CUT : 0);
	return answer;
}

/* JSON or text alone: speech is not kept. */
static struct slice whole_answer(struct exchange *e, unsigned *flags)
{
	struct text answer;
	size_t size = 0;

	for (unsigned i = 0; i < e->answer_iov_count; i++)
		size += e->answer_iov[i].iov_len;
	if (e->status != 200 || !size)
		return slice_of(NULL, 0);
	if (size > CONTENT_BYTES_MAX)
		*flags |= ANSWER_CUT;
	answer = text_over(arena_alloc(&e->arena, size), size);
	if (!answer.data)
		return slice_of(NULL, 0);
	for (unsigned i = 0; i < e->answer_iov_count; i++)
		text_add(&answer, slice_of(e->answer_iov[i].iov_base, e->answer_iov[i].iov_len));
	*flags |= HAS_ANSWER;
	return slice_of(answer.data, size > CONTENT_BYTES_MAX ? CONTENT_BYTES_MAX : size);
}

static struct slice write_value(struct exchange *e, struct slice request, struct slice answer, unsigned flags)
{
	size_t capacity = HEAD_BYTES + request.size + answer.size;
	struct text value = text_over(arena_alloc(&e->arena, capacity), capacity);
	uint32_t request_bytes = htole32((uint32_t)request.size);

	if (!value.data)
		return slice_of(NULL, 0);
	text_char(&value, VERSION);
	text_char(&value, (char)flags);
	text_add(&value, slice_of(&request_bytes, sizeof(request_bytes)));
	text_add(&value, request);
	text_add(&value, answer);
	return text_slice(&value);
}

struct sealed_name content_name(struct slice workspace, struct slice id_text)
{
	return (struct sealed_name){.purpose = SEALED_CONTENT, .owner = workspace, .id = id_text};
}

static bool keep(struct exchange *e, struct slice value)
{
	struct exchange_content *c = content_of(e);

	if (!c || !value.data || e->gateway_shard->content_waiting >= CONTENT_WAITING_MAX)
		return false;
	e->gateway_shard->content_waiting++;
	e->holds |= HOLD_CONTENT;
	c->op = (struct store_sealed){.shard = e->gateway_shard->shard,
		.done = on_kept,
		.kind = STORE_SEALED_PUT,
		.name = content_name(slice_of_string(e->key->workspace), slice_of(e->id_text, sizeof(e->id_text))),
		.value = value,
		.ttl_s = e->workspace->receipts_days * (uint32_t)(NS_PER_DAY / NS_PER_S)};
	store_sealed_start(e->gateway_shard->gateway->store, &c->op);
	return true;
}

void content_keep(struct exchange *e)
{
	const struct workspace_settings *workspace = e->workspace;
	struct slice request, answer = slice_of(NULL, 0);
	unsigned flags = 0;

	if (!workspace || (!workspace->store_prompts && !workspace->store_responses))
		return;
	request = request_of(e, &flags);
	if (workspace->store_responses)
		answer = e->stream ? streamed_answer(e, &flags) : whole_answer(e, &flags);
	if ((flags & (HAS_REQUEST | HAS_ANSWER)) && !keep(e, write_value(e, request, answer, flags)))
		lose(e);
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

int content_read(struct slice value, struct content_view *view)
{
	uint32_t request_bytes;
	unsigned flags;

	*view = (struct content_view){.streamed = false};
	if (value.size < HEAD_BYTES || value.data[0] != VERSION)
		return -EBADMSG;
	flags = (unsigned char)value.data[1];
	memcpy(&request_bytes, value.data + 2, sizeof(request_bytes));
	request_bytes = le32toh(request_bytes);
	if (flags & ~(unsigned)FLAGS_ALL || request_bytes > value.size - HEAD_BYTES)
		return -EBADMSG;
	if (flags & HAS_REQUEST)
		view->request = slice_of(value.data + HEAD_BYTES, request_bytes);
	if (flags & HAS_ANSWER)
		view->answer = slice_after(value, HEAD_BYTES + request_bytes);
	view->request_cut = flags & REQUEST_CUT;
	view->answer_cut = flags & ANSWER_CUT;
	view->streamed = flags & STREAMED;
	return 0;
}
