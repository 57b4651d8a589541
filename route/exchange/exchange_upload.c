/*
 * A form that passes while it comes: where it is large, its length is known, the fields that stand before the recording
 * name a model, and that has one candidate, the recording goes on to it piece by piece, in bounded memory, and a
 * provider that reads slowly holds back its client. All others are gathered whole first, since a second candidate needs
 * all of it again.
 *
 * What follows the recording's head passes as it is, so that its length is known beforehand; but what stands behind the
 * recording is only let go once it was read: until then the provider has no whole request, and should it answer well
 * all the same, its answer waits. So a field may stand there as well, but for those that had to be known before the
 * call.
 */
#include "route/exchange/exchange_upload.h"

#include "route/exchange/exchange_form.h"

enum {
	LEAST_BYTES = 262144,     /* what is smaller is cheaper to gather, and then no field of it comes too late */
	HIGH_BYTES = 65536,       /* given and not taken: then the client waits */
	TLS_RECORD_BYTES = 16384, /* RFC 8446, 5.1 */
	PIECE_BYTES_MAX =
		CONFIG_RECEIVE_BUFFER_BYTES > TLS_RECORD_BYTES ? CONFIG_RECEIVE_BUFFER_BYTES : TLS_RECORD_BYTES,
	/* That, the last piece received, what came with the fields, and at last what stands behind the recording. */
	ROOM_BYTES = HIGH_BYTES + 2 * PIECE_BYTES_MAX + FORM_FIELDS_BYTES_MAX + 2048,
};

struct exchange_upload {
	struct http_upload body;
	uint64_t announced; /* bytes behind the recording's head */
	struct multipart_content content;
	uint64_t recording_bytes; /* so far */
	struct text tail;         /* from the boundary behind the recording on; NULL data: it goes on */
	bool paused;              /* the client waits for the provider */
	bool whole, answer_waits; /* the head of a good one is there */
};

static bool is_open(const struct exchange *e)
{
	return e->state == EXCHANGE_READING || e->state == EXCHANGE_LIMITING || e->state == EXCHANGE_CALLING ||
	       e->state == EXCHANGE_ANSWERING;
}

bool exchange_is_uploading(const struct exchange *e)
{
	return e->upload && !e->upload->whole;
}

void exchange_upload_watch(struct exchange *e)
{
	const struct http_head *head = &e->request->head;

	e->request->watched = e->is_api && e->api == API_TRANSCRIPTIONS && !e->answered && head->has_length &&
			      head->content_length >= LEAST_BYTES && !http_header(head, SLICE("idempotency-key")).data;
}

/* ---- the beginning -------------------------------------------------------------------------------------------- */

/* The parts before the recording, and its head, behind which *at is. False: not all is there, or it is no such form. */
static bool read_beginning(struct exchange_form *form, struct slice bytes, size_t *at)
{
	struct multipart m;
	bool named = false;

	form->count = 0;
	multipart_init(&m, form->boundary, bytes);
	while (form->count < MULTIPART_PARTS_MAX) {
		struct multipart_part *part = &form->parts[form->count++];
		struct multipart begun = m;

		if (multipart_next_head(&m, part) != 1)
			return false;
		if (form_part_is_recording(part)) {
			part->content = slice_of(bytes.data + m.at, 0);
			form->recording = part;
			*at = m.at;
			return named && part->filename.data;
		}
		m = begun;
		if (multipart_next(&m, part) != 1)
			return false;
		named |= slice_equal(part->name, SLICE("model"));
	}
	return false;
}

/* A boundary right behind the recording's head is no end of it that all readers see. */
static bool is_clear(const struct multipart_content *c, struct slice content)
{
	struct slice delimiter = slice_of(c->delimiter, c->size);

	return content.size >= c->size && !slice_starts_with(content, slice_after(delimiter, 2));
}

static struct exchange_upload *make_upload(struct exchange *e, uint64_t announced)
{
	struct exchange_upload *u = arena_zalloc(&e->arena, sizeof(*u));
	char *memory = u ? arena_alloc(&e->arena, 2 * (size_t)ROOM_BYTES) : NULL;

