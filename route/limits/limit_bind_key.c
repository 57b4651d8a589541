/* A key's subject: the scopes that limit it, the budgets that hold it, its tags' among them. */
#include "route/limits/limit_bind.h"

#include "core/text.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

bool limit_settings_any(const struct limit_settings *limits)
{
	return limits && (limits->rpm || limits->rph || limits->rpd || limits->tpm || limits->concurrency);
}

bool limit_bind_scope(
	struct limit_binding *b, enum limit_place place, const char *id, const struct limit_settings *limits)
{
	struct limit_subject *subject = b->subject;
	struct limit_entry *entry;

	if (!limit_settings_any(limits))
		return true;
	entry = limit_entry_of(b->book, b->store, place, b->key->workspace, id);
	if (!entry)
		return false;
	subject->scopes[subject->scope_count++] = (struct limit_scope){&entry->meter, *limits, place};
	if (limits->tpm && (!subject->tokens_least || limits->tpm < subject->tokens_least))
		subject->tokens_least = limits->tpm;
	return true;
}

static const struct team_settings *team_of(const struct limit_binding *b)
{
	for (unsigned i = 0; b->key->team && i < b->settings->team_count; i++) {
		const struct team_settings *team = &b->settings->teams[i];

		if (strcmp(team->id, b->key->team) == 0 && strcmp(team->workspace, b->key->workspace) == 0)
			return team;
	}
	return NULL;
}

static const struct workspace_settings *limit_workspace_of(const struct limit_binding *b)
{
	for (unsigned i = 0; i < b->settings->workspace_count; i++)
		if (strcmp(b->settings->workspaces[i].id, b->key->workspace) == 0)
			return &b->settings->workspaces[i];
	return NULL;
}

static const struct limit_settings *plan_limits(const struct limit_binding *b)
{
	const struct workspace_settings *workspace = limit_workspace_of(b);
	const char *plan = workspace ? workspace->plan : NULL;

	for (unsigned i = 0; plan && i < b->settings->plan_count; i++)
		if (strcmp(b->settings->plans[i].id, plan) == 0)
			return &b->settings->plans[i].limits;
	return NULL;
}

/* ---- budgets ---- */

/* Its counter is called by the workspace, the tag's name and its value. */
static int64_t tag_spend_nusd(const struct limit_binding *b, const char *tag, uint32_t from_day, uint32_t day)
{
	char memory[NAME_BYTES_MAX];
	struct text name = text_over(memory, sizeof(memory));
	char *equals;

	text_string(&name, tag);
	equals = name.full ? NULL : memchr(memory, '=', name.size);
	assert(equals); /* tags are checked to have one, and to be short */
	*equals = '\0';
	return store_spend_nusd(
		b->store, COUNTER_TAG, slice_of_string(b->key->workspace), text_slice(&name), from_day, day);
}

static int64_t spend_nusd(
	const struct limit_binding *b, enum budget_place place, const char *id, uint32_t from_day, uint32_t day)
{
	struct slice workspace = slice_of_string(b->key->workspace);

	switch (place) {
	case BUDGET_KEY:
		return store_spend_nusd(b->store, COUNTER_KEY, slice_of_string(id), SLICE(""), from_day, day);
	case BUDGET_ENDPOINT:
		return store_spend_nusd(b->store, COUNTER_ENDPOINT, slice_of_string(id), SLICE(""), from_day, day);
	case BUDGET_TAG:
		return tag_spend_nusd(b, id, from_day, day);
	case BUDGET_TEAM:
		return store_spend_nusd(b->store, COUNTER_TEAM, workspace, slice_of_string(id), from_day, day);
	default:
		return store_spend_nusd(b->store, COUNTER_WORKSPACE, workspace, SLICE(""), from_day, day);
	}
}

/* What calls had reserved that an earlier process did not bring to an end. */
static void bring_back_lost(
	const struct limit_binding *b, enum budget_place place, struct budget_meter *meter, uint64_t name, uint32_t day)
{
	struct reservation *kept = b->store ? store_reservation(b->store, name, day) : NULL;

	if (kept)
		atomic_fetch_add_explicit(
			&b->book->lost_nusd[place], budget_keep(meter, kept, day), memory_order_relaxed);
}

static struct budget_meter *make_budget(
	const struct limit_binding *b, enum budget_place place, const char *id, uint64_t name)
{
	struct budget_meter *meter = calloc(1, sizeof(*meter));
	uint32_t day = (uint32_t)(clock_wall_ns() / LIMIT_DAY_NS);

	for (enum budget_window window = 0; meter && b->store && window < BUDGET_WINDOWS; window++)
		budget_bring_back(meter, window, day, spend_nusd(b, place, id, budget_first_day(window, day), day));
	if (meter)
		bring_back_lost(b, place, meter, name, day);
	return meter;
}

/* What was reached before the start was told before it. */
static void take_for_told(const struct limit_binding *b, const struct budget_scope *scope)
{
	const struct workspace_settings *workspace = limit_workspace_of(b);
	uint32_t percent = workspace ? workspace->alert_threshold_percent : 100;
	const struct budget_account *account;

	for (enum budget_window window = 0; window < BUDGET_WINDOWS; window++)
		budget_reached(scope, window, (uint32_t)(clock_wall_ns() / LIMIT_DAY_NS), percent, false, &account);
}

static void note_per_request(struct limit_subject *subject, enum budget_place place, int64_t nusd)
{
	if (nusd < 0 || (subject->per_request_nusd >= 0 && subject->per_request_nusd <= nusd))
		return;
	subject->per_request_nusd = nusd;
	subject->per_request_place = place;
}

