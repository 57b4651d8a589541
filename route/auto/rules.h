/*
 * The operator's rules of routing: the first whose conditions all hold says which model, or which priority, a request
 * gets. Pure.
 */
#ifndef ROUTE_RULES_H
#define ROUTE_RULES_H

#include "route/settings/settings.h"

#include "core/slice.h"

struct rule_facts {
	struct slice model;  /* as asked for */
	struct slice region; /* this node's; empty: it has none */
	uint64_t input_tokens;
	int64_t monthly_spend_percent; /* of the tightest monthly budget; -1: there is none, and no condition on it
					  holds */
	bool has_schema, has_tools, has_images;
	enum route_bucket bucket;
	uint64_t wall_ns;
	const struct key_settings *key; /* whose tags count */
};

/* NULL: no rule matches. */
const struct rule_settings *rules_match(
	const struct rule_settings *rules, unsigned count, const struct rule_facts *facts);

/* Whether a rule asks for the bucket, so that a request has to be scored. */
bool rules_need_score(const struct rule_settings *rules, unsigned count);

/*
 * The first rule, from `from` on, that no request reaches: since an earlier one, *shadowed_by, matches all that it
 * does, or since its own conditions exclude each other, then *shadowed_by is its own place. `count`: there is none.
 */
unsigned rules_unreachable(const struct rule_settings *rules, unsigned count, unsigned from, unsigned *shadowed_by);

#endif
