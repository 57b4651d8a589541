/* Running totals in a hash table: see counters.h for rows and bounds. */
#include "store/counters.h"

#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/pack.h"

enum counters_bounds {
	PLAIN_VERSION = 1,
	RECENT_VERSION = 2,       /* a struct recent follows */
	COUNTERS_MAX = 131072,    /* in each table, some 160 bytes each: 20 MB */
	COUNTER_TAGS_MAX = 65536, /* of them at most; beyond, tags add to the rest */
	SLOT_COUNT = 2 * COUNTERS_MAX,
	NAME_BYTES_MAX = COUNTER_KEY_BYTES_MAX,
	DAY_BYTES = 4,
	DAYS_KEPT = 2, /* the newest one's and the one's before: calls end in another order than they begin in */
	VALUE_BYTES = 33,
	SECONDS_PER_DAY = 86400,
};

struct entry {
	struct counter counter;
	uint64_t hash;
	struct entry *next; /* of all, in no order */
	struct entry *touched_next;
	struct recent *recent; /* NULL: no calls, or not of a key, team, workspace or endpoint */
	bool touched;
	uint16_t key_bytes;
	char key[];
};

struct table {
	struct entry **slots; /* open addressing, linear */
	uint32_t count, tag_count;
	struct entry *all; /* so that a table with few entries is not searched for them */
	struct entry *rest[COUNTER_DIMENSIONS];
	struct entry *last[COUNTER_DIMENSIONS]; /* neighbours in a group are often of one key and model */
};

struct counters {
	struct table totals, days;
	uint32_t newest_day;
	bool has_old_days; /* the newest day is another than when old ones were let go */
	struct entry *touched;
	counters_fetch *fetch; /* NULL: all that there is lies in memory */
	void *fetch_context;
};

const char *counter_dimension_name(enum counter_dimension dimension)
{
	static const char *const names[COUNTER_DIMENSIONS] = {"?", "total", "day", "workspace", "team", "key",
		"provider", "model", "tag", "endpoint", "project", "hosted", "free"};

	return dimension < COUNTER_DIMENSIONS ? names[dimension] : names[0];
}

static bool is_of_day(struct slice key)
{
	return (unsigned char)key.data[0] & COUNTER_OF_DAY;
}

static unsigned dimension_of(struct slice key)
{
	return (unsigned char)key.data[0] & ~(unsigned)COUNTER_OF_DAY;
}

static struct table *table_of(struct counters *counters, struct slice key)
{
	return is_of_day(key) ? &counters->days : &counters->totals;
}

static struct entry **slot_of(const struct table *table, uint64_t hash, struct slice key)
{
	size_t at = hash % SLOT_COUNT;

	while (table->slots[at]) {
		const struct entry *entry = table->slots[at];

		if (entry->hash == hash && slice_equal(slice_of(entry->key, entry->key_bytes), key))
			break;
		at = (at + 1) % SLOT_COUNT;
	}
	return &table->slots[at];
}

static struct entry *make_entry(struct table *table, struct entry **slot, uint64_t hash, struct slice key)
{
	struct entry *entry = calloc(1, sizeof(*entry) + key.size);

	if (!entry)
		return NULL;
	entry->hash = hash;
	entry->key_bytes = (uint16_t)key.size;
	memcpy(entry->key, key.data, key.size);
	*slot = entry;
	entry->next = table->all;
	table->all = entry;
	table->count++;
	table->tag_count += dimension_of(key) == COUNTER_TAG;
	return entry;
}

static bool is_full(const struct table *table, unsigned dimension)
{
	return table->count >= COUNTERS_MAX || (dimension == COUNTER_TAG && table->tag_count >= COUNTER_TAGS_MAX);
}

/* What the database has of a day's key that is not in memory. False: that cannot be read, so nothing may be put over
 * it. */
static bool fetch_row(const struct counters *counters, struct slice key, struct counter *counter)
{
	int rc = counters->fetch ? counters->fetch(counters->fetch_context, key, counter) : -ENOENT;

	if (rc == -ENOENT)
		*counter = (struct counter){0};
	return rc == 0 || rc == -ENOENT;
}

