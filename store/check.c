/*
 * The offline check: walks all blocks in order and holds against each other what must agree. Findings are named with
 * the first receipt or block they concern. A receipt that was altered has another hash than its block holds; a hash
 * that was altered with it breaks the chain; the chain's end is in a row of its own, so that blocks missing at the end
 * are missed. A receipt that expired is no finding where retention has been, and nowhere else; what the expired ones
 * came to is in a row of its own too.
 */
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/commit.h"
#include "store/disk.h"
#include "store/pack.h"
#include "store/receipt_index.h"
#include "store/recovery.h"
#include "store/retention.h"

enum { FINDINGS_MAX = 50, LINE_BYTES = 400 };

struct check {
	void (*say)(void *context, const char *line);
	void *context;
	struct kv *kv;
	struct counters *counters; /* as the receipts of the counted blocks add up */
	uint64_t counted;          /* up to this block; a start counts the others */
	int64_t spend_nusd;        /* of all */
	struct chain_end end;      /* as walked so far */
	uint64_t receipts, expired, findings;
	struct retention_sum gone; /* what the expired ones came to */
	size_t id_count, id_capacity;
	struct ulid *ids;
	struct receipt receipt;
	struct index_builder index;
	uint64_t missing_rows; /* of counters */
};

static __attribute__((format(printf, 2, 3))) void say(struct check *check, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	check->say(check->context, line);
}

#define find(check, ...)                                                                                               \
	do {                                                                                                           \
		if (++(check)->findings <= FINDINGS_MAX)                                                               \
			say((check), __VA_ARGS__);                                                                     \
	} while (0)

static int note_id(struct check *check, const struct ulid *id)
{
	if (check->id_count == check->id_capacity) {
		size_t capacity = check->id_capacity ? 2 * check->id_capacity : 4096;
		struct ulid *grown = reallocarray(check->ids, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		check->ids = grown;
		check->id_capacity = capacity;
	}
	check->ids[check->id_count++] = *id;
	return 0;
}

static int check_record(struct check *check, const struct block_view *view, uint64_t block, uint32_t index)
{
	struct slice record = block_view_record(view, index);
	struct hash is = hash_of(record), should = block_view_hash(view, index);
	char id[ULID_TEXT_BYTES];
	bool altered;

	if (record.size == 0) {
		check->expired++;
		if (block > check->gone.last_block)
			find(check, "block %" PRIu64 " receipt %" PRIu32 ": was removed, and had not expired", block,
				index);
		return 0;
	}
	check->receipts++;
	altered = memcmp(&is, &should, sizeof(is)) != 0;
	if (receipt_decode(record, &check->receipt) < 0) {
		find(check, "block %" PRIu64 " receipt %" PRIu32 ": %s", block, index,
			altered ? "was altered, and cannot be read any more" : "cannot be read");
		return 0;
	}
	ulid_print(&check->receipt.request_id, id);
	if (altered)
		find(check, "block %" PRIu64 " receipt %" PRIu32 " (req_%.*s): was altered", block, index,
			ULID_TEXT_BYTES, id);
	index_builder_add(&check->index, &check->receipt.request_id, check->receipt.key_id);
	check->spend_nusd += check->receipt.provider_cost_nusd + check->receipt.platform_fee_nusd;
	if (block <= check->counted)
		counters_add(check->counters, &check->receipt);
	return note_id(check, &check->receipt.request_id);
}

struct index_check {
	struct check *check;
	uint64_t block;
};

static void check_index_row(void *context, struct slice key, struct slice value)
{
	struct index_check *row_check = context;
	struct kv_row row;
	int rc = kv_get(row_check->check->kv, KV_INDEX, key, &row);

	if (rc < 0) {
		find(row_check->check, "block %" PRIu64 ": an index row of kind %c is missing", row_check->block,
			key.data[0]);
		return;
	}
	if (!slice_equal(row.value, value))
		find(row_check->check, "block %" PRIu64 ": an index row of kind %c is wrong", row_check->block,
			key.data[0]);
	kv_row_fini(&row);
}

/* All of its receipts expired; the chain goes on from what the gap says. */
static void check_gap(struct check *check, uint64_t block, const struct block_view *gap)
{
	if (block > check->gone.last_block)
		find(check, "block %" PRIu64 ": was removed, and had not expired", block);
	check->expired += gap->gap_receipts;
	check->end.chain = gap->chain;
}

static int check_block(struct check *check, uint64_t block, struct slice value)
{
	struct index_check row_check = {check, block};
	struct block_view view;
	struct hash chain;
	int rc = block_view_open(&view, value);
	uint64_t first = rc == 0 && view.gap_first ? view.gap_first : block;

	if (first != check->end.block + 1)
		find(check, "block %" PRIu64 ": missing (the next one there is %" PRIu64 ")", check->end.block + 1,
			first);
	check->end.block = block;
	if (rc < 0 || view.count > BLOCK_RECEIPTS_MAX) {
		find(check, "block %" PRIu64 ": was altered, and cannot be read any more", block);
		return 0;
	}
	if (view.gap_first) {
		check_gap(check, block, &view);
		return 0;
	}
	index_builder_clear(&check->index);
	for (uint32_t i = 0; rc == 0 && i < view.count; i++)
		rc = check_record(check, &view, block, i);
	chain = block_view_chain(&view, &check->end.chain);
	if (memcmp(&chain, &view.chain, sizeof(chain)) != 0)
		find(check, "block %" PRIu64 ": the chain breaks: its hashes or those before it were altered", block);
	check->end.chain = view.chain;
	index_builder_rows(&check->index, block, check_index_row, &row_check);
	return rc;
}

static int check_blocks(struct check *check)
{
	struct kv_walk *walk = kv_walk_open(check->kv, KV_RECEIPTS);
	int rc = walk ? 0 : -EIO;

	if (!walk)
		return rc;
	for (kv_walk_seek(walk, SLICE("")); rc == 0 && kv_walk_valid(walk); kv_walk_next(walk)) {
		struct slice key = kv_walk_key(walk);
		struct unpacker u = {key.data, key.data + key.size, false};
		uint64_t block = unpack_be64(&u);

		if (u.bad || u.at != u.end)
			find(check, "a row among the receipts has a key of %zu bytes", key.size);
		else
			rc = check_block(check, block, kv_walk_value(walk));
	}
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

static int check_end(struct check *check)
{
	struct chain_end end;
	int rc = commit_read_chain(check->kv, &end);

	if (rc < 0)
		return rc;
	if (end.block != check->end.block)
		find(check, "the chain ends at block %" PRIu64 ", the receipts at block %" PRIu64, end.block,
			check->end.block);
	else if (memcmp(&end.chain, &check->end.chain, sizeof(end.chain)) != 0)
		find(check, "the last block is not the one that was written last: its chain was altered");
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ulid));
}

