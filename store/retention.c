/* Blanking what has expired: see retention.h. */
#include "store/retention.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/clock.h"
#include "store/commit.h"
#include "store/pack.h"
#include "store/receipt_index.h"

enum {
	BLOCKS_A_STEP = 4, /* some 1 ms each of the writer's time, while groups wait */
	KEY_BYTES = 13,    /* "retained/" be32 */
	GIVE_BACK_SWEEPS = 2,
};

struct retention {
	struct kv *kv;
	struct kv_batch *batch;
	struct commit *commit;
	uint64_t blanked;
	unsigned give_back; /* at the end of so many sweeps: what was removed last is in a file only by the next one */
	struct retention_sum sum;
	struct receipt receipt;
	struct index_builder before, after;
	bool keep[BLOCK_RECEIPTS_MAX];
	char value[BLOCK_BYTES_MAX];
};

/* The receipts that are kept for so many days: how far they were looked at, and of whom they are. */
struct class
{
	uint32_t days;
	uint64_t block, members;
};

/* One step's way through the blocks. */
struct pass {
	struct retention *retention;
	const struct retention_rules *rules;
	struct class class;
	uint64_t now_ns;
	uint64_t gap_first, gap_receipts, gap_last; /* the gap right before the next block; gap_first 0: none */
	unsigned blocks;
	bool uncounted; /* the next block's receipts are in no counter's row yet */
};

int retention_open(struct retention **retention, struct kv *kv, struct commit *commit)
{
	struct retention *made = calloc(1, sizeof(*made));

	*retention = made;
	if (!made)
		return -ENOMEM;
	made->kv = kv;
	made->commit = commit;
	made->give_back = GIVE_BACK_SWEEPS; /* of what a run before this one removed */
	made->batch = kv_batch_open();
	if (made->batch)
		return 0;
	free(made);
	*retention = NULL;
	return -ENOMEM;
}

void retention_close(struct retention *retention)
{
	kv_batch_close(retention->batch);
	free(retention);
}

uint64_t retention_blanked(const struct retention *retention)
{
	return retention->blanked;
}

/* ---- rows of KV_META ---- */

static struct slice class_key(char key[static KEY_BYTES], uint32_t days)
{
	struct packer p = {key, key + KEY_BYTES, false};

	pack_bytes(&p, "retained/", 9);
	pack_be32(&p, days);
	return slice_of(key, KEY_BYTES);
}

enum { NUMBERS_MAX = 3 };

/* All 0 when the row is not there. */
static int read_numbers(struct kv *kv, struct slice key, uint64_t *numbers, unsigned count)
{
	struct kv_row row;
	int rc = kv_get(kv, KV_META, key, &row);

	memset(numbers, 0, count * sizeof(*numbers));
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	struct unpacker u = {row.value.data, row.value.data + row.value.size, false};

	for (unsigned i = 0; i < count; i++)
		numbers[i] = unpack_u64(&u);
	kv_row_fini(&row);
	return u.bad ? -EBADMSG : 0;
}

static void put_numbers(struct retention *retention, struct slice key, const uint64_t *numbers, unsigned count)
{
	char value[8 * NUMBERS_MAX];
	struct packer p = {value, value + sizeof(value), false};

	for (unsigned i = 0; i < count; i++)
		pack_u64(&p, numbers[i]);
	assert(!p.full);
	kv_batch_put(retention->kv, retention->batch, KV_META, key, slice_of(value, (size_t)(p.at - value)));
}

int retention_read_sum(struct kv *kv, struct retention_sum *sum)
{
	uint64_t numbers[3];
	int rc = read_numbers(kv, SLICE("expired"), numbers, 3);

	*sum = (struct retention_sum){numbers[0], (int64_t)numbers[1], numbers[2]};
	return rc;
}

/* ---- who keeps receipts for how long ---- */

