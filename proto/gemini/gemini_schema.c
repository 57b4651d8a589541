/*
 * JSON Schemas for Gemini. The text is scanned as it stands, since the JSON view is not at hand where requests are
 * written; it has been parsed, so it is good JSON, and no deeper than the view allows.
 */
#include "proto/gemini/gemini.h"

#include <assert.h>

enum value_kind { VALUE_AS_IS, VALUE_SCHEMA, VALUE_SCHEMAS, VALUE_NAMED_SCHEMAS };

/* What responseJsonSchema and parametersJsonSchema take, from the types of Google's library. */
static const struct {
	const char *name;
	enum value_kind kind;
} keywords[] = {
	{"type", VALUE_AS_IS},
	{"description", VALUE_AS_IS},
	{"properties", VALUE_NAMED_SCHEMAS},
	{"required", VALUE_AS_IS},
	{"additionalProperties", VALUE_SCHEMA},
	{"items", VALUE_SCHEMAS},
	{"enum", VALUE_AS_IS},
	{"format", VALUE_AS_IS},
	{"title", VALUE_AS_IS},
	{"anyOf", VALUE_SCHEMAS},
	{"oneOf", VALUE_SCHEMAS},
	{"minimum", VALUE_AS_IS},
	{"maximum", VALUE_AS_IS},
	{"minItems", VALUE_AS_IS},
	{"maxItems", VALUE_AS_IS},
	{"prefixItems", VALUE_SCHEMAS},
	{"propertyOrdering", VALUE_AS_IS},
	{"$id", VALUE_AS_IS},
	{"$ref", VALUE_AS_IS},
	{"$anchor", VALUE_AS_IS},
	{"$defs", VALUE_NAMED_SCHEMAS},
};

struct scan {
	const char *at, *end;
	struct chat *chat;
	struct text *t;
};

static void skip_spaces(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

static bool next_is(struct scan *s, char c)
{
	skip_spaces(s);
	if (s->at >= s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static void skip_string(struct scan *s)
{
	assert(s->at < s->end && *s->at == '"');
	for (s->at++; s->at < s->end && *s->at != '"'; s->at++)
		s->at += *s->at == '\\';
	s->at++;
	assert(s->at <= s->end);
}

static struct slice take_value(struct scan *s)
{
	unsigned depth = 0;
	const char *begin;

	skip_spaces(s);
	assert(s->at < s->end);
	begin = s->at;
	while (s->at < s->end) {
		char c = *s->at;

		if (c == '"') {
			skip_string(s);
		} else {
			if (depth == 0 && (c == ',' || c == '}' || c == ']'))
				break;
			depth += c == '{' || c == '[';
			depth -= c == '}' || c == ']';
			s->at++;
		}
		if (depth == 0 && (c == '"' || c == '}' || c == ']'))
			break;
	}
	return slice_of(begin, (size_t)(s->at - begin));
}

static void write_schema(struct scan *s, bool of_object);

/* { name: schema, ... }, where a name may be any word, a keyword's too. */
static void write_named(struct scan *s)
{
	bool first = true;

	if (!next_is(s, '{')) {
		text_add(s->t, take_value(s));
		return;
	}
	text_char(s->t, '{');
	while (!next_is(s, '}')) {
		next_is(s, ',');
		if (!first)
			text_char(s->t, ',');
		first = false;
		text_add(s->t, take_value(s));
		next_is(s, ':');
		text_char(s->t, ':');
		write_schema(s, false);
	}
	text_char(s->t, '}');
}

static void write_list(struct scan *s)
{
	bool first = true;

	if (!next_is(s, '[')) {
		write_schema(s, false);
		return;
	}
	text_char(s->t, '[');
	while (!next_is(s, ']')) {
		next_is(s, ',');
		if (!first)
			text_char(s->t, ',');
		first = false;
		write_schema(s, false);
	}
	text_char(s->t, ']');
}

static void write_kind(struct scan *s, enum value_kind kind)
{
	switch (kind) {
	case VALUE_AS_IS:
		text_add(s->t, take_value(s));
		break;
	case VALUE_SCHEMA:
		write_schema(s, false);
		break;
	case VALUE_SCHEMAS:
		write_list(s);
		break;
	case VALUE_NAMED_SCHEMAS:
		write_named(s);
		break;
	}
}

static bool leave_out(struct scan *s, struct slice word)
{
	if (!slice_equal(word, SLICE("$schema"))) /* says which words there are, and asks for nothing */
		chat_drop(s->chat, word);
	take_value(s);
	return false;
}

/* A member of a schema; `name` is quoted. `listed`: its values were listed. Returns whether it was written. */
static bool write_member(struct scan *s, struct slice name, bool first, bool *listed)
{
	struct slice word = slice_of(name.data + 1, name.size - 2);
	bool constant = slice_equal(word, SLICE("const")), lists = constant || slice_equal(word, SLICE("enum"));

	if (lists && *listed)
		return leave_out(s, word);
	*listed |= lists;
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (slice_equal(word, slice_of_string(keywords[i].name))) {
			text_string(s->t, first ? "" : ",");
			text_add(s->t, name);
			text_char(s->t, ':');
			write_kind(s, keywords[i].kind);
			return true;
		}
	if (constant) { /* one value is a list of one */
		text_string(s->t, first ? "\"enum\":[" : ",\"enum\":[");
		text_add(s->t, take_value(s));
		text_char(s->t, ']');
		return true;
	}
	return leave_out(s, word);
}

static void write_schema(struct scan *s, bool of_object)
{
	bool first = !of_object, listed = false;
	struct slice name;

	if (!next_is(s, '{')) {
		text_add(s->t, take_value(s)); /* true, false */
		return;
	}
	text_string(s->t, of_object ? "{\"type\":\"object\"" : "{");
	while (!next_is(s, '}')) {
		next_is(s, ',');
		name = take_value(s);
		next_is(s, ':');
		if (write_member(s, name, first, &listed))
			first = false;
	}
	text_char(s->t, '}');
}

void gemini_write_schema(struct chat *chat, struct text *t, struct slice schema, bool of_object)
{
	struct scan scan = {.at = schema.data, .end = schema.data + schema.size, .chat = chat, .t = t};

	write_schema(&scan, of_object);
}
