/* A closed store, read from its database as it lies on the simulated disk, and held against the book. */
#include "fuzz/sim/invariants.h"

#include "fuzz/sim/bill.h"
#include "fuzz/sim/race.h"
#include "store/kv.h"
#include "store/ledger.h"
#include "store/receipt_block.h"

#define WRONG(s, ...) scenario_break((s), "receipts say what happened", __VA_ARGS__)

static struct call *call_of(struct scenario *s, const struct receipt *receipt)
{
	uint32_t id;

	for (unsigned i = 0; i < receipt->tag_count; i++)
		if (slice_equal(receipt->tags[i].name, SLICE("sim")) && book_find_marker(receipt->tags[i].value, &id))
			return book_call(&s->book, id);
	return NULL;
}

static bool same_id(const struct call *call, const struct receipt *receipt)
{
	char text[ULID_TEXT_BYTES];

	ulid_print(&receipt->request_id, text);
	return !call->request_id[0] || memcmp(call->request_id + 4, text, sizeof(text)) == 0;
}

/* The attempt that served, and the client has its answer as a whole. */
static void check_served(struct scenario *s, const struct call *call, const struct receipt *receipt)
{
	const struct attempt *attempt = book_attempt(&s->book, call->id, call->served_by);

	if (!slice_equal(receipt->model, slice_of_string(model_terms[attempt->model].id)))
		WRONG(s, "call %u: its receipt names the model %.*s", call->id, (int)receipt->model.size,
			receipt->model.data);
	if (call->cost_nusd != bill_cost_nusd(receipt))
		WRONG(s, "call %u: the client was told %lld nano-USD, the receipt says %lld", call->id,
			(long long)call->cost_nusd, (long long)bill_cost_nusd(receipt));
	bill_check_served(s, call, receipt);
}

/* Over restarts and over shards: no more calls reach a provider on one day than the limit says. */
static void count(struct scenario *s, const struct gate *gate, const struct receipt *receipt)
{
	uint64_t day = receipt->wall_ns / (86400 * NS_PER_S);

	if (!s->terms.calls_a_day || !receipt->provider.data || day < s->counted.day)
		return;
	s->counted.calls = day > s->counted.day ? 1 : s->counted.calls + 1;
	s->counted.day = day;
	if (s->counted.calls > s->terms.calls_a_day)
		scenario_break(s, "limits hold", "%s has receipts of more than %u calls on one day", gate->name,
			s->terms.calls_a_day);
}

/* Likewise, what they come to on one day. */
static void add_up(struct scenario *s, const struct gate *gate, const struct receipt *receipt)
{
	uint64_t day = receipt->wall_ns / (86400 * NS_PER_S);

	if (!s->terms.budget_nusd || day < s->counted.day)
		return;
	if (day > s->counted.day)
		s->counted.spent_nusd = 0;
	s->counted.spent_nusd += bill_cost_nusd(receipt);
	s->counted.day = day;
	if (s->counted.spent_nusd > s->terms.budget_nusd)
		scenario_break(s, "spend stays within the budget",
			"%s has receipts of %lld nano-USD on one day, of %lld", gate->name,
			(long long)s->counted.spent_nusd, (long long)s->terms.budget_nusd);
}

/* In a race whose model is paid from the balance: no more is spent than was paid in, nor is more free than there is. */
static void add_hosted(struct scenario *s, const struct gate *gate, const struct receipt *receipt)
{
	int64_t paid_in_nusd = race_deposited_nusd(s);

	if (!s->terms.race.hosted || !receipt->hosted)
		return;
	s->counted.hosted_nusd += bill_cost_nusd(receipt);
	s->counted.free_tokens += receipt->free_tokens;
	if (s->counted.hosted_nusd > paid_in_nusd)
		scenario_break(s, "no balance falls below nothing", "%s has receipts of %lld nano-USD, of %lld paid in",
			gate->name, (long long)s->counted.hosted_nusd, (long long)paid_in_nusd);
	if (s->counted.free_tokens > s->terms.race.free_tokens)
		scenario_break(s, "no more is free than there is", "%s has receipts of %llu tokens, of %llu",
			gate->name, (unsigned long long)s->counted.free_tokens,
			(unsigned long long)s->terms.race.free_tokens);
}

static void check(struct scenario *s, const struct gate *gate, const struct receipt *receipt)
{
	struct call *call = call_of(s, receipt);
	bool told_failure;

	if (!call) {
		WRONG(s, "%s has a receipt of no call", gate->name);
		return;
	}
	call->receipt_count++;
	count(s, gate, receipt);
	add_up(s, gate, receipt);
	add_hosted(s, gate, receipt);
	if (call->gate != gate->index || !same_id(call, receipt))
		WRONG(s, "call %u (%s, got %u, outcome %d): its receipt (%u) is another request's", call->id,
			call_kind_name(call->kind), call->status, call->outcome, receipt->status);
	bill_check(s, call, receipt);
	if (call->outcome != OUTCOME_WHOLE)
		return;
	/* A receipt that was made and could not be committed in time is kept, while its client was told a failure. */
	told_failure = call->status == 503 || call->error_event;
	if (receipt->status != call->status && !told_failure)
		WRONG(s, "call %u: its client has %u, its receipt %u", call->id, call->status, receipt->status);
	if (call_is_served(call) && call->status == 200 && call->served_by && !call->error_event)
		check_served(s, call, receipt);
}

static uint64_t check_block(struct scenario *s, const struct gate *gate, struct slice value)
{
	struct block_view view;
	struct receipt receipt;

	if (block_view_open(&view, value) < 0) {
		WRONG(s, "%s has a block that cannot be read", gate->name);
		return 0;
	}
	for (uint32_t i = 0; i < view.count && !s->broken; i++) {
		if (receipt_decode(block_view_record(&view, i), &receipt) < 0)
			WRONG(s, "%s has a receipt that cannot be read", gate->name);
		else
			check(s, gate, &receipt);
	}
	return view.count;
}

struct findings {
	struct scenario *scenario;
	const struct gate *gate;
	char first[400];
};

static void on_finding(void *context, const char *line)
{
	struct findings *findings = context;

	if (!findings->first[0])
		snprintf(findings->first, sizeof(findings->first), "%s", line);
}

uint64_t receipts_check(struct scenario *s, struct gate *gate)
{
	struct findings findings = {.scenario = s, .gate = gate};
	struct kv_walk *walk;
	struct kv *kv;
	char why[256];
	uint64_t count = 0;

	s->counted.day = s->counted.calls = 0;
	s->counted.spent_nusd = s->counted.hosted_nusd = 0;
	s->counted.free_tokens = 0;
	sim_disk_use(gate->disk);
	if (store_check("/data", on_finding, &findings) != 0)
		scenario_break(s, "spend is the sum of the receipts", "%s: %s", gate->name, findings.first);
	findings.first[0] = '\0';
	if (ledger_check("/data", on_finding, &findings) != 0)
		scenario_break(s, "the ledger is the sum of its rows", "%s: %s", gate->name, findings.first);
	if (kv_open(&kv, "/data/db", true, why, sizeof(why)) < 0) {
		WRONG(s, "%s: %s", gate->name, why);
		return 0;
	}
	walk = kv_walk_open(kv, KV_RECEIPTS);
	for (kv_walk_seek(walk, slice_of("", 0)); kv_walk_valid(walk) && !s->broken; kv_walk_next(walk))
		count += check_block(s, gate, kv_walk_value(walk));
	kv_walk_close(walk);
	kv_close(kv);
	sim_disk_use(NULL);
	return count;
}
