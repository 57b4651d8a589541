/*
 * One request's life on its shard, from its head to its receipt. The parts of the machine are exchange_*.c, each one
 * subject; this header is theirs and the service's, nobody else's.
 *
 *   READING (-> LIMITING) -> CALLING <-> ANSWERING -> SETTLING -> ENDED      unary (before CALLING: ADMITTING)
 *   READING (-> LIMITING) -> CALLING <-> STREAMING -> SETTLING -> ENDED      stream
 *   READING -> ASKING (a page that waits for the store) -> ENDED
 *
 * An exchange is freed when nothing holds it any more: the HTTP request, the upstream call, the store's ticket, a store
 * query, a letter about its limits, one about its budget.
 */
#ifndef ROUTE_EXCHANGE_H
#define ROUTE_EXCHANGE_H

#include "proto/bedrock/event_stream.h"
#include "proto/openai/openai_media.h"
#include "proto/http/sse.h"
#include "route/gateway/api_error.h"
#include "route/dialects/dialect.h"
#include "route/endpoints/endpoint_table.h"
#include "route/gateway/gateway_shard.h"
#include "route/fleet/plan.h"
#include "route/money/price.h"
#include "route/auto/score.h"

#include <stddef.h>

enum exchange_state {
	EXCHANGE_READING,
	EXCHANGE_LIMITING,  /* its limits' shards are asked, one after the other */
	EXCHANGE_ADMITTING, /* between attempts: a credential's shard is asked */
	EXCHANGE_CALLING,
	EXCHANGE_ANSWERING,
	EXCHANGE_STREAMING,
	EXCHANGE_SETTLING,
	EXCHANGE_ASKING,
	EXCHANGE_ENDED
};

enum exchange_hold {
	HOLD_REQUEST = 1,
	HOLD_CALL = 2,
	HOLD_TICKET = 4,
	HOLD_QUERY = 8,
	HOLD_LIMIT = 16,
	HOLD_BUDGET = 32,
	HOLD_IDEMPOTENCY = 64,
	HOLD_CONTENT = 128,
	HOLD_RIVAL = 256
};

/* Of a candidate. */
enum admission { ADMISSION_NOW, ADMISSION_LATER /* exchange_attempt() is called again */, ADMISSION_REFUSED };

enum attempt_failure {
	ATTEMPT_RESOLVE,
	ATTEMPT_CONNECT,
	ATTEMPT_CONNECT_TIMEOUT,
	ATTEMPT_TLS,
	ATTEMPT_SEND,
	ATTEMPT_HEAD_TIMEOUT,
	ATTEMPT_PROTOCOL,
	ATTEMPT_IDLE_TIMEOUT,
	ATTEMPT_TRUNCATED,
	ATTEMPT_TOTAL_TIMEOUT, /* as enum http_failure */
	ATTEMPT_FIRST_TOKEN_TIMEOUT,
	ATTEMPT_REFUSED_REQUEST,
	ATTEMPT_CREDENTIAL,
	ATTEMPT_RATE_LIMITED,
	ATTEMPT_OVERLOADED,
	ATTEMPT_STATUS_TIMEOUT,
	ATTEMPT_STATUS,
	ATTEMPT_BAD_ANSWER,
	ATTEMPT_BROKEN_STREAM,
	ATTEMPT_STREAM_ERROR,
	ATTEMPT_NO_MEMORY,
	ATTEMPT_NO_SOCKET, /* descriptors or ports are out: the gateway's own lack, and no fault of the provider's */
	ATTEMPT_FAILURES
};

enum { EXCHANGE_ERROR_BYTES = 4096, EXCHANGE_ARENA_BYTES_MAX = 160 * 1024 * 1024 };

/* Why the last attempt failed, kept until another takes its place or the client is told. Texts in the arena. */
struct exchange_failure {
	enum attempt_failure kind;
	unsigned status; /* the provider's; 0: it did not answer */
	struct slice message, code, param;
	struct slice upstream; /* its own error as JSON */
	uint32_t retry_after_s;
};

