/*
 * Requests that come as a form, transcriptions: its fields become a document, which is read, routed and reserved for as
 * any other; for the provider the form is written anew with its own name of the model, and nothing of the recording is
 * copied; one that is still coming passes on (exchange_upload.c). What the gateway alone is told (routing hints, a
 * fallback chain) is JSON in a field, and goes no further.
 */
#include "route/exchange/exchange_form.h"
#include "route/exchange/exchange_upload.h"

#include "core/buffer.h"

#include <errno.h>

enum { MESSAGE_BYTES = 256 };

bool form_refuse(struct exchange *e, struct slice code, struct slice message, struct slice param)
{
	struct api_error error = {.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = code,
		.message = message,
		.param = param};

	exchange_refuse(e, &error, slice_of(NULL, 0));
	return false;
}

bool form_refuse_out_of_memory(struct exchange *e)
{
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	return false;
}

bool form_refuse_malformed(struct exchange *e, const struct multipart *m)
{
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);

	if (!message.data)
		return form_refuse_out_of_memory(e);
	text_literal(&message, "The form is malformed at byte ");
	text_u64(&message, m->at);
	text_literal(&message, ": expected ");
	text_string(&message, m->problem);
	text_literal(&message, ".");
	return form_refuse(e, SLICE("invalid_multipart"), text_slice(&message), slice_of(NULL, 0));
}

bool form_refuse_too_large(struct exchange *e)
{
	return form_refuse(e, SLICE("body_too_large"),
		SLICE("The form's fields have more than 65536 bytes beside 'file'."), slice_of(NULL, 0));
}

bool form_part_is_recording(const struct multipart_part *part)
{
	return slice_equal(part->name, SLICE("file"));
}

bool form_part_is_ours(const struct multipart_part *part)
{
	return slice_equal(part->name, SLICE("x-routing-hints")) || slice_equal(part->name, SLICE("x-fallback-chain"));
}

static bool check_recording(struct exchange *e, struct exchange_form *form)
{
	const struct slice param = SLICE("file");

	for (unsigned i = 0; i < form->count; i++) {
		if (!form_part_is_recording(&form->parts[i]))
			continue;
		if (form->recording)
			return form_refuse(e, SLICE("duplicate_field"),
				SLICE("The field 'file' is there twice. Send it once."), param);
		form->recording = &form->parts[i];
	}
	if (!form->recording || !form->recording->content.size)
		return form_refuse(
			e, SLICE("missing_required_parameter"), SLICE("Send the recording in 'file'."), param);
	if (!form->recording->filename.data)
		return form_refuse(e, SLICE("invalid_type"), SLICE("'file' has to be a file, with a filename."), param);
	form->recording_bytes = form->recording->content.size;
	return true;
}

static bool read_parts(struct exchange *e, struct exchange_form *form)
{
	struct multipart m;
	int more;

	multipart_init(&m, form->boundary, e->request->body);
	while ((more = multipart_next(&m, &form->parts[form->count])) == 1)
		form->count++;
	return more < 0 ? form_refuse_malformed(e, &m) : check_recording(e, form);
}

/* Bytes that the parser may read past. */
static struct slice padded(struct exchange *e, struct slice s)
{
	char *memory = arena_alloc(&e->arena, s.size + BUFFER_PADDING_BYTES);

	if (!memory)
		return slice_of(NULL, 0);
	if (s.size)
		memcpy(memory, s.data, s.size);
	memset(memory + s.size, 0, BUFFER_PADDING_BYTES);
	return slice_of(memory, s.size);
}

/* A form has texts alone: what is no text for the gateway is told by its name. */
static bool write_value(struct exchange *e, const struct multipart_part *part, struct text *json)
{
	struct slice value = part->content;
	struct json_error error;

	if (form_part_is_ours(part)) {
		value = padded(e, value);
		if (!value.data)
			return form_refuse_out_of_memory(e);
		if (json_parse(e->gateway_shard->json, value, &error))
			return form_refuse(e, SLICE("invalid_json"), SLICE("This field has to be JSON."), part->name);
		text_add(json, value);
	} else if (slice_equal(part->name, SLICE("stream")) &&
		   (slice_equal(value, SLICE("true")) || slice_equal(value, SLICE("false")))) {
		text_add(json, value);
	} else {
		text_json(json, value);
	}
	return true;
}