static void check_ids(struct check *check)
{
	char id[ULID_TEXT_BYTES];

	if (check->id_count < 2)
		return;
	qsort(check->ids, check->id_count, sizeof(*check->ids), compare_ids);
	for (size_t i = 1; i < check->id_count; i++) {
		if (compare_ids(&check->ids[i - 1], &check->ids[i]) != 0)
			continue;
		ulid_print(&check->ids[i], id);
		find(check, "receipt req_%.*s: is there twice", ULID_TEXT_BYTES, id);
	}
}

/* A counter's name for people: parts are separated by NUL in the key. */
static void name_of(struct slice key, char name[static 96])
{
	bool of_day = (unsigned char)key.data[0] & COUNTER_OF_DAY;
	unsigned dimension = (unsigned char)key.data[0] & ~(unsigned)COUNTER_OF_DAY;
	int at = snprintf(name, 96, "%s", counter_dimension_name(dimension));

	if (dimension == COUNTER_DAY || key.size <= 2)
		return;
	name[at++] = ' ';
	if (of_day && key.size >= 6) {
		uint32_t day;

		memcpy(&day, key.data + 2, sizeof(day));
		at += snprintf(name + at, (size_t)(96 - at), "of day %" PRIu32 " ", be32toh(day));
	}
	for (size_t i = of_day ? 6 : 2; i < key.size && at < 95; i++)
		name[at++] = key.data[i] >= 0x20 && key.data[i] < 0x7f ? key.data[i] : '/';
	name[at] = '\0';
}

/* Whether a row says what the receipts add up to; of expired ones only the sum of all is known. */
static bool counter_fits(const struct check *check, bool total, const struct counter *says, const struct counter *sum)
{
	if (total && (says->receipts != sum->receipts + check->gone.receipts ||
			     says->spend_nusd != add_nusd(sum->spend_nusd, check->gone.spend_nusd)))
		return false;
	if (check->gone.receipts)
		return says->receipts >= sum->receipts && says->spend_nusd >= sum->spend_nusd &&
		       says->prompt_tokens >= sum->prompt_tokens && says->completion_tokens >= sum->completion_tokens;
	return says->receipts == sum->receipts && says->spend_nusd == sum->spend_nusd &&
	       says->prompt_tokens == sum->prompt_tokens && says->completion_tokens == sum->completion_tokens;
}

