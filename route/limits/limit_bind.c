/* A configuration's table: balances, tags, endpoints, credentials and addresses, then its keys. */
#include "route/limits/limit_bind.h"

#include "core/text.h"
#include "route/endpoints/endpoint_table.h"
#include "store/ledger.h"
#include "store/store.h"

#include <stdlib.h>

/* ---- balances ---- */

static bool hosts_any(const struct settings *settings)
{
	for (unsigned i = 0; i < settings->model_count; i++)
		if (settings->models[i].hosted)
			return true;
	return false;
}

/* What the ledger and the receipts say; NULL when memory is out. Without the store's word there is nothing to spend. */
static struct balance_meter *make_balance(const struct store *store, const char *workspace)
{
	struct balance_meter *meter = calloc(1, sizeof(*meter));
	struct slice name = slice_of_string(workspace);
	struct ledger_state state;

	if (!meter || !store || ledger_state(store, name, &state) < 0)
		return meter;
	balance_credit(meter, state.number, state.credit_nusd);
	meter->used_nusd = store_total_nusd(store, COUNTER_HOSTED, name, SLICE(""));
	return meter;
}

static bool bind_balance(
	struct limit_book *book, const struct store *store, const char *workspace, struct limit_balance *balance)
{
	struct limit_entry *entry = limit_entry_of(book, store, LIMIT_PLAN, workspace, "");

	if (entry && !entry->balance)
		entry->balance = make_balance(store, workspace);
	if (!entry || !entry->balance)
		return false;
	balance->workspace = workspace;
	balance->owner = limit_owner_of_workspace(book, workspace);
	balance->meter = entry->balance;
	return true;
}

struct allowance_meter *limit_book_allowance(
	struct limit_book *book, const struct store *store, const char *workspace, const char *model)
{
	struct limit_entry *entry = limit_entry_of(book, NULL, LIMIT_PLACES, workspace, model);
	uint32_t day = (uint32_t)(clock_wall_ns() / LIMIT_DAY_NS);

	if (!entry || entry->allowance)
		return entry ? entry->allowance : NULL;
	entry->allowance = calloc(1, sizeof(*entry->allowance));
	if (entry->allowance && store)
		allowance_bring_back(entry->allowance, day,
			store_free_tokens(store, slice_of_string(workspace), slice_of_string(model),
				budget_first_day(BUDGET_MONTHLY, day), day));
	return entry->allowance;
}

static bool bind_balances(
	struct limit_book *book, const struct settings *settings, const struct store *store, struct limit_table *table)
{
	struct allowance *allowances = (struct allowance *)(void *)&table->balances[settings->workspace_count];

	for (unsigned i = 0; hosts_any(settings) && i < settings->workspace_count; i++) {
		struct limit_balance *balance = &table->balances[table->balance_count++];

		balance->allowances = allowances + (size_t)i * limit_allowances_each(settings);
		if (!bind_balance(book, store, settings->workspaces[i].id, balance) ||
			!limit_bind_allowances(book, settings, store, balance))
			return false;
	}
	return true;
}

/* ---- tags ---- */

static unsigned tag_budget_count(const struct settings *settings)
{
	unsigned count = 0;

	for (unsigned i = 0; i < settings->workspace_count; i++)
		count += settings->workspaces[i].tag_budget_count;
	return count;
}

/* One that is named twice has one account, and the tighter limits of both. */
static bool is_named_before(const struct workspace_settings *workspace, unsigned number)
{
	for (unsigned i = 0; i < number; i++)
		if (strcmp(workspace->tag_budgets[i].tag, workspace->tag_budgets[number].tag) == 0)
			return true;
	return false;
}

static void tighten(int64_t *nusd, int64_t other_nusd)
{
	if (*nusd < 0 || (other_nusd >= 0 && other_nusd < *nusd))
		*nusd = other_nusd;
}

static struct budget_settings tightest_of(const struct workspace_settings *workspace, unsigned number)
{
	struct budget_settings budget = workspace->tag_budgets[number].budget;

	for (unsigned i = number + 1; i < workspace->tag_budget_count; i++) {
		const struct budget_settings *other = &workspace->tag_budgets[i].budget;

		if (strcmp(workspace->tag_budgets[i].tag, workspace->tag_budgets[number].tag) != 0)
			continue;
		tighten(&budget.daily_nusd, other->daily_nusd);
		tighten(&budget.weekly_nusd, other->weekly_nusd);
		tighten(&budget.monthly_nusd, other->monthly_nusd);
		tighten(&budget.per_request_nusd, other->per_request_nusd);
	}
	return budget;
}

static bool bind_tags(
	struct limit_book *book, const struct settings *settings, const struct store *store, struct limit_table *table)
{
	struct limit_subject *own = (struct limit_subject *)(uintptr_t)table->tags;

	for (unsigned i = 0; i < settings->workspace_count; i++) {
		const struct workspace_settings *workspace = &settings->workspaces[i];
		const struct key_settings anybody = {.workspace = workspace->id};

		for (unsigned t = 0; t < workspace->tag_budget_count; t++, own++) {
			struct limit_binding b = {book, settings, store, own, &anybody};
			struct budget_settings budget = tightest_of(workspace, t);

			own->per_request_nusd = -1;
			if (!is_named_before(workspace, t) &&
				!limit_bind_budget(&b, BUDGET_TAG, workspace->tag_budgets[t].tag, &budget))
				return false;
		}
	}
	return true;
}

static unsigned credential_count(const struct settings *settings)
{
	unsigned count = 0;

	for (unsigned i = 0; i < settings->provider_count; i++)
		count += settings->providers[i].credential_count;
	return count;
}

/* ---- endpoints ---- */

