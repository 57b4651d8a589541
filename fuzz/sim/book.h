/*
 * The book: what the clients asked, what the providers were asked and answered, and what the clients got, as the actors
 * saw it. Each call carries its number as a marker that the gateway passes on and the provider echoes, so that all that
 * happened to one call is known, and nothing of it can reach another unseen.
 */
#ifndef FUZZ_SIM_BOOK_H
#define FUZZ_SIM_BOOK_H

#include "core/slice.h"

enum call_kind {
	/* Served by a provider. */
	CALL_CHAT,
	CALL_CHAT_STREAM,
	CALL_COMPLETION,
	CALL_COMPLETION_STREAM,
	CALL_EMBEDDING,
	CALL_MODERATION,
	CALL_SERVED, /* the kinds before are */
	/* To be refused. */
	CALL_BAD_JSON = CALL_SERVED,
	CALL_UNKNOWN_KEY,
	CALL_NO_KEY,
	CALL_UNKNOWN_PATH,
	CALL_WRONG_METHOD,
	CALL_UNKNOWN_MODEL,
	CALL_NOT_ALLOWED,
	CALL_NO_MESSAGES,
	CALL_TOO_LARGE,
	CALL_WRONG_TYPE,
	CALL_BAD_HTTP,
	CALL_REFUSED, /* the kinds from CALL_SERVED on are */
	/* Pages. */
	CALL_MODELS = CALL_REFUSED,
	CALL_HEALTH,
	CALL_READY,
	CALL_METRICS,
	CALL_RECEIPT,
	CALL_RECEIPTS,
	CALL_PAGES_END, /* of those that are drawn */
	CALL_DEPOSIT = CALL_PAGES_END,
	CALL_KINDS
};

/* tongue.h has the table. */
enum tongue_name {
	TONGUE_OPENAI,
	TONGUE_ANTHROPIC,
	TONGUE_RESPONSES,
	TONGUE_GEMINI,
	TONGUE_COHERE,
	TONGUE_BEDROCK,
	TONGUE_NATIVE, /* OpenAI itself: chats, and responses where the client asks for these */
	TONGUES
};

enum { MODEL_ONE, MODEL_TWO, MODEL_BOTH, MODEL_EMBED, MODEL_MODERATE, MODELS };
enum { PROVIDERS = 2, ID_BYTES = 4 + 26 };

struct figures { /* tokens */
	int64_t prompt, completion, cached, reasoning;
};

/* One call as a provider saw it. */
struct attempt {
	uint32_t call, number; /* from 1 */
	unsigned provider, model;
	bool good;         /* its plan: a whole and valid answer */
	bool usage_known;  /* the answer tells credible figures */
	bool sent_whole;   /* all of it, its end included, was given to the network */
	bool open;         /* it is being answered */
	uint64_t asked_ns; /* when its provider had the request, */
	uint64_t begun_ns; /* had the answer's first bytes on their way, */
	uint64_t whole_ns; /* and when it was sent_whole */
	unsigned deltas;   /* of a stream, all */
	unsigned delta_bytes;
	struct figures figures;
};

enum call_outcome {
	OUTCOME_WAITING,
	OUTCOME_WHOLE,  /* an answer with its end */
	OUTCOME_BROKEN, /* the connection ended before that */
	OUTCOME_LEFT,   /* the client went away */
};

struct call {
	uint32_t id;
	enum call_kind kind;
	enum tongue_name tongue;    /* the client's; of chats */
	unsigned model, gate, life; /* at which gateway, and in which life of it */
	bool include_usage, chain;
	/* As the client saw it. */
	enum call_outcome outcome;
	bool sent_whole; /* all of the request was given to the network */
	bool spoilt;     /* the client did what may cost it the answer: sends late, reads late */
	bool pipelined;  /* others were sent behind it */
	bool reused;     /* not the first on its connection */
	bool answer_begun;
	bool decided;     /* the answer says who was to serve it: it has to have a receipt */
	bool error_event; /* the stream ended with one */
	bool got_done;
	unsigned status, retry_after_s;
	unsigned output_max, prompt_guess; /* tokens, in a race */
	size_t body_bytes;                 /* of the request */
	uint64_t sent_ns, ended_ns, answer_bytes;
	char request_id[ID_BYTES];
	uint32_t served_by; /* number of the attempt whose answer it got; 0: none */
	int64_t cost_nusd;  /* as told; -1: not told */
	/* As the providers saw it. */
	uint32_t attempt_count, last_attempt; /* index in attempts */
	uint64_t asked_ns;                    /* in a race: when a provider had it first; 0: none had */
	unsigned used_tokens;
	/* As the stores have it. */
	unsigned receipt_count;
};

struct book {
	struct call *calls; /* by id */
	size_t call_count, call_capacity;
	struct attempt *attempts;
	size_t attempt_count, attempt_capacity;
};

/* Their addresses change as the book grows: keep the numbers. */
struct call *book_call_add(struct book *book, enum call_kind kind);
struct call *book_call(const struct book *book, uint32_t id);    /* NULL: no such call */
uint32_t book_attempt_add(struct book *book, struct call *call); /* its index */
struct attempt *book_attempt(const struct book *book, uint32_t call, uint32_t number);
void book_free(struct book *book);

/* The number behind "sim-" in a text; false when there is none. */
bool book_find_marker(struct slice text, uint32_t *call);

static inline bool call_is_stream(const struct call *call)
{
	return call->kind == CALL_CHAT_STREAM || call->kind == CALL_COMPLETION_STREAM;
}

static inline bool call_is_served(const struct call *call)
{
	return call->kind < CALL_SERVED;
}

static inline bool call_is_chat(const struct call *call)
{
	return call->kind == CALL_CHAT || call->kind == CALL_CHAT_STREAM;
}

const char *call_kind_name(enum call_kind kind);

#endif
