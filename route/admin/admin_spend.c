/* GET /admin/spend: what was spent, by key, team, workspace and so on, over all time or over days. */
#include "route/gateway/pages.h"

enum { ROWS_DEFAULT = 100, ROWS_MAX = 1000 };
#define DAY_NS (UINT64_C(86400) * 1000000000)

static bool read_dimension(struct slice name, enum counter_dimension *dimension)
{
	for (unsigned d = COUNTER_DAY; d <= COUNTER_PROJECT; d++) {
		if (!slice_equal(name, slice_of_string(counter_dimension_name(d))))
			continue;
		*dimension = d;
		return true;
	}
	return false;
}

static bool read_day(struct slice value, uint32_t *day)
{
	uint64_t wall_ns;

	if (!page_parse_time(value, &wall_ns) || wall_ns / DAY_NS >= UINT32_MAX)
		return false;
	*day = (uint32_t)(wall_ns / DAY_NS);
	return true;
}

static bool set_parameter(struct store_query *query, struct slice name, struct slice value)
{
	uint64_t number;

	if (slice_equal(name, SLICE("by")))
		return read_dimension(value, &query->dimension);
	if (slice_equal(name, SLICE("from")) || slice_equal(name, SLICE("since")))
		return read_day(value, &query->from_day);
	if (slice_equal(name, SLICE("to")) || slice_equal(name, SLICE("until")))
		return read_day(value, &query->to_day);
	if (!page_parse_u64(value, &number))
		return false;
	if (slice_equal(name, SLICE("cursor"))) {
		query->cursor = number;
		return true;
	}
	if (!slice_equal(name, SLICE("limit")) || number == 0)
		return false;
	query->limit = (uint32_t)(number < ROWS_MAX ? number : ROWS_MAX);
	return true;
}

void admin_spend(struct exchange *e)
{
	struct slice rest = e->request->head.query, name, value;
	struct api_error error = {.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = SLICE("invalid_query"),
		.message =
			SLICE("Parameters are by (key, team, workspace, project, endpoint, model, provider, tag or "
			      "day), from and to (a day, RFC 3339 or Unix seconds; days are UTC, both included), limit "
			      "(1 to 1000) and cursor.")};

	e->query.kind = STORE_QUERY_SPEND;
	e->query.dimension = COUNTER_WORKSPACE;
	e->query.to_day = UINT32_MAX;
	e->query.limit = ROWS_DEFAULT;
	while (page_next_parameter(e, &rest, &name, &value)) {
		if (set_parameter(&e->query, name, value))
			continue;
		error.param = name;
		exchange_refuse(e, &error, slice_of(NULL, 0));
		return;
	}
	page_ask_store(e);
}