	if (!memory)
		return NULL;
	u->body = (struct http_upload){.filling = text_over(memory, ROOM_BYTES),
		.sending = text_over(memory + ROOM_BYTES, ROOM_BYTES),
		.left = announced};
	u->announced = announced;
	return u;
}

/* The beginning moves to the exchange's memory: the server gives its own back. */
static bool begin(struct exchange *e, const struct exchange_form *found, size_t at)
{
	struct slice bytes = arena_copy(&e->arena, slice_of(e->request->body.data, at));
	uint64_t announced = e->request->head.content_length - at;
	struct exchange_form *form = arena_zalloc(&e->arena, sizeof(*form));
	struct exchange_upload *u = make_upload(e, announced);

	if (!bytes.data || !form || !u)
		return form_refuse_out_of_memory(e);
	multipart_content_init(&u->content, found->boundary);
	form->boundary = found->boundary;
	form->recording_bytes = announced > u->content.size ? announced - u->content.size : 0;
	if (!read_beginning(form, bytes, &at))
		return false;
	e->form = form;
	e->upload = u;
	return true;
}

bool exchange_upload_decide(struct exchange *e)
{
	if (e->plan.candidate_count == 1) {
		e->request->passing = true;
		return true;
	}
	e->request->watched = false;
	e->form = NULL;
	e->upload = NULL;
	return false;
}

/* ---- what comes ------------------------------------------------------------------------------------------------ */

static bool open_tail(struct exchange *e)
{
	struct exchange_upload *u = e->upload;
	size_t capacity = (size_t)u->body.left;

	if (u->body.left > FORM_FIELDS_BYTES_MAX)
		return form_refuse_too_large(e);
	u->tail = text_over(arena_alloc(&e->arena, capacity), capacity);
	if (!u->tail.data)
		return form_refuse_out_of_memory(e);
	text_add(&u->tail, slice_of(u->content.delimiter, u->content.size));
	return true;
}

/* False: refused. */
static bool take(struct exchange *e, struct slice data)
{
	struct exchange_upload *u = e->upload;
	struct slice piece;

	while (data.size && !u->tail.data) {
		switch (multipart_content_next(&u->content, &data, &piece)) {
		case MULTIPART_CONTENT_PIECE:
			u->recording_bytes += piece.size;
			http_upload_add(&u->body, piece);
			break;
		case MULTIPART_CONTENT_END:
			if (!open_tail(e))
				return false;
			break;
		case MULTIPART_CONTENT_MORE:
			break;
		}
	}
	if (data.size)
		text_add(&u->tail, data);
	return true;
}

static void push(struct exchange *e)
{
	struct exchange_upload *u = e->upload;

	if (e->holds & HOLD_CALL)
		http_call_push(&e->attempt->call);
	if (u->body.filling.size < HIGH_BYTES || u->paused || u->whole)
		return;
	u->paused = true;
	http_pause_body(e->request);
}

/* Whoever refuses leaves the call as it is. */
static void pass(struct exchange *e, struct slice data)
{
	if (take(e, data))
		push(e);
	else
		exchange_cancel_call(e);
}

static void look(struct exchange *e)
{
	struct slice body = e->request->body;
	struct exchange_form found = {.count = 0};
	struct multipart_content content;
	size_t at = 0;

	if (!multipart_boundary(http_header(&e->request->head, SLICE("content-type")), &found.boundary))
		return; /* refused by now */
	multipart_content_init(&content, found.boundary);
	if (!read_beginning(&found, body, &at)) {
		e->request->watched = body.size <= FORM_FIELDS_BYTES_MAX;
		return;
	}
	if (!is_clear(&content, slice_after(body, at)) || !begin(e, &found, at))
		return;
	exchange_run(e);
	if (e->request->passing && is_open(e))
		pass(e, slice_after(body, at));
}

