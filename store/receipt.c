/*
 * The binary record of a receipt, version 3:
 *
 *   u8 version, 16 bytes request id, u64 wall time, u8 flags, u8 api, then varints and texts in the order of the walk
 * below.
 *
 * Version 1 has no client_certificate, versions 1 and 2 no decision, which come last. A text is a varint of its size +
 * 1 and its bytes; 0 is null. Reading and writing are two walks over the same fields, so they sit side by side. A
 * record needs no escape for growth: a new field is a new version, and both are read.
 */
#include "store/receipt.h"

#include <assert.h>
#include <errno.h>

#include "store/pack.h"

enum { RECORD_VERSION = 3, RECORD_VERSION_WITH_CERTIFICATE = 2, RECORD_VERSION_WITH_DECISION = 3 };

enum record_flags {
	RECORD_STREAM = 1,
	RECORD_HAS_SCORE = 2,
	RECORD_ESTIMATED = 4,
	RECORD_CLIENT_GONE = 8,
	RECORD_HOSTED = 16,
	RECORD_FLAGS_ALL = 31,
};

/* A decision's first byte: priority and bucket stand in its upper half. 0: none was made. */
enum decision_flags {
	DECISION_MADE = 1,
	DECISION_AUTOMATIC = 2,
	DECISION_QUALITY_ASKED = 4,
	DECISION_UNSURE = 8,
	DECISION_PRIORITY_SHIFT = 4,
	DECISION_BUCKET_SHIFT = 6,
	DECISION_CHOICES = 3 /* priorities, and buckets */
};

/* The first byte of a candidate's figures; 0: they are not known. */
enum figures_flags { FIGURES_PLACE = 31, FIGURES_PRICED = 32, FIGURES_KNOWN = 64 };

/*
 * Longer texts are cut. 16 texts and 3 long ones, 16 candidates (verdict, text), 8 attempts (3 texts, a long one, 13
 * bytes of numbers) and 16 tags (2 texts), each text with up to 2 bytes of size, beside 27 bytes of head, 15 varints,
 * and a decision with its figures.
 */
enum { TEXT_BYTES_MAX = 140, LONG_TEXT_BYTES_MAX = 256 };

static_assert(27 + 15 * 10 + 16 * (TEXT_BYTES_MAX + 2) + 3 * (LONG_TEXT_BYTES_MAX + 2) +
			      RECEIPT_CANDIDATES_MAX * (TEXT_BYTES_MAX + 3) +
			      RECEIPT_ATTEMPTS_MAX * (3 * (TEXT_BYTES_MAX + 2) + LONG_TEXT_BYTES_MAX + 2 + 13) +
			      RECEIPT_TAGS_MAX * 2 * (TEXT_BYTES_MAX + 2) + (1 + 2 * 5 + 2 * 10) +
			      RECEIPT_CANDIDATES_MAX * (1 + 3 * 5 + 2 * 10) <=
		      RECEIPT_BYTES_MAX,
	"the longest receipt fits");

/* The size of `s` cut to `max`, not within a UTF-8 character. */
static size_t cut(struct slice s, size_t max)
{
	size_t size = max;

	if (s.size <= max)
		return s.size;
	while (size > max - 4 && ((unsigned char)s.data[size] & 0xc0) == 0x80)
		size--;
	return size;
}

static void pack_cut(struct packer *p, struct slice s, size_t max)
{
	size_t size = cut(s, max);

	if (!s.data) {
		pack_u8(p, 0);
		return;
	}
	pack_varint(p, size + 1);
	pack_bytes(p, s.data, size);
}

static void pack_text(struct packer *p, struct slice s)
{
	pack_cut(p, s, TEXT_BYTES_MAX);
}

static struct slice unpack_text(struct unpacker *u)
{
	uint64_t size = unpack_varint(u);

	if (size == 0 || size - 1 > RECEIPT_BYTES_MAX) {
		u->bad |= size != 0;
		return slice_of(NULL, 0);
	}
	return slice_of(unpack_bytes(u, size - 1), size - 1);
}

