/* The book of limits: meters and what shards keep for a key, found again by name when a configuration is replaced. */
#include "route/limits/limit_book.h"

#include "core/text.h"
#include "route/endpoints/endpoint_table.h"
#include "store/ledger.h"
#include "store/recent.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BUCKETS = 4096, NAME_BYTES_MAX = 512 };

/* One name that was ever limited. */
struct entry {
	struct limit_meter meter;
	struct entry *next;
	struct limit_debtor *debtors; /* NULL: nobody asks for it by itself */
	struct balance_meter *balance; /* of a workspace, once there was a hosted model; NULL: none */
	struct budget_meter *budget;  /* NULL: it never had one; once it did, all that it spends is counted */
	struct allowance_meter *allowance; /* of a workspace and a hosted model; NULL: none */
	uint64_t hash;
	size_t name_bytes;
	char name[];
};

struct limit_book {
	unsigned shard_count;
	_Atomic int64_t lost_nusd[BUDGET_PLACES]; /* of this month, as the start found it */
	struct entry *buckets[BUCKETS];
	struct limit_addresses **addresses; /* by the owner shard; NULL: addresses were never limited */
	struct limit_debtor *address_debtors; /* LIMIT_ADDRESS_DEBTORS of each shard */
};

struct limit_book *limit_book_open(unsigned shard_count)
{
	struct limit_book *book = calloc(1, sizeof(*book));

	if (book)
		book->shard_count = shard_count;
	return book;
}

static void free_addresses(struct limit_book *book)
{
	for (unsigned i = 0; book->addresses && i < book->shard_count; i++)
		limit_addresses_close(book->addresses[i]);
	free(book->addresses);
	free(book->address_debtors);
}

void limit_book_close(struct limit_book *book)
{
	free_addresses(book);
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct entry *entry;

		while ((entry = book->buckets[i])) {
			book->buckets[i] = entry->next;
			free(entry->debtors);
			free(entry->budget);
			free(entry->balance);
			free(entry->allowance);
			free(entry);
		}
	}
	free(book);
}

int64_t limit_book_reserved_nusd(const struct limit_book *book)
{
	int64_t reserved_nusd = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		for (const struct entry *entry = book->buckets[i]; entry; entry = entry->next)
			reserved_nusd += (entry->budget ? budget_meter_reserved(entry->budget) : 0) +
					 (entry->balance ? entry->balance->reserved_nusd : 0);
	return reserved_nusd;
}

int64_t limit_book_lost_nusd(const struct limit_book *book, enum budget_place place)
{
	return atomic_load_explicit(&book->lost_nusd[place], memory_order_relaxed);
}

uint64_t limit_book_in_flight(const struct limit_book *book)
{
	uint64_t in_flight = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		for (const struct entry *entry = book->buckets[i]; entry; entry = entry->next)
			in_flight += entry->meter.in_flight +
				     (entry->allowance ? allowance_reserved(entry->allowance) : 0);
	for (unsigned i = 0; book->addresses && i < book->shard_count; i++)
		in_flight += limit_addresses_in_flight(book->addresses[i]);
	return in_flight;
}

static struct limit_debtor *make_debtors(unsigned count)
{
	struct limit_debtor *debtors = aligned_alloc(_Alignof(struct limit_debtor), count * sizeof(*debtors));

	if (!debtors)
		return NULL;
	memset(debtors, 0, count * sizeof(*debtors));
	for (unsigned i = 0; i < count; i++) {
		list_init(&debtors[i].link);
		list_init(&debtors[i].owing);
		list_init(&debtors[i].waiting);
	}
	return debtors;
}

/* A request asks for a key, or for a credential; the others are counted with a key. */
static bool asks(enum limit_place place)
{
	return place == LIMIT_KEY || place == LIMIT_CREDENTIAL;
}

static struct entry *make_entry(struct limit_book *book, enum limit_place place, struct slice name, uint64_t hash)
{
	struct entry *entry = calloc(1, sizeof(*entry) + name.size + 1); /* what ends the name is 0 */

