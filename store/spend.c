/*
 * Spend: rows of the counters, gathered, added up by name where they are of days, and printed with the dearest first.
 * Days come in their own order.
 */
#include "store/spend.h"

#include <errno.h>
#include <stdlib.h>

#include "core/text.h"
#include "store/pack.h"

enum spend_bounds {
	ROWS_MAX = 262144, /* days times names; beyond, the range has to be narrower */
	NAMES_FIRST_BYTES = 65536,
	ROW_JSON_BYTES = 320, /* beside its names, which may be escaped six-fold */
	HEAD_JSON_BYTES = 512,
	DAY_BYTES = 4,
};

struct row {
	size_t at, size; /* of its name, among the names */
	struct counter counter;
};

struct rows {
	struct row *list;
	size_t count, capacity;
	char *names;
	size_t names_size, names_capacity;
};

static int make_room(struct rows *rows, size_t name_bytes)
{
	if (rows->count == ROWS_MAX)
		return -E2BIG;
	if (rows->count == rows->capacity) {
		size_t capacity = rows->capacity ? 2 * rows->capacity : 64;
		struct row *list = realloc(rows->list, capacity * sizeof(*list));

		if (!list)
			return -ENOMEM;
		rows->list = list;
		rows->capacity = capacity;
	}
	if (rows->names_capacity - rows->names_size < name_bytes) {
		size_t capacity = rows->names_capacity ? 2 * rows->names_capacity : NAMES_FIRST_BYTES;
		char *names = realloc(rows->names, capacity);

		if (!names)
			return -ENOMEM;
		rows->names = names;
		rows->names_capacity = capacity;
	}
	return 0;
}

static int add_row(struct rows *rows, struct slice name, struct slice value)
{
	struct counter counter;
	int rc = counters_read_row(value, &counter);

	if (rc == 0)
		rc = make_room(rows, name.size);
	if (rc < 0)
		return rc;
	rows->list[rows->count++] = (struct row){rows->names_size, name.size, counter};
	if (name.size)
		memcpy(rows->names + rows->names_size, name.data, name.size);
	rows->names_size += name.size;
	return 0;
}

/* ---- which rows ---- */

static bool in_days(const struct store_query *query, struct slice day)
{
	uint32_t number;

	if (day.size < DAY_BYTES)
		return false;
	memcpy(&number, day.data, DAY_BYTES);
	number = be32toh(number);
	return number >= query->from_day && number <= query->to_day;
}

/* A row's name, when it is one of those asked for: *past says that none comes any more. */
static bool name_of(const struct store_query *query, bool of_days, struct slice key, struct slice *name, bool *past)
{
	unsigned char first = (unsigned char)(query->dimension | (of_days ? COUNTER_OF_DAY : 0));

	*past = key.size < 2 || (unsigned char)key.data[0] != first;
	if (*past)
		return false;
	*name = slice_after(key, 2);
	if (key.data[1] != 0) /* the rest, of no day in particular */
		return !of_days;
	if (query->dimension == COUNTER_DAY)
		return in_days(query, *name);
	if (!of_days)
		return true;
	if (!in_days(query, *name))
		return false;
	*name = slice_after(*name, DAY_BYTES);
	return true;
}

static bool is_all_time(const struct store_query *query)
{
	return query->from_day == 0 && query->to_day == UINT32_MAX;
}

static size_t first_key(const struct store_query *query, bool of_days, char key[static 2 + DAY_BYTES])
{
	struct packer p = {key, key + 2 + DAY_BYTES, false};

	pack_u8(&p, (uint8_t)(query->dimension | (of_days ? COUNTER_OF_DAY : 0)));
	pack_u8(&p, 0);
	if (of_days)
		pack_be32(&p, query->from_day);
	return (size_t)(p.at - key);
}

static int gather(struct kv *kv, const struct store_query *query, struct rows *rows)
{
	bool of_days = query->dimension != COUNTER_DAY && !is_all_time(query), past = false;
	struct kv_walk *walk = kv_walk_open(kv, KV_COUNTERS);
	char key[2 + DAY_BYTES];
	int rc = 0;

	if (!walk)
		return -EIO;
	for (kv_walk_seek(walk, slice_of(key, first_key(query, of_days, key))); rc == 0 && !past && kv_walk_valid(walk);
		kv_walk_next(walk)) {
		struct slice name;

		if (name_of(query, of_days, kv_walk_key(walk), &name, &past))
			rc = add_row(rows, name, kv_walk_value(walk));
	}
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

/* ---- adding up ---- */

static struct slice row_name(const struct rows *rows, const struct row *row)
{
	return slice_of(rows->names ? rows->names + row->at : "", row->size);
}

static int compare_names(const void *a, const void *b, void *context)
{
	struct slice x = row_name(context, a), y = row_name(context, b);
	int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);

	return order ? order : (x.size > y.size) - (x.size < y.size);
}

static int compare_spend(const void *a, const void *b, void *context)
{
	const struct row *x = a, *y = b;

	if (x->counter.spend_nusd != y->counter.spend_nusd)
		return x->counter.spend_nusd < y->counter.spend_nusd ? 1 : -1;
	return compare_names(a, b, context);
}

static void add_counter(struct counter *sum, const struct counter *counter)
{
	sum->receipts += counter->receipts;
	sum->prompt_tokens += counter->prompt_tokens;
	sum->completion_tokens += counter->completion_tokens;
	sum->spend_nusd = add_nusd(sum->spend_nusd, counter->spend_nusd);
}