static void pack_numbers(struct packer *p, const struct receipt *r)
{
	pack_varint(p, r->status);
	pack_varint(p, r->score_milli);
	pack_varint(p, r->latency_ns);
	pack_varint(p, r->ttft_ns);
	pack_varint(p, r->overhead_ns);
	pack_varint(p, r->prompt_tokens);
	pack_varint(p, r->completion_tokens);
	pack_varint(p, r->cached_tokens);
	pack_varint(p, r->reasoning_tokens);
	pack_signed(p, r->provider_cost_nusd);
	pack_signed(p, r->platform_fee_nusd);
	pack_signed(p, r->savings_nusd);
	pack_varint(p, r->free_tokens);
}

static void unpack_numbers(struct unpacker *u, struct receipt *r)
{
	uint64_t status = unpack_varint(u), score = unpack_varint(u);

	u->bad |= status > UINT16_MAX || score > UINT32_MAX;
	r->status = (uint16_t)status;
	r->score_milli = (uint32_t)score;
	r->latency_ns = unpack_varint(u);
	r->ttft_ns = unpack_varint(u);
	r->overhead_ns = unpack_varint(u);
	r->prompt_tokens = unpack_varint(u);
	r->completion_tokens = unpack_varint(u);
	r->cached_tokens = unpack_varint(u);
	r->reasoning_tokens = unpack_varint(u);
	r->provider_cost_nusd = unpack_signed(u);
	r->platform_fee_nusd = unpack_signed(u);
	r->savings_nusd = unpack_signed(u);
	r->free_tokens = unpack_varint(u);
}

static void pack_texts(struct packer *p, const struct receipt *r)
{
	pack_text(p, r->node);
	pack_text(p, r->region);
	pack_text(p, r->workspace);
	pack_text(p, r->team);
	pack_text(p, r->key_id);
	pack_text(p, r->endpoint);
	pack_text(p, r->finish_reason);
	pack_text(p, r->strategy);
	pack_text(p, r->requested_model);
	pack_text(p, r->winner);
	pack_cut(p, r->reason, LONG_TEXT_BYTES_MAX);
	pack_text(p, r->bucket);
	pack_text(p, r->provider);
	pack_text(p, r->model);
	pack_text(p, r->credential);
	pack_text(p, r->cache_status);
}

static void unpack_texts(struct unpacker *u, struct receipt *r)
{
	r->node = unpack_text(u);
	r->region = unpack_text(u);
	r->workspace = unpack_text(u);
	r->team = unpack_text(u);
	r->key_id = unpack_text(u);
	r->endpoint = unpack_text(u);
	r->finish_reason = unpack_text(u);
	r->strategy = unpack_text(u);
	r->requested_model = unpack_text(u);
	r->winner = unpack_text(u);
	r->reason = unpack_text(u);
	r->bucket = unpack_text(u);
	r->provider = unpack_text(u);
	r->model = unpack_text(u);
	r->credential = unpack_text(u);
	r->cache_status = unpack_text(u);
}

static void pack_lists(struct packer *p, const struct receipt *r)
{
	pack_u8(p, (uint8_t)r->candidate_count);
	for (unsigned i = 0; i < r->candidate_count; i++) {
		pack_u8(p, (uint8_t)r->candidates[i].verdict);
		pack_text(p, r->candidates[i].model);
	}
	pack_u8(p, (uint8_t)r->attempt_count);
	for (unsigned i = 0; i < r->attempt_count; i++) {
		const struct receipt_attempt *attempt = &r->attempts[i];

		pack_text(p, attempt->provider);
		pack_text(p, attempt->model);
		pack_text(p, attempt->credential);
		pack_cut(p, attempt->error, LONG_TEXT_BYTES_MAX);
		pack_varint(p, attempt->status);
		pack_varint(p, attempt->latency_ns);
	}
	pack_u8(p, (uint8_t)r->tag_count);
	for (unsigned i = 0; i < r->tag_count; i++) {
		pack_text(p, r->tags[i].name);
		pack_text(p, r->tags[i].value);
	}
}

static unsigned unpack_count(struct unpacker *u, unsigned max)
{
	unsigned count = unpack_u8(u);

	if (count <= max)
		return count;
	u->bad = true;
	return 0;
}

