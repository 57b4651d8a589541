/*
 * Who changed what, when: a record beside each change, in the same batch, so neither is there without the other.
 * Records lie in the order of their ids, which begin with the time; what is older than its workspace keeps is taken
 * away once an hour.
 */
#include "route/tenancy/tenancy_internal.h"

#include "core/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	AUDIT_BYTES_MAX = 3 * TENANT_ROW_BYTES_MAX,
	AUDIT_LIST_DEFAULT = 100,
	AUDIT_ROWS_LOOKED_AT_MAX = 100000,
	AUDIT_DAYS_LEAST = 7,
	AUDIT_DAYS_MOST = 365,
	PRUNED_A_WRITE = 512
};

static void print_actor(const struct tenancy_actor *actor, struct text *json)
{
	text_literal(json, ",\"actor\":{\"kind\":");
	text_add(json, actor->id.data ? SLICE("\"token\"") : SLICE("\"master_key\""));
	text_literal(json, ",\"id\":");
	text_json_or_null(json, actor->id);
	text_literal(json, ",\"name\":");
	text_json_or_null(json, actor->name);
	text_literal(json, ",\"role\":");
	text_json(json, slice_of_string(role_name(actor->role)));
	if (actor->client_certificate.data) {
		text_literal(json, ",\"client_certificate\":");
		text_json(json, actor->client_certificate);
	}
	text_literal(json, "},\"address\":");
	text_json(json, slice_of_string(actor->address));
	text_literal(json, ",\"request_id\":");
	text_json_or_null(json, actor->request_id);
}

bool tenancy_audit_add(struct tenancy *tenancy, const char *verb, const char *kind, struct slice id,
	const char *workspace, struct slice before, struct slice after)
{
	struct text json = text_over(malloc(AUDIT_BYTES_MAX), AUDIT_BYTES_MAX);
	uint64_t now_ns = tenancy_wall_ns(tenancy);
	struct ulid ulid = ulid_make(&tenancy->shard.rand, now_ns);
	char audit_id[ULID_TEXT_BYTES];

	if (!json.data)
		return false;
	ulid_print(&ulid, audit_id);
	text_literal(&json, "{\"id\":\"aud_");
	text_add(&json, slice_of(audit_id, sizeof(audit_id)));
	text_literal(&json, "\",\"timestamp\":\"");
	text_rfc3339(&json, now_ns);
	text_char(&json, '"');
	print_actor(&tenancy->change.ask->actor, &json);
	text_literal(&json, ",\"action\":\"");
	text_string(&json, kind);
	text_char(&json, '.');
	text_string(&json, verb);
	text_literal(&json, "\",\"object\":");
	text_json(&json, id);
	text_literal(&json, ",\"workspace\":");
	text_json_or_null(&json, slice_of_string(workspace));
	text_literal(&json, ",\"before\":");
	text_add(&json, before.data ? before : SLICE("null"));
	text_literal(&json, ",\"after\":");
	text_add(&json, after.data ? after : SLICE("null"));
	text_char(&json, '}');
	if (tenancy_add_record(&tenancy->change, RECORDS_AUDIT, slice_of(audit_id, sizeof(audit_id)), &json))
		return true;
	free(json.data);
	return false;
}

/* What a note keeps beside itself. */
static bool add_kept(struct tenancy_change *change, const struct record *record)
{
	struct text value = text_over(record->value.data ? malloc(record->value.size + 1) : NULL, record->value.size);

	if (!record->id.data)
		return true;
	if (value.data)
		text_add(&value, record->value);
	return tenancy_add_record(change, record->table, record->id, record->value.data ? &value : NULL);
}

void tenancy_audit_note(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	const struct tenancy_note *note = &ask->note;

	tenancy->change = (struct tenancy_change){.ask = ask, .note = true};
	ask->status = 200;
	if (tenancy_audit_add(
		    tenancy, note->verb, note->kind, note->object, note->workspace, note->before, note->after) &&
		add_kept(&tenancy->change, &note->record)) {
		tenancy_write(tenancy);
		return;
	}
	tenancy_drop_records(&tenancy->change);
	tenancy_refuse(ask, 503, SLICE("out_of_memory"), NULL, "The gateway is out of memory. Try again in a moment.");
	tenancy_answer(tenancy, ask);
}

/* ---- reading it ---- */

struct audit_page {
	struct tenancy *tenancy;
	struct slice action, object, workspace; /* NULL data: any */
	struct slice cursor;
	unsigned limit, count, looked_at;
	bool csv, more, failed;
	char last[ULID_TEXT_BYTES]; /* of the last row shown or looked at */
	struct text text;
};

static struct slice member_text(const struct json_parser *json, json_ref object, struct slice name)
{
	json_ref value = object == JSON_NONE ? JSON_NONE : json_member(json, object, name);

