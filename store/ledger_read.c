/* What a workspace's ledger says: its balance, and its transactions with the usage of each day among them. */
#include <errno.h>
#include <stdlib.h>

#include "core/text.h"
#include "store/ledger.h"
#include "store/pack.h"

enum read_bounds {
	ROWS_MAX = 262144,
	KEY_BYTES_MAX = 256,
	ROW_JSON_BYTES = 256 + 6 * (LEDGER_NOTE_BYTES_MAX + LEDGER_REFERENCE_BYTES_MAX),
	HEAD_JSON_BYTES = 1024,
};
#define DAY_NS (UINT64_C(86400) * 1000000000)

struct line {
	uint64_t wall_ns, number; /* number 0: usage of the day that begins then */
	int64_t amount_nusd;
	uint64_t requests;
	enum ledger_kind kind;
	unsigned note_bytes, reference_bytes;
	char note[LEDGER_NOTE_BYTES_MAX], reference[LEDGER_REFERENCE_BYTES_MAX];
};

struct lines {
	struct line *list;
	size_t count, capacity;
	int64_t credit_nusd, used_nusd;
};

static struct line *add_line(struct lines *lines)
{
	if (lines->count == lines->capacity) {
		size_t capacity = lines->capacity ? 2 * lines->capacity : 32;
		struct line *list = capacity > ROWS_MAX ? NULL : realloc(lines->list, capacity * sizeof(*list));

		if (!list)
			return NULL;
		lines->list = list;
		lines->capacity = capacity;
	}
	lines->list[lines->count] = (struct line){.number = 0};
	return &lines->list[lines->count++];
}

static void copy(struct slice text, char *memory, size_t capacity, unsigned *bytes)
{
	*bytes = (unsigned)(text.size < capacity ? text.size : capacity);
	if (*bytes)
		memcpy(memory, text.data, *bytes);
}

static int add_row(struct lines *lines, struct slice number, struct slice value)
{
	struct unpacker u = {number.data, number.data + number.size, false};
	uint64_t n = unpack_be64(&u);
	struct ledger_row row;
	struct line *line;

	if (u.bad || !ledger_row_read(value, &row))
		return -EIO;
	line = add_line(lines);
	if (!line)
		return -ENOMEM;
	line->number = n;
	line->wall_ns = row.wall_ns;
	line->kind = row.kind;
	line->amount_nusd = row.amount_nusd;
	copy(row.note, line->note, sizeof(line->note), &line->note_bytes);
	copy(row.reference, line->reference, sizeof(line->reference), &line->reference_bytes);
	lines->credit_nusd += row.amount_nusd;
	return 0;
}