/* Where a request goes, as far as that is the gateway's choice. */
struct route_choice {
	struct slice model; /* as asked for, or as a rule says */
	bool automatic;     /* it is `auto` */
	unsigned rule;      /* the number of the one that applied; 0: none did */
	bool scored;
	struct score score;
	enum route_priority priority;
	uint64_t latency_ns; /* at most */
	uint32_t quality_milli;
	bool quality_asked;
	struct slice reason; /* of `auto` */
	uint64_t tokens;     /* prompt and answer, that a model's context has to hold */
	unsigned ranked_count;
	struct ranked_figures *ranked; /* what the receipt may tell of; in the arena */
};

/* Of a model that was ranked, for the receipt. */
struct ranked_figures {
	const struct model_settings *model;
	struct receipt_figures figures;
};

/* What is reserved for a request whose key has a budget; all 0 for others. */
struct exchange_budget {
	uint64_t prompt_tokens, output_tokens; /* at most; output of all answers together */
	uint64_t output_cap;                   /* to be sent as the limit of an answer; 0: the request has its own */
	uint64_t extend_at_bytes;              /* of a stream's output: more is asked for then; 0: never */
	uint32_t answers;
	struct usage pieces;   /* what is priced by the piece, at most */
	uint64_t heard_tokens; /* of sound, in the prompt */
	uint64_t asked_tokens; /* more, which the owner shard was asked for */
	bool extending;        /* it was */
	bool candidate_asked;  /* for what another candidate takes */
	bool waiting;          /* and until the answer is there, nothing more is read of the stream */
};

/* Embeddings that came so far, of a provider that takes no more texts at once than some. */
struct exchange_vectors {
	uint32_t count;
	struct text text; /* as the client's answer lists them, in the arena */
	uint64_t prompt_tokens;
	bool untold; /* a call did not say how many these were */
};

/*
 * One attempt: the call to a candidate and all that came of it. An exchange has one, and while it is hedged
 * (exchange_hedge.c) a second; what happens to either is looked at through exchange->attempt.
 */
struct exchange_attempt {
	struct exchange *exchange;
	const struct exchange_candidate *candidate; /* being tried, then the winner */
	struct slice model_json;                    /* its catalog id, quoted, and its length-checked copy */
	struct slice dropped;                       /* names of fields that it did not get */
	struct fleet_call fleet_call;
	uint64_t call_started_ns;
	struct timer first_token_timer;
	struct buffer *answer_buffer; /* the whole of the answer lies in one receive buffer, so far */
	struct slice answer;          /* collected */
	size_t answer_capacity;       /* 0: `answer` is not the arena's */
	struct sse_parser sse;
	struct event_stream messages; /* instead, of a provider whose streams are such */
	struct text held;             /* opening events that wait for the first content */
	uint64_t output_bytes;
	struct usage usage;
	char finish_reason[32];
	unsigned finish_reason_size;
	bool usage_known;
	bool usage_told; /* the client has what the provider says of usage */
	bool translates; /* its provider speaks another dialect than the client */
	/* Large, written before they are read; exchange_attempt_init() leaves these as they are. */
	struct http_call call;
	struct http_head head; /* of the answer */
	struct iovec body_iov[2 * JSON_EDITS_MAX + 1];
	struct chat_reader reader; /* of a stream */
	struct chat_writer writer;
};

struct exchange_rival; /* exchange_hedge.c */