	if (!entry)
		return NULL;
	entry->hash = hash;
	entry->name_bytes = name.size;
	memcpy(entry->name, name.data, name.size);
	limit_meter_init(&entry->meter);
	if (asks(place))
		entry->debtors = make_debtors(book->shard_count);
	if (asks(place) && !entry->debtors) {
		free(entry);
		return NULL;
	}
	entry->next = book->buckets[hash % BUCKETS];
	book->buckets[hash % BUCKETS] = entry;
	return entry;
}

/* What was used before the start. A minute's calls are put where they are free again late rather than early. */
static void bring_back(struct limit_meter *meter, const struct recent *recent)
{
	uint64_t now_ns = clock_monotonic_ns(), wall_ns = clock_wall_ns();
	uint64_t minute = wall_ns / LIMIT_MINUTE_NS;

	if (!recent)
		return;
	limit_day_advance(&meter->day, wall_ns);
	if (recent->day == meter->day.day)
		meter->day.used = recent->day_calls;
	limit_window_advance(&meter->hour, now_ns);
	for (uint64_t m = minute - LIMIT_WINDOW_SLOTS; m <= minute; m++) {
		uint64_t end_ns = (m + 1) * LIMIT_MINUTE_NS, age_ns = end_ns < wall_ns ? wall_ns - end_ns : 0;
		uint32_t calls = recent_of_minute(recent, (uint32_t)m);

		if (calls)
			limit_window_debit(&meter->hour, now_ns > age_ns ? now_ns - age_ns : 0, calls);
	}
}

static const struct recent *recent_of(
	const struct store *store, enum limit_place place, const char *workspace, const char *id)
{
	switch (place) {
	case LIMIT_KEY:
		return store_recent(store, COUNTER_KEY, slice_of_string(id), SLICE(""));
	case LIMIT_ENDPOINT:
		return store_recent(store, COUNTER_ENDPOINT, slice_of_string(id), SLICE(""));
	case LIMIT_TAG:
		return NULL;
	case LIMIT_TEAM:
		return store_recent(store, COUNTER_TEAM, slice_of_string(workspace), slice_of_string(id));
	default:
		return store_recent(store, COUNTER_WORKSPACE, slice_of_string(workspace), SLICE(""));
	}
}

/* Workspace and id, under the place's letter. */
static struct slice print_name(
	char memory[static NAME_BYTES_MAX], enum limit_place place, const char *workspace, const char *id)
{
	struct text name = text_over(memory, NAME_BYTES_MAX);

	text_char(&name, (char)('0' + (int)place));
	text_string(&name, workspace);
	text_char(&name, '\0');
	text_string(&name, id);
	assert(!name.full); /* names are checked to be far shorter */
	return text_slice(&name);
}

/* NULL: it was never limited. */
static struct entry *find_entry(
	const struct limit_book *book, enum limit_place place, const char *workspace, const char *id)
{
	char memory[NAME_BYTES_MAX];
	struct slice name = print_name(memory, place, workspace, id);
	uint64_t hash = XXH3_64bits(name.data, name.size);

	for (struct entry *entry = book->buckets[hash % BUCKETS]; entry; entry = entry->next)
		if (entry->hash == hash && slice_equal(slice_of(entry->name, entry->name_bytes), name))
			return entry;
	return NULL;
}

static struct entry *entry_of(struct limit_book *book, const struct store *store, enum limit_place place,
	const char *workspace, const char *id)
{
	char memory[NAME_BYTES_MAX];
	struct entry *entry = find_entry(book, place, workspace, id);
	struct slice name;

	if (entry)
		return entry;
	name = print_name(memory, place, workspace, id);
	entry = make_entry(book, place, name, XXH3_64bits(name.data, name.size));
	if (entry && store)
		bring_back(&entry->meter, recent_of(store, place, workspace, id));
	return entry;
}