static int compare_names(struct slice a, struct slice b)
{
	size_t shorter = a.size < b.size ? a.size : b.size;
	int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_rule(const void *name, const void *rule)
{
	return compare_names(*(const struct slice *)name, ((const struct retention_rule *)rule)->workspace);
}

static int compare_rules(const void *a, const void *b)
{
	return compare_rule(&((const struct retention_rule *)a)->workspace, b);
}

void retention_rules_sort(struct retention_rule *rules, unsigned count)
{
	if (count)
		qsort(rules, count, sizeof(*rules), compare_rules);
}

static uint32_t days_of(const struct retention_rules *rules, struct slice workspace)
{
	const struct retention_rule *rule =
		rules->count ? bsearch(&workspace, rules->rules, rules->count, sizeof(*rules->rules), compare_rule)
			     : NULL;

	return rule ? rule->days : rules->rest_days;
}

/* Who belongs to it; that of the rest is all that are named elsewhere, too. */
static uint64_t members_of(const struct retention_rules *rules, uint32_t days)
{
	uint64_t members = 1;

	for (unsigned i = 0; i < rules->count; i++) {
		const struct retention_rule *rule = &rules->rules[i];

		if (rule->days == days || rules->rest_days == days)
			members = XXH3_64bits_withSeed(
				rule->workspace.data, rule->workspace.size, members * 31 + (rule->days == days));
	}
	return members;
}

/* The smallest number of days above `above` that anybody keeps receipts for; 0: none. */
static uint32_t next_days(const struct retention_rules *rules, uint32_t above)
{
	uint32_t next = rules->rest_days > above ? rules->rest_days : 0;

	for (unsigned i = 0; i < rules->count; i++)
		if (rules->rules[i].days > above && (!next || rules->rules[i].days < next))
			next = rules->rules[i].days;
	return next;
}

static int read_class(
	struct retention *retention, const struct retention_rules *rules, uint32_t days, struct class *class)
{
	char key[KEY_BYTES];
	uint64_t numbers[2];
	int rc = read_numbers(retention->kv, class_key(key, days), numbers, 2);

	*class = (struct class){.days = days, .block = numbers[0], .members = members_of(rules, days)};
	if (class->members != numbers[1])
		class->block = 0;
	return rc;
}

/* ---- a block ---- */

static void drop_row(void *context, struct slice key, struct slice value)
{
	struct retention *retention = context;

	(void)value;
	kv_batch_delete(retention->kv, retention->batch, KV_INDEX, key);
}

static void put_row(void *context, struct slice key, struct slice value)
{
	struct retention *retention = context;

	kv_batch_put(retention->kv, retention->batch, KV_INDEX, key, value);
}

/* What becomes of a block's records. */
struct choice {
	uint32_t left, gone;
	int64_t gone_nusd;
	uint64_t newest_ns; /* when the last of them began */
};

/* Decides for each record; the index rows as they are and will be. */
static struct choice choose(struct pass *pass, const struct block_view *view)
{
	struct retention *retention = pass->retention;
	struct receipt *receipt = &retention->receipt;
	struct choice choice = {0};

	index_builder_clear(&retention->before);
	index_builder_clear(&retention->after);
	for (uint32_t i = 0; i < view->count; i++) {
		struct slice record = block_view_record(view, i);
		bool known = record.size && receipt_decode(record, receipt) == 0;

		retention->keep[i] =
			record.size && !(known && days_of(pass->rules, receipt->workspace) <= pass->class.days);
		choice.left += retention->keep[i];
		if (!known)
			continue;
		if (receipt->wall_ns > choice.newest_ns)
			choice.newest_ns = receipt->wall_ns;
		index_builder_add(&retention->before, &receipt->request_id, receipt->key_id);
		if (retention->keep[i]) {
			index_builder_add(&retention->after, &receipt->request_id, receipt->key_id);
			continue;
		}
		choice.gone++;
		choice.gone_nusd = add_nusd(choice.gone_nusd, receipt_total_nusd(receipt));
	}
	return choice;
}

static void put_block(struct pass *pass, uint64_t block, struct slice value)
{
	char key[8];

	block_key(key, block);
	kv_batch_put(pass->retention->kv, pass->retention->batch, KV_RECEIPTS, slice_of(key, sizeof(key)), value);
}

/* Block `block`, or the gap that ends with it, is one gap with the one before it. */
static void extend_gap(
	struct pass *pass, uint64_t block, const struct block_view *view, uint64_t first, uint64_t receipts)
{
	struct retention *retention = pass->retention;
	bool joins = pass->gap_first && pass->gap_last + 1 == first; /* else something between them is missing */
	char key[8], gap[BLOCK_GAP_BYTES];

	if (joins) {
		block_key(key, pass->gap_last);
		kv_batch_delete(retention->kv, retention->batch, KV_RECEIPTS, slice_of(key, sizeof(key)));
		first = pass->gap_first;
		receipts += pass->gap_receipts;
	}
	if (joins || !view->gap_first)
		put_block(pass, block, block_gap_make(gap, first, receipts, view));
	pass->gap_first = first;
	pass->gap_receipts = receipts;
	pass->gap_last = block;
}

static void blank_records(struct pass *pass, uint64_t block, const struct choice *choice)
{
	struct retention *retention = pass->retention;
	struct retention_sum *sum = &retention->sum;

	index_builder_rows(&retention->before, block, drop_row, retention);
	index_builder_rows(&retention->after, block, put_row, retention);
	sum->receipts += choice->gone;
	sum->spend_nusd = add_nusd(sum->spend_nusd, choice->gone_nusd);
	if (block > sum->last_block)
		sum->last_block = block;
}

/* False: its time is not over. */
static bool blank_block(struct pass *pass, uint64_t block, const struct block_view *view)
{
	struct retention *retention = pass->retention;
	struct choice choice = choose(pass, view);

	if (choice.newest_ns + pass->class.days * NS_PER_DAY > pass->now_ns)
		return false;
	if (choice.gone)
		blank_records(pass, block, &choice);
	if (choice.left == 0)
		extend_gap(pass, block, view, block, view->count);
	else
		pass->gap_first = 0;
	if (choice.left && choice.gone)
		put_block(pass, block, block_view_blank(view, retention->keep, retention->value));
	return true;
}

static uint64_t block_of(struct slice key)
{
	struct unpacker u = {key.data, key.data + key.size, false};
	uint64_t block = unpack_be64(&u);

	return u.bad ? 0 : block;
}

/* ---- a step ---- */

/* The gap that ends right before the blocks to come. */
static void note_gap_before(struct pass *pass, struct kv_walk *walk)
{
	struct block_view view;
	char key[8];

	block_key(key, pass->class.block);
	kv_walk_seek_back(walk, slice_of(key, sizeof(key)));
	if (!kv_walk_valid(walk) || block_of(kv_walk_key(walk)) != pass->class.block ||
		block_view_open(&view, kv_walk_value(walk)) < 0 || !view.gap_first)
		return;
	pass->gap_first = view.gap_first;
	pass->gap_receipts = view.gap_receipts;
	pass->gap_last = pass->class.block;
}

/* A block that cannot be read stays as it is, for the check to find. */
static bool take_block(struct pass *pass, struct kv_walk *walk)
{
	uint64_t block = block_of(kv_walk_key(walk));
	struct block_view view;
	bool sound = block_view_open(&view, kv_walk_value(walk)) == 0 && view.count <= BLOCK_RECEIPTS_MAX;

	pass->uncounted = block > commit_counted(pass->retention->commit);
	if (pass->uncounted)
		return false;
	if (!sound)
		pass->gap_first = 0;
	else if (view.gap_first)
		extend_gap(pass, block, &view, view.gap_first, view.gap_receipts);
	else if (!blank_block(pass, block, &view))
		return false;
	pass->class.block = block;
	pass->blocks++;
	return true;
}

static int walk_blocks(struct pass *pass)
{
	struct kv_walk *walk = kv_walk_open(pass->retention->kv, KV_RECEIPTS);
	char key[8];
	int rc;

	if (!walk)
		return -EIO;
	if (pass->class.block)
		note_gap_before(pass, walk);
	block_key(key, pass->class.block + 1);
	for (kv_walk_seek(walk, slice_of(key, sizeof(key))); kv_walk_valid(walk) && pass->blocks < BLOCKS_A_STEP;
		kv_walk_next(walk))
		if (!take_block(pass, walk))
			break;
	rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

static int write_pass(struct pass *pass)
{
	struct retention *retention = pass->retention;
	const struct retention_sum *sum = &retention->sum;
	const uint64_t reached[] = {pass->class.block, pass->class.members};
	const uint64_t expired[] = {sum->receipts, (uint64_t)sum->spend_nusd, sum->last_block};
	char key[KEY_BYTES];

	put_numbers(retention, class_key(key, pass->class.days), reached, 2);
	put_numbers(retention, SLICE("expired"), expired, 3);
	return kv_write(retention->kv, retention->batch, false);
}

/* Those of one number of days. */
static int step_class(struct retention *retention, const struct retention_rules *rules, uint32_t days, uint64_t now_ns)
{
	struct pass pass = {.retention = retention, .rules = rules, .now_ns = now_ns};
	uint64_t before;
	int rc = read_class(retention, rules, days, &pass.class);

	if (rc == 0)
		rc = retention_read_sum(retention->kv, &retention->sum);
	if (rc < 0)
		return -EIO;
	before = retention->sum.receipts;
	kv_batch_clear(retention->batch);
	rc = walk_blocks(&pass);
	if (rc == 0 && pass.blocks)
		rc = write_pass(&pass);
	if (rc == 0 && pass.uncounted)
		rc = commit_write_counters(retention->commit, false);
	if (rc < 0)
		return rc;
	retention->blanked += retention->sum.receipts - before;
	if (retention->sum.receipts != before)
		retention->give_back = GIVE_BACK_SWEEPS;
	return (int)pass.blocks + pass.uncounted;
}

/* At the end of a sweep. */
static void give_back(struct retention *retention)
{
	char first[8], last[8];

	if (!retention->give_back || retention_read_sum(retention->kv, &retention->sum) < 0)
		return;
	retention->give_back--;
	block_key(first, 0);
	block_key(last, retention->sum.last_block);
	kv_give_back(retention->kv, KV_RECEIPTS, slice_of(first, sizeof(first)), slice_of(last, sizeof(last)));
	kv_give_back(retention->kv, KV_INDEX, SLICE("k"), SLICE("u"));
}

int retention_step(struct retention *retention, const struct retention_rules *rules, uint64_t now_ns)
{
	int rc = 0;

	for (uint32_t days = next_days(rules, 0); rc == 0 && days; days = next_days(rules, days))
		rc = step_class(retention, rules, days, now_ns);
	if (rc == 0)
		give_back(retention);
	return rc;
}