static struct entry *new_entry(struct counters *counters, struct entry **slot, uint64_t hash, struct slice key)
{
	struct counter before = {0};
	struct entry *entry;

	if (is_of_day(key) && !fetch_row(counters, key, &before))
		return NULL;
	entry = make_entry(table_of(counters, key), slot, hash, key);
	if (entry)
		entry->counter = before;
	return entry;
}

/* The total of that key, made if need be; the dimension's rest at the bound or when memory is out. */
static struct entry *entry_of(struct counters *counters, struct slice key)
{
	struct table *table = table_of(counters, key);
	unsigned dimension = dimension_of(key);
	struct entry *entry = table->last[dimension], **slot;
	uint64_t hash;

	if (entry && slice_equal(slice_of(entry->key, entry->key_bytes), key))
		return entry;
	hash = XXH3_64bits(key.data, key.size);
	slot = slot_of(table, hash, key);
	entry = *slot;
	if (!entry && !is_full(table, dimension))
		entry = new_entry(counters, slot, hash, key);
	if (!entry)
		entry = table->rest[dimension];
	table->last[dimension] = entry;
	return entry;
}

static int open_table(struct table *table, unsigned flag)
{
	table->slots = calloc(SLOT_COUNT, sizeof(struct entry *));
	for (unsigned d = 1; table->slots && d < COUNTER_DIMENSIONS; d++) {
		const char key[2] = {(char)(d | flag), 1};
		struct slice name = slice_of(key, sizeof(key));
		uint64_t hash = XXH3_64bits(key, sizeof(key));

		table->rest[d] = make_entry(table, slot_of(table, hash, name), hash, name);
		if (!table->rest[d])
			return -ENOMEM;
	}
	return table->slots ? 0 : -ENOMEM;
}

static void close_table(struct table *table)
{
	struct entry *entry;

	while ((entry = table->all)) {
		table->all = entry->next;
		free(entry->recent);
		free(entry);
	}
	free(table->slots);
}

int counters_open(struct counters **counters)
{
	struct counters *made = calloc(1, sizeof(*made));

	*counters = NULL;
	if (!made)
		return -ENOMEM;
	if (open_table(&made->totals, 0) < 0 || open_table(&made->days, COUNTER_OF_DAY) < 0) {
		counters_close(made);
		return -ENOMEM;
	}
	*counters = made;
	return 0;
}

void counters_fetch_by(struct counters *counters, counters_fetch *fetch, void *context)
{
	counters->fetch = fetch;
	counters->fetch_context = context;
}

void counters_close(struct counters *counters)
{
	close_table(&counters->totals);
	close_table(&counters->days);
	free(counters);
}

/* ---- days ---- */

static uint32_t day_of(const struct entry *entry)
{
	uint32_t day;

	if (entry->key_bytes < 2 + DAY_BYTES)
		return UINT32_MAX; /* a rest, of all days */
	memcpy(&day, entry->key + 2, sizeof(day));
	return be32toh(day);
}

/* Days that are over and written leave memory; a late call of theirs fetches its row again. */
static void let_days_go(struct counters *counters)
{
	struct table *table = &counters->days;
	struct entry *entry = table->all;

	if (!counters->fetch || !counters->has_old_days || counters->touched)
		return;
	counters->has_old_days = false;
	memset(table->slots, 0, SLOT_COUNT * sizeof(struct entry *));
	memset(table->last, 0, sizeof(table->last));
	table->all = NULL;
	table->count = table->tag_count = 0;
	for (struct entry *next; entry; entry = next) {
		struct slice key = slice_of(entry->key, entry->key_bytes);

		next = entry->next;
		if (day_of(entry) < counters->newest_day - (DAYS_KEPT - 1)) {
			free(entry);
			continue;
		}
		*slot_of(table, entry->hash, key) = entry;
		entry->next = table->all;
		table->all = entry;
		table->count++;
		table->tag_count += dimension_of(key) == COUNTER_TAG;
	}
}