static void unpack_lists(struct unpacker *u, struct receipt *r)
{
	r->candidate_count = unpack_count(u, RECEIPT_CANDIDATES_MAX);
	for (unsigned i = 0; i < r->candidate_count; i++) {
		unsigned verdict = unpack_u8(u);

		u->bad |= verdict >= VERDICT_COUNT;
		r->candidates[i].verdict = (enum receipt_verdict)verdict;
		r->candidates[i].model = unpack_text(u);
	}
	r->attempt_count = unpack_count(u, RECEIPT_ATTEMPTS_MAX);
	for (unsigned i = 0; i < r->attempt_count; i++) {
		struct receipt_attempt *attempt = &r->attempts[i];
		uint64_t status;

		attempt->provider = unpack_text(u);
		attempt->model = unpack_text(u);
		attempt->credential = unpack_text(u);
		attempt->error = unpack_text(u);
		status = unpack_varint(u);
		u->bad |= status > UINT16_MAX;
		attempt->status = (uint16_t)status;
		attempt->latency_ns = unpack_varint(u);
	}
	r->tag_count = unpack_count(u, RECEIPT_TAGS_MAX);
	for (unsigned i = 0; i < r->tag_count; i++) {
		r->tags[i].name = unpack_text(u);
		r->tags[i].value = unpack_text(u);
	}
}

static void pack_figures(struct packer *p, const struct receipt_figures *f)
{
	if (!f->known) {
		pack_u8(p, 0);
		return;
	}
	assert(f->place <= FIGURES_PLACE);
	pack_u8(p, (uint8_t)(f->place | (f->priced ? FIGURES_PRICED : 0) | FIGURES_KNOWN));
	pack_varint(p, f->declared);
	pack_varint(p, f->quality_milli);
	pack_signed(p, f->cost_nusd);
	pack_varint(p, f->latency_ns);
	pack_varint(p, f->context_tokens);
}

static uint32_t unpack_u32_varint(struct unpacker *u)
{
	uint64_t value = unpack_varint(u);

	u->bad |= value > UINT32_MAX;
	return (uint32_t)value;
}

static void unpack_figures(struct unpacker *u, struct receipt_figures *f)
{
	unsigned flags = unpack_u8(u);

	*f = (struct receipt_figures){.known = flags != 0};
	if (!flags)
		return;
	u->bad |= !(flags & FIGURES_KNOWN) || flags > (FIGURES_PLACE | FIGURES_PRICED | FIGURES_KNOWN);
	f->place = flags & FIGURES_PLACE;
	f->priced = flags & FIGURES_PRICED;
	f->declared = unpack_u32_varint(u);
	f->quality_milli = unpack_u32_varint(u);
	f->cost_nusd = unpack_signed(u);
	f->latency_ns = unpack_varint(u);
	f->context_tokens = unpack_u32_varint(u);
}

static void pack_decision(struct packer *p, const struct receipt *r)
{
	const struct receipt_decision *d = &r->decision;
	unsigned flags = DECISION_MADE;

	if (!d->made) {
		pack_u8(p, 0);
		return;
	}
	assert(d->priority < DECISION_CHOICES && d->bucket < DECISION_CHOICES);
	flags |= d->automatic ? DECISION_AUTOMATIC : 0;
	flags |= d->quality_asked ? DECISION_QUALITY_ASKED : 0;
	flags |= d->unsure ? DECISION_UNSURE : 0;
	flags |= (unsigned)d->priority << DECISION_PRIORITY_SHIFT | (unsigned)d->bucket << DECISION_BUCKET_SHIFT;
	pack_u8(p, (uint8_t)flags);
	pack_varint(p, d->rule);
	pack_varint(p, d->quality_milli);
	pack_varint(p, d->latency_ns);
	pack_varint(p, d->tokens);
	for (unsigned i = 0; i < r->candidate_count; i++)
		pack_figures(p, &r->figures[i]);
}