/* The first of key, team and workspace that has a budget says how much output is reserved where a request does not. */
static void note_budget(struct limit_subject *subject, enum budget_place place, const struct budget_settings *budget)
{
	if (!subject->has_budget)
		subject->reserve_output_tokens = budget->reserve_output_tokens;
	subject->has_budget = true;
	note_per_request(subject, place, budget->per_request_nusd);
}

bool limit_bind_budget(
	struct limit_binding *b, enum budget_place place, const char *id, const struct budget_settings *budget)
{
	static const enum limit_place places[BUDGET_PLACES] = {
		LIMIT_KEY, LIMIT_TEAM, LIMIT_PLAN, LIMIT_ENDPOINT, LIMIT_TAG};
	struct limit_subject *subject = b->subject;
	bool limits = budget && budget_limits(budget), is_new;
	struct limit_entry *entry;

	if (budget && (limits || budget->per_request_nusd >= 0))
		note_budget(subject, place, budget);
	if (!budget)
		return true;
	entry = limits ? limit_entry_of(b->book, b->store, places[place], b->key->workspace, id)
		       : limit_entry_find(b->book, places[place], b->key->workspace, id);
	if (!entry)
		return !limits;
	is_new = limits && !entry->budget;
	if (is_new)
		entry->budget = make_budget(b, place, id, entry->hash);
	if (!entry->budget)
		return !limits;
	subject->budgets[subject->budget_count] = (struct budget_scope){.meter = entry->budget,
		.limits_nusd = {budget->daily_nusd, budget->weekly_nusd, budget->monthly_nusd},
		.place = place,
		.name = place == BUDGET_TAG ? entry->name + 1 + strlen(b->key->workspace) + 1 : NULL};
	if (is_new)
		take_for_told(b, &subject->budgets[subject->budget_count]);
	subject->budget_count++;
	return true;
}

static bool add_budgets(struct limit_binding *b)
{
	const struct team_settings *team = team_of(b);
	const struct workspace_settings *workspace = limit_workspace_of(b);

	b->subject->per_request_nusd = -1;
	return limit_bind_budget(b, BUDGET_KEY, b->key->id, &b->key->budget) &&
	       limit_bind_budget(b, BUDGET_TEAM, b->key->team, team ? &team->budget : NULL) &&
	       limit_bind_budget(b, BUDGET_WORKSPACE, "", workspace ? &workspace->budget : NULL);
}

/* ---- the key ---- */

static bool has_tag(const struct key_settings *key, const char *tag)
{
	for (unsigned i = 0; i < key->tag_count; i++) {
		size_t bytes = strlen(key->tags[i].name);

		if (strncmp(tag, key->tags[i].name, bytes) == 0 && tag[bytes] == '=' &&
			strcmp(tag + bytes + 1, key->tags[i].value) == 0)
			return true;
	}
	return false;
}

/* All requests of the key have its tags. */
static void add_own_tags(struct limit_binding *b, const struct limit_table *table)
{
	const struct workspace_settings *workspace = limit_workspace_of(b), *all = b->settings->workspaces;
	struct limit_subject *subject = b->subject;

	if (!workspace || !workspace->tag_budget_count)
		return;
	subject->tags = table->tags;
	for (const struct workspace_settings *before = all; before < workspace; before++)
		subject->tags += before->tag_budget_count;
	for (unsigned t = 0; t < workspace->tag_budget_count; t++) {
		if (!has_tag(b->key, workspace->tag_budgets[t].tag))
			continue;
		subject->own_tags |= 1u << t;
		limit_subject_add(subject, &subject->tags[t]);
	}
}

/* Behind the budgets, where a request finds it that a hosted model may serve. */
static void add_balance(struct limit_binding *b, const struct limit_table *table)
{
	struct limit_subject *subject = b->subject;
	const struct workspace_settings *workspace = limit_workspace_of(b);

	for (unsigned i = 0; i < table->balance_count; i++) {
		if (strcmp(table->balances[i].workspace, b->key->workspace) != 0)
			continue;
		subject->has_balance = true;
		subject->balance = &table->balances[i];
		subject->budgets[subject->budget_count] =
			(struct budget_scope){.place = BUDGET_BALANCE, .balance = table->balances[i].meter};
	}
	subject->key = b->key;
	subject->workspace = workspace;
	if (!subject->has_budget && workspace)
		subject->reserve_output_tokens = workspace->budget.reserve_output_tokens;
}

bool limit_bind_key(struct limit_binding *b, const struct limit_table *table)
{
	const struct team_settings *team = team_of(b);
	const struct workspace_settings *workspace = limit_workspace_of(b);
	struct limit_subject *subject = b->subject;
	struct limit_entry *own;

	if (!limit_bind_scope(b, LIMIT_KEY, b->key->id, &b->key->limits) ||
		!limit_bind_scope(b, LIMIT_TEAM, b->key->team, team ? &team->limits : NULL) ||
		!limit_bind_scope(b, LIMIT_WORKSPACE, "", workspace ? &workspace->limits : NULL) ||
		!limit_bind_scope(b, LIMIT_PLAN, "", plan_limits(b)) || !add_budgets(b))
		return false;
	add_own_tags(b, table);
	add_balance(b, table);
	if (!subject->scope_count && !subject->budget_count && !subject->has_balance && !table->endpoints &&
		!subject->tags)
		return true;
	own = limit_entry_of(b->book, b->store, LIMIT_KEY, b->key->workspace, b->key->id);
	if (!own)
		return false;
	subject->debtors = own->debtors;
	subject->owner = limit_owner_of_workspace(b->book, b->key->workspace);
	subject->counts_tokens = limit_counts_tokens(subject->scopes, subject->scope_count);
	subject->counts_concurrency = limit_counts_concurrency(subject->scopes, subject->scope_count);
	return true;
}