	return value != JSON_NONE && json_type(json, value) == JSON_STRING ? json_string(json, value)
									   : slice_of(NULL, 0);
}

/* RFC 4180; what a spreadsheet would take for a formula is made a text of. */
static void add_cell(struct text *csv, struct slice value, bool last)
{
	text_char(csv, '"');
	if (value.size && memchr("=+-@\t\r", value.data[0], 6))
		text_char(csv, '\'');
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] == '"')
			text_char(csv, '"');
		text_char(csv, value.data[i]);
	}
	text_add(csv, last ? SLICE("\"\r\n") : SLICE("\","));
}

static const char csv_head[] =
	"id,timestamp,actor,actor_id,actor_name,role,address,request_id,action,object,workspace,before,after\r\n";

static void add_csv(struct audit_page *page)
{
	const struct json_parser *json = page->tenancy->json;
	json_ref actor = json_member(json, 0, SLICE("actor"));
	struct text *csv = &page->text;

	add_cell(csv, member_text(json, 0, SLICE("id")), false);
	add_cell(csv, member_text(json, 0, SLICE("timestamp")), false);
	add_cell(csv, member_text(json, actor, SLICE("kind")), false);
	add_cell(csv, member_text(json, actor, SLICE("id")), false);
	add_cell(csv, member_text(json, actor, SLICE("name")), false);
	add_cell(csv, member_text(json, actor, SLICE("role")), false);
	add_cell(csv, member_text(json, 0, SLICE("address")), false);
	add_cell(csv, member_text(json, 0, SLICE("request_id")), false);
	add_cell(csv, member_text(json, 0, SLICE("action")), false);
	add_cell(csv, member_text(json, 0, SLICE("object")), false);
	add_cell(csv, member_text(json, 0, SLICE("workspace")), false);
	add_cell(csv, json_raw(json, json_member(json, 0, SLICE("before"))), false);
	add_cell(csv, json_raw(json, json_member(json, 0, SLICE("after"))), true);
}

static bool parse_row(struct json_parser *json, struct slice row, char **copy)
{
	struct json_error error;

	*copy = json_config_pad(row);
	return *copy && json_parse(json, slice_of(*copy, row.size), &error) == 0;
}

static bool is_wanted(const struct audit_page *page, struct slice wanted, struct slice member)
{
	return !wanted.data || slice_equal(wanted, member_text(page->tenancy->json, 0, member));
}

static bool tell_page(void *context, struct slice id, struct slice row)
{
	struct audit_page *page = context;
	char *copy = NULL;
	bool parsed;

	if (id.size != ULID_TEXT_BYTES || slice_equal(id, page->cursor))
		return true;
	if (page->count == page->limit || ++page->looked_at > AUDIT_ROWS_LOOKED_AT_MAX) {
		page->more = true;
		return false;
	}
	parsed = parse_row(page->tenancy->json, row, &copy);
	if (parsed && is_wanted(page, page->action, SLICE("action")) &&
		is_wanted(page, page->object, SLICE("object")) &&
		is_wanted(page, page->workspace, SLICE("workspace"))) {
		if (page->csv)
			add_csv(page);
		else if (page->count)
			text_char(&page->text, ',');
		if (!page->csv)
			text_add(&page->text, row);
		page->count++;
	}
	free(copy);
	memcpy(page->last, id.data, ULID_TEXT_BYTES);
	page->failed = page->failed || !parsed;
	return !page->text.full;
}

static bool read_query(struct tenancy_ask *ask, struct audit_page *page)
{
	struct slice rest = ask->query, name, value;
	bool good = true;
	char param[32];

	while (good && tenancy_next_parameter(&rest, &name, &value)) {
		if (slice_equal(name, SLICE("limit")))
			good = tenancy_read_limit(value, &page->limit);
		else if (slice_equal(name, SLICE("cursor")))
			page->cursor = value;
		else if (slice_equal(name, SLICE("action")))
			page->action = value;
		else if (slice_equal(name, SLICE("object")))
			page->object = value;
		else if (slice_equal(name, SLICE("workspace")))
			page->workspace = value;
		else if (slice_equal(name, SLICE("format")) && slice_equal(value, SLICE("csv")))
			page->csv = true;
		else
			good = slice_equal(name, SLICE("format")) && slice_equal(value, SLICE("json"));
	}
	if (good && (!page->cursor.data || page->cursor.size == ULID_TEXT_BYTES))
		return true;
	snprintf(
		param, sizeof(param), "%.*s", (int)(name.size < 31 ? name.size : 31), name.data ? name.data : "cursor");
	tenancy_refuse(ask, 400, SLICE("invalid_query"), param,
		"The audit log takes format (json or csv), action, object, workspace, limit (1 to 1000) and cursor.");
	return false;
}

