/*
 * POST /admin/routing/explain?key=ID&api=chat.completions: what the gateway would do with a request of that key, which
 * is the body, without a call to anybody: its score and why, the rule, the order of candidates, and why others are
 * aside.
 */
#include "route/gateway/pages.h"

#include "core/clock.h"

#define NONE slice_of(NULL, 0)

static void refuse(struct exchange *e, unsigned status, struct slice code, struct slice message, struct slice param)
{
	struct api_error error = {.status = status,
		.type = status == 404 ? SLICE("not_found_error") : SLICE("invalid_request_error"),
		.code = code,
		.message = message,
		.param = param};

	exchange_refuse(e, &error, NONE);
}

static const struct key_settings *find_key(const struct settings *settings, struct slice id)
{
	for (unsigned i = 0; i < settings->key_count; i++)
		if (slice_equal(slice_of_string(settings->keys[i].id), id))
			return &settings->keys[i];
	return NULL;
}

static bool find_api(struct slice name, enum receipt_api *api)
{
	static const enum receipt_api apis[] = {
		API_CHAT_COMPLETIONS, API_MESSAGES, API_RESPONSES, API_COMPLETIONS, API_EMBEDDINGS, API_MODERATIONS};

	for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++)
		if (slice_equal(name, receipt_api_name(apis[i]))) {
			*api = apis[i];
			return true;
		}
	return false;
}

/* Who would ask, and by which API. False: refused. */
static bool read_query(struct exchange *e)
{
	struct slice rest = e->request->head.query, name, value;

	e->api = API_CHAT_COMPLETIONS;
	while (page_next_parameter(e, &rest, &name, &value)) {
		if (slice_equal(name, SLICE("key"))) {
			e->key = find_key(e->config->config->settings, value);
			if (e->key)
				continue;
			refuse(e, 404, SLICE("key_not_found"),
				SLICE("There is no key of this id. GET /admin/keys lists them."), SLICE("key"));
			return false;
		}
		if (slice_equal(name, SLICE("api")) && find_api(value, &e->api))
			continue;
		refuse(e, 400, SLICE("invalid_value"),
			SLICE("Ask with key=ID and, for another API than chat.completions, api=NAME as receipts call "
			      "it."),
			name);
		return false;
	}
	if (e->key)
		return true;
	refuse(e, 400, SLICE("missing_required_parameter"), SLICE("Say whose request it is: key=ID."), SLICE("key"));
	return false;
}

static void add_text(struct text *t, struct slice name, struct slice value)
{
	text_add(t, name);
	text_json_or_null(t, value);
}

static void print_reasons(const struct score *score, struct text *t)
{
	text_literal(t, ",\"reasons\":[");
	for (unsigned i = 0; i < score->reason_count; i++) {
		text_string(t, i ? ",{\"name\":" : "{\"name\":");
		text_json(t, score->reasons[i].name);
		text_string(t, score->reasons[i].harder ? ",\"harder\":true}" : ",\"harder\":false}");
	}
	text_char(t, ']');
}

static void print_score(const struct exchange *e, struct text *t)
{
	const struct route_choice *choice = &e->route_choice;

	if (!choice->scored) {
		text_literal(t, ",\"bucket\":\"direct\",\"score\":null,\"unsure\":false,\"reasons\":[]");
		return;
	}
	add_text(t, SLICE(",\"bucket\":"), score_bucket_name(choice->score.bucket));
	text_literal(t, ",\"score\":");
	text_milli(t, choice->score.permille);
	text_string(t, choice->score.unsure ? ",\"unsure\":true" : ",\"unsure\":false");
	print_reasons(&choice->score, t);
}

static void print_candidate(const struct exchange *e, const struct exchange_candidate *c, struct text *t)
{
	const struct deployment_state *state = &c->option->of->states[e->gateway_shard->shard->index];
	uint64_t ewma_ns = balance_ewma(
		state->ewma[e->stream ? BALANCE_STREAM : BALANCE_UNARY], hedge_class(exchange_tokens_about(e)))
				   ->value_ns;

	add_text(t, SLICE("{\"model\":"), slice_of_string(c->model->id));
	add_text(t, SLICE(",\"deployment\":"), slice_of_string(c->option->of->name));
	text_literal(t, ",\"quality\":");
	text_milli(t, c->model->quality_milli);
	text_literal(t, ",\"cost_usd\":");
	if (c->model->price.known)
		text_usd(t, exchange_cost_about(e, c->model));
	else
		text_literal(t, "null");
	text_literal(t, ",\"latency_ms\":");
	if (ewma_ns)
		text_milli(t, ewma_ns / NS_PER_US);
	else
		text_literal(t, "null");
	text_char(t, '}');
}

static void print_plan(const struct exchange *e, struct text *t)
{
	text_literal(t, ",\"candidates\":[");
	for (unsigned i = 0; i < e->plan.candidate_count; i++) {
		if (i)
			text_char(t, ',');
		print_candidate(e, &e->plan.candidates[i], t);
	}
	text_literal(t, "],\"left_aside\":[");
	for (unsigned i = 0; i < e->plan.verdict_count; i++) {
		add_text(t, i ? SLICE(",{\"model\":") : SLICE("{\"model\":"), e->plan.verdicts[i].model);
		add_text(t, SLICE(",\"verdict\":"), receipt_verdict_name(e->plan.verdicts[i].verdict));
		text_char(t, '}');
	}
	text_char(t, ']');
}

static void print_explanation(const struct exchange *e, struct text *t)
{
	static const struct slice priorities[] = {{"cost", 4}, {"latency", 7}, {"quality", 7}};
	const struct route_choice *choice = &e->route_choice;

	add_text(t, SLICE("{\"requested_model\":"), e->model_name);
	add_text(t, SLICE(",\"model\":"), choice->model);
	add_text(t, SLICE(",\"strategy\":"), exchange_strategy(e));
	text_literal(t, ",\"rule\":");
	if (choice->rule)
		text_u64(t, choice->rule);
	else
		text_literal(t, "null");
	add_text(t, SLICE(",\"priority\":"), priorities[choice->priority]);
	print_score(e, t);
	text_literal(t, ",\"quality_needed\":");
	text_milli(t, choice->quality_milli);
	text_literal(t, ",\"max_latency_ms\":");
	text_u64(t, choice->latency_ns / NS_PER_MS);
	print_plan(e, t);
	text_literal(t, "}\n");
}

void admin_explain(struct exchange *e)
{
	if (!read_query(e))
		return;
	e->workspace = exchange_workspace_of(e, e->key);
	e->dialect = dialect_of_api(e->api);
	if (exchange_read_request(e) && exchange_candidates(e))
		page_answer_printed(e, 200, SLICE("application/json"), print_explanation);
}
