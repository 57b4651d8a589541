/* Receipts of a call that went well: encoded as the journal keeps them, printed as GET /v1/receipts/{id} answers. */
#include "bench/micro/micro.h"

#include "store/receipt.h"

struct kept {
	struct receipt receipt;
	char bytes[RECEIPT_BYTES_MAX];
};

static void *open_receipt(void)
{
	struct kept *kept = calloc(1, sizeof(*kept));
	struct receipt *r;

	if (!kept)
		return NULL;
	r = &kept->receipt;
	memcpy(r->request_id.bytes, "0123456789abcdef", sizeof(r->request_id.bytes));
	r->wall_ns = 1790000000000000000ull;
	r->node = SLICE("gateway-1");
	r->workspace = SLICE("default");
	r->key_id = SLICE("vk_01M7ZBMTR23M8R86A5EV85SPTE");
	r->api = API_CHAT_COMPLETIONS;
	r->status = 200;
	r->finish_reason = SLICE("stop");
	r->strategy = r->bucket = SLICE("direct");
	r->requested_model = SLICE("gpt-4o-mini");
	r->model = r->winner = SLICE("openai/gpt-4o-mini");
	r->provider = SLICE("openai");
	r->credential = SLICE("primary");
	r->cache_status = SLICE("bypass");
	r->latency_ns = 412000000;
	r->overhead_ns = 21000;
	r->prompt_tokens = 1830;
	r->completion_tokens = 212;
	r->provider_cost_nusd = 401700;
	r->candidate_count = r->attempt_count = 1;
	r->candidates[0].model = r->model;
	r->attempts[0] = (struct receipt_attempt){.provider = r->provider,
		.model = r->model,
		.credential = r->credential,
		.status = 200,
		.latency_ns = 411000000};
	return kept;
}

static void run_encode(void *state, uint64_t times)
{
	struct kept *kept = state;

	while (times--)
		micro_expect(
			receipt_encode(&kept->receipt, kept->bytes, sizeof(kept->bytes)) > 0, "encoding a receipt");
}

static void run_print(void *state, uint64_t times)
{
	struct kept *kept = state;

	while (times--) {
		struct text json = text_over(kept->bytes, sizeof(kept->bytes));

		receipt_print(&kept->receipt, &json);
		micro_expect(!json.full, "printing a receipt");
	}
}

const struct micro micro_receipt[] = {
	{"receipt-encode", "a receipt as its record", open_receipt, run_encode, free, 1, NULL},
	{"receipt-print", "a receipt as JSON", open_receipt, run_print, free, 1, NULL},
	{.name = NULL},
};