static void merge(struct rows *rows)
{
	size_t count = 0;

	if (rows->count)
		qsort_r(rows->list, rows->count, sizeof(*rows->list), compare_names, rows);
	for (size_t i = 0; i < rows->count; i++) {
		if (count && compare_names(&rows->list[count - 1], &rows->list[i], rows) == 0)
			add_counter(&rows->list[count - 1].counter, &rows->list[i].counter);
		else
			rows->list[count++] = rows->list[i];
	}
	rows->count = count;
}

/* ---- printing ---- */

static void print_figures(struct text *json, const struct counter *counter)
{
	text_literal(json, "\"requests\":");
	text_u64(json, counter->receipts);
	text_literal(json, ",\"prompt_tokens\":");
	text_u64(json, counter->prompt_tokens);
	text_literal(json, ",\"completion_tokens\":");
	text_u64(json, counter->completion_tokens);
	text_literal(json, ",\"spend_usd\":");
	text_usd(json, counter->spend_nusd);
}

static void print_day(struct text *json, struct slice name)
{
	enum { DATE_BYTES = 10 };
	char memory[64];
	struct text time = text_over(memory, sizeof(memory));
	uint32_t day;

	memcpy(&day, name.data, sizeof(day));
	text_rfc3339(&time, be32toh(day) * UINT64_C(86400) * 1000000000);
	text_json(json, slice_of(memory, DATE_BYTES));
}

/* The part before the next NUL, and what is behind it. */
static struct slice next_part(struct slice *rest)
{
	const char *end = rest->size ? memchr(rest->data, 0, rest->size) : NULL;
	struct slice part = *rest;

	if (end)
		part.size = (size_t)(end - rest->data);
	*rest = end ? slice_after(*rest, part.size + 1) : slice_of(NULL, 0);
	return part;
}

static void print_member(struct text *json, const char *name, struct slice value)
{
	text_char(json, '"');
	text_string(json, name);
	text_literal(json, "\":");
	text_json(json, value);
	text_char(json, ',');
}

/* {"key":"vk_..."}; of teams and tags also whose workspace's; null: what found no room of its own. */
static void print_name(struct text *json, const struct store_query *query, struct slice name)
{
	const char *by = counter_dimension_name(query->dimension);

	if (!name.size) {
		text_char(json, '"');
		text_string(json, by);
		text_literal(json, "\":null,");
	} else if (query->dimension == COUNTER_DAY) {
		text_literal(json, "\"day\":");
		print_day(json, name);
		text_char(json, ',');
	} else if (query->dimension == COUNTER_TEAM) {
		print_member(json, "workspace", next_part(&name));
		print_member(json, by, name);
	} else if (query->dimension == COUNTER_TAG) {
		print_member(json, "workspace", next_part(&name));
		print_member(json, by, next_part(&name));
		print_member(json, "value", name);
	} else {
		print_member(json, by, name);
	}
}

static struct counter sum_of(const struct rows *rows)
{
	struct counter sum = {0};

	for (size_t i = 0; i < rows->count; i++)
		add_counter(&sum, &rows->list[i].counter);
	return sum;
}

static size_t json_bytes(const struct rows *rows, size_t from, size_t to)
{
	size_t bytes = HEAD_JSON_BYTES;

	for (size_t i = from; i < to; i++)
		bytes += ROW_JSON_BYTES + 6 * rows->list[i].size;
	return bytes;
}

static int print(struct store_query *query, const struct rows *rows)
{
	size_t from = query->cursor < rows->count ? (size_t)query->cursor : rows->count;
	size_t to = rows->count - from > query->limit ? from + query->limit : rows->count;
	size_t bytes = json_bytes(rows, from, to);
	struct counter sum = sum_of(rows);
	struct text json;

	query->json = malloc(bytes);
	if (!query->json)
		return -ENOMEM;
	json = text_over(query->json, bytes);
	text_literal(&json, "{\"by\":");
	text_json(&json, slice_of_string(counter_dimension_name(query->dimension)));
	text_literal(&json, ",\"data\":[");
	for (size_t i = from; i < to; i++) {
		text_string(&json, i > from ? ",{" : "{");
		print_name(&json, query, row_name(rows, &rows->list[i]));
		print_figures(&json, &rows->list[i].counter);
		text_char(&json, '}');
	}
	text_literal(&json, "],\"total\":{");
	print_figures(&json, &sum);
	text_literal(&json, "},\"next_cursor\":");
	if (to < rows->count) {
		text_char(&json, '"');
		text_u64(&json, to);
		text_char(&json, '"');
	} else {
		text_literal(&json, "null");
	}
	text_literal(&json, "}\n");
	query->json_size = json.size;
	return json.full ? -ENOMEM : 0;
}

void spend_answer(struct kv *kv, struct store_query *query)
{
	struct rows rows = {0};
	int rc = gather(kv, query, &rows);

	if (rc == 0) {
		merge(&rows);
		if (query->dimension != COUNTER_DAY && rows.count)
			qsort_r(rows.list, rows.count, sizeof(*rows.list), compare_spend, &rows);
		rc = print(query, &rows);
	}
	free(rows.list);
	free(rows.names);
	query->result = rc;
	if (rc < 0)
		store_query_fini(query);
}
