/* Questions: what is asked by id or as a list, refusals, and memory for answers. */
#include "route/tenancy/tenancy_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_BYTES_FIRST = 16384, ANSWER_BYTES_MAX = 16 << 20, LIST_DEFAULT = 100, LIST_MAX = 1000 };

void tenancy_refuse(
	struct tenancy_ask *ask, unsigned status, struct slice code, const char *param, const char *format, ...)
{
	va_list arguments;

	if (ask->answer)
		explicit_bzero(ask->answer, ask->answer_bytes); /* it may hold a secret */
	free(ask->answer);
	ask->answer = NULL;
	ask->status = status;
	ask->code = code;
	snprintf(ask->param, sizeof(ask->param), "%s", param ? param : "");
	va_start(arguments, format);
	vsnprintf(ask->message, sizeof(ask->message), format, arguments);
	va_end(arguments);
}

void tenancy_refuse_unknown(struct tenancy_ask *ask)
{
	static const struct slice codes[TENANT_KINDS] = {[TENANT_KEY] = {"key_not_found", 13},
		[TENANT_TEAM] = {"team_not_found", 14},
		[TENANT_WORKSPACE] = {"workspace_not_found", 19},
		[TENANT_TOKEN] = {"token_not_found", 15},
		[TENANT_CONNECTION] = {"connection_not_found", 20},
		[TENANT_PROJECT] = {"project_not_found", 17}};
	const char *name = tenant_shapes[ask->kind].name;

	tenancy_refuse(
		ask, 404, codes[ask->kind], "id", "There is no %s of this id. GET /admin/%ss lists them.", name, name);
}

bool tenancy_print_answer(const struct tenancy *tenancy, struct tenancy_ask *ask, unsigned status, tenancy_print *print,
	const void *context)
{
	for (size_t capacity = ANSWER_BYTES_FIRST; capacity <= ANSWER_BYTES_MAX; capacity *= 4) {
		struct text text = text_over(malloc(capacity), capacity);

		if (!text.data)
			break;
		print(tenancy, context, &text);
		if (!text.full) {
			ask->status = status;
			ask->answer = text.data;
			ask->answer_bytes = text.size;
			return true;
		}
		free(text.data);
	}
	tenancy_refuse(ask, 503, SLICE("out_of_memory"), NULL,
		"The gateway is out of memory for this answer. Ask for fewer with limit.");
	return false;
}

struct shown {
	enum tenant_kind kind;
	const void *item;
};

static void print_item(const struct tenancy *tenancy, enum tenant_kind kind, const void *item, struct text *text)
{
	struct slice id = slice_of_string(tenant_shapes[kind].id_of(item));
	const struct tenant *stored = tenancy_stored(tenancy, kind, id);

	text_char(text, '{');
	tenant_print(kind, item, stored, tenancy_wall_ns(tenancy), text);
	text_char(text, '}');
}

static void print_shown(const struct tenancy *tenancy, const void *context, struct text *text)
{
	const struct shown *shown = context;

	print_item(tenancy, shown->kind, shown->item, text);
}

static void show(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	struct shown shown = {ask->kind, tenant_item_find(tenancy->config->settings, ask->kind, ask->id)};

	if (shown.item)
		tenancy_print_answer(tenancy, ask, 200, print_shown, &shown);
	else
		tenancy_refuse_unknown(ask);
}

/* ---- lists ---- */

struct list_query {
	enum tenant_kind kind;
	struct slice workspace, team, status, cursor; /* NULL data: any */
	unsigned limit;
	const void **items; /* all that match, by id */
	unsigned count;
};

static bool same(struct slice wanted, const char *value)
{
	return !wanted.data || (value && slice_equal(wanted, slice_of_string(value)));
}

static bool matches(const struct tenancy *tenancy, const struct list_query *query, const void *item)
{
	const struct tenant_shape *shape = &tenant_shapes[query->kind];
	const struct key_settings *key = item;

	if (!same(query->workspace, shape->workspace_of ? shape->workspace_of(item) : NULL))
		return false;
	return query->kind != TENANT_KEY ||
	       (same(query->team, key->team) && same(query->status, tenant_key_status(key, tenancy_wall_ns(tenancy))));
}

static int compare_ids(const void *left, const void *right, void *context)
{
	const struct tenant_shape *shape = context;

	return strcmp(shape->id_of(*(const void *const *)left), shape->id_of(*(const void *const *)right));
}

static bool is_after(struct slice cursor, const char *id)
{
	size_t size = strlen(id);
	int order = cursor.size ? memcmp(id, cursor.data, size < cursor.size ? size : cursor.size) : 1;

	return order > 0 || (order == 0 && size > cursor.size);
}