struct exchange {
	struct gateway_shard *gateway_shard;
	struct shard_config *config;
	struct http_request *request;
	struct exchange *next_free;
	enum exchange_state state;
	unsigned holds; /* enum exchange_hold */
	struct arena arena;
	const struct key_settings *key;
	const struct workspace_settings *workspace;
	const struct service_route *route;     /* NULL: no such path */
	const struct endpoint *endpoint;       /* that was called; NULL: none, it is a request of an API */
	const struct dialect *dialect;         /* the client's */
	const struct sockaddr_storage *client; /* the peer, or whom a trusted proxy names */
	struct slice client_certificate;       /* who it proved to be (tls/identity.h); NULL data: none was asked for */
	uint64_t received_ns, received_wall_ns;
	struct slice route_argument; /* what follows a prefix route's path */
	struct ulid id;
	char id_text[4 + ULID_TEXT_BYTES]; /* req_... */
	unsigned status;                   /* told to the client */
	bool admin;
	const struct admin_token_settings *admin_token; /* with admin; NULL: the master key */
	bool is_api;                                    /* a POST of section 3: leaves a receipt */
	bool answered;                                  /* the client's answer is complete, or nobody waits for it */
	bool gone;
	bool receipt_done;
	/* The request. */
	enum receipt_api api;
	struct openai_request asked;
	struct slice model_name; /* as asked for */
	bool stream;
	bool view_lost; /* since it was read, the shard's JSON view has gone to other documents */
	bool limit_guessed;
	uint64_t output_most; /* tokens of an answer that the endpoint leaves for it; 0: no bound */
	bool credential_letter_out;
	uint8_t limit_letters;  /* out: of its address, its key, a credential */
	uint64_t prompt_tokens; /* about; with output_tokens, what its limits reserve */
	uint64_t output_tokens; /* at most, as it says; limit_guessed: it does not */
	struct exchange_budget budget;
	struct chat *chat; /* of the body, once it was looked at; its texts are good while the view holds the body */
	bool chat_read;
	struct embeddings embeddings;    /* asked for, where its provider speaks of them in its own way */
	struct exchange_vectors vectors; /* of calls before, where it takes several */
	int chat_error;
	struct exchange_form *form;        /* NULL: the body is a document */
	struct exchange_upload *upload;    /* of a form that passes as it comes; NULL: it is there */
	struct openai_media media;         /* asked for, then made */
	struct conversation *conversation; /* of the Responses API; NULL: of another one */
	struct session *session;           /* of an endpoint; NULL: none */
	struct exchange_shadow *shadow;    /* it is one (exchange_shadow.h); NULL: a client's */
	struct idempotency *idempotency;   /* NULL: it has no such key */
	struct exchange_content *content;  /* NULL: none of it is kept, so far */
	struct openai_problem problem;     /* why a candidate cannot serve it */
	/* The plan. */
	struct route_choice route_choice;
	unsigned candidate_next; /* of plan.candidates */
	bool candidate_asked;    /* its credential, for that one */
	unsigned attempt_count;  /* all; the receipt names the first few alone */
	struct exchange_failure failure;
	/* The calls. */
	struct exchange_attempt *attempt; /* that is looked at */
	struct exchange_rival *rival;     /* NULL: there is no other */
	struct timer hedge_timer;
	/* A stream that may be continued, should it break: exchange_continue.c. */
	bool continuable, continued;
	unsigned said_unsent;           /* bytes at the end of `said` that the attempt's provider was not told */
	struct text said;               /* the answer so far */
	struct exchange_failure broken; /* why it was */
	uint64_t overhead_ns, body_begun_ns;
	/* The answer to the client while it waits for its receipt. */
	struct slice answer_headers;
	unsigned answer_iov_count;
	/* The stream. */
	bool streaming; /* its timers may be armed */
	struct timer keepalive_timer;
	bool head_sent, content_sent, done_seen, paused;
	uint64_t first_content_ns, last_write_ns;
	struct slice end_event; /* what ends the stream, while it waits for its receipt */
	/* What it came to: what the winner used, and what attempts besides did. */
	struct usage usage_besides;
	struct cost cost, cost_besides; /* the first holds the second */
	uint64_t prompt_estimate;       /* 0: not made */
	struct store_ticket ticket;
	void (*settled)(struct exchange *exchange, int result); /* what waited for the ticket */
	struct store_query query;
	/*
	 * Last, since it ends what exchange_open() clears: the receipt's own lists, which have counts, and what follows
	 * are large and written before they are read.
	 */
	struct receipt receipt;
	struct exchange_attempt first_attempt; /* exchange_make() begins it */
	struct limit_request limit;            /* of its key; exchange_open() begins all three */
	struct limit_request address_limit, credential_limit;
	struct limit_extension extension;
	struct plan plan;
	struct iovec answer_iov[2 * JSON_EDITS_MAX + 1];
};

/* Bytes at the beginning of an exchange that are cleared for each request. */
#define EXCHANGE_CLEARED_BYTES (offsetof(struct exchange, receipt) + offsetof(struct receipt, candidates))