static int read_rows(struct kv *kv, struct slice workspace, struct lines *lines)
{
	char key[KEY_BYTES_MAX];
	struct packer p = {key, key + sizeof(key), false};
	struct kv_walk *walk = kv_walk_open(kv, KV_RECORDS);
	struct slice prefix;
	int rc = 0;

	if (!walk)
		return -EIO;
	pack_u8(&p, 'l');
	pack_bytes(&p, workspace.data, workspace.size);
	pack_u8(&p, 0);
	prefix = slice_of(key, (size_t)(p.at - key));
	for (kv_walk_seek(walk, prefix); rc == 0 && kv_walk_valid(walk) && slice_starts_with(kv_walk_key(walk), prefix);
		kv_walk_next(walk))
		rc = add_row(lines, slice_after(kv_walk_key(walk), prefix.size), kv_walk_value(walk));
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

static int add_usage(struct lines *lines, uint32_t day, struct slice value)
{
	struct counter counter;
	struct line *line;

	if (counters_read_row(value, &counter) < 0)
		return -EIO;
	line = add_line(lines);
	if (!line)
		return -ENOMEM;
	line->wall_ns = day * DAY_NS;
	line->amount_nusd = -counter.spend_nusd;
	line->requests = counter.receipts;
	lines->used_nusd = add_nusd(lines->used_nusd, counter.spend_nusd);
	return 0;
}

/* The days on which the workspace used a hosted model. */
static int read_usage(struct kv *kv, struct slice workspace, struct lines *lines)
{
	const char from[2] = {(char)(COUNTER_HOSTED | COUNTER_OF_DAY), 0};
	struct kv_walk *walk = kv_walk_open(kv, KV_COUNTERS);
	int rc = 0;

	if (!walk)
		return -EIO;
	for (kv_walk_seek(walk, slice_of(from, sizeof(from))); rc == 0 && kv_walk_valid(walk); kv_walk_next(walk)) {
		struct slice key = kv_walk_key(walk);
		uint32_t day;

		if (!slice_starts_with(key, slice_of(from, sizeof(from))))
			break;
		if (key.size < 6 || !slice_equal(slice_after(key, 6), workspace))
			continue;
		memcpy(&day, key.data + 2, sizeof(day));
		rc = add_usage(lines, be32toh(day), kv_walk_value(walk));
	}
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

static int newest_first(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->wall_ns != y->wall_ns)
		return x->wall_ns < y->wall_ns ? 1 : -1;
	return x->number < y->number ? 1 : -1;
}

static void print_line(struct text *json, const struct line *line)
{
	char memory[64];
	struct text time = text_over(memory, sizeof(memory));

	text_rfc3339(&time, line->wall_ns);
	text_string(json, line->number ? "{\"id\":\"txn_" : "{\"id\":\"usage_");
	if (line->number)
		text_u64(json, line->number);
	else
		text_add(json, slice_of(memory, 10));
	text_literal(json, "\",\"type\":\"");
	text_string(json, line->number ? ledger_kind_name(line->kind) : "usage");
	text_literal(json, "\",\"amount_usd\":");
	text_usd(json, line->amount_nusd);
	text_literal(json, ",\"created_at\":");
	text_json(json, text_slice(&time));
	if (line->number) {
		text_literal(json, ",\"note\":");
		text_json_or_null(json, slice_of(line->note_bytes ? line->note : NULL, line->note_bytes));
		text_literal(json, ",\"reference\":");
		text_json_or_null(
			json, slice_of(line->reference_bytes ? line->reference : NULL, line->reference_bytes));
	} else {
		text_literal(json, ",\"requests\":");
		text_u64(json, line->requests);
	}
	text_char(json, '}');
}

static void print_page(struct text *json, const struct store_query *query, const struct lines *lines)
{
	size_t from = query->cursor < lines->count ? (size_t)query->cursor : lines->count;
	size_t to = lines->count - from > query->limit ? from + query->limit : lines->count;

	text_literal(json, "{\"data\":[");
	for (size_t i = from; i < to; i++) {
		if (i > from)
			text_char(json, ',');
		print_line(json, &lines->list[i]);
	}
	text_literal(json, "],\"next_cursor\":");
	if (to < lines->count) {
		text_char(json, '"');
		text_u64(json, to);
		text_char(json, '"');
	} else {
		text_literal(json, "null");
	}
	text_literal(json, "}\n");
}

/* Of the query's days: those of a month. */
static int read_free(struct kv *kv, const struct store_query *query, struct slice model, uint64_t *tokens)
{
	char key[COUNTER_KEY_BYTES_MAX], day_key[COUNTER_KEY_BYTES_MAX];
	size_t size = counters_key(key, COUNTER_FREE, query->workspace, model);
	int rc = 0;

	*tokens = 0;
	for (uint32_t day = query->from_day; size && rc == 0 && day <= query->to_day; day++) {
		size_t day_size = counters_day_key(day_key, COUNTER_FREE, day, slice_of(key + 2, size - 2));
		struct counter counter;
		struct kv_row row;

		rc = kv_get(kv, KV_COUNTERS, slice_of(day_key, day_size), &row);
		if (rc == 0) {
			rc = counters_read_row(row.value, &counter);
			kv_row_fini(&row);
			*tokens += rc == 0 ? counter.prompt_tokens : 0;
		} else if (rc == -ENOENT) {
			rc = 0;
		}
	}
	return rc;
}

static int print_allowances(struct text *json, struct kv *kv, const struct store_query *query)
{
	int rc = 0;

	text_literal(json, ",\"free_allowances\":[");
	for (unsigned i = 0; rc == 0 && i < query->allowance_count; i++) {
		const struct store_allowance *allowance = &query->allowances[i];
		uint64_t used;

		rc = read_free(kv, query, allowance->model, &used);
		text_string(json, i ? ",{\"model\":" : "{\"model\":");
		text_json(json, allowance->model);
		text_literal(json, ",\"tokens_per_month\":");
		text_u64(json, allowance->tokens_a_month);
		text_literal(json, ",\"used_tokens\":");
		text_u64(json, used);
		text_literal(json, ",\"left_tokens\":");
		text_u64(json, used < allowance->tokens_a_month ? allowance->tokens_a_month - used : 0);
		text_char(json, '}');
	}
	text_char(json, ']');
	return rc;
}

static int print_balance(struct text *json, struct kv *kv, const struct store_query *query, const struct lines *lines)
{
	int rc;

	text_literal(json, "{\"workspace\":");
	text_json(json, query->workspace);
	text_literal(json, ",\"balance_usd\":");
	text_usd(json, lines->credit_nusd - lines->used_nusd);
	text_literal(json, ",\"credited_usd\":");
	text_usd(json, lines->credit_nusd);
	text_literal(json, ",\"used_usd\":");
	text_usd(json, lines->used_nusd);
	rc = print_allowances(json, kv, query);
	text_literal(json, "}\n");
	return rc;
}

static size_t allowances_bytes(const struct store_query *query)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < query->allowance_count; i++)
		bytes += ROW_JSON_BYTES + 6 * query->allowances[i].model.size;
	return bytes;
}

static int print(struct kv *kv, struct store_query *query, const struct lines *lines)
{
	size_t rows = query->kind == STORE_QUERY_BALANCE ? 0 : query->limit;
	size_t bytes = HEAD_JSON_BYTES + 6 * query->workspace.size + rows * ROW_JSON_BYTES + allowances_bytes(query);
	struct text json;
	int rc = 0;

	query->json = malloc(bytes);
	if (!query->json)
		return -ENOMEM;
	json = text_over(query->json, bytes);
	if (query->kind == STORE_QUERY_BALANCE)
		rc = print_balance(&json, kv, query, lines);
	else
		print_page(&json, query, lines);
	query->json_size = json.size;
	return rc == 0 && json.full ? -ENOMEM : rc;
}

void ledger_answer(struct kv *kv, struct store_query *query)
{
	struct lines lines = {0};
	int rc = read_rows(kv, query->workspace, &lines);

	if (rc == 0)
		rc = read_usage(kv, query->workspace, &lines);
	if (rc == 0 && lines.count)
		qsort(lines.list, lines.count, sizeof(*lines.list), newest_first);
	if (rc == 0)
		rc = print(kv, query, &lines);
	free(lines.list);
	query->result = rc == 0 ? 0 : -EIO;
	if (rc < 0)
		store_query_fini(query);
}