bool form_write_document(struct exchange *e, struct exchange_form *form)
{
	size_t fields = 0, capacity;
	struct text json;

	for (unsigned i = 0; i < form->count; i++)
		if (!form_part_is_recording(&form->parts[i]))
			fields += form->parts[i].name.size + form->parts[i].content.size;
	if (fields > FORM_FIELDS_BYTES_MAX)
		return form_refuse_too_large(e);
	capacity = 6 * fields + 8 * (size_t)MULTIPART_PARTS_MAX + BUFFER_PADDING_BYTES;
	json = text_over(arena_zalloc(&e->arena, capacity), capacity);
	if (!json.data)
		return form_refuse_out_of_memory(e);
	text_char(&json, '{');
	for (unsigned i = 0; i < form->count; i++) {
		if (form_part_is_recording(&form->parts[i]))
			continue;
		text_string(&json, json.size > 1 ? "," : "");
		text_json(&json, form->parts[i].name);
		text_char(&json, ':');
		if (!write_value(e, &form->parts[i], &json))
			return false;
	}
	text_char(&json, '}');
	form->document = text_slice(&json);
	return true;
}

bool exchange_read_form(struct exchange *e)
{
	struct exchange_form *form;

	if (e->upload)
		return form_write_document(e, e->form);
	form = arena_zalloc(&e->arena, sizeof(*form));
	if (!form)
		return form_refuse_out_of_memory(e);
	if (!multipart_boundary(http_header(&e->request->head, SLICE("content-type")), &form->boundary))
		return form_refuse(e, SLICE("invalid_multipart"),
			SLICE("Send a form, with Content-Type: multipart/form-data and its boundary."),
			slice_of(NULL, 0));
	if (!read_parts(e, form) || !form_write_document(e, form))
		return false;
	e->form = form;
	return true;
}

struct slice exchange_document(const struct exchange *e)
{
	return e->form ? e->form->document : e->request->body;
}

uint64_t exchange_recording_bytes(const struct exchange *e)
{
	return e->form->recording_bytes;
}

static size_t head_bytes(const struct exchange_form *form, const struct multipart_part *part)
{
	enum { FRAME_BYTES = 128 };

	return FRAME_BYTES + form->boundary.size + part->name.size + part->filename.size + part->type.size;
}

int exchange_write_form(struct exchange *e, struct slice model, size_t *size)
{
	const struct exchange_form *form = e->form;
	size_t capacity = head_bytes(form, &(struct multipart_part){.name = slice_of(NULL, 0)}), from = 0;
	unsigned count = 0;
	struct text heads;

	_Static_assert(2 * MULTIPART_PARTS_MAX + 1 <= sizeof(e->attempt->body_iov) / sizeof(e->attempt->body_iov[0]),
		"a form fits");
	for (unsigned i = 0; i < form->count; i++)
		capacity += head_bytes(form, &form->parts[i]);
	heads = text_over(arena_alloc(&e->arena, capacity), capacity);
	if (!heads.data)
		return -ENOMEM;
	*size = 0;
	for (unsigned i = 0; i < form->count; i++) {
		const struct multipart_part *part = &form->parts[i];
		struct slice content = slice_equal(part->name, SLICE("model")) ? model : part->content;

		if (form_part_is_ours(part))
			continue;
		multipart_write_head(&heads, form->boundary, part, count == 0);
		e->attempt->body_iov[count++] = (struct iovec){heads.data + from, heads.size - from};
		e->attempt->body_iov[count++] = (struct iovec){(void *)(uintptr_t)content.data, content.size};
		*size += content.size;
		from = heads.size;
	}
	if (e->upload)
		exchange_upload_attach(e, size);
	else
		multipart_write_end(&heads, form->boundary);
	e->attempt->body_iov[count++] = (struct iovec){heads.data + from, heads.size - from};
	*size += heads.size;
	e->attempt->call.body = e->attempt->body_iov;
	e->attempt->call.body_count = count;
	return heads.full ? -E2BIG : 0;
}

struct slice exchange_form_type(struct exchange *e)
{
	enum { TYPE_BYTES = 64 + MULTIPART_BOUNDARY_BYTES_MAX };
	struct text type = text_over(arena_alloc(&e->arena, TYPE_BYTES), TYPE_BYTES);

	if (type.data)
		multipart_write_type(&type, e->form->boundary);
	return text_slice(&type);
}