/* exchange.c: the life. */
struct exchange *exchange_open(struct gateway_shard *gateway_shard, struct http_request *request); /* NULL: no memory */
/* The same for a request that comes from no connection: its client is to be set. */
struct exchange *exchange_make(
	struct gateway_shard *gateway_shard, struct http_request *request, struct shard_config *config);
void exchange_unhold(struct exchange *exchange, enum exchange_hold hold); /* may free */
void exchange_gone(struct exchange *exchange);
void exchange_done(struct exchange *exchange);
void exchange_drained(struct exchange *exchange);
static inline uint64_t exchange_now_ns(const struct exchange *e)
{
	return shard_now_ns(e->gateway_shard->shard);
}

/* exchange_authenticate.c: who calls. */
bool exchange_authenticate(struct exchange *exchange, uint32_t scope); /* false: refused */
bool exchange_authenticate_admin(struct exchange *exchange);
const struct workspace_settings *exchange_workspace_of(
	const struct exchange *exchange, const struct key_settings *key); /* NULL: it is gone */

/* exchange_request.c: reading, refusing. */
void exchange_run(struct exchange *exchange);           /* the body is there */
bool exchange_read_request(struct exchange *exchange);  /* the body's alone, of exchange->api; false: refused */
bool exchange_read_document(struct exchange *exchange); /* the same of exchange_document(); false: refused */

/* exchange_endpoint.c: calls of defined endpoints. False: refused. */
bool exchange_find_endpoint(struct exchange *exchange);  /* the path's, once it is known who calls */
bool exchange_bound_endpoint(struct exchange *exchange); /* its tokens; the view holds the request */
void exchange_order_failover(struct exchange *exchange); /* its plan's candidates */
static inline bool exchange_has_failover(const struct exchange *e)
{
	return e->endpoint && e->endpoint->settings->failover.count;
}
/* The view holds the call, whose place a chat request takes; False also: then(exchange) follows. */
bool exchange_enter_endpoint(struct exchange *exchange, void (*then)(struct exchange *exchange));

/* exchange_endpoint_schema.c: its schemas. False: refused. */
bool exchange_check_input(struct exchange *exchange, json_ref input); /* the view holds the call */
bool exchange_check_output(struct exchange *exchange);                /* the answer is rendered; the view is lost */
bool exchange_view_answer(struct exchange *exchange); /* the rendered answer becomes the view; false: no memory */
bool exchange_sends_schema(const struct exchange *exchange); /* to the provider, too */

/* exchange_refuse.c: errors to the client. */
void exchange_refuse(struct exchange *exchange, const struct api_error *error, struct slice more_headers);
void exchange_refuse_invalid(
	struct exchange *exchange, struct slice code, struct slice message, struct slice param); /* 400 */
void exchange_refused_by_server(struct exchange *exchange, unsigned status); /* its body did not come as it should */
void exchange_refuse_overloaded(struct exchange *exchange, struct slice code, struct slice message);
void exchange_give_up(struct exchange *exchange); /* tells what exchange->failure says: an error, or an error event */
void exchange_answer_error(struct exchange *exchange, const struct api_error *error, struct slice more_headers);
struct api_error exchange_failure_error(const struct exchange *exchange);

void exchange_go(struct exchange *exchange); /* nothing refuses it: the first attempt */

/* exchange_limit.c: past its limits, then exchange_go(); or refused. */
void exchange_limit(struct exchange *exchange);
void exchange_limit_settle(struct exchange *exchange); /* once it is known what it came to; later calls do nothing */
uint64_t exchange_prompt_tokens(const struct exchange *exchange); /* about; the view holds the request */
/* What such a limit reserves of tokens; an answer whose length nothing says is guessed from those before. */
uint64_t exchange_limit_tokens(const struct exchange *exchange, const struct limit_request *request);
void exchange_limit_letter_out(struct exchange *exchange);
void exchange_limit_letter_home(struct exchange *exchange); /* it may be gone then */
bool exchange_limit_give(
	struct exchange *exchange, struct limit_request *request, const struct limit_use *use); /* false: by letter */

