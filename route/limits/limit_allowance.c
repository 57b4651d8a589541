/* Free allowances of hosted models: bound to their meters for a configuration, drawn on by a request, settled. */
#include "route/limits/limit_book.h"

unsigned limit_allowances_each(const struct settings *settings)
{
	unsigned count = 0;

	for (unsigned i = 0; i < settings->model_count; i++)
		count += settings->models[i].hosted && settings->models[i].free_tokens_per_month > 0;
	return count;
}

bool limit_bind_allowances(struct limit_book *book, const struct settings *settings, const struct store *store,
	struct limit_balance *balance)
{
	for (unsigned i = 0; i < settings->model_count; i++) {
		const struct model_settings *model = &settings->models[i];
		struct allowance *allowance = &balance->allowances[balance->allowance_count];

		if (!model->hosted || model->free_tokens_per_month == 0)
			continue;
		*allowance = (struct allowance){.model = model->id,
			.tokens_a_month = model->free_tokens_per_month,
			.meter = limit_book_allowance(book, store, balance->workspace, model->id)};
		if (!allowance->meter)
			return false;
		balance->allowance_count++;
	}
	return true;
}

const struct allowance *limit_allowance_of(const struct limit_subject *subject, const struct model_settings *model)
{
	const struct limit_balance *balance = subject->balance;

	for (unsigned i = 0; balance && model->hosted && i < balance->allowance_count; i++)
		if (strcmp(balance->allowances[i].model, model->id) == 0)
			return &balance->allowances[i];
	return NULL;
}

/* On the owner's shard. Of what is wanted as much as is left is free, and the rest's part of the price is to be had. */
void limit_allowance_draw(const struct allowance *allowance, uint32_t day, uint64_t *tokens, int64_t *nusd)
{
	uint64_t left = allowance_left(allowance, day), wanted = *tokens;

	*tokens = left < wanted ? left : wanted;
	*nusd = allowance_rest_nusd(*nusd, wanted, *tokens);
}