static void unpack_decision(struct unpacker *u, struct receipt *r)
{
	struct receipt_decision *d = &r->decision;
	unsigned flags = unpack_u8(u);

	if (!flags)
		return;
	d->made = true;
	d->automatic = flags & DECISION_AUTOMATIC;
	d->quality_asked = flags & DECISION_QUALITY_ASKED;
	d->unsure = flags & DECISION_UNSURE;
	d->priority = flags >> DECISION_PRIORITY_SHIFT & 3;
	d->bucket = (uint8_t)(flags >> DECISION_BUCKET_SHIFT);
	u->bad |= !(flags & DECISION_MADE) || d->priority >= DECISION_CHOICES || d->bucket >= DECISION_CHOICES;
	d->rule = unpack_u32_varint(u);
	d->quality_milli = unpack_u32_varint(u);
	d->latency_ns = unpack_varint(u);
	d->tokens = unpack_varint(u);
	for (unsigned i = 0; i < r->candidate_count; i++)
		unpack_figures(u, &r->figures[i]);
}

int receipt_encode(const struct receipt *receipt, char *record, size_t capacity)
{
	struct packer p = {record, record + capacity, false};
	unsigned flags = 0;

	assert(receipt->candidate_count <= RECEIPT_CANDIDATES_MAX && receipt->attempt_count <= RECEIPT_ATTEMPTS_MAX &&
		receipt->tag_count <= RECEIPT_TAGS_MAX && receipt->api < API_COUNT);
	flags |= receipt->stream ? RECORD_STREAM : 0;
	flags |= receipt->has_score ? RECORD_HAS_SCORE : 0;
	flags |= receipt->tokens_estimated ? RECORD_ESTIMATED : 0;
	flags |= receipt->client_gone ? RECORD_CLIENT_GONE : 0;
	flags |= receipt->hosted ? RECORD_HOSTED : 0;
	pack_u8(&p, RECORD_VERSION);
	pack_bytes(&p, receipt->request_id.bytes, sizeof(receipt->request_id.bytes));
	pack_u64(&p, receipt->wall_ns);
	pack_u8(&p, (uint8_t)flags);
	pack_u8(&p, (uint8_t)receipt->api);
	pack_numbers(&p, receipt);
	pack_texts(&p, receipt);
	pack_lists(&p, receipt);
	pack_cut(&p, receipt->client_certificate, LONG_TEXT_BYTES_MAX);
	pack_decision(&p, receipt);
	return p.full ? -ENOSPC : (int)(p.at - record);
}

int receipt_decode(struct slice record, struct receipt *receipt)
{
	struct unpacker u = {record.data, record.data + record.size, false};
	const char *id;
	unsigned version, flags, api;

	receipt->candidate_count = receipt->attempt_count = receipt->tag_count = 0;
	version = unpack_u8(&u);
	if (version == 0 || version > RECORD_VERSION)
		return -EBADMSG;
	id = unpack_bytes(&u, sizeof(receipt->request_id.bytes));
	if (!id)
		return -EBADMSG;
	memcpy(receipt->request_id.bytes, id, sizeof(receipt->request_id.bytes));
	receipt->wall_ns = unpack_u64(&u);
	flags = unpack_u8(&u);
	api = unpack_u8(&u);
	u.bad |= (flags & ~(unsigned)RECORD_FLAGS_ALL) || api >= API_COUNT;
	receipt->stream = flags & RECORD_STREAM;
	receipt->has_score = flags & RECORD_HAS_SCORE;
	receipt->tokens_estimated = flags & RECORD_ESTIMATED;
	receipt->client_gone = flags & RECORD_CLIENT_GONE;
	receipt->hosted = flags & RECORD_HOSTED;
	receipt->api = (enum receipt_api)api;
	unpack_numbers(&u, receipt);
	unpack_texts(&u, receipt);
	unpack_lists(&u, receipt);
	receipt->client_certificate = version >= RECORD_VERSION_WITH_CERTIFICATE ? unpack_text(&u) : slice_of(NULL, 0);
	receipt->decision = (struct receipt_decision){.made = false};
	if (version >= RECORD_VERSION_WITH_DECISION)
		unpack_decision(&u, receipt);
	return u.bad || u.at != u.end ? -EBADMSG : 0;
}