/* exchange_limit_headers.c */
void exchange_limit_print(struct exchange *exchange, struct text *headers);
int64_t exchange_month_percent(const struct exchange *exchange); /* spent of its tightest monthly budget; -1: none */

/* exchange_credential.c: the own limits of the credential that a candidate is called with. */
const struct limit_subject *exchange_credential_subject(
	const struct exchange *exchange, const struct exchange_candidate *candidate); /* NULL: it has none */
enum admission exchange_credential_admit(struct exchange *exchange, const struct exchange_candidate *candidate);
void exchange_credential_settle(
	struct exchange *exchange, const struct limit_use *use); /* nothing, when nothing is held */

/* exchange_budget.c: the most that each candidate costs, once it is known whose subject exchange->limit has. False:
 * refused. */
bool exchange_budget_reserve(struct exchange *exchange, struct limit_ask *ask);
/* That of which some was reserved for the model that serves; NULL: none. */
const struct allowance *exchange_allowance(const struct exchange *exchange);
bool exchange_is_hosted(
	const struct exchange *exchange, const struct exchange_candidate *candidate); /* paid by a balance */
void exchange_budget_chosen(struct exchange *exchange); /* leaves aside what has no room */
enum admission exchange_budget_admit(
	struct exchange *exchange, const struct exchange_candidate *candidate); /* before a call */
uint64_t exchange_output_cap(
	const struct exchange *exchange, const struct model_settings *model); /* to be sent; 0: none */
uint64_t exchange_asked_output(
	const struct exchange *exchange); /* tokens of an answer, as the request says; 0: it does not */
uint64_t exchange_asked_answers(const struct exchange *exchange); /* how many are written at once */
void exchange_budget_refuse(struct exchange *exchange);           /* the answer says which budget has no room */
void exchange_budget_extend(struct exchange *exchange); /* of a stream that has used up most of what is reserved */

/* count_tokens.c: the answer where no provider counts for this model. */
void exchange_estimate_count(struct exchange *exchange);

/* exchange_auto.c: score, rules, hints; then for `auto` the candidates of all models that fit. */
bool exchange_route(struct exchange *exchange);                                                   /* false: refused */
bool exchange_plan_auto(struct exchange *exchange, const struct plan_request *request);           /* false: no memory */
int64_t exchange_cost_about(const struct exchange *exchange, const struct model_settings *model); /* nano-USD */
struct slice exchange_strategy(const struct exchange *exchange);
struct slice exchange_bucket(const struct exchange *exchange); /* "direct": it is not told */
void exchange_tell_route(struct exchange *exchange);           /* to the receipt, once there is a candidate */
void exchange_tell_decision(struct exchange *exchange);        /* the figures, once the receipt's candidates are told */

/* exchange_plan.c: the candidates of a model. False: refused. */
bool exchange_plan(struct exchange *exchange);
void exchange_refuse_for_now(struct exchange *exchange); /* what the plan's verdicts say, which pass */
bool exchange_candidates(struct exchange *exchange); /* the same, also where none is left; false: refused for more */
json_ref exchange_hint(const struct exchange *exchange, struct slice name); /* JSON_NONE: not given, or null */

/* exchange_fleet.c: what attempts mean for the deployments, and these for attempts. */
uint64_t exchange_tokens_about(const struct exchange *exchange);  /* that the call takes */
uint32_t exchange_retry_after_s(const struct exchange *exchange); /* until a candidate may be back */
bool exchange_may_call(struct exchange *exchange);                /* false: the retry budget is used up */
void exchange_add_verdict(struct exchange *exchange, const struct exchange_candidate *candidate,
	enum receipt_verdict verdict); /* of one that the plan held */
bool exchange_call_take(struct exchange *exchange, const struct exchange_candidate *candidate); /* false: not it, now */
void exchange_read_room(struct exchange *exchange);   /* what the answer's head says of the provider's limits */
void exchange_call_failed(struct exchange *exchange); /* as exchange->failure says */
void exchange_call_outrun(struct exchange *exchange); /* another attempt was faster */
void exchange_call_done(struct exchange *exchange);   /* by exchange->status; nothing when no call is under way */
void exchange_call_served(struct exchange *exchange); /* and another one follows */