static bool bind_endpoint(struct limit_binding *b, const char *project, const struct endpoint_settings *endpoint)
{
	const struct limit_settings limits = {.rpm = endpoint->rpm, .rph = endpoint->rph};
	const struct budget_settings budget = {.daily_nusd = endpoint->daily_nusd,
		.weekly_nusd = endpoint->weekly_nusd,
		.monthly_nusd = endpoint->monthly_nusd,
		.per_request_nusd = endpoint->per_request_nusd,
		.reserve_output_tokens = endpoint->reserve_output_tokens};
	char memory[NAME_BYTES_MAX] = {0};
	struct text name = text_over(memory, sizeof(memory) - 1);

	text_string(&name, project);
	text_char(&name, '/');
	text_string(&name, endpoint->slug);
	b->subject->per_request_nusd = -1;
	return limit_bind_scope(b, LIMIT_ENDPOINT, memory, &limits) &&
	       limit_bind_budget(b, BUDGET_ENDPOINT, memory, &budget);
}

static bool is_limited(const struct limit_subject *subject)
{
	return subject->scope_count || subject->budget_count || subject->has_budget;
}

/* An endpoint is met before its key is known: only the workspace counts. */
static bool bind_endpoints(
	struct limit_book *book, const struct settings *settings, const struct store *store, struct limit_table *table)
{
	struct limit_subject *first = &table->subjects[settings->key_count + credential_count(settings)], *own = first;

	for (unsigned i = 0; i < settings->project_count; i++) {
		const struct project_settings *project = &settings->projects[i];
		const struct key_settings anybody = {.workspace = project->workspace};

		for (unsigned k = 0; k < project->endpoint_count; k++, own++) {
			struct limit_binding b = {book, settings, store, own, &anybody};

			if (!bind_endpoint(&b, project->id, &project->endpoints[k]))
				return false;
			if (is_limited(own))
				table->endpoints = first;
		}
	}
	return true;
}

/* ---- credentials and addresses ---- */

static bool bind_credential(struct limit_book *book, const struct provider_settings *provider,
	const struct credential_settings *credential, struct limit_subject *subject)
{
	struct limit_entry *entry;

	if (!limit_settings_any(&credential->limits))
		return true;
	entry = limit_entry_of(book, NULL, LIMIT_CREDENTIAL, provider->name, credential->name);
	if (!entry)
		return false;
	subject->scopes[subject->scope_count++] =
		(struct limit_scope){&entry->meter, credential->limits, LIMIT_CREDENTIAL};
	subject->tokens_least = credential->limits.tpm;
	subject->counts_tokens = credential->limits.tpm > 0;
	subject->debtors = entry->debtors;
	subject->owner = (unsigned)(entry->hash % book->shard_count);
	return true;
}

static bool bind_credentials(struct limit_book *book, const struct settings *settings, struct limit_table *table)
{
	struct limit_subject *subject = &table->subjects[settings->key_count];

	table->credentials = subject;
	struct allowance *allowances = (struct allowance *)(void *)&table->balances[settings->workspace_count];

	table->first_credential =
		(unsigned *)(void *)(allowances + (size_t)settings->workspace_count * limit_allowances_each(settings));
	for (unsigned i = 0; i < settings->provider_count; i++) {
		const struct provider_settings *provider = &settings->providers[i];

		table->first_credential[i] = (unsigned)(subject - table->credentials);
		for (unsigned c = 0; c < provider->credential_count; c++)
			if (!bind_credential(book, provider, &provider->credentials[c], subject++))
				return false;
	}
	return true;
}

static bool bind_addresses(struct limit_book *book, const struct settings *settings, struct limit_table *table,
	struct limit_subject *subject)
{
	const struct limit_settings *limits = &settings->http.limits_per_ip;

	if (!limit_settings_any(limits))
		return true;
	if (!limit_book_open_addresses(book))
		return false;
	subject->scopes[subject->scope_count++] = (struct limit_scope){NULL, *limits, LIMIT_ADDRESS};
	subject->tokens_least = limits->tpm;
	subject->counts_tokens = limits->tpm > 0;
	subject->counts_concurrency = limits->concurrency > 0;
	table->addresses = subject;
	return true;
}

/* ---- the table ---- */

static bool bind_all(
	struct limit_book *book, const struct settings *settings, const struct store *store, struct limit_table *table)
{
	struct limit_subject *tags =
		&table->subjects[settings->key_count + credential_count(settings) + endpoint_count(settings)];
	struct limit_subject *addresses = tags + tag_budget_count(settings);

	table->count = settings->key_count;
	table->tags = tags;
	table->balances = (struct limit_balance *)(void *)(addresses + 1);
	if (!bind_balances(book, settings, store, table) || !bind_credentials(book, settings, table) ||
		!bind_endpoints(book, settings, store, table) || !bind_tags(book, settings, store, table) ||
		!bind_addresses(book, settings, table, addresses))
		return false;
	for (unsigned i = 0; i < settings->key_count; i++) {
		struct limit_binding b = {book, settings, store, &table->subjects[i], &settings->keys[i]};

		if (!limit_bind_key(&b, table))
			return false;
	}
	return true;
}

struct limit_table *limit_book_bind(struct limit_book *book, const struct settings *settings, const struct store *store)
{
	size_t subjects = (size_t)settings->key_count + credential_count(settings) + endpoint_count(settings) +
			  tag_budget_count(settings) + 1;
	struct limit_table *table = calloc(1,
		sizeof(*table) + subjects * sizeof(struct limit_subject) +
			settings->workspace_count * sizeof(struct limit_balance) +
			(size_t)settings->workspace_count * limit_allowances_each(settings) * sizeof(struct allowance) +
			settings->provider_count * sizeof(unsigned));

	if (table && !bind_all(book, settings, store, table)) {
		free(table);
		return NULL;
	}
	return table;
}