static void print_list(const struct tenancy *tenancy, const void *context, struct text *text)
{
	const struct list_query *query = context;
	const struct tenant_shape *shape = &tenant_shapes[query->kind];
	unsigned first = 0, end;

	while (first < query->count && query->cursor.data &&
		!is_after(query->cursor, shape->id_of(query->items[first])))
		first++;
	end = query->count - first > query->limit ? first + query->limit : query->count;
	text_literal(text, "{\"object\":\"list\",\"data\":[");
	for (unsigned i = first; i < end; i++) {
		if (i > first)
			text_char(text, ',');
		print_item(tenancy, query->kind, query->items[i], text);
	}
	text_literal(text, "],\"next_cursor\":");
	if (end < query->count)
		text_json(text, slice_of_string(shape->id_of(query->items[end - 1])));
	else
		text_literal(text, "null");
	text_char(text, '}');
}

bool tenancy_read_limit(struct slice value, unsigned *limit)
{
	unsigned number = 0;

	if (value.size == 0 || value.size > 4)
		return false;
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		number = number * 10 + (unsigned)(value.data[i] - '0');
	}
	*limit = number;
	return number >= 1 && number <= LIST_MAX;
}

bool tenancy_next_parameter(struct slice *query, struct slice *name, struct slice *value)
{
	while (query->size) {
		const char *end = memchr(query->data, '&', query->size);
		struct slice one = slice_of(query->data, end ? (size_t)(end - query->data) : query->size);
		const char *equals = one.size ? memchr(one.data, '=', one.size) : NULL;

		*query = slice_after(*query, one.size + 1);
		*name = slice_of(one.data, equals ? (size_t)(equals - one.data) : one.size);
		*value = slice_after(one, name->size + 1);
		if (name->size)
			return true;
	}
	return false;
}

static bool read_query(struct tenancy_ask *ask, struct list_query *query)
{
	static const char expected[] =
		"Lists take limit (1 to 1000) and cursor, and those of teams and keys workspace; of keys "
		"also team and status (active, disabled, revoked or expired).";
	struct slice rest = ask->query, name, value;
	bool keys = ask->kind == TENANT_KEY, good = true;
	char param[32];

	while (good && tenancy_next_parameter(&rest, &name, &value)) {
		if (slice_equal(name, SLICE("limit")))
			good = tenancy_read_limit(value, &query->limit);
		else if (slice_equal(name, SLICE("cursor")))
			query->cursor = value;
		else if (slice_equal(name, SLICE("workspace")) && tenant_shapes[ask->kind].workspace_of)
			query->workspace = value;
		else if (slice_equal(name, SLICE("team")) && keys)
			query->team = value;
		else if (slice_equal(name, SLICE("status")) && keys)
			query->status = value;
		else
			good = false;
	}
	if (good)
		return true;
	snprintf(param, sizeof(param), "%.*s", (int)(name.size < 31 ? name.size : 31), name.data);
	tenancy_refuse(ask, 400, SLICE("invalid_query"), param, "%s", expected);
	return false;
}

static void list(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	const struct settings *settings = tenancy->config->settings;
	struct list_query query = {.kind = ask->kind, .limit = LIST_DEFAULT};
	unsigned count = tenant_count_of(settings, ask->kind);

	if (!read_query(ask, &query))
		return;
	query.items = calloc(count + 1, sizeof(void *));
	if (!query.items) {
		tenancy_refuse(
			ask, 503, SLICE("out_of_memory"), NULL, "The gateway is out of memory. Try again in a moment.");
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		const void *item = tenant_item_of(settings, ask->kind, i);

		if (matches(tenancy, &query, item))
			query.items[query.count++] = item;
	}
	qsort_r(query.items, query.count, sizeof(void *), compare_ids, (void *)(uintptr_t)&tenant_shapes[ask->kind]);
	tenancy_print_answer(tenancy, ask, 200, print_list, &query);
	free(query.items);
}

void tenancy_work(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	switch (ask->verb) {
	case TENANCY_SHOW:
		if (ask->part.data)
			tenancy_show_endpoints(tenancy, ask);
		else
			show(tenancy, ask);
		break;
	case TENANCY_LIST:
		list(tenancy, ask);
		break;
	case TENANCY_AUDIT:
		tenancy_audit_list(tenancy, ask);
		break;
	case TENANCY_NOTE:
		tenancy_audit_note(tenancy, ask);
		return; /* answered, or on its way */
	case TENANCY_CREATE:
	case TENANCY_UPDATE:
	case TENANCY_PUT:
	case TENANCY_REMOVE:
	case TENANCY_ROTATE:
	case TENANCY_ROUTING:
		tenancy_change(tenancy, ask);
		return; /* likewise */
	}
	tenancy_answer(tenancy, ask);
}