bool exchange_is_unsampled(const struct exchange *exchange); /* the deployment that is called, as was learnt */
bool exchange_learn_unsampled(struct exchange *exchange);    /* false: known already */

/* exchange_upstream.c: attempts. */
struct chat_target exchange_target(const struct exchange *exchange, const struct exchange_candidate *candidate);
void exchange_attempt(struct exchange *exchange); /* the next candidate, or fail */
int exchange_start_call(struct exchange *exchange, const struct exchange_candidate *candidate); /* that was taken */
uint64_t exchange_time_left_ns(const struct exchange *exchange, const struct provider_settings *provider);
void exchange_take_head(struct exchange *exchange); /* the answer's is there */
void exchange_attempt_failed(struct exchange *exchange);
void exchange_set_failure(struct exchange *exchange, enum attempt_failure kind, unsigned status, struct slice message);
void exchange_cancel_call(struct exchange *exchange);
const char *attempt_failure_name(enum attempt_failure kind);

/* exchange_continue.c: streams that break, and go on at the next candidate. */
void exchange_continue_prepare(
	struct exchange *exchange); /* the first attempt's request is written, and the view holds the client's */
bool exchange_continue_event(struct exchange *exchange, struct chat_event *event); /* false: nothing for the client */
bool exchange_continue(struct exchange *exchange);      /* after a failure behind content; false: it cannot go on */
int exchange_continue_write(struct exchange *exchange); /* the begin of the answer, into exchange->chat */

/* exchange_hedge.c: a second attempt beside the first. */
void exchange_hedge_begin(struct exchange *exchange);                /* the request's first attempt goes */
struct exchange *exchange_turn_to(struct exchange_attempt *attempt); /* it is the one that is looked at */
bool exchange_hedge_goes_on(
	struct exchange *exchange); /* this attempt is over, and the other is looked at; false: there is none */
void exchange_hedge_end(struct exchange *exchange); /* this attempt is the one: the other is broken off */

/* exchange_unary.c: collected bodies: answers and a provider's errors. */
void exchange_collect(struct exchange *exchange, struct slice data, struct buffer *buffer);
void exchange_collected(struct exchange *exchange);
void exchange_forget_answer(struct exchange *exchange);

/* exchange_media.c: images and sound, which are priced by the piece. */
bool exchange_is_media(const struct exchange *exchange);
bool exchange_read_media(struct exchange *exchange, struct openai_problem *problem); /* the view holds the request */
void exchange_reserve_media(struct exchange *exchange);                              /* its part of exchange->budget */
void exchange_take_media(struct exchange *exchange, struct openai_answer *answer);   /* the view holds the answer */
void exchange_settle_media(struct exchange *exchange);

/* exchange_transcript.c: transcriptions as they are heard. */
void exchange_transcript_event(struct exchange *exchange, struct slice data);
bool exchange_transcript_whole(struct exchange *exchange); /* it is not streamed, and may come whole all the same */

/* exchange_form.c: requests that come as forms. */
bool exchange_read_form(struct exchange *exchange);              /* false: refused */
struct slice exchange_document(const struct exchange *exchange); /* the request as JSON, a form's fields if it is one */
uint64_t exchange_recording_bytes(const struct exchange *exchange); /* of a form; of one that is coming, at most */
int exchange_write_form(struct exchange *exchange, struct slice model, size_t *size); /* the call's body */
struct slice exchange_form_type(struct exchange *exchange); /* the Content-Type of that; NULL data: no memory */

/* exchange_binary.c: answers that are neither events nor a document. */
bool exchange_is_binary(const struct exchange *exchange);
void exchange_binary_begin(struct exchange *exchange); /* the provider's head is there; it may fail the attempt */
void exchange_binary_data(struct exchange *exchange, struct slice data);
void exchange_binary_ended(struct exchange *exchange);
void exchange_binary_break(struct exchange *exchange, const struct api_error *error); /* its head is out */

