/*
 * The admin's view of the deployments: what every shard shows of them, and an operator's word that takes one out of use
 * or puts it back. That word is stored, so it holds on all shards at once, over reloads and restarts.
 */
#include "route/gateway/pages.h"
#include "route/tenancy/tenancy.h"

#include "core/clock.h"

static const char *const breaker_names[] = {
	[BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half_open"};

void deployment_sum(const struct gateway *gateway, const struct fleet_deployment *d, struct deployment_figures *f)
{
	/* The worst of the shards' first: open, half open, closed. */
	static const unsigned char gravity[] = {[BREAKER_CLOSED] = 0, [BREAKER_OPEN] = 2, [BREAKER_HALF_OPEN] = 1};

	*f = (struct deployment_figures){.disabled = atomic_load_explicit(&d->disabled, memory_order_relaxed)};
	for (unsigned i = 0; i < gateway->shard_count; i++) {
		const struct deployment_state *s = &d->states[i];
		const struct credential_state *c = &d->credential->states[i];
		enum breaker_state breaker = (enum breaker_state)metric_get(&s->shown_breaker);
		uint64_t cooling_ns = metric_get(&c->shown_cooling_until_ns);
		uint64_t rejected_ns = metric_get(&c->shown_rejected_until_ns);

		if (gravity[breaker] > gravity[f->breaker])
			f->breaker = breaker;
		f->in_flight += metric_get(&s->shown_in_flight);
		f->attempts += metric_get(&s->attempts);
		f->failures += metric_get(&s->failures);
		f->openings += metric_get(&s->openings);
		f->cooling_until_ns = cooling_ns > f->cooling_until_ns ? cooling_ns : f->cooling_until_ns;
		f->rejected_until_ns = rejected_ns > f->rejected_until_ns ? rejected_ns : f->rejected_until_ns;
		for (unsigned kind = 0; kind < BALANCE_KINDS; kind++) {
			uint64_t ewma_ns = metric_get(&s->shown_ewma_ns[kind]);

			f->ewma_ns[kind] = ewma_ns > f->ewma_ns[kind] ? ewma_ns : f->ewma_ns[kind];
		}
	}
}

static void add_milliseconds(struct text *text, struct slice name, uint64_t ns)
{
	text_add(text, name);
	if (ns)
		text_milli(text, ns / NS_PER_US);
	else
		text_literal(text, "null");
}

static void add_number(struct text *text, struct slice name, uint64_t number)
{
	text_add(text, name);
	text_u64(text, number);
}

static void add_models(const struct fleet_view *view, const struct fleet_deployment *d, struct text *text)
{
	bool first = true;

	text_literal(text, ",\"models\":[");
	for (unsigned m = 0; m < view->settings->model_count; m++)
		for (unsigned i = view->first_option[m]; i < view->first_option[m + 1]; i++) {
			if (view->options[i].of != d)
				continue;
			if (!first)
				text_char(text, ',');
			first = false;
			text_json(text, slice_of_string(view->settings->models[m].id));
			break;
		}
	text_char(text, ']');
}

static const char *state_name(const struct deployment_figures *f, uint64_t now_ns)
{
	if (f->disabled)
		return "disabled";
	if (f->rejected_until_ns > now_ns)
		return "no_credential";
	if (f->cooling_until_ns > now_ns)
		return "cooling";
	return f->breaker == BREAKER_CLOSED ? "in_use" : "breaker_open";
}

/* What its provider is given at once; 0: no bound, or no model has it. */
static uint32_t calls_max(const struct fleet_view *view, const struct fleet_deployment *d)
{
	for (unsigned i = 0; i < view->option_count; i++)
		if (view->options[i].of == d)
			return fleet_calls_max(&view->options[i]);
	return 0;
}

static void print_deployment(const struct exchange *e, const struct fleet_deployment *d, struct text *text)
{
	uint64_t now_ns = exchange_now_ns(e);
	struct deployment_figures f;

	deployment_sum(e->gateway_shard->gateway, d, &f);
	text_literal(text, "{\"deployment\":");
	text_json(text, slice_of_string(d->name));
	add_models(e->config->config->fleet, d, text);
	text_literal(text, ",\"state\":\"");
	text_string(text, state_name(&f, now_ns));
	text_literal(text, "\",\"breaker\":\"");
	text_string(text, breaker_names[f.breaker]);
	text_literal(text, "\",\"disabled\":");
	text_add(text, f.disabled ? SLICE("true") : SLICE("false"));
	add_milliseconds(
		text, SLICE(",\"cooling_ms\":"), f.cooling_until_ns > now_ns ? f.cooling_until_ns - now_ns : 0);
	add_number(text, SLICE(",\"in_flight\":"), f.in_flight);
	add_number(text, SLICE(",\"provider_calls_max\":"), calls_max(e->config->config->fleet, d));
	add_milliseconds(text, SLICE(",\"ewma_ms\":{\"unary\":"), f.ewma_ns[BALANCE_UNARY]);
	add_milliseconds(text, SLICE(",\"first_token\":"), f.ewma_ns[BALANCE_STREAM]);
	add_number(text, SLICE("},\"attempts\":"), f.attempts);
	add_number(text, SLICE(",\"failures\":"), f.failures);
	add_number(text, SLICE(",\"breaker_openings\":"), f.openings);
	text_char(text, '}');
}

static void print_deployments(const struct exchange *e, struct text *text)
{
	const struct fleet_view *view = e->config->config->fleet;

	text_literal(text, "{\"object\":\"list\",\"data\":[");
	for (unsigned i = 0; i < view->deployment_count; i++) {
		if (i)
			text_char(text, ',');
		print_deployment(e, view->deployments[i], text);
	}
	text_literal(text, "]}\n");
}

void admin_deployments(struct exchange *e)
{
	page_answer_printed(e, 200, SLICE("application/json"), print_deployments);
}

static bool refuse(struct exchange *e, unsigned status, struct slice code, struct slice message)
{
	struct api_error error = {.status = status,
		.type = status == 404 ? SLICE("not_found_error") : SLICE("invalid_request_error"),
		.code = code,
		.message = message,
		.param = SLICE("deployment")};

	exchange_refuse(e, &error, slice_of(NULL, 0));
	return false;
}

/* The deployment that the body names. False: refused. */
static bool read_name(struct exchange *e, struct fleet_deployment **deployment)
{
	struct json_parser *json = e->gateway_shard->json;
	struct json_error json_error;
	json_ref name;

	if (json_parse(json, e->request->body, &json_error))
		return refuse(e, 400, SLICE("invalid_json"), SLICE("The body is not valid JSON."));
	name = json_member(json, 0, SLICE("deployment"));
	if (name == JSON_NONE || json_type(json, name) != JSON_STRING)
		return refuse(e, 400, SLICE("invalid_type"),
			SLICE("Name the deployment: {\"deployment\": \"provider/credential/model\"}."));
	*deployment = fleet_view_find(e->config->config->fleet, json_string(json, name));
	if (!*deployment)
		return refuse(e, 404, SLICE("deployment_not_found"),
			SLICE("There is no deployment of this name. GET /admin/deployments lists them."));
	return true;
}

/* What could not be stored does not hold: the names stand in the note, and are still the configuration's. */
static void take_back(struct exchange *e, const struct tenancy_note *note)
{
	struct fleet_deployment *deployment = fleet_view_find(e->config->config->fleet, note->object);

	if (deployment)
		atomic_store(&deployment->disabled, note->record.value.data == NULL);
}

/* Answers with the deployment as it is now, once the note is down. */
static void note_down(struct exchange *e, const struct fleet_deployment *deployment, const struct tenancy_note *note)
{
	size_t capacity = 6 * strlen(deployment->name) + 4096 + 512 * e->config->config->settings->model_count;
	struct text text = text_over(arena_alloc(&e->arena, capacity), capacity);

	if (text.data)
		print_deployment(e, deployment, &text);
	admin_note(e, note, text_slice(&text));
}

/* What became of a deployment that was in use or not. */
static void note_use(struct exchange *e, const struct fleet_deployment *deployment, bool was_disabled)
{
	static const struct slice states[] = {{"{\"disabled\":false}", 18}, {"{\"disabled\":true}", 17}};
	bool disabled = atomic_load(&deployment->disabled);
	char id[FLEET_ID_BYTES];
	struct tenancy_note note = {.kind = "deployment",
		.verb = disabled ? "disable" : "enable",
		.object = slice_of_string(deployment->name),
		.before = states[was_disabled],
		.after = states[disabled],
		.undo = was_disabled == disabled ? NULL : take_back};

	fleet_deployment_id(deployment->name, id);
	note.record = (struct record){.table = RECORDS_DISABLED,
		.id = arena_copy(&e->arena, slice_of(id, sizeof(id))),
		.value = disabled ? note.object : slice_of(NULL, 0)};
	note_down(e, deployment, &note);
}

void admin_deployment_disable(struct exchange *e)
{
	struct fleet_deployment *deployment;

	if (read_name(e, &deployment))
		note_use(e, deployment, atomic_exchange(&deployment->disabled, true));
}

void admin_deployment_enable(struct exchange *e)
{
	struct fleet_deployment *deployment;

	if (!read_name(e, &deployment))
		return;
	fleet_reset(deployment, e->gateway_shard->gateway, e->gateway_shard->shard);
	note_use(e, deployment, atomic_exchange(&deployment->disabled, false));
}

/* Nothing is held against it any more. That is not stored: what a provider does next says more than an old word. */
void admin_deployment_reset(struct exchange *e)
{
	static const struct slice states[] = {[BREAKER_CLOSED] = {"{\"breaker\":\"closed\"}", 20},
		[BREAKER_OPEN] = {"{\"breaker\":\"open\"}", 18},
		[BREAKER_HALF_OPEN] = {"{\"breaker\":\"half_open\"}", 23}};
	struct tenancy_note note = {.kind = "deployment", .verb = "reset", .after = states[BREAKER_CLOSED]};
	struct fleet_deployment *deployment;
	struct deployment_figures figures;

	if (!read_name(e, &deployment))
		return;
	deployment_sum(e->gateway_shard->gateway, deployment, &figures);
	note.object = slice_of_string(deployment->name);
	note.before = states[figures.breaker];
	fleet_reset(deployment, e->gateway_shard->gateway, e->gateway_shard->shard);
	note_down(e, deployment, &note);
}