struct binding {
	struct limit_book *book;
	const struct settings *settings;
	const struct store *store;
	struct limit_subject *subject;
	const struct key_settings *key;
};

static bool limits_anything(const struct limit_settings *limits)
{
	return limits && (limits->rpm || limits->rph || limits->rpd || limits->tpm || limits->concurrency);
}

static bool add_scope(struct binding *b, enum limit_place place, const char *id, const struct limit_settings *limits)
{
	struct limit_subject *subject = b->subject;
	struct entry *entry;

	if (!limits_anything(limits))
		return true;
	entry = entry_of(b->book, b->store, place, b->key->workspace, id);
	if (!entry)
		return false;
	subject->scopes[subject->scope_count++] = (struct limit_scope){&entry->meter, *limits, place};
	if (limits->tpm && (!subject->tokens_least || limits->tpm < subject->tokens_least))
		subject->tokens_least = limits->tpm;
	return true;
}

static const struct team_settings *team_of(const struct binding *b)
{
	for (unsigned i = 0; b->key->team && i < b->settings->team_count; i++) {
		const struct team_settings *team = &b->settings->teams[i];

		if (strcmp(team->id, b->key->team) == 0 && strcmp(team->workspace, b->key->workspace) == 0)
			return team;
	}
	return NULL;
}

static const struct workspace_settings *workspace_of(const struct binding *b)
{
	for (unsigned i = 0; i < b->settings->workspace_count; i++)
		if (strcmp(b->settings->workspaces[i].id, b->key->workspace) == 0)
			return &b->settings->workspaces[i];
	return NULL;
}

static const struct limit_settings *plan_limits(const struct binding *b)
{
	const struct workspace_settings *workspace = workspace_of(b);
	const char *plan = workspace ? workspace->plan : NULL;

	for (unsigned i = 0; plan && i < b->settings->plan_count; i++)
		if (strcmp(b->settings->plans[i].id, plan) == 0)
			return &b->settings->plans[i].limits;
	return NULL;
}

/* ---- budgets ---- */

/* Its counter is called by the workspace, the tag's name and its value. */
static int64_t tag_spend_nusd(const struct binding *b, const char *tag, uint32_t from_day, uint32_t day)
{
	char memory[NAME_BYTES_MAX];
	struct text name = text_over(memory, sizeof(memory));
	char *equals;

	text_string(&name, tag);
	equals = name.full ? NULL : memchr(memory, '=', name.size);
	assert(equals); /* tags are checked to have one, and to be short */
	*equals = '\0';
	return store_spend_nusd(b->store, COUNTER_TAG, slice_of_string(b->key->workspace), text_slice(&name), from_day, day);
}

static int64_t spend_nusd(const struct binding *b, enum budget_place place, const char *id, uint32_t from_day, uint32_t day)
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
	const struct binding *b, enum budget_place place, struct budget_meter *meter, uint64_t name, uint32_t day)
{
	struct reservation *kept = b->store ? store_reservation(b->store, name, day) : NULL;

	if (kept)
		atomic_fetch_add_explicit(
			&b->book->lost_nusd[place], budget_keep(meter, kept, day), memory_order_relaxed);
}

static struct budget_meter *make_budget(
	const struct binding *b, enum budget_place place, const char *id, uint64_t name)
{
	struct budget_meter *meter = calloc(1, sizeof(*meter));
	uint32_t day = (uint32_t)(clock_wall_ns() / LIMIT_DAY_NS);

	for (enum budget_window window = 0; meter && b->store && window < BUDGET_WINDOWS; window++)
		budget_bring_back(
			meter, window, day, spend_nusd(b, place, id, budget_first_day(window, day), day));
	if (meter)
		bring_back_lost(b, place, meter, name, day);
	return meter;
}