static int print_page(struct audit_page *page)
{
	int rc;

	page->count = page->looked_at = 0;
	page->more = false;
	text_add(&page->text,
		page->csv ? slice_of(csv_head, sizeof(csv_head) - 1) : SLICE("{\"object\":\"list\",\"data\":["));
	rc = records_read(page->tenancy->gateway->store, RECORDS_AUDIT, page->cursor, true, tell_page, page);
	if (page->csv)
		return rc;
	text_literal(&page->text, "],\"next_cursor\":");
	if (page->more)
		text_json(&page->text, slice_of(page->last, sizeof(page->last)));
	else
		text_literal(&page->text, "null");
	text_char(&page->text, '}');
	return rc;
}

void tenancy_audit_list(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	struct audit_page page = {.tenancy = tenancy, .limit = AUDIT_LIST_DEFAULT};
	int rc = -ENOMEM;

	ask->code = slice_of(NULL, 0);
	if (!read_query(ask, &page))
		return;
	for (size_t capacity = 65536; capacity <= (size_t)64 << 20; capacity *= 4) {
		page.text = text_over(malloc(capacity), capacity);
		if (!page.text.data)
			break;
		rc = print_page(&page);
		if (rc == 0 && !page.text.full && !page.failed) {
			ask->status = 200;
			ask->csv = page.csv;
			ask->answer = page.text.data;
			ask->answer_bytes = page.text.size;
			return;
		}
		free(page.text.data);
		if (rc < 0 || page.failed)
			break;
	}
	tenancy_refuse(ask, 503, rc == -EIO || page.failed ? SLICE("store_failed") : SLICE("out_of_memory"), NULL,
		"The audit log could not be read. Ask for fewer records with limit, or try again in a moment.");
}

/* ---- its retention ---- */

struct pruning {
	struct tenancy *tenancy;
	uint64_t now_ns;
};

/* Of what belongs to no workspace, or to one that is gone: the most. */
static uint64_t kept_days(const struct tenancy *tenancy, struct slice workspace)
{
	const struct workspace_settings *found =
		workspace.data ? tenant_item_find(tenancy->config->settings, TENANT_WORKSPACE, workspace) : NULL;

	return found ? found->audit_days : AUDIT_DAYS_MOST;
}

static bool tell_old(void *context, struct slice id, struct slice row)
{
	struct pruning *pruning = context;
	struct tenancy *tenancy = pruning->tenancy;
	struct ulid ulid;
	uint64_t made_ns;
	char *copy = NULL;
	bool over;

	if (!ulid_parse(id, &ulid))
		return true;
	made_ns = ulid_wall_ns(&ulid);
	if (made_ns + AUDIT_DAYS_LEAST * NS_PER_DAY > pruning->now_ns)
		return false; /* nor are those behind it */
	over = parse_row(tenancy->json, row, &copy) &&
	       made_ns + kept_days(tenancy, member_text(tenancy->json, 0, SLICE("workspace"))) * NS_PER_DAY <=
		       pruning->now_ns;
	free(copy);
	if (!over)
		return true;
	memcpy(tenancy->pruned_ids[tenancy->pruned_count], id.data, id.size);
	tenancy->pruned[tenancy->pruned_count] = (struct record){
		.table = RECORDS_AUDIT, .id = slice_of(tenancy->pruned_ids[tenancy->pruned_count], id.size)};
	return ++tenancy->pruned_count < PRUNED_A_WRITE;
}

static void on_pruned(struct records_write *write)
{
	struct tenancy *tenancy = container_of(write, struct tenancy, prune_write);
	bool more = tenancy->pruned_count == PRUNED_A_WRITE && write->result == 0;

	tenancy->pruning = false;
	if (more)
		tenancy_prune(tenancy);
}

void tenancy_prune(struct tenancy *tenancy)
{
	struct pruning pruning = {tenancy, tenancy_wall_ns(tenancy)};

	if (tenancy->pruning)
		return;
	if (!tenancy->pruned)
		tenancy->pruned = calloc(PRUNED_A_WRITE, sizeof(*tenancy->pruned));
	if (!tenancy->pruned_ids)
		tenancy->pruned_ids = calloc(PRUNED_A_WRITE, sizeof(*tenancy->pruned_ids));
	tenancy->pruned_count = 0;
	if (!tenancy->pruned || !tenancy->pruned_ids ||
		records_read(tenancy->gateway->store, RECORDS_AUDIT, slice_of(NULL, 0), false, tell_old, &pruning) <
			0 ||
		tenancy->pruned_count == 0)
		return;
	tenancy->pruning = true;
	tenancy->prune_write = (struct records_write){.shard = &tenancy->shard,
		.done = on_pruned,
		.records = tenancy->pruned,
		.count = tenancy->pruned_count};
	records_write_start(tenancy->gateway->store, &tenancy->prune_write);
}