static void check_counter(struct check *check, struct slice key, struct slice value)
{
	const struct counter none = {0}, *found = counters_find(check->counters, key), *sum = found ? found : &none;
	bool total = key.data[0] == COUNTER_TOTAL;
	struct counter says = {0};
	char name[96];

	name_of(key, name);
	if (counters_read_row(value, &says) < 0) {
		find(check, "counter %s: cannot be read", name);
		return;
	}
	if ((!found && !check->gone.receipts) || !counter_fits(check, total, &says, sum))
		find(check,
			"counter %s: says %" PRIu64 " receipts and %" PRId64
			" nano-USD, the receipts add up to %" PRIu64 " and %" PRId64,
			name, says.receipts, says.spend_nusd, sum->receipts + (total ? check->gone.receipts : 0),
			add_nusd(sum->spend_nusd, total ? check->gone.spend_nusd : 0));
}

static void note_missing_row(void *context, struct slice key, struct slice value)
{
	struct check *check = context;
	struct kv_row row;

	(void)value;
	if (kv_get(check->kv, KV_COUNTERS, key, &row) < 0)
		check->missing_rows++;
	else
		kv_row_fini(&row);
}

/* Totals alone can be held against the receipts once a name was put to a rest. */
static int check_counters(struct check *check)
{
	struct kv_walk *walk = kv_walk_open(check->kv, KV_COUNTERS);
	bool by_name = !counters_has_rest(check->counters);
	int rc;

	if (!walk)
		return -EIO;
	for (kv_walk_seek(walk, SLICE("")); kv_walk_valid(walk); kv_walk_next(walk)) {
		struct slice key = kv_walk_key(walk);

		if (key.size < 2)
			find(check, "a row among the counters has a key of %zu bytes", key.size);
		else if (by_name || key.data[0] == COUNTER_TOTAL)
			check_counter(check, key, kv_walk_value(walk));
	}
	rc = kv_walk_error(walk);
	kv_walk_close(walk);
	if (by_name)
		counters_each(check->counters, note_missing_row, check);
	if (check->missing_rows)
		find(check, "counters: %" PRIu64 " are missing", check->missing_rows);
	return rc;
}

static void check_expired(struct check *check)
{
	if (check->expired != check->gone.receipts)
		find(check, "%" PRIu64 " receipts are blank, %" PRIu64 " are known to have expired", check->expired,
			check->gone.receipts);
	if (check->expired)
		say(check, "%" PRIu64 " receipts have expired, of %" PRId64 " nano-USD", check->expired,
			check->gone.spend_nusd);
}

static int run(struct check *check, const char *data_dir)
{
	int64_t waiting;
	int rc = commit_read_counted(check->kv, &check->counted);

	if (rc == 0)
		rc = retention_read_sum(check->kv, &check->gone);
	if (rc == 0)
		rc = check_blocks(check);
	if (rc == 0)
		rc = check_end(check);
	if (rc < 0)
		return rc;
	check_ids(check);
	check_expired(check);
	rc = check_counters(check);
	if (rc < 0)
		return rc;
	waiting = recovery_count_pending(check->kv, data_dir);
	if (waiting < 0)
		find(check, "a journal cannot be read: %s", strerror((int)-waiting));
	if (waiting > 0)
		say(check, "%" PRId64 " receipts wait in journals: the next start takes them over", waiting);
	say(check, "%" PRIu64 " receipts in %" PRIu64 " blocks, %" PRId64 " nano-USD: %s", check->receipts,
		check->end.block, check->spend_nusd, check->findings ? "not sound" : "sound");
	if (check->findings > FINDINGS_MAX)
		say(check, "%" PRIu64 " findings, of which the first %d are told", check->findings, FINDINGS_MAX);
	return check->findings ? 1 : 0;
}

int store_check(const char *data_dir, void (*say_line)(void *context, const char *line), void *context)
{
	struct check *check = calloc(1, sizeof(*check));
	char path[4096], why[LINE_BYTES] = "out of memory";
	struct disk_lock *lock = NULL;
	int rc = -ENOMEM;

	if (!check)
		return -ENOMEM;
	check->say = say_line;
	check->context = context;
	if (counters_open(&check->counters) < 0)
		goto out;
	rc = disk_lock(&lock, data_dir, false, why, sizeof(why));
	if (rc < 0)
		goto out;
	snprintf(path, sizeof(path), "%s/db", data_dir);
	rc = kv_open(&check->kv, path, true, why, sizeof(why));
	if (rc == 0)
		rc = commit_check_schema(check->kv, why, sizeof(why));
	if (rc == 0) {
		snprintf(why, sizeof(why), "the database cannot be read to its end");
		rc = run(check, data_dir);
	}
out:
	if (rc < 0)
		say_line(context, why);
	if (check->kv)
		kv_close(check->kv);
	if (lock)
		disk_unlock(lock);
	if (check->counters)
		counters_close(check->counters);
	free(check->ids);
	free(check);
	return rc;
}
