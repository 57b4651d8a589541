/* Variables in configuration values: `${NAME}`, `${NAME:-default}`; `$${` stands for `${`. What comes in is not
 * searched again. */
#include "core/config_expand.h"

#include "core/text.h"

#include <ctype.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 128 };

struct expansion {
	const struct config_source *source;
	struct text out;
	bool replaced;
	char why[384]; /* empty: no error */
};

static bool is_name(struct slice name)
{
	size_t i;

	if (name.size == 0 || name.size > NAME_MAX_BYTES || isdigit((unsigned char)name.data[0]))
		return false;
	for (i = 0; i < name.size; i++)
		if (!isalnum((unsigned char)name.data[i]) && name.data[i] != '_')
			return false;
	return true;
}

/* `inside` is what stands between the braces. */
static void add_variable(struct expansion *expansion, struct slice inside)
{
	const char *mark = memmem(inside.data, inside.size, ":-", 2);
	struct slice name = mark ? slice_of(inside.data, (size_t)(mark - inside.data)) : inside;
	char terminated[NAME_MAX_BYTES + 1];
	const char *value;

	if (!is_name(name)) {
		snprintf(expansion->why, sizeof(expansion->why),
			"\"${%.*s}\" does not name a variable (expected ${NAME} or ${NAME:-default})",
			(int)(inside.size > 64 ? 64 : inside.size), inside.data);
		return;
	}
	memcpy(terminated, name.data, name.size);
	terminated[name.size] = 0;
	value = expansion->source->lookup ? expansion->source->lookup(expansion->source->lookup_context, terminated)
					  : NULL;
	if (mark && (!value || !*value))
		text_add(&expansion->out, slice_after(inside, name.size + 2));
	else if (value)
		text_add(&expansion->out, slice_of_string(value));
	else
		snprintf(expansion->why, sizeof(expansion->why),
			"environment variable %s is not set (set it, or give a default: ${%s:-value})", terminated,
			terminated);
	expansion->replaced = true;
}

static void expand(struct expansion *expansion, struct slice in)
{
	while (in.size && !expansion->why[0]) {
		const char *dollar = memmem(in.data, in.size, "${", 2);
		size_t before = dollar ? (size_t)(dollar - in.data) : in.size;
		const char *brace;

		if (!dollar) {
			text_add(&expansion->out, in);
			return;
		}
		if (before && dollar[-1] == '$') {
			text_add(&expansion->out, slice_of(in.data, before - 1));
			text_add(&expansion->out, slice_of("${", 2));
			in = slice_after(in, before + 2);
			continue;
		}
		text_add(&expansion->out, slice_of(in.data, before));
		brace = memchr(dollar, '}', in.size - before);
		if (!brace) {
			snprintf(expansion->why, sizeof(expansion->why),
				"\"${\" is never closed (expected ${NAME} or ${NAME:-default})");
			return;
		}
		add_variable(expansion, slice_of(dollar + 2, (size_t)(brace - dollar - 2)));
		in = slice_after(in, (size_t)(brace + 1 - in.data));
	}
}

void config_expand(struct config_node *scalar, const struct config_source *source, struct config_memory *memory,
	struct config_report *errors)
{
	static const struct slice mark = {"${", 2};
	struct expansion expansion = {.source = source};
	char buffer[CONFIG_TEXT_MAX];

	if (!memmem(scalar->text.data, scalar->text.size, mark.data, mark.size))
		return;
	expansion.out = text_over(buffer, sizeof(buffer));
	expand(&expansion, scalar->text);
	if (!expansion.why[0] && expansion.out.full)
		snprintf(expansion.why, sizeof(expansion.why), "the value is too long (expected at most %d bytes)",
			CONFIG_TEXT_MAX);
	if (expansion.why[0]) {
		config_complain(errors, scalar->line, scalar->column, "%s", expansion.why);
	} else {
		const char *copy = config_copy(memory, text_slice(&expansion.out));

		scalar->replaced = expansion.replaced;
		if (copy)
			scalar->text = slice_of(copy, expansion.out.size);
	}
	explicit_bzero(buffer, sizeof(buffer)); /* variables hold secrets */
}