static void read_counter(struct unpacker *u, struct counter *counter)
{
	counter->receipts = unpack_u64(u);
	counter->spend_nusd = (int64_t)unpack_u64(u);
	counter->prompt_tokens = unpack_u64(u);
	counter->completion_tokens = unpack_u64(u);
}

int counters_read_row(struct slice value, struct counter *counter)
{
	struct unpacker u = {value.data, value.data + value.size, false};
	uint8_t version = unpack_u8(&u);

	if (version != PLAIN_VERSION && version != RECENT_VERSION)
		return -EBADMSG;
	read_counter(&u, counter);
	return u.bad ? -EBADMSG : 0;
}

static bool is_key(struct slice key)
{
	return key.size >= 2 && key.size <= NAME_BYTES_MAX && dimension_of(key) >= 1 &&
	       dimension_of(key) < COUNTER_DIMENSIONS &&
	       (!is_of_day(key) || key.data[1] != 0 || key.size >= 2 + DAY_BYTES);
}

int counters_load(struct counters *counters, struct slice key, struct slice value)
{
	struct unpacker u = {value.data, value.data + value.size, false};
	struct counter counter;
	struct recent recent;
	struct table *table;
	struct entry **slot;
	uint8_t version = unpack_u8(&u);
	uint64_t hash;

	if (!is_key(key) || (version != PLAIN_VERSION && version != RECENT_VERSION))
		return -EBADMSG;
	read_counter(&u, &counter);
	if (version == RECENT_VERSION)
		recent_unpack(&recent, &u);
	if (u.bad || u.at != u.end)
		return -EBADMSG;
	/* A day's row stays in the database until it is needed, but for a rest. */
	if (is_of_day(key) && key.data[1] == 0 && counters->fetch)
		return 0;
	table = table_of(counters, key);
	hash = XXH3_64bits(key.data, key.size);
	slot = slot_of(table, hash, key);
	/* Rows were made within the bound, and a bound that shrank must not lose them: only the table's size is hard.
	 */
	if (!*slot && (table->count >= SLOT_COUNT / 2 || !make_entry(table, slot, hash, key)))
		return -ENOMEM;
	(*slot)->counter = counter;
	if (version == RECENT_VERSION && !(*slot)->recent) {
		(*slot)->recent = malloc(sizeof(recent));
		if (!(*slot)->recent)
			return -ENOMEM;
	}
	if (version == RECENT_VERSION)
		*(*slot)->recent = recent;
	return 0;
}

static bool has_recent(unsigned dimension)
{
	return dimension == COUNTER_KEY || dimension == COUNTER_TEAM || dimension == COUNTER_WORKSPACE ||
	       dimension == COUNTER_ENDPOINT;
}

/* Without memory a limit of a day begins anew at the next start: calls go on. */
static void add_recent(struct entry *entry, const struct receipt *receipt)
{
	if (!receipt->provider.data)
		return;
	if (!entry->recent)
		entry->recent = calloc(1, sizeof(*entry->recent));
	if (entry->recent)
		recent_add(entry->recent, receipt->wall_ns);
}

static void add_to(struct counters *counters, struct slice key, const struct receipt *receipt)
{
	struct entry *entry = entry_of(counters, key);

	entry->counter.receipts++;
	entry->counter.spend_nusd = add_nusd(entry->counter.spend_nusd, receipt_total_nusd(receipt));
	entry->counter.prompt_tokens += receipt->prompt_tokens;
	entry->counter.completion_tokens += receipt->completion_tokens;
	if (!is_of_day(key) && has_recent(dimension_of(key)))
		add_recent(entry, receipt);
	if (entry->touched)
		return;
	entry->touched = true;
	entry->touched_next = counters->touched;
	counters->touched = entry;
}

/* A name of up to three parts, with a NUL between them; null parts are as empty ones. Packed behind room for the day.
 */
