/* Running totals in a hash table: see counters.h for rows and bounds. */
#include "store/counters.h"

#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/pack.h"

enum counters_bounds {
	PLAIN_VERSION = 1,
	RECENT_VERSION = 2, /* a struct recent follows */
	COUNTERS_MAX = 131072,     /* some 160 bytes each: 20 MB */
	COUNTER_TAGS_MAX = 65536,  /* of them at most; beyond, tags add to the rest */
	SLOT_COUNT = 2 * COUNTERS_MAX,
	NAME_BYTES_MAX = COUNTER_KEY_BYTES_MAX,
	VALUE_BYTES = 33,
	SECONDS_PER_DAY = 86400,
};

struct entry {
	struct counter counter;
	uint64_t hash;
	struct entry *next; /* of all, in no order */
	struct entry *touched_next;
	struct recent *recent; /* NULL: no calls, or not of a key, team or workspace */
	bool touched;
	uint16_t key_bytes;
	char key[];
};

struct counters {
	struct entry **slots; /* open addressing, linear; never removed from */
	uint32_t count, tag_count;
	struct entry *all;     /* so that a table with few entries is not searched for them */
	struct entry *rest[COUNTER_DIMENSIONS];
	struct entry *last[COUNTER_DIMENSIONS]; /* neighbours in a group are often of one key and model */
	struct entry *touched;
};

static struct entry **slot_of(const struct counters *counters, uint64_t hash, struct slice key)
{
	size_t at = hash % SLOT_COUNT;

	while (counters->slots[at]) {
		const struct entry *entry = counters->slots[at];

		if (entry->hash == hash && slice_equal(slice_of(entry->key, entry->key_bytes), key))
			break;
		at = (at + 1) % SLOT_COUNT;
	}
	return &counters->slots[at];
}

static struct entry *make_entry(struct counters *counters, struct entry **slot, uint64_t hash, struct slice key)
{
	struct entry *entry = calloc(1, sizeof(*entry) + key.size);

	if (!entry)
		return NULL;
	entry->hash = hash;
	entry->key_bytes = (uint16_t)key.size;
	memcpy(entry->key, key.data, key.size);
	*slot = entry;
	entry->next = counters->all;
	counters->all = entry;
	counters->count++;
	counters->tag_count += key.data[0] == COUNTER_TAG;
	return entry;
}

static bool is_full(const struct counters *counters, unsigned dimension)
{
	return counters->count >= COUNTERS_MAX || (dimension == COUNTER_TAG && counters->tag_count >= COUNTER_TAGS_MAX);
}

/* The total of that key, made if need be; the dimension's rest at the bound or when memory is out. */
static struct entry *entry_of(struct counters *counters, unsigned dimension, struct slice key)
{
	struct entry *entry = counters->last[dimension], **slot;
	uint64_t hash;

	if (entry && slice_equal(slice_of(entry->key, entry->key_bytes), key))
		return entry;
	hash = XXH3_64bits(key.data, key.size);
	slot = slot_of(counters, hash, key);
	entry = *slot;
	if (!entry && !is_full(counters, dimension))
		entry = make_entry(counters, slot, hash, key);
	if (!entry)
		entry = counters->rest[dimension];
	counters->last[dimension] = entry;
	return entry;
}

int counters_open(struct counters **counters)
{
	struct counters *made = calloc(1, sizeof(*made));

	*counters = NULL;
	if (!made)
		return -ENOMEM;
	made->slots = calloc(SLOT_COUNT, sizeof(struct entry *));
	for (unsigned d = 1; made->slots && d < COUNTER_DIMENSIONS; d++) {
		const char key[2] = { (char)d, 1 };
		uint64_t hash = XXH3_64bits(key, sizeof(key));

		made->rest[d] = make_entry(made, slot_of(made, hash, slice_of(key, sizeof(key))), hash,
					   slice_of(key, sizeof(key)));
		if (!made->rest[d]) {
			counters_close(made);
			return -ENOMEM;
		}
	}
	if (!made->slots) {
		free(made);
		return -ENOMEM;
	}
	*counters = made;
	return 0;
}

void counters_close(struct counters *counters)
{
	struct entry *entry;

	while ((entry = counters->all)) {
		counters->all = entry->next;
		free(entry->recent);
		free(entry);
	}
	free(counters->slots);
	free(counters);
}