void exchange_upload_body(struct exchange *e, struct slice piece)
{
	if (!e->request->passing)
		look(e);
	else if (is_open(e))
		pass(e, piece);
}

void exchange_upload_room(struct exchange *e)
{
	struct exchange_upload *u = e->upload;

	if (!u->paused || !e->request)
		return;
	u->paused = false;
	http_resume_body(e->request);
}

void exchange_upload_attach(struct exchange *e, size_t *size)
{
	e->attempt->call.upload = &e->upload->body;
	*size += e->upload->announced;
}

bool exchange_upload_answered(struct exchange *e)
{
	if (!exchange_is_uploading(e))
		return false;
	e->upload->answer_waits = true;
	http_call_pause(&e->attempt->call);
	return true;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static bool refuse_late(struct exchange *e, struct slice name)
{
	return form_refuse(e, SLICE("invalid_value"),
		SLICE("This field comes too late: the recording is on its way. Send it before 'file'."), name);
}

/* The parts behind the recording, to those before it. False: refused. */
static bool read_tail(struct exchange *e, struct exchange_form *form)
{
	struct slice tail = slice_after(text_slice(&e->upload->tail), 2);
	struct multipart m;
	int more = 0;

	multipart_init(&m, form->boundary, tail);
	m.count = form->count;
	while ((more = multipart_next(&m, &form->parts[form->count])) == 1) {
		const struct multipart_part *part = &form->parts[form->count++];

		if (form_part_is_recording(part))
			return form_refuse(e, SLICE("duplicate_field"),
				SLICE("The field 'file' is there twice. Send it once."), part->name);
		if (form_part_is_ours(part))
			return refuse_late(e, part->name);
	}
	m.at += e->request->head.content_length - tail.size;
	return more == 0 || form_refuse_malformed(e, &m);
}

/* The form as a whole says what it said before the call. False: refused. */
static bool read_whole(struct exchange *e)
{
	struct exchange_upload *u = e->upload;
	struct exchange_form *whole = arena_zalloc(&e->arena, sizeof(*whole));
	struct multipart cut = {
		.at = e->request->head.content_length, .problem = "the boundary behind this part's content"};

	if (!whole)
		return form_refuse_out_of_memory(e);
	if (!u->tail.data)
		return form_refuse_malformed(e, &cut);
	*whole = *e->form;
	if (!read_tail(e, whole) || !form_write_document(e, whole))
		return false;
	e->form->document = whole->document;
	e->form->recording_bytes = u->recording_bytes;
	e->view_lost = true;
	return exchange_read_document(e);
}

/* From here on the provider is waited for, and the client may be told so. That a stream is wanted may be news. */
static void start_waiting(struct exchange *e)
{
	const struct provider_settings *provider = e->attempt->candidate ? e->attempt->candidate->provider : NULL;
	struct timers *timers = &e->gateway_shard->shard->timers;
	uint64_t now_ns = exchange_now_ns(e), keepalive_ns = e->config->config->settings->http.keepalive_ns;

	e->stream = e->asked.stream;
	if (!e->stream || !(e->holds & HOLD_CALL))
		return;
	if (!e->streaming)
		exchange_stream_prepare(e);
	e->attempt->call.limits.max_body_bytes = UINT64_MAX;
	e->last_write_ns = now_ns;
	if (keepalive_ns)
		timer_arm(timers, &e->keepalive_timer, now_ns + keepalive_ns);
	if (provider && provider->first_token_ns)
		timer_arm(timers, &e->attempt->first_token_timer, now_ns + provider->first_token_ns);
}

void exchange_upload_whole(struct exchange *e)
{
	struct exchange_upload *u = e->upload;

	if (!is_open(e))
		return;
	if (!read_whole(e)) {
		exchange_cancel_call(e);
		return;
	}
	u->whole = true;
	http_upload_add(&u->body, text_slice(&u->tail));
	push(e);
	start_waiting(e);
	if (!u->answer_waits || e->state != EXCHANGE_CALLING)
		return;
	http_call_resume(&e->attempt->call);
	exchange_take_head(e);
}