static struct slice print_name(
	char key[static NAME_BYTES_MAX], unsigned dimension, const struct slice *parts, unsigned part_count)
{
	struct packer p = {key + DAY_BYTES, key + NAME_BYTES_MAX, false};

	pack_u8(&p, (uint8_t)dimension);
	pack_u8(&p, 0);
	for (unsigned i = 0; i < part_count; i++) {
		if (i)
			pack_u8(&p, 0);
		pack_bytes(&p, parts[i].data, parts[i].size);
	}
	if (p.full) /* no receipt decodes to texts that long; were one to, it still counts */
		p.at = key + DAY_BYTES + 2;
	return slice_of(key + DAY_BYTES, (size_t)(p.at - key) - DAY_BYTES);
}

static uint32_t receipt_day(const struct receipt *receipt)
{
	return (uint32_t)(receipt->wall_ns / 1000000000 / SECONDS_PER_DAY);
}

static void add_total(struct counters *counters, unsigned dimension, const struct slice *parts, unsigned part_count,
	const struct receipt *receipt)
{
	char key[NAME_BYTES_MAX];

	add_to(counters, print_name(key, dimension, parts, part_count), receipt);
}

/* To the total, and to the day's. */
static void add(struct counters *counters, unsigned dimension, const struct slice *parts, unsigned part_count,
	const struct receipt *receipt)
{
	uint32_t day = htobe32(receipt_day(receipt));
	char key[NAME_BYTES_MAX];
	struct slice name = print_name(key, dimension, parts, part_count);

	add_to(counters, name, receipt);
	key[0] = (char)(dimension | COUNTER_OF_DAY);
	key[1] = 0;
	memcpy(key + 2, &day, sizeof(day));
	add_to(counters, slice_of(key, DAY_BYTES + name.size), receipt);
}

/* What stands before the slash of "project/slug". */
static struct slice project_of(struct slice endpoint)
{
	const char *slash = endpoint.size ? memchr(endpoint.data, '/', endpoint.size) : NULL;

	return slash ? slice_of(endpoint.data, (size_t)(slash - endpoint.data)) : slice_of(NULL, 0);
}

static void add_endpoint(struct counters *counters, const struct receipt *receipt)
{
	struct slice project = project_of(receipt->endpoint);

	if (receipt->endpoint.data)
		add(counters, COUNTER_ENDPOINT, &receipt->endpoint, 1, receipt);
	if (project.data)
		add(counters, COUNTER_PROJECT, &project, 1, receipt);
}

static void add_free(struct counters *counters, const struct receipt *receipt)
{
	const struct receipt tokens = {.wall_ns = receipt->wall_ns, .prompt_tokens = receipt->free_tokens};
	const struct slice name[2] = {receipt->workspace, receipt->model};

	add(counters, COUNTER_FREE, name, 2, &tokens);
}

void counters_add(struct counters *counters, const struct receipt *receipt)
{
	uint32_t day = htobe32(receipt_day(receipt));
	const struct slice team[2] = {receipt->workspace, receipt->team};

	if (receipt_day(receipt) > counters->newest_day) {
		counters->newest_day = receipt_day(receipt);
		counters->has_old_days = true;
	}
	add_total(counters, COUNTER_TOTAL, NULL, 0, receipt);
	add_total(counters, COUNTER_DAY, &(struct slice){(const char *)&day, sizeof(day)}, 1, receipt);
	if (receipt->workspace.data)
		add(counters, COUNTER_WORKSPACE, &receipt->workspace, 1, receipt);
	if (receipt->team.data)
		add(counters, COUNTER_TEAM, team, 2, receipt);
	if (receipt->key_id.data)
		add(counters, COUNTER_KEY, &receipt->key_id, 1, receipt);
	if (receipt->provider.data)
		add(counters, COUNTER_PROVIDER, &receipt->provider, 1, receipt);
	if (receipt->model.data)
		add(counters, COUNTER_MODEL, &receipt->model, 1, receipt);
	add_endpoint(counters, receipt);
	if (receipt->hosted)
		add(counters, COUNTER_HOSTED, &receipt->workspace, 1, receipt);
	if (receipt->free_tokens)
		add_free(counters, receipt);
	for (unsigned i = 0; i < receipt->tag_count; i++) {
		const struct slice tag[3] = {receipt->workspace, receipt->tags[i].name, receipt->tags[i].value};

		add(counters, COUNTER_TAG, tag, 3, receipt);
	}
}

