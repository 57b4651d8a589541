/* What the reader of a configuration tells, collected; for tests. */
#ifndef ROUTE_SETTINGS_TESTS_TOLD_H
#define ROUTE_SETTINGS_TESTS_TOLD_H

#include "route/settings/settings.h"

#include <stdio.h>

enum { TOLD_MAX = 8192 };

/* What each row stands on: nothing is wrong with it, and it leaves every other part to its default. */
static const char base[] = "admin: { master_key: 0123456789abcdef }\n"
			   "providers:\n"
			   "  - { name: p, base_url: 'http://h/v1', credentials: [{ name: c, api_key: k }] }\n"
			   "  - { name: q, kind: openai_compatible, base_url: 'http://h/v1' }\n"
			   "models:\n"
			   "  - { id: m, provider: p, price: { input: 1 } }\n";

struct told {
	unsigned first_line; /* what counts as line 1 */
	unsigned count, last_line, last_column;
	bool ordered;
	char text[TOLD_MAX];
};

static inline void tell(void *context, unsigned line, unsigned column, const char *message)
{
	struct told *told = context;
	size_t used = strlen(told->text);

	told->ordered = (told->count == 0 || told->ordered) &&
			(line > told->last_line || (line == told->last_line && column >= told->last_column));
	told->last_line = line;
	told->last_column = column;
	told->count++;
	snprintf(told->text + used, sizeof(told->text) - used, "%d:%u: %s\n", (int)line - (int)told->first_line + 1,
		column, message);
}

static inline struct settings *parse(const char *yaml, struct told *errors, struct told *warnings)
{
	errors->first_line = warnings->first_line = 1;
	return settings_parse(slice_of_string(yaml), tell, tell, errors);
}

#endif
