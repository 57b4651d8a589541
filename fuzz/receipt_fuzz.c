/*
 * Fuzzes the binary record of a receipt. As bytes: what decodes is printed as JSON, and encodes to a record that means
 * the same. As a choice the input fills a receipt in instead: it fits its record, and comes back with each text whole
 * or cut.
 *
 * An input: a byte that chooses, then the record, or what the receipt's fields are drawn from.
 */
#include "fuzz/document.h"
#include "store/receipt.h"

enum { TEXT_DRAWN_MAX = 400, PRINTED_MAX_BYTES = 8 * RECEIPT_BYTES_MAX };

static void check_printed(const struct receipt *receipt)
{
	struct json_parser *p = json_parser_open(PRINTED_MAX_BYTES);
	char *memory = padded(PRINTED_MAX_BYTES);
	struct text json = text_over(memory, PRINTED_MAX_BYTES);
	struct json_error error;

	assert(p);
	receipt_print(receipt, &json);
	assert(!json.full && json_parse(p, text_slice(&json), &error) == 0 && json_type(p, 0) == JSON_OBJECT);
	assert(json_member(p, 0, SLICE("request_id")) != JSON_NONE);
	free(memory);
	json_parser_close(p);
}

/* One is the other or a beginning of it. */
static void check_text(struct slice before, struct slice after)
{
	assert(!before.data == !after.data && after.size <= before.size);
	assert(slice_equal(slice_of(before.data, after.size), after));
	assert(after.size == before.size || after.size >= 130);
}

static void check_lists(const struct receipt *before, const struct receipt *after)
{
	assert(before->candidate_count == after->candidate_count && before->attempt_count == after->attempt_count &&
		before->tag_count == after->tag_count);
	for (unsigned i = 0; i < before->candidate_count; i++) {
		assert(before->candidates[i].verdict == after->candidates[i].verdict);
		check_text(before->candidates[i].model, after->candidates[i].model);
	}
	for (unsigned i = 0; i < before->attempt_count; i++) {
		assert(before->attempts[i].status == after->attempts[i].status &&
			before->attempts[i].latency_ns == after->attempts[i].latency_ns);
		check_text(before->attempts[i].provider, after->attempts[i].provider);
		check_text(before->attempts[i].error, after->attempts[i].error);
	}
	for (unsigned i = 0; i < before->tag_count; i++) {
		check_text(before->tags[i].name, after->tags[i].name);
		check_text(before->tags[i].value, after->tags[i].value);
	}
}

static void check_decision(const struct receipt *before, const struct receipt *after)
{
	const struct receipt_decision *b = &before->decision, *a = &after->decision;

	assert(b->made == a->made);
	if (!b->made)
		return;
	assert(b->automatic == a->automatic && b->quality_asked == a->quality_asked && b->unsure == a->unsure &&
		b->priority == a->priority && b->bucket == a->bucket && b->rule == a->rule &&
		b->quality_milli == a->quality_milli && b->latency_ns == a->latency_ns && b->tokens == a->tokens);
	for (unsigned i = 0; i < before->candidate_count; i++) {
		const struct receipt_figures *f = &before->figures[i], *g = &after->figures[i];

		assert(f->known == g->known);
		assert(!f->known || (f->place == g->place && f->priced == g->priced && f->declared == g->declared &&
					    f->quality_milli == g->quality_milli && f->cost_nusd == g->cost_nusd &&
					    f->latency_ns == g->latency_ns && f->context_tokens == g->context_tokens));
	}
}

static void check_same(const struct receipt *before, const struct receipt *after)
{
	assert(memcmp(&before->request_id, &after->request_id, sizeof(before->request_id)) == 0);
	assert(before->wall_ns == after->wall_ns && before->api == after->api && before->stream == after->stream &&
		before->status == after->status && before->has_score == after->has_score &&
		before->score_milli == after->score_milli && before->client_gone == after->client_gone);
	assert(before->provider_cost_nusd == after->provider_cost_nusd &&
		before->platform_fee_nusd == after->platform_fee_nusd && before->savings_nusd == after->savings_nusd);
	assert(before->prompt_tokens == after->prompt_tokens && before->completion_tokens == after->completion_tokens &&
		before->reasoning_tokens == after->reasoning_tokens && before->free_tokens == after->free_tokens &&
		before->tokens_estimated == after->tokens_estimated && before->ttft_ns == after->ttft_ns);
	check_text(before->node, after->node);
	check_text(before->key_id, after->key_id);
	check_text(before->reason, after->reason);
	check_text(before->credential, after->credential);
	check_text(before->cache_status, after->cache_status);
	check_text(before->client_certificate, after->client_certificate);
	check_lists(before, after);
	check_decision(before, after);
}

