/* A call of an endpoint, or with a tag, that has limits or a budget of its own: held against those and its key's, as
 * one subject. */
#include "route/limits/limits.h"

static void add_scopes(struct limit_subject *joined, const struct limit_subject *endpoint)
{
	for (unsigned i = 0; i < endpoint->scope_count; i++)
		joined->scopes[joined->scope_count++] = endpoint->scopes[i];
	if (endpoint->tokens_least && (!joined->tokens_least || endpoint->tokens_least < joined->tokens_least))
		joined->tokens_least = endpoint->tokens_least;
	joined->counts_tokens = limit_counts_tokens(joined->scopes, joined->scope_count);
	joined->counts_concurrency = limit_counts_concurrency(joined->scopes, joined->scope_count);
}

/* The balance stays behind all that are counted. */
static void add_budgets(struct limit_subject *joined, const struct limit_subject *endpoint)
{
	for (unsigned i = 0; i < endpoint->budget_count; i++) {
		joined->budgets[joined->budget_count + 1] = joined->budgets[joined->budget_count];
		joined->budgets[joined->budget_count++] = endpoint->budgets[i];
	}
	if (!endpoint->has_budget)
		return;
	if (!joined->has_budget)
		joined->reserve_output_tokens = endpoint->reserve_output_tokens;
	joined->has_budget = true;
	if (endpoint->per_request_nusd < 0 ||
		(joined->per_request_nusd >= 0 && joined->per_request_nusd <= endpoint->per_request_nusd))
		return;
	joined->per_request_nusd = endpoint->per_request_nusd;
	joined->per_request_place = endpoint->per_request_place;
}

void limit_subject_add(struct limit_subject *subject, const struct limit_subject *more)
{
	add_scopes(subject, more);
	add_budgets(subject, more);
}

bool limit_subject_join(struct limit_subject *joined, const struct limit_subject *key,
	const struct limit_subject *endpoint, const char *name)
{
	if (!endpoint->scope_count && !endpoint->budget_count && !endpoint->has_budget)
		return false;
	*joined = *key;
	joined->endpoint = name;
	joined->joined = true;
	limit_subject_add(joined, endpoint);
	return true;
}