/* What was reached before the start was told before it. */
static void take_for_told(const struct binding *b, const struct budget_scope *scope)
{
	const struct workspace_settings *workspace = workspace_of(b);
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

static bool add_budget(struct binding *b, enum budget_place place, const char *id, const struct budget_settings *budget)
{
	static const enum limit_place places[BUDGET_PLACES] = {LIMIT_KEY, LIMIT_TEAM, LIMIT_PLAN, LIMIT_ENDPOINT, LIMIT_TAG};
	struct limit_subject *subject = b->subject;
	bool limits = budget && budget_limits(budget), is_new;
	struct entry *entry;

	if (budget && (limits || budget->per_request_nusd >= 0))
		note_budget(subject, place, budget);
	if (!budget)
		return true;
	entry = limits ? entry_of(b->book, b->store, places[place], b->key->workspace, id)
		       : find_entry(b->book, places[place], b->key->workspace, id);
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

static bool add_budgets(struct binding *b)
{
	const struct team_settings *team = team_of(b);
	const struct workspace_settings *workspace = workspace_of(b);

	b->subject->per_request_nusd = -1;
	return add_budget(b, BUDGET_KEY, b->key->id, &b->key->budget) &&
	       add_budget(b, BUDGET_TEAM, b->key->team, team ? &team->budget : NULL) &&
	       add_budget(b, BUDGET_WORKSPACE, "", workspace ? &workspace->budget : NULL);
}

/* ---- balances ---- */

static bool hosts_any(const struct settings *settings)
{
	for (unsigned i = 0; i < settings->model_count; i++)
		if (settings->models[i].hosted)
			return true;
	return false;
}

static unsigned owner_of_workspace(const struct limit_book *book, const char *workspace)
{
	return (unsigned)(XXH3_64bits(workspace, strlen(workspace)) % book->shard_count);
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
	struct entry *entry = entry_of(book, store, LIMIT_PLAN, workspace, "");

	if (entry && !entry->balance)
		entry->balance = make_balance(store, workspace);
	if (!entry || !entry->balance)
		return false;
	balance->workspace = workspace;
	balance->owner = owner_of_workspace(book, workspace);
	balance->meter = entry->balance;
	return true;
}

struct allowance_meter *limit_book_allowance(
	struct limit_book *book, const struct store *store, const char *workspace, const char *model)
{
	struct entry *entry = entry_of(book, NULL, LIMIT_PLACES, workspace, model);
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
			struct binding b = {book, settings, store, own, &anybody};
			struct budget_settings budget = tightest_of(workspace, t);

			own->per_request_nusd = -1;
			if (!is_named_before(workspace, t) &&
				!add_budget(&b, BUDGET_TAG, workspace->tag_budgets[t].tag, &budget))
				return false;
		}
	}
	return true;
}

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
static void add_own_tags(struct binding *b, const struct limit_table *table)
{
	const struct workspace_settings *workspace = workspace_of(b), *all = b->settings->workspaces;
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
static void add_balance(struct binding *b, const struct limit_table *table)
{
	struct limit_subject *subject = b->subject;
	const struct workspace_settings *workspace = workspace_of(b);

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

static bool bind_key(struct binding *b, const struct limit_table *table)
{
	const struct team_settings *team = team_of(b);
	const struct workspace_settings *workspace = workspace_of(b);
	struct limit_subject *subject = b->subject;
	struct entry *own;

	if (!add_scope(b, LIMIT_KEY, b->key->id, &b->key->limits) ||
		!add_scope(b, LIMIT_TEAM, b->key->team, team ? &team->limits : NULL) ||
		!add_scope(b, LIMIT_WORKSPACE, "", workspace ? &workspace->limits : NULL) ||
		!add_scope(b, LIMIT_PLAN, "", plan_limits(b)) || !add_budgets(b))
		return false;
	add_own_tags(b, table);
	add_balance(b, table);
	if (!subject->scope_count && !subject->budget_count && !subject->has_balance && !table->endpoints && !subject->tags)
		return true;
	own = entry_of(b->book, b->store, LIMIT_KEY, b->key->workspace, b->key->id);
	if (!own)
		return false;
	subject->debtors = own->debtors;
	subject->owner = owner_of_workspace(b->book, b->key->workspace);
	subject->counts_tokens = limit_counts_tokens(subject->scopes, subject->scope_count);
	subject->counts_concurrency = limit_counts_concurrency(subject->scopes, subject->scope_count);
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

static bool bind_endpoint(struct binding *b, const char *project, const struct endpoint_settings *endpoint)
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
	return add_scope(b, LIMIT_ENDPOINT, memory, &limits) && add_budget(b, BUDGET_ENDPOINT, memory, &budget);
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
			struct binding b = {book, settings, store, own, &anybody};

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
	struct entry *entry;

	if (!limits_anything(&credential->limits))
		return true;
	entry = entry_of(book, NULL, LIMIT_CREDENTIAL, provider->name, credential->name);
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

/* Kept from then on: an address is not forgotten because a configuration did not limit it for a while. */
static bool open_addresses(struct limit_book *book)
{
	unsigned opened = 0;

	if (book->addresses)
		return true;
	book->address_debtors = make_debtors(book->shard_count * LIMIT_ADDRESS_DEBTORS);
	book->addresses = calloc(book->shard_count, sizeof(struct limit_addresses *));
	while (book->addresses && opened < book->shard_count && (book->addresses[opened] = limit_addresses_open()))
		opened++;
	if (book->address_debtors && opened == book->shard_count)
		return true;
	free_addresses(book);
	book->addresses = NULL;
	book->address_debtors = NULL;
	return false;
}

static bool bind_addresses(
	struct limit_book *book, const struct settings *settings, struct limit_table *table, struct limit_subject *subject)
{
	const struct limit_settings *limits = &settings->http.limits_per_ip;

	if (!limits_anything(limits))
		return true;
	if (!open_addresses(book))
		return false;
	subject->scopes[subject->scope_count++] = (struct limit_scope){NULL, *limits, LIMIT_ADDRESS};
	subject->tokens_least = limits->tpm;
	subject->counts_tokens = limits->tpm > 0;
	subject->counts_concurrency = limits->concurrency > 0;
	table->addresses = subject;
	return true;
}

struct limit_addresses *limit_book_addresses(const struct limit_book *book, unsigned shard)
{
	return book->addresses[shard];
}

struct limit_debtor *limit_book_address_debtor(const struct limit_book *book, unsigned shard, uint64_t address)
{
	struct limit_debtor *debtor =
		&book->address_debtors[shard * LIMIT_ADDRESS_DEBTORS + (address >> 16) % LIMIT_ADDRESS_DEBTORS];

	if (debtor->address == address)
		return debtor;
	if (debtor->returning || debtor->lease.asked || limit_lease_holds(&debtor->lease) || debtor->telling ||
		debtor->owed.count)
		return NULL;
	list_remove(&debtor->link);
	debtor->address = address;
	debtor->lease = (struct limit_lease){0};
	debtor->learned_output = 0;
	return debtor;
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
		struct binding b = {book, settings, store, &table->subjects[i], &settings->keys[i]};

		if (!bind_key(&b, table))
			return false;
	}
	return true;
}

struct limit_table *limit_book_bind(struct limit_book *book, const struct settings *settings, const struct store *store)
{
	size_t subjects = (size_t)settings->key_count + credential_count(settings) + endpoint_count(settings) +
			  tag_budget_count(settings) + 1;
	struct limit_table *table = calloc(1, sizeof(*table) + subjects * sizeof(struct limit_subject) +
						      settings->workspace_count * sizeof(struct limit_balance) +
						      (size_t)settings->workspace_count * limit_allowances_each(settings) *
							      sizeof(struct allowance) +
						      settings->provider_count * sizeof(unsigned));

	if (table && !bind_all(book, settings, store, table)) {
		free(table);
		return NULL;
	}
	return table;
}