/* To its record and back, and that once more: nothing is lost that the first time did not cut. */
static void check_receipt(const struct receipt *receipt)
{
	char *record = malloc(RECEIPT_BYTES_MAX), *again = malloc(RECEIPT_BYTES_MAX), *exact;
	struct receipt *decoded = malloc(sizeof(*decoded));
	int size;

	assert(record && again && decoded);
	size = receipt_encode(receipt, record, RECEIPT_BYTES_MAX);
	assert(size > 0);
	exact = copy_of(slice_of(record, (size_t)size));
	assert(receipt_decode(slice_of(exact, (size_t)size), decoded) == 0);
	check_same(receipt, decoded);
	assert(receipt_encode(decoded, again, RECEIPT_BYTES_MAX) == size && memcmp(record, again, (size_t)size) == 0);
	assert(receipt_encode(receipt, again, (size_t)size - 1) < 0);
	for (int cut = 0; cut < size; cut += 1 + size / 16)
		assert(receipt_decode(slice_of(exact, (size_t)cut), decoded) < 0);
	free(exact);
	free(decoded);
	free(again);
	free(record);
}

static struct slice draw_text(struct input *input)
{
	size_t size = (size_t)input_byte(input) * 2;

	if (size == 0)
		return slice_of(NULL, 0);
	return input_take(input, size < TEXT_DRAWN_MAX ? size - 2 : TEXT_DRAWN_MAX);
}

static void draw_lists(struct input *input, struct receipt *r)
{
	r->candidate_count = input_byte(input) % (RECEIPT_CANDIDATES_MAX + 1);
	r->attempt_count = input_byte(input) % (RECEIPT_ATTEMPTS_MAX + 1);
	r->tag_count = input_byte(input) % (RECEIPT_TAGS_MAX + 1);
	for (unsigned i = 0; i < r->candidate_count; i++) {
		r->candidates[i].verdict = (enum receipt_verdict)(input_byte(input) % VERDICT_COUNT);
		r->candidates[i].model = draw_text(input);
	}
	for (unsigned i = 0; i < r->attempt_count; i++) {
		r->attempts[i].provider = draw_text(input);
		r->attempts[i].error = draw_text(input);
		r->attempts[i].status = (uint16_t)(input_byte(input) << 8 | input_byte(input));
		r->attempts[i].latency_ns = input_u64(input);
	}
	for (unsigned i = 0; i < r->tag_count; i++) {
		r->tags[i].name = draw_text(input);
		r->tags[i].value = draw_text(input);
	}
}

static void draw_decision(struct input *input, struct receipt *r)
{
	unsigned flags = input_byte(input);

	r->decision = (struct receipt_decision){.made = flags & 1,
		.automatic = flags & 2,
		.quality_asked = flags & 4,
		.unsure = flags & 8,
		.priority = (uint8_t)((flags >> 4 & 3) % 3),
		.bucket = (uint8_t)((flags >> 6) % 3),
		.rule = input_byte(input),
		.quality_milli = (uint32_t)input_u64(input),
		.latency_ns = input_u64(input),
		.tokens = input_u64(input)};
	for (unsigned i = 0; i < r->candidate_count; i++) {
		unsigned own = input_byte(input);

		r->figures[i] = (struct receipt_figures){.known = own & 1,
			.priced = own & 2,
			.place = (uint8_t)(own >> 2 & 15),
			.declared = input_byte(input),
			.quality_milli = (uint32_t)input_u64(input),
			.cost_nusd = (int64_t)input_u64(input),
			.latency_ns = input_u64(input),
			.context_tokens = input_byte(input)};
	}
}

static void draw_receipt(struct input *input, struct receipt *r)
{
	unsigned flags = input_byte(input);

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < sizeof(r->request_id.bytes); i++)
		r->request_id.bytes[i] = input_byte(input);
	r->wall_ns = input_u64(input);
	r->api = (enum receipt_api)(input_byte(input) % API_COUNT);
	r->stream = flags & 1;
	r->has_score = flags & 2;
	r->tokens_estimated = flags & 4;
	r->client_gone = flags & 8;
	r->hosted = flags & 16;
	r->status = (uint16_t)(input_byte(input) << 8 | input_byte(input));
	r->score_milli = (uint32_t)input_u64(input);
	r->ttft_ns = input_u64(input);
	r->prompt_tokens = input_u64(input);
	r->completion_tokens = input_u64(input);
	r->provider_cost_nusd = (int64_t)input_u64(input);
	r->platform_fee_nusd = (int64_t)input_u64(input);
	r->savings_nusd = (int64_t)input_u64(input);
	draw_lists(input, r);
	r->node = draw_text(input);
	r->key_id = draw_text(input);
	r->reason = draw_text(input);
	r->credential = draw_text(input);
	r->cache_status = draw_text(input);
	draw_decision(input, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	bool fill_in = input_byte(&input) & 1;
	struct receipt *receipt = calloc(1, sizeof(*receipt));
	char *record;

	assert(receipt);
	record = copy_of(input_rest(&input));
	if (fill_in) {
		draw_receipt(&input, receipt);
		check_receipt(receipt);
		check_printed(receipt);
	} else if (size <= RECEIPT_BYTES_MAX &&
		   receipt_decode(slice_of(record, input_rest(&input).size), receipt) == 0) {
		check_receipt(receipt);
		check_printed(receipt);
	}
	free(record);
	free(receipt);
	return 0;
}
