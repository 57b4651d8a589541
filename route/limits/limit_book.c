/* The book of limits: meters and what shards keep for a key, found again by name when a configuration is replaced. */
#include "route/limits/limit_bind.h"

#include "core/text.h"
#include "store/recent.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

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
		struct limit_entry *entry;

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
		for (const struct limit_entry *entry = book->buckets[i]; entry; entry = entry->next)
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
		for (const struct limit_entry *entry = book->buckets[i]; entry; entry = entry->next)
			in_flight +=
				entry->meter.in_flight + (entry->allowance ? allowance_reserved(entry->allowance) : 0);
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

static struct limit_entry *make_entry(struct limit_book *book, enum limit_place place, struct slice name, uint64_t hash)
{
	struct limit_entry *entry = calloc(1, sizeof(*entry) + name.size + 1); /* what ends the name is 0 */

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
struct limit_entry *limit_entry_find(
	const struct limit_book *book, enum limit_place place, const char *workspace, const char *id)
{
	char memory[NAME_BYTES_MAX];
	struct slice name = print_name(memory, place, workspace, id);
	uint64_t hash = XXH3_64bits(name.data, name.size);

	for (struct limit_entry *entry = book->buckets[hash % BUCKETS]; entry; entry = entry->next)
		if (entry->hash == hash && slice_equal(slice_of(entry->name, entry->name_bytes), name))
			return entry;
	return NULL;
}

struct limit_entry *limit_entry_of(struct limit_book *book, const struct store *store, enum limit_place place,
	const char *workspace, const char *id)
{
	char memory[NAME_BYTES_MAX];
	struct limit_entry *entry = limit_entry_find(book, place, workspace, id);
	struct slice name;

	if (entry)
		return entry;
	name = print_name(memory, place, workspace, id);
	entry = make_entry(book, place, name, XXH3_64bits(name.data, name.size));
	if (entry && store)
		bring_back(&entry->meter, recent_of(store, place, workspace, id));
	return entry;
}

unsigned limit_owner_of_workspace(const struct limit_book *book, const char *workspace)
{
	return (unsigned)(XXH3_64bits(workspace, strlen(workspace)) % book->shard_count);
}

/* ---- addresses ---- */

/* Kept from then on: an address is not forgotten because a configuration did not limit it for a while. */
bool limit_book_open_addresses(struct limit_book *book)
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
