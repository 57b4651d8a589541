/*
 * Balances: what a workspace has, its transactions, and what is paid in or given back. A row of the ledger is durable
 * and known to the shard that decides before it is answered, so the next call may use it.
 */
#include "core/schema_value.h"
#include "route/gateway/pages.h"
#include "route/tenancy/tenancy.h"

#include "store/ledger.h"

#include <errno.h>

enum { USD_DIGITS = 9, ANSWER_BYTES = 2048, TRANSACTIONS_DEFAULT = 100, TRANSACTIONS_MAX = 1000 };

#define NONE slice_of(NULL, 0)

struct admin_post {
	struct exchange *exchange;
	struct ledger_post post;
	struct limit_credit credit;
};

static void refuse_memory(struct exchange *e)
{
	exchange_refuse_overloaded(
		e, SLICE("out_of_memory"), SLICE("The gateway is out of memory. Try again in a moment."));
}

/* The workspace that the path names; NULL: refused. */
static const struct workspace_settings *find_workspace(struct exchange *e)
{
	const struct settings *settings = e->config->config->settings;
	struct slice id = page_unescape(e, e->route_argument);
	struct api_error error = {.status = 404,
		.type = SLICE("not_found_error"),
		.code = SLICE("workspace_not_found"),
		.message = SLICE("There is no workspace of this id. GET /admin/workspaces lists them.")};

	for (unsigned i = 0; i < settings->workspace_count; i++)
		if (slice_equal(id, slice_of_string(settings->workspaces[i].id)))
			return &settings->workspaces[i];
	exchange_refuse(e, &error, NONE);
	return NULL;
}

/* ---- looking ---- */

static const struct limit_balance *balance_of(const struct exchange *e, const char *workspace)
{
	const struct limit_table *limits = e->config->config->limits;

	for (unsigned i = 0; limits && i < limits->balance_count; i++)
		if (strcmp(limits->balances[i].workspace, workspace) == 0)
			return &limits->balances[i];
	return NULL;
}

/* This month's, of which the store tells what was used. */
static void ask_allowances(struct exchange *e, const char *workspace)
{
	const struct limit_balance *balance = balance_of(e, workspace);
	unsigned count = balance ? balance->allowance_count : 0;
	struct store_allowance *allowances = count ? arena_alloc(&e->arena, count * sizeof(*allowances)) : NULL;

	e->query.to_day = (uint32_t)(e->received_wall_ns / LIMIT_DAY_NS);
	e->query.from_day = budget_first_day(BUDGET_MONTHLY, e->query.to_day);
	for (unsigned i = 0; allowances && i < count; i++)
		allowances[i] = (struct store_allowance){
			slice_of_string(balance->allowances[i].model), balance->allowances[i].tokens_a_month};
	e->query.allowances = allowances;
	e->query.allowance_count = allowances ? count : 0;
}

static void ask_balance(struct exchange *e, const char *workspace)
{
	ask_allowances(e, workspace);
	e->query.kind = STORE_QUERY_BALANCE;
	e->query.workspace = slice_of_string(workspace);
	page_ask_store(e);
}

void page_balance(struct exchange *e)
{
	ask_balance(e, e->key->workspace);
}

void admin_balance(struct exchange *e)
{
	const struct workspace_settings *workspace = find_workspace(e);

	if (workspace)
		ask_balance(e, workspace->id);
}

static bool set_parameter(struct store_query *query, struct slice name, struct slice value)
{
	uint64_t number;

	if (!page_parse_u64(value, &number))
		return false;
	if (slice_equal(name, SLICE("cursor")))
		query->cursor = number;
	else if (slice_equal(name, SLICE("limit")) && number > 0)
		query->limit = (uint32_t)(number < TRANSACTIONS_MAX ? number : TRANSACTIONS_MAX);
	else
		return false;
	return true;
}

void admin_transactions(struct exchange *e)
{
	const struct workspace_settings *workspace = find_workspace(e);
	struct slice rest = e->request->head.query, name, value;

	if (!workspace)
		return;
	e->query.kind = STORE_QUERY_TRANSACTIONS;
	e->query.workspace = slice_of_string(workspace->id);
	e->query.limit = TRANSACTIONS_DEFAULT;
	while (page_next_parameter(e, &rest, &name, &value)) {
		if (set_parameter(&e->query, name, value))
			continue;
		exchange_refuse_invalid(
			e, SLICE("invalid_query"), SLICE("Parameters are limit (1 to 1000) and cursor."), name);
		return;
	}
	page_ask_store(e);
}

/* ---- paying in ---- */

/* A number or a string that is one: exact, up to nano-USD. */
static bool read_amount(struct exchange *e, int64_t *nusd)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref value = json_member(json, 0, SLICE("amount_usd"));
	enum json_type type = value == JSON_NONE ? JSON_NULL : json_type(json, value);
	struct slice text = NONE;

	if (type == JSON_STRING)
		text = json_string(json, value);
	else if (type == JSON_INTEGER || type == JSON_NUMBER)
		text = json_raw(json, value);
	if (text.size && schema_decimal(text, USD_DIGITS, nusd) && *nusd > 0 && *nusd <= LEDGER_SUM_MAX_NUSD)
		return true;
	exchange_refuse_invalid(e, SLICE("invalid_value"),
		SLICE("'amount_usd' has to be a positive decimal without an exponent, of at most 9 places: 10 or "
		      "\"12.50\"."),
		SLICE("amount_usd"));
	return false;
}

