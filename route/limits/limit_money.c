/* Money between shards besides a request's own: more for a stream that goes on, and what was paid in. */
#include "route/limits/limit_book.h"

/* ---- more money for a stream ---- */

static struct gateway_shard *extension_owner(const struct limit_extension *extension)
{
	return limit_owner(extension->gateway_shard, extension->subject->owner);
}

static void extend(struct limit_extension *extension)
{
	const struct limit_subject *subject = extension->subject;
	const struct budget_scope *balance = &subject->budgets[subject->budget_count];
	unsigned balances = extension->balance_nusd > 0 && subject->has_balance;
	struct budget_refusal refusal;

	if (extension->allowance)
		limit_allowance_draw(
			extension->allowance, extension->day, &extension->allowance_tokens, &extension->nusd);
	if (extension->allowance && balances)
		extension->balance_nusd = extension->nusd;
	extension->granted =
		budget_fits(subject->budgets, subject->budget_count, extension->day, extension->nusd, &refusal) &&
		budget_fits(balance, balances, extension->day, extension->balance_nusd, &refusal);
	if (!extension->granted)
		return;
	budget_reserve(subject->budgets, subject->budget_count, extension->day, extension->nusd);
	budget_reserve(balance, balances, extension->day, extension->balance_nusd);
	if (extension->allowance)
		allowance_reserve(extension->allowance, extension->day, extension->allowance_tokens);
}

static void shrink(const struct limit_extension *extension)
{
	const struct limit_subject *subject = extension->subject;

	budget_settle(subject->budgets, subject->budget_count, extension->day, extension->nusd, 0);
	if (subject->has_balance)
		budget_settle(&subject->budgets[subject->budget_count], 1, extension->day, extension->balance_nusd, 0);
	if (extension->allowance)
		allowance_settle(extension->allowance, extension->day, extension->allowance_tokens, 0);
}

static void extension_home(struct letter *letter)
{
	struct limit_extension *extension = container_of(letter, struct limit_extension, letter);

	extension->decided(extension);
}

static void extend_at_owner(struct letter *letter)
{
	struct limit_extension *extension = container_of(letter, struct limit_extension, letter);

	extend(extension);
	letter->open = extension_home;
	shard_post(extension->gateway_shard->shard, letter, extension_owner(extension)->shard);
}

static void extension_back_home(struct letter *letter)
{
	struct limit_extension *extension = container_of(letter, struct limit_extension, letter);

	extension->returned(extension);
}

static void shrink_at_owner(struct letter *letter)
{
	struct limit_extension *extension = container_of(letter, struct limit_extension, letter);

	shrink(extension);
	letter->open = extension_back_home;
	shard_post(extension->gateway_shard->shard, letter, extension_owner(extension)->shard);
}

/* 1: done here; 0: `open` does it at the owner's. */
static int run_at_owner(struct limit_extension *extension, void (*open)(struct letter *letter))
{
	struct gateway_shard *gs = extension->gateway_shard, *owner = extension_owner(extension);

	if (owner == gs)
		return 1;
	metric_add(&gs->metrics.limit_letters, 1);
	extension->letter.open = open;
	shard_post(owner->shard, &extension->letter, gs->shard);
	return 0;
}

int limit_extension_start(struct limit_extension *extension)
{
	if (run_at_owner(extension, extend_at_owner) == 0)
		return 0;
	extend(extension);
	return 1;
}

int limit_extension_give_back(struct limit_extension *extension)
{
	if (run_at_owner(extension, shrink_at_owner) == 0)
		return 0;
	shrink(extension);
	return 1;
}

/* ---- what was paid in ---- */

static void credit_home(struct letter *letter)
{
	struct limit_credit *credit = container_of(letter, struct limit_credit, letter);

	credit->done(credit);
}

static void credit_at_owner(struct letter *letter)
{
	struct limit_credit *credit = container_of(letter, struct limit_credit, letter);
	struct gateway_shard *owner = limit_owner(credit->gateway_shard, credit->balance->owner);

	balance_credit(credit->balance->meter, credit->state.number, credit->state.credit_nusd);
	letter->open = credit_home;
	shard_post(credit->gateway_shard->shard, letter, owner->shard);
}

int limit_credit_start(struct limit_credit *credit, const struct limit_table *table, struct slice workspace)
{
	struct gateway_shard *owner;

	credit->balance = NULL;
	for (unsigned i = 0; table && i < table->balance_count; i++)
		if (slice_equal(slice_of_string(table->balances[i].workspace), workspace))
			credit->balance = &table->balances[i];
	if (!credit->balance)
		return 1;
	owner = limit_owner(credit->gateway_shard, credit->balance->owner);
	if (!owner || owner == credit->gateway_shard) {
		balance_credit(credit->balance->meter, credit->state.number, credit->state.credit_nusd);
		return 1;
	}
	credit->letter.open = credit_at_owner;
	shard_post(owner->shard, &credit->letter, credit->gateway_shard->shard);
	return 0;
}
