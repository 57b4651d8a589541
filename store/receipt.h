/*
 * The receipt of one request, as the floors above fill it in, and its binary record. Slices in a receipt are borrowed
 * from the exchange's arena while it is encoded; a decoded receipt's slices point into the record.
 *
 * Money is nano-USD, times are nanoseconds; "null" of the JSON is a slice with NULL data or an absent flag.
 */
#ifndef STORE_RECEIPT_H
#define STORE_RECEIPT_H

#include "core/text.h"
#include "core/ulid.h"

enum receipt_api {
	API_CHAT_COMPLETIONS,
	API_COMPLETIONS,
	API_EMBEDDINGS,
	API_MODERATIONS,
	API_RESPONSES,
	API_MESSAGES,
	API_IMAGES,
	API_TRANSCRIPTIONS,
	API_SPEECH,
	API_COUNT_TOKENS,
	API_ENDPOINT,
	API_COUNT
};

enum receipt_verdict {
	VERDICT_CHOSEN,
	VERDICT_FAILED,
	VERDICT_DEARER,
	VERDICT_SLOWER,
	VERDICT_BELOW_QUALITY,
	VERDICT_BREAKER_OPEN,
	VERDICT_COOLING,
	VERDICT_LIMITED,
	VERDICT_OVER_BUDGET,
	VERDICT_PRICE_UNKNOWN,
	VERDICT_DISABLED,
	VERDICT_EXCLUDED,
	VERDICT_NOT_ALLOWED,
	VERDICT_NO_CAPABILITY,
	VERDICT_TOO_SMALL_CONTEXT,
	VERDICT_NO_CREDENTIAL,
	VERDICT_RESIDENCY,
	VERDICT_COUNT
};

enum { RECEIPT_CANDIDATES_MAX = 16, RECEIPT_ATTEMPTS_MAX = 8, RECEIPT_TAGS_MAX = 16, RECEIPT_BYTES_MAX = 16384 };

struct receipt_candidate {
	struct slice model;
	enum receipt_verdict verdict;
};

/* What ranked a candidate, so that the ranking can be done again (route/auto/decision.h). */
struct receipt_figures {
	uint8_t place; /* in the order to be tried, 1 the first; 0: left aside */
	bool priced;
	bool known;                             /* the rest is */
	uint32_t declared;                      /* its number in the configuration */
	uint32_t quality_milli, context_tokens; /* context_tokens 0: no bound */
	int64_t cost_nusd;                      /* of this request, about */
	uint64_t latency_ns;                    /* to the first token; 0: not known */
};

/* What the ranking was asked for; the score and the bucket stand beside it. */
struct receipt_decision {
	bool made; /* by a rule or for `auto`; else nothing of this is told */
	bool automatic, quality_asked, unsure;
	uint8_t priority, bucket; /* enum route_priority, enum route_bucket */
	uint32_t rule;            /* its number; 0: none applied */
	uint32_t quality_milli;   /* at least */
	uint64_t latency_ns;      /* at most; 0: no bound */
	uint64_t tokens;          /* prompt and answer */
};

struct receipt_attempt {
	struct slice provider, model, credential, error;
	uint16_t status;
	uint64_t latency_ns;
};

struct receipt_tag {
	struct slice name, value;
};

struct receipt {
	struct ulid request_id;
	uint64_t wall_ns; /* when the head was received */
	struct slice node, region, workspace, team, key_id, endpoint;
	enum receipt_api api;
	bool stream;
	uint16_t status;
	struct slice finish_reason;
	/* routing */
	struct slice strategy, requested_model, winner, reason, bucket;
	bool has_score;
	uint32_t score_milli;
	/* execution */
	struct slice provider, model, credential;
	uint64_t latency_ns, ttft_ns, overhead_ns; /* ttft_ns 0: none */
	uint64_t prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens;
	bool tokens_estimated;
	int64_t provider_cost_nusd, platform_fee_nusd, savings_nusd;
	uint64_t free_tokens;
	struct slice cache_status; /* "miss", "hit", "semantic", "bypass" */
	bool hosted;               /* paid from the workspace's balance */
	bool client_gone;          /* the client left before the end */
	struct slice
		client_certificate; /* who the client proved to be (tls/identity.h); NULL data: none was asked for */
	struct receipt_decision decision;
	unsigned candidate_count, attempt_count, tag_count;
	struct receipt_candidate candidates[RECEIPT_CANDIDATES_MAX];
	struct receipt_figures figures[RECEIPT_CANDIDATES_MAX]; /* of each candidate, where a decision was made */
	struct receipt_attempt attempts[RECEIPT_ATTEMPTS_MAX];
	struct receipt_tag tags[RECEIPT_TAGS_MAX];
};

/* Encodes into `record`; bytes written, or -ENOSPC. At most RECEIPT_BYTES_MAX: longer texts are cut at encoding. */
int receipt_encode(const struct receipt *receipt, char *record, size_t capacity);

/* 0, or -EBADMSG for bytes that no version of this program wrote; never reads past the record. */
int receipt_decode(struct slice record, struct receipt *receipt);

/* A sum of amounts that stays at the end of the range it would pass: a record may hold any two. */
static inline int64_t add_nusd(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/* What the caller pays. */
static inline int64_t receipt_total_nusd(const struct receipt *receipt)
{
	return add_nusd(receipt->provider_cost_nusd, receipt->platform_fee_nusd);
}

/* The JSON of the contract, section 6; others tell a part of it, or more. */
typedef void receipt_printer(const struct receipt *receipt, struct text *json);
receipt_printer receipt_print;

/* A fallback was used when something was tried after an attempt that failed; the list may or may not name the last one.
 */
bool receipt_fallback_used(const struct receipt *receipt);

struct slice receipt_api_name(enum receipt_api api);
struct slice receipt_verdict_name(enum receipt_verdict verdict);

#endif