/* False: refused. *text has NULL data where there is none; else it is in the arena. */
static bool read_text(struct exchange *e, struct slice name, size_t bytes_max, struct slice *text)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref value = json_member(json, 0, name);

	*text = NONE;
	if (value == JSON_NONE || json_type(json, value) == JSON_NULL)
		return true;
	if (json_type(json, value) == JSON_STRING && json_string(json, value).size > 0 &&
		json_string(json, value).size <= bytes_max)
		*text = arena_copy(&e->arena, json_string(json, value));
	if (text->data)
		return true;
	exchange_refuse_invalid(e, SLICE("invalid_value"),
		SLICE("'note' is a text of 1 to 200 bytes, 'reference' one of 1 to 100."), name);
	return false;
}

static bool read_body(struct exchange *e, struct ledger_post *post)
{
	struct json_error error;

	if (json_parse(e->gateway_shard->json, e->request->body, &error) ||
		json_type(e->gateway_shard->json, 0) != JSON_OBJECT) {
		exchange_refuse_invalid(e, SLICE("invalid_json"),
			SLICE("Send a JSON object: {\"amount_usd\": 10, \"reference\": \"...\"}."), NONE);
		return false;
	}
	return read_amount(e, &post->amount_nusd) && read_text(e, SLICE("note"), LEDGER_NOTE_BYTES_MAX, &post->note) &&
	       read_text(e, SLICE("reference"), LEDGER_REFERENCE_BYTES_MAX, &post->reference);
}

static void print_transaction(const struct ledger_post *post, struct text *json)
{
	text_literal(json, "{\"id\":\"txn_");
	text_u64(json, post->number);
	text_literal(json, "\",\"type\":\"");
	text_string(json, ledger_kind_name(post->kind));
	text_literal(json, "\",\"workspace\":");
	text_json(json, post->workspace);
	text_literal(json, ",\"amount_usd\":");
	text_usd(json, post->amount_nusd);
	text_literal(json, ",\"note\":");
	text_json_or_null(json, post->note);
	text_literal(json, ",\"reference\":");
	text_json_or_null(json, post->reference);
	text_literal(json, ",\"credited_usd\":");
	text_usd(json, post->state.credit_nusd);
	text_string(json, post->repeated ? ",\"repeated\":true}" : ",\"repeated\":false}");
}

/* What is new goes to the audit log as well. */
static void answer(struct exchange *e, const struct ledger_post *post)
{
	struct text json = text_over(arena_alloc(&e->arena, ANSWER_BYTES), ANSWER_BYTES);
	struct tenancy_note note = {.kind = "balance", .verb = ledger_kind_name(post->kind), .object = post->workspace};

	if (!json.data) {
		refuse_memory(e);
		return;
	}
	print_transaction(post, &json);
	note.after = text_slice(&json);
	if (post->repeated)
		page_answer(e, 200, SLICE("application/json"), text_slice(&json));
	else
		admin_note(e, &note, text_slice(&json));
}

static void finish(struct admin_post *post)
{
	struct exchange *e = post->exchange;
	bool gone = e->gone;

	e->state = EXCHANGE_ENDED;
	exchange_unhold(e, HOLD_QUERY); /* the request holds it while its client is there */
	if (!gone)
		answer(e, &post->post);
}

static void credited(struct limit_credit *credit)
{
	finish(container_of(credit, struct admin_post, credit));
}

static void refuse_post(struct exchange *e, int result)
{
	e->state = EXCHANGE_ENDED;
	if (e->gone)
		; /* nobody waits */
	else if (result == -ERANGE)
		exchange_refuse_invalid(e, SLICE("invalid_value"),
			SLICE("A workspace can be credited one billion USD in all."), SLICE("amount_usd"));
	else
		exchange_refuse_overloaded(e, SLICE("store_not_writable"),
			SLICE("The gateway cannot store the transaction at the moment; with a 'reference' it is safe "
			      "to try "
			      "again."));
	exchange_unhold(e, HOLD_QUERY);
}

static void posted(struct ledger_post *ledger)
{
	struct admin_post *post = container_of(ledger, struct admin_post, post);
	struct exchange *e = post->exchange;

	if (ledger->result < 0) {
		refuse_post(e, ledger->result);
		return;
	}
	post->credit.gateway_shard = e->gateway_shard;
	post->credit.state = ledger->state;
	post->credit.done = credited;
	if (limit_credit_start(&post->credit, e->config->config->limits, ledger->workspace) == 1)
		finish(post);
}

static void begin_post(struct exchange *e, enum ledger_kind kind)
{
	const struct workspace_settings *workspace = find_workspace(e);
	struct admin_post *post = workspace ? arena_zalloc(&e->arena, sizeof(*post)) : NULL;

	if (!workspace)
		return;
	if (!post) {
		refuse_memory(e);
		return;
	}
	post->exchange = e;
	post->post.kind = kind;
	if (!read_body(e, &post->post))
		return;
	post->post.workspace = slice_of_string(workspace->id);
	post->post.wall_ns = e->received_wall_ns;
	post->post.shard = e->gateway_shard->shard;
	post->post.done = posted;
	e->state = EXCHANGE_ASKING;
	e->holds |= HOLD_QUERY;
	ledger_post_start(e->gateway_shard->gateway->store, &post->post);
}

void admin_deposit(struct exchange *e)
{
	begin_post(e, LEDGER_DEPOSIT);
}

void admin_refund(struct exchange *e)
{
	begin_post(e, LEDGER_REFUND);
}
