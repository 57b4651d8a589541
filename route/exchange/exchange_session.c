/* Sessions of endpoints: see exchange_session.h. A row is a list of messages as JSON. */
#include "route/exchange/exchange_session.h"

#include "route/exchange/exchange_content.h"

#include <errno.h>

enum { UUID_BYTES = 36, BYTES_PER_TOKEN = 4 /* of English and code */, FRAME_BYTES = 64 };

struct session {
	struct exchange *e;
	char id[UUID_BYTES];
	bool found, lost;
	struct slice history, said;
	void (*then)(struct exchange *e);
	struct store_sealed op;
};

/* ---- whose, and which ---------------------------------------------------------------------------------------- */

/* RFC 9562, version 4. It need not be hard to guess: only the key that opened the session finds it. */
static void make_id(struct rand *rand, char id[static UUID_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	uint64_t bits[2] = {rand_u64(rand), rand_u64(rand)};
	unsigned at = 0;

	bits[0] = (bits[0] & ~UINT64_C(0xf000)) | 0x4000;
	bits[1] = (bits[1] & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
	for (unsigned i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			id[at++] = '-';
		id[at++] = hex[bits[i / 16] >> (60 - 4 * (i % 16)) & 15];
	}
}

static bool is_id(struct slice text)
{
	if (text.size != UUID_BYTES)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		char c = text.data[i];

		if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

static bool ask(struct exchange *e, enum store_sealed_kind kind)
{
	struct session *s = e->session;
	size_t capacity = e->endpoint->name.size + 1 + UUID_BYTES;
	struct text id = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (!id.data)
		return false;
	text_add(&id, e->endpoint->name);
	text_char(&id, '\0');
	text_add(&id, slice_of(s->id, sizeof(s->id)));
	s->op.kind = kind;
	s->op.shard = e->gateway_shard->shard;
	s->op.name = (struct sealed_name){SEALED_SESSION, conversation_owner(e), text_slice(&id)};
	if (!s->op.name.owner.data)
		return false;
	e->holds |= HOLD_QUERY;
	store_sealed_start(e->gateway_shard->gateway->store, &s->op);
	return true;
}

/* ---- before the call ----------------------------------------------------------------------------------------- */

static enum conversation_result refuse(struct exchange *e, unsigned status, struct slice code, struct slice message)
{
	struct api_error error = {.status = status, .code = code, .message = message, .param = SLICE("X-Session-ID")};

	exchange_refuse(e, &error, slice_of(NULL, 0));
	return CONVERSATION_REFUSED;
}

static enum conversation_result refuse_memory(struct exchange *e)
{
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	return CONVERSATION_REFUSED;
}

/* A row is a list, and so at least its brackets. */
static bool take(struct session *s, struct slice row)
{
	struct slice copy = row.size >= 2 ? arena_copy(&s->e->arena, row) : slice_of(NULL, 0);

	s->found = copy.data;
	if (copy.data)
		s->history = slice_of(copy.data + 1, copy.size - 2);
	return s->found;
}

static void on_found(struct store_sealed *op)
{
	struct session *s = container_of(op, struct session, op);
	struct exchange *e = s->e;
	int err = op->result;

	e->view_lost = true;
	if (e->state != EXCHANGE_ENDED && !err && !take(s, slice_of(op->found, op->found_size)))
		err = -ENOMEM;
	store_sealed_fini(op);
	if (e->state == EXCHANGE_ENDED)
		; /* its client left */
	else if (err == -ENOENT)
		refuse(e, 404, SLICE("session_not_found"),
			SLICE("There is no session of this id, or its time is over. Leave X-Session-ID out to open "
			      "one."));
	else if (err == -ENOMEM)
		refuse_memory(e);
	else if (err)
		exchange_refuse_overloaded(
			e, SLICE("store_failed"), SLICE("The session could not be read. Try again in a moment."));
	else
		s->then(e);
	exchange_unhold(e, HOLD_QUERY);
}

static bool keeps(const struct exchange *e)
{
	return !e->workspace || e->workspace->conversation_store;
}

enum conversation_result session_begin(struct exchange *e, void (*then)(struct exchange *e))
{
	struct slice id = http_header(&e->request->head, SLICE("x-session-id"));
	struct session *s;

	if (!e->endpoint->settings->sessions || e->session || (!id.data && !keeps(e)))
		return CONVERSATION_READY;
	if (!keeps(e))
		return refuse(e, 400, SLICE("conversation_store"),
			SLICE("This workspace keeps no conversations ('retention.conversation_store' is false). Leave "
			      "X-Session-ID out."));
	if (id.data && !is_id(id))
		return refuse(e, 400, SLICE("invalid_value"),
			SLICE("X-Session-ID has to be one that an answer of this endpoint had."));
	s = e->session = arena_zalloc(&e->arena, sizeof(*s));
	if (!s)
		return refuse_memory(e);
	s->e = e;
	s->then = then;
	if (!id.data) {
		make_id(&e->gateway_shard->shard->rand, s->id);
		return CONVERSATION_READY;
	}
	memcpy(s->id, id.data, sizeof(s->id));
	s->op.done = on_found;
	return ask(e, STORE_SEALED_GET) ? CONVERSATION_AWAITED : refuse_memory(e);
}

struct slice session_history(const struct exchange *e)
{
	return e->session ? e->session->history : slice_of(NULL, 0);
}

void session_note_said(struct exchange *e, struct slice messages)
{
	if (e->session)
		e->session->said = messages;
}

/* ---- after it ------------------------------------------------------------------------------------------------- */

/* The first choice's message: what it says and which tools it calls. */
static bool write_whole(struct exchange *e, struct text *message)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref choices, first, said = JSON_NONE, content, calls;

	if (!exchange_view_answer(e))
		return false;
	choices = json_member(json, 0, SLICE("choices"));
	first = choices == JSON_NONE ? JSON_NONE : json_first(json, choices);
	if (first != JSON_NONE)
		said = json_member(json, first, SLICE("message"));
	if (said == JSON_NONE)
		return false;
	content = json_member(json, said, SLICE("content"));
	calls = json_member(json, said, SLICE("tool_calls"));
	text_literal(message, "{\"role\":\"assistant\",\"content\":");
	text_add(message, content == JSON_NONE ? SLICE("null") : json_raw(json, content));
	if (calls != JSON_NONE && json_type(json, calls) == JSON_ARRAY && json_count(json, calls)) {
		text_literal(message, ",\"tool_calls\":");
		text_add(message, json_raw(json, calls));
	}
	text_char(message, '}');
	return true;
}

/* Text alone: of what else a stream had nothing is kept, and so nothing of the call. */
static bool write_streamed(struct slice said, struct text *message)
{
	text_literal(message, "{\"role\":\"assistant\",\"content\":");
	text_json(message, said);
	text_char(message, '}');
	return said.size > 0;
}

static struct text room(struct exchange *e, size_t capacity)
{
	return text_over(arena_alloc(&e->arena, capacity + BUFFER_PADDING_BYTES), capacity);
}

/* NULL data: there is none, or no memory. */
static struct slice write_message(struct exchange *e)
{
	struct slice said = e->stream ? content_streamed_text(e) : slice_of(NULL, 0);
	size_t capacity = FRAME_BYTES + 6 * said.size;
	struct text message;

	for (unsigned i = 0; !e->stream && i < e->answer_iov_count; i++)
		capacity += e->answer_iov[i].iov_len;
	message = room(e, capacity);
	if (!message.data || !(e->stream ? write_streamed(said, &message) : write_whole(e, &message)) || message.full)
		return slice_of(NULL, 0);
	return text_slice(&message);
}

static void add_messages(struct text *list, struct slice messages)
{
	if (list->size > 1 && messages.size)
		text_char(list, ',');
	text_add(list, messages);
}

static bool begins(const struct json_parser *json, json_ref message)
{
	json_ref role = json_member(json, message, SLICE("role"));

	return role != JSON_NONE && json_type(json, role) == JSON_STRING &&
	       slice_equal(json_string(json, role), SLICE("user"));
}

/* The newest messages that the endpoint's bounds leave, from one of the user's on. The view holds the list. */
static struct slice newest(const struct exchange *e, struct slice list)
{
	const struct json_parser *json = e->gateway_shard->json;
	const struct endpoint_settings *bounds = e->endpoint->settings;
	uint64_t bytes_max = (uint64_t)bounds->session_tokens_max * BYTES_PER_TOKEN;
	uint32_t count = json_count(json, 0);

	for (json_ref m = json_first(json, 0); m != JSON_NONE; m = json_next(json, m), count--) {
		const char *begin = json_raw(json, m).data;
		size_t bytes = (size_t)(list.data + list.size - 1 - begin);

		if (count <= bounds->session_messages_max && bytes <= bytes_max && begins(json, m))
			return slice_of(begin, bytes);
	}
	return slice_of(NULL, 0);
}

/* The row, with brackets; NULL data: no memory. */
static struct slice write_row(struct exchange *e, struct slice message)
{
	struct session *s = e->session;
	struct text all = room(e, s->history.size + s->said.size + message.size + 4), row;
	struct json_error error;
	struct slice kept;

	if (!all.data)
		return slice_of(NULL, 0);
	text_char(&all, '[');
	add_messages(&all, s->history);
	add_messages(&all, s->said);
	add_messages(&all, message);
	text_char(&all, ']');
	memset(all.data + all.size, 0, BUFFER_PADDING_BYTES);
	if (json_parse(e->gateway_shard->json, text_slice(&all), &error))
		return slice_of(NULL, 0);
	kept = newest(e, text_slice(&all));
	row = room(e, kept.size + 2);
	if (!row.data)
		return slice_of(NULL, 0);
	text_char(&row, '[');
	text_add(&row, kept);
	text_char(&row, ']');
	return text_slice(&row);
}

static void on_kept(struct store_sealed *op)
{
	struct session *s = container_of(op, struct session, op);
	struct exchange *e = s->e;

	s->lost = op->result < 0;
	s->then(e);
	exchange_unhold(e, HOLD_QUERY);
}

bool session_keep(struct exchange *e, void (*then)(struct exchange *e))
{
	struct session *s = e->session;
	struct slice message, row;

	if (!s || e->gone)
		return false;
	e->view_lost = true;
	message = write_message(e);
	if (!message.data)
		return false;
	row = write_row(e, message);
	s->then = then;
	s->op = (struct store_sealed){
		.done = on_kept, .value = row, .ttl_s = (uint32_t)e->endpoint->settings->session_ttl_s};
	s->lost = !row.data || !ask(e, STORE_SEALED_PUT);
	return !s->lost;
}

bool session_lost(const struct exchange *e)
{
	return e->session && e->session->lost;
}

/* A session that no answer has opened is none. */
void session_print_header(const struct exchange *e, struct text *headers)
{
	if (!e->session || (!e->session->found && e->status != 200))
		return;
	text_literal(headers, "X-Session-ID: ");
	text_add(headers, slice_of(e->session->id, sizeof(e->session->id)));
	text_literal(headers, "\r\n");
}
