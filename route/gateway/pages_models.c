/*
 * The catalog as clients see it: models that a key may use, as OpenAI's clients expect them, and as Anthropic's do
 * where a request names that API's version.
 */
#include "route/gateway/pages.h"

static uint64_t created_s(const struct exchange *e)
{
	return e->gateway_shard->gateway->started_wall_ns / 1000000000u;
}

static bool is_anthropic(const struct exchange *e)
{
	return http_header(&e->request->head, SLICE("anthropic-version")).size > 0;
}

static bool is_shown(const struct exchange *e, const struct model_settings *model)
{
	return model && catalog_shows(e->config->config->catalog, e->key, model);
}

/* ---- pages of a list, as Anthropic's clients ask for them ----------------------------------------------------- */

/* The query's part of that name, as it is; empty: none. */
static struct slice parameter(const struct exchange *e, struct slice wanted)
{
	struct slice rest = e->request->head.query, value, name;

	while (rest.size) {
		value = page_cut(&rest, '&');
		name = page_cut(&value, '=');
		if (slice_equal(name, wanted))
			return value;
	}
	return slice_of(NULL, 0);
}

static bool read_limit(struct slice text, unsigned *limit)
{
	enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 1000, DIGITS_MAX = 4 };

	*limit = text.size ? 0 : LIMIT_DEFAULT;
	for (size_t i = 0; i < text.size; i++) {
		if (i == DIGITS_MAX || text.data[i] < '0' || text.data[i] > '9')
			return false;
		*limit = *limit * 10 + (unsigned)(text.data[i] - '0');
	}
	return *limit > 0 && *limit <= LIMIT_MAX;
}

/* False: it names a model that is not there. */
static bool read_cursor(struct exchange *e, struct slice name, const struct model_settings **model)
{
	struct slice id = parameter(e, name);

	*model = NULL;
	if (!id.size)
		return true;
	*model = catalog_find(e->config->config->catalog, page_unescape(e, id));
	return is_shown(e, *model);
}

static void refuse_query(struct exchange *e, struct slice param, struct slice message)
{
	struct api_error error = {.status = 400,
		.type = SLICE("invalid_request_error"),
		.code = SLICE("invalid_query"),
		.param = param,
		.message = message};

	exchange_refuse(e, &error, slice_of(NULL, 0));
}

static void answer_list(struct exchange *e, const struct catalog_page *page)
{
	enum { FRAME_BYTES = 1024 };
	const struct catalog *catalog = e->config->config->catalog;
	unsigned model_count = e->config->config->settings->model_count;
	size_t capacity = FRAME_BYTES + (page->limit < model_count ? page->limit : model_count) * CATALOG_MODEL_BYTES;
	struct text text = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (text.data)
		catalog_print_messages_list(catalog, e->key, created_s(e), page, &text);
	if (!text.data || text.full)
		exchange_refuse_overloaded(
			e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
	else
		page_answer(e, 200, SLICE("application/json"), text_slice(&text));
}

static void list_for_anthropic(struct exchange *e)
{
	struct catalog_page page = {0};

	if (!read_limit(parameter(e, SLICE("limit")), &page.limit))
		refuse_query(e, SLICE("limit"), SLICE("'limit' has to be a number from 1 to 1000."));
	else if (!read_cursor(e, SLICE("after_id"), &page.after))
		refuse_query(e, SLICE("after_id"), SLICE("'after_id' has to be the id of a model in the list."));
	else if (!read_cursor(e, SLICE("before_id"), &page.before))
		refuse_query(e, SLICE("before_id"), SLICE("'before_id' has to be the id of a model in the list."));
	else
		answer_list(e, &page);
}

/* ---- pages ---------------------------------------------------------------------------------------------------- */

static void print_models(const struct exchange *e, struct text *text)
{
	catalog_print_list(e->config->config->catalog, e->key, created_s(e), text);
}

void page_models(struct exchange *e)
{
	if (is_anthropic(e))
		list_for_anthropic(e);
	else
		page_answer_printed(e, 200, SLICE("application/json"), print_models);
}

static void print_model(const struct exchange *e, struct text *text)
{
	const struct catalog *catalog = e->config->config->catalog;
	const struct model_settings *model = catalog_find(catalog, e->model_name);

	if (is_anthropic(e))
		catalog_print_messages_model(model, created_s(e), text);
	else
		catalog_print_model(catalog, model, created_s(e), text);
}

void page_model(struct exchange *e)
{
	struct api_error error = {.status = 404,
		.type = SLICE("not_found_error"),
		.code = SLICE("model_not_found"),
		.param = SLICE("model"),
		.message = SLICE("There is no model of this name. GET /v1/models lists them.")};

	e->model_name = page_unescape(e, e->route_argument);
	if (is_shown(e, catalog_find(e->config->config->catalog, e->model_name)))
		page_answer_printed(e, 200, SLICE("application/json"), print_model);
	else
		exchange_refuse(e, &error, slice_of(NULL, 0));
}