struct counter counters_total(const struct counters *counters)
{
	const char key[2] = {COUNTER_TOTAL, 0};
	const struct counter *total = counters_find(counters, slice_of(key, sizeof(key)));

	return total ? *total : (struct counter){0};
}

static void emit_entry(const struct entry *entry, counters_emit *emit, void *context)
{
	char value[VALUE_BYTES + RECENT_BYTES_MAX];
	struct packer p = {value, value + sizeof(value), false};

	pack_u8(&p, entry->recent ? RECENT_VERSION : PLAIN_VERSION);
	pack_u64(&p, entry->counter.receipts);
	pack_u64(&p, (uint64_t)entry->counter.spend_nusd);
	pack_u64(&p, entry->counter.prompt_tokens);
	pack_u64(&p, entry->counter.completion_tokens);
	if (entry->recent)
		recent_pack(entry->recent, &p);
	emit(context, slice_of(entry->key, entry->key_bytes), slice_of(value, (size_t)(p.at - value)));
}

void counters_take_touched(struct counters *counters, counters_emit *emit, void *context)
{
	while (counters->touched) {
		struct entry *entry = counters->touched;

		counters->touched = entry->touched_next;
		entry->touched = false;
		emit_entry(entry, emit, context);
	}
	let_days_go(counters);
}

void counters_each(const struct counters *counters, counters_emit *emit, void *context)
{
	for (const struct entry *entry = counters->totals.all; entry; entry = entry->next)
		if (entry->counter.receipts)
			emit_entry(entry, emit, context);
	for (const struct entry *entry = counters->days.all; entry; entry = entry->next)
		if (entry->counter.receipts)
			emit_entry(entry, emit, context);
}

const struct counter *counters_find(const struct counters *counters, struct slice key)
{
	const struct table *table = is_of_day(key) ? &counters->days : &counters->totals;
	const struct entry *entry = *slot_of(table, XXH3_64bits(key.data, key.size), key);

	return entry && entry->counter.receipts ? &entry->counter : NULL;
}

bool counters_has_rest(const struct counters *counters)
{
	for (unsigned d = 1; d < COUNTER_DIMENSIONS; d++)
		if (counters->totals.rest[d]->counter.receipts || counters->days.rest[d]->counter.receipts)
			return true;
	return false;
}

int counters_copy_recents(const struct counters *counters, struct recents *recents)
{
	int rc = 0;

	for (const struct entry *entry = counters->totals.all; rc == 0 && entry; entry = entry->next)
		if (entry->recent && entry->key[1] == 0)
			rc = recents_add(recents, slice_of(entry->key, entry->key_bytes), entry->recent);
	return rc;
}

size_t counters_key(char key[static COUNTER_KEY_BYTES_MAX], enum counter_dimension dimension, struct slice first,
	struct slice second)
{
	struct packer p = {key, key + COUNTER_KEY_BYTES_MAX, false};

	pack_u8(&p, (uint8_t)dimension);
	pack_u8(&p, 0);
	pack_bytes(&p, first.data, first.size);
	if (second.size) {
		pack_u8(&p, 0);
		pack_bytes(&p, second.data, second.size);
	}
	return p.full ? 0 : (size_t)(p.at - key);
}

size_t counters_day_key(
	char key[static COUNTER_KEY_BYTES_MAX], enum counter_dimension dimension, uint32_t day, struct slice name)
{
	struct packer p = {key, key + COUNTER_KEY_BYTES_MAX, false};

	pack_u8(&p, (uint8_t)(dimension | COUNTER_OF_DAY));
	pack_u8(&p, 0);
	pack_be32(&p, day);
	pack_bytes(&p, name.data, name.size);
	return p.full ? 0 : (size_t)(p.at - key);
}
