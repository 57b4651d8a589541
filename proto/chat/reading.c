/* What dialects' readers share: see reading.h. */
#include "proto/chat/reading.h"

int chat_read_refuse(struct chat_reading *r, struct slice code, struct slice message, struct slice param)
{
	return chat_refuse(r->problem, code, message, param);
}

const struct chat_field *chat_find_field(const struct chat_field *fields, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(name, slice_of_string(fields[i].name)))
			return &fields[i];
	return NULL;
}

int chat_read_field(struct chat_reading *r, const struct chat_field *field, json_ref value)
{
	r->field = slice_of_string(field->name);
	if (field->need)
		chat_need(r->chat, field->need, r->field);
	return field->read ? field->read(r, value) : 0;
}

int chat_read_fields(struct chat_reading *r, const struct chat_field *fields, size_t count, chat_read_value *rest)
{
	const struct chat_field *field;
	int err = 0;

	for (json_ref m = json_first(r->p, 0); m != JSON_NONE && !err; m = json_next(r->p, m)) {
		if (json_type(r->p, m) == JSON_NULL)
			continue;
		field = chat_find_field(fields, count, json_key(r->p, m));
		err = field ? chat_read_field(r, field, m) : rest(r, m);
	}
	return err;
}

int chat_read_end(struct chat_reading *r, int err, struct slice param)
{
	if (err != -E2BIG)
		return err;
	return chat_read_refuse(r, CHAT_INVALID, SLICE("The conversation has too many parts to be translated."), param);
}

/* ---- tools -------------------------------------------------------------------------------------------------- */

int chat_read_tools(struct chat_reading *r, json_ref value, chat_read_value *read)
{
	int err = 0;

	if (json_type(r->p, value) != JSON_ARRAY)
		return chat_read_refuse(r, CHAT_MISTYPED, SLICE("'tools' has to be an array."), SLICE("tools"));
	if (json_first(r->p, value) != JSON_NONE)
		chat_need(r->chat, CHAT_TOOLS, SLICE("tools"));
	for (json_ref v = json_first(r->p, value); v != JSON_NONE && !err; v = json_next(r->p, v))
		err = read(r, v);
	return err;
}

int chat_read_tool(struct chat_reading *r, json_ref value, struct slice schema)
{
	struct chat_tool *tool = chat_add_tool(r->chat);

	if (!tool)
		return r->chat->err;
	tool->name = chat_member_text(r->p, value, SLICE("name"));
	tool->description = chat_member_text(r->p, value, SLICE("description"));
	tool->parameters = chat_member_json(r->p, value, schema);
	tool->strict = chat_member_json(r->p, value, SLICE("strict"));
	if (!tool->name.size)
		return chat_read_refuse(
			r, CHAT_INVALID, SLICE("Each of 'tools' needs a function with a name."), SLICE("tools"));
	if (tool->parameters.data && tool->parameters.data[0] != '{')
		return chat_read_refuse(r, CHAT_MISTYPED,
			SLICE("A function's parameters have to be a JSON Schema: an object."), SLICE("tools"));
	tool->untyped = tool->parameters.data &&
			json_member(r->p, json_member(r->p, value, schema), SLICE("type")) == JSON_NONE;
	return 0;
}

/* ---- options ------------------------------------------------------------------------------------------------ */

int chat_read_number(struct chat_reading *r, json_ref value, struct slice *number)
{
	if (json_type(r->p, value) != JSON_INTEGER && json_type(r->p, value) != JSON_NUMBER)
		return chat_read_refuse(r, CHAT_MISTYPED, SLICE("This field has to be a number."), r->field);
	*number = json_raw(r->p, value);
	return 0;
}

int chat_read_limit(struct chat_reading *r, json_ref value)
{
	int64_t limit;

	if (!json_integer(r->p, value, &limit) || limit < 1)
		return chat_read_refuse(
			r, CHAT_INVALID, SLICE("The limit of tokens has to be a positive integer."), r->field);
	if (!r->chat->max_tokens || !slice_equal(r->field, SLICE("max_tokens")))
		r->chat->max_tokens = limit;
	return 0;
}

int chat_read_temperature(struct chat_reading *r, json_ref value)
{
	json_number(r->p, value, &r->chat->temperature_number);
	return chat_read_number(r, value, &r->chat->temperature);
}

int chat_read_top_p(struct chat_reading *r, json_ref value)
{
	return chat_read_number(r, value, &r->chat->top_p);
}

/* Mistyped, it is a knob that is left out like any that is unknown. */
int chat_read_knob(struct chat_reading *r, json_ref value)
{
	enum json_type type = json_type(r->p, value);

	if (type == JSON_INTEGER || type == JSON_NUMBER)
		r->chat->knobs[chat_knob_of(r->field)] = json_raw(r->p, value);
	else
		chat_drop(r->chat, r->field);
	return 0;
}

static int add_stop(struct chat_reading *r, json_ref value)
{
	if (json_type(r->p, value) != JSON_STRING)
		return chat_read_refuse(
			r, CHAT_MISTYPED, SLICE("This field has to be a string or an array of strings."), r->field);
	if (r->chat->stop_count >= CHAT_STOPS_MAX)
		return chat_read_refuse(
			r, CHAT_INVALID, SLICE("This field has too many strings. Send at most 4."), r->field);
	r->chat->stops[r->chat->stop_count++] = json_string(r->p, value);
	return 0;
}

int chat_read_stop(struct chat_reading *r, json_ref value)
{
	int err = 0;

	if (json_type(r->p, value) != JSON_ARRAY)
		return add_stop(r, value);
	for (json_ref v = json_first(r->p, value); v != JSON_NONE && !err; v = json_next(r->p, v))
		err = add_stop(r, v);
	return err;
}

int chat_read_stream(struct chat_reading *r, json_ref value)
{
	r->chat->stream = json_type(r->p, value) == JSON_TRUE;
	return 0;
}
