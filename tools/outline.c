/* Any JSON as an indented outline: one line for what is plain; a container's members below its name, further in. */
#include "tools/outline.h"

#include "tools/client.h"

static void print_members(const struct json_parser *p, json_ref container, unsigned depth, FILE *to);

static void print_member(const struct json_parser *p, json_ref member, struct slice name, unsigned depth, FILE *to)
{
	enum json_type type = json_type(p, member);

	fprintf(to, "%*s", (int)(2 * depth), "");
	client_print_safely(name, to);
	if (type == JSON_OBJECT || type == JSON_ARRAY) {
		fputs(json_count(p, member) ? ":\n" : ": none\n", to);
		print_members(p, member, depth + 1, to);
		return;
	}
	fputs(": ", to);
	client_print_safely(type == JSON_STRING ? json_string(p, member) : json_raw(p, member), to);
	fputc('\n', to);
}

/* Recursion ends with the document's depth, which the parser bounds. */
static void print_members(const struct json_parser *p, json_ref container, unsigned depth, FILE *to)
{
	unsigned index = 0;
	char number[16];

	for (json_ref member = json_first(p, container); member != JSON_NONE; member = json_next(p, member)) {
		if (json_type(p, container) == JSON_OBJECT) {
			print_member(p, member, json_key(p, member), depth, to);
			continue;
		}
		snprintf(number, sizeof(number), "%u", ++index);
		print_member(p, member, slice_of_string(number), depth, to);
	}
}

void outline_print(const struct json_parser *p, json_ref container, FILE *to)
{
	print_members(p, container, 0, to);
}