int counters_load(struct counters *counters, struct slice key, struct slice value)
{
	struct unpacker u = { value.data, value.data + value.size, false };
	struct counter counter;
	struct recent recent;
	struct entry **slot;
	uint8_t version = unpack_u8(&u);
	uint64_t hash;

	if (key.size < 2 || key.size > NAME_BYTES_MAX || key.data[0] < 1 || key.data[0] >= COUNTER_DIMENSIONS ||
	    (version != PLAIN_VERSION && version != RECENT_VERSION))
		return -EBADMSG;
	counter.receipts = unpack_u64(&u);
	counter.spend_nusd = (int64_t)unpack_u64(&u);
	counter.prompt_tokens = unpack_u64(&u);
	counter.completion_tokens = unpack_u64(&u);
	if (version == RECENT_VERSION)
		recent_unpack(&recent, &u);
	if (u.bad || u.at != u.end)
		return -EBADMSG;
	hash = XXH3_64bits(key.data, key.size);
	slot = slot_of(counters, hash, key);
	/* Rows were made within the bound, and a bound that shrank must not lose them: only the table's size is hard. */
	if (!*slot && (counters->count >= SLOT_COUNT / 2 || !make_entry(counters, slot, hash, key)))
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
	return dimension == COUNTER_KEY || dimension == COUNTER_TEAM || dimension == COUNTER_WORKSPACE;
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

static void add_to(struct counters *counters, unsigned dimension, struct slice key, const struct receipt *receipt)
{
	struct entry *entry = entry_of(counters, dimension, key);

	entry->counter.receipts++;
	entry->counter.spend_nusd = add_nusd(entry->counter.spend_nusd, receipt_total_nusd(receipt));
	entry->counter.prompt_tokens += receipt->prompt_tokens;
	entry->counter.completion_tokens += receipt->completion_tokens;
	if (has_recent(dimension))
		add_recent(entry, receipt);
	if (entry->touched)
		return;
	entry->touched = true;
	entry->touched_next = counters->touched;
	counters->touched = entry;
}

/* A name of up to three parts, with a NUL between them; null parts are as empty ones. */
static void add(struct counters *counters, unsigned dimension, const struct slice *parts, unsigned part_count,
		const struct receipt *receipt)
{
	char key[NAME_BYTES_MAX];
	struct packer p = { key, key + sizeof(key), false };

	pack_u8(&p, (uint8_t)dimension);
	pack_u8(&p, 0);
	for (unsigned i = 0; i < part_count; i++) {
		if (i)
			pack_u8(&p, 0);
		pack_bytes(&p, parts[i].data, parts[i].size);
	}
	if (p.full) /* no receipt decodes to texts that long; were one to, it still counts */
		p.at = key + 2;
	add_to(counters, dimension, slice_of(key, (size_t)(p.at - key)), receipt);
}

void counters_add(struct counters *counters, const struct receipt *receipt)
{
	uint32_t day = htobe32((uint32_t)(receipt->wall_ns / 1000000000 / SECONDS_PER_DAY));
	const struct slice team[2] = { receipt->workspace, receipt->team };

	add(counters, COUNTER_TOTAL, NULL, 0, receipt);
	add(counters, COUNTER_DAY, &(struct slice){ (const char *)&day, sizeof(day) }, 1, receipt);
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
	if (receipt->endpoint.data)
		add(counters, COUNTER_ENDPOINT, &receipt->endpoint, 1, receipt);
	for (unsigned i = 0; i < receipt->tag_count; i++) {
		const struct slice tag[3] = { receipt->workspace, receipt->tags[i].name, receipt->tags[i].value };

		add(counters, COUNTER_TAG, tag, 3, receipt);
	}
}

struct counter counters_total(const struct counters *counters)
{
	const char key[2] = { COUNTER_TOTAL, 0 };
	const struct counter *total = counters_find(counters, slice_of(key, sizeof(key)));

	return total ? *total : (struct counter){ 0 };
}

static void emit_entry(const struct entry *entry, counters_emit *emit, void *context)
{
	char value[VALUE_BYTES + RECENT_BYTES_MAX];
	struct packer p = { value, value + sizeof(value), false };

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
}

void counters_each(const struct counters *counters, counters_emit *emit, void *context)
{
	for (const struct entry *entry = counters->all; entry; entry = entry->next)
		if (entry->counter.receipts)
			emit_entry(entry, emit, context);
}

const struct counter *counters_find(const struct counters *counters, struct slice key)
{
	const struct entry *entry = *slot_of(counters, XXH3_64bits(key.data, key.size), key);

	return entry && entry->counter.receipts ? &entry->counter : NULL;
}

bool counters_has_rest(const struct counters *counters)
{
	for (unsigned d = 1; d < COUNTER_DIMENSIONS; d++)
		if (counters->rest[d]->counter.receipts)
			return true;
	return false;
}

int counters_copy_recents(const struct counters *counters, struct recents *recents)
{
	int rc = 0;

	for (const struct entry *entry = counters->all; rc == 0 && entry; entry = entry->next)
		if (entry->recent && entry->key[1] == 0)
			rc = recents_add(recents, slice_of(entry->key, entry->key_bytes), entry->recent);
	return rc;
}

size_t counters_key(
	char key[static COUNTER_KEY_BYTES_MAX], enum counter_dimension dimension, struct slice first, struct slice second)
{
	struct packer p = { key, key + COUNTER_KEY_BYTES_MAX, false };

	pack_u8(&p, (uint8_t)dimension);
	pack_u8(&p, 0);
	pack_bytes(&p, first.data, first.size);
	if (second.size) {
		pack_u8(&p, 0);
		pack_bytes(&p, second.data, second.size);
	}
	return p.full ? 0 : (size_t)(p.at - key);
}