/* exchange_embeddings.c: of providers that speak of them in their own way. */
/* NULL: OpenAI's. */
const struct embeddings_dialect *exchange_embeddings_dialect(const struct exchange_candidate *candidate);
int exchange_write_embeddings(
	struct exchange *exchange, const struct exchange_candidate *candidate, struct text *body); /* the call's body */
void exchange_read_embeddings(struct exchange *exchange, struct openai_usage *usage); /* of all calls so far */
/* 1: there are more texts, so that another call is under way or the attempt has failed; 0; -EPROTO, -ENOMEM. */
int exchange_next_embeddings(struct exchange *exchange, const struct openai_usage *usage);
int exchange_write_vectors(struct exchange *exchange, const struct chat_frame *frame, struct text *body);

/* exchange_translate.c: between dialects. */
struct exchange_event {
	struct slice written; /* for the client, whole events; good until the next one */
	bool content, ended;
	json_ref error; /* the provider's own */
};
bool exchange_is_chat(const struct exchange *exchange);
const struct chat *exchange_chat(
	struct exchange *exchange); /* the request, while the view holds it; NULL: it is none */
bool exchange_can_serve(struct exchange *exchange, const struct exchange_candidate *candidate); /* else ->problem */
int exchange_translate_request(struct exchange *exchange, const struct exchange_candidate *candidate, size_t *size);
int exchange_read_translated(struct exchange *exchange, struct chat_answer *whole, struct openai_answer *figures);
int exchange_write_translated(struct exchange *exchange, const struct chat_answer *whole, struct slice members);
int exchange_read_event(struct exchange *exchange, struct exchange_event *event); /* the view holds its data */
/* *last: the dialect's last event, which waits for the receipt; empty: it is the dialect's end_event. */
int exchange_write_end(struct exchange *exchange, struct slice members, struct slice *written, struct slice *last);
struct chat_frame exchange_frame(const struct exchange *exchange, struct slice members);
int exchange_write_length(struct exchange *exchange, struct slice *written); /* that it ends for want of tokens */
enum attempt_failure exchange_stream_failure(const struct exchange *exchange, json_ref error);

/* exchange_stream.c */
void exchange_attempt_init(struct exchange_attempt *attempt, struct exchange *exchange);
void exchange_stream_prepare(struct exchange *exchange); /* timers, before the first attempt */
int exchange_stream_begin(struct exchange *exchange);    /* the provider's head is there */
void exchange_stream_data(struct exchange *exchange, struct slice data);
void exchange_stream_ended(struct exchange *exchange); /* the call's body ended */
void exchange_stream_go_on(struct exchange *exchange); /* there is money again */
void exchange_stream_cut(struct exchange *exchange);   /* nothing more is paid for: finish_reason "length" */
void exchange_stream_error(struct exchange *exchange, const struct api_error *error);
void exchange_stream_forget(struct exchange *exchange); /* of an attempt: another follows */
void exchange_stream_stop(struct exchange *exchange);   /* timers */

/* exchange_receipt.c: settling, the receipt, headers and summaries. */
unsigned exchange_tags(
	const struct exchange *exchange, struct receipt_tag tags[RECEIPT_TAGS_MAX]); /* the key's first */
void exchange_settle_usage(struct exchange *exchange);        /* usage (or its estimate) and cost */
void exchange_settle_besides(struct exchange *exchange);      /* the same of an attempt that is not the answer's end */
struct usage exchange_usage(const struct exchange *exchange); /* of all attempts that are paid for */
void exchange_note_attempt(struct exchange *exchange, unsigned status, struct slice error);
void exchange_note_outrun(struct exchange *exchange); /* that another attempt was faster */
int exchange_append_receipt(struct exchange *exchange, void (*settled)(struct exchange *exchange, int result));
void exchange_receipt_quietly(struct exchange *exchange); /* nothing waits for it; bounded for refusals */
void exchange_print_headers(struct exchange *exchange, struct text *headers, bool with_cost);
void exchange_print_summary(struct exchange *exchange, struct text *json, bool with_usage);
void exchange_count_usage(struct exchange *exchange); /* metrics of tokens and cost alone */
void exchange_account(struct exchange *exchange);     /* metrics and the access log */

#endif
