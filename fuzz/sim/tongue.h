/*
 * How actors speak: as clients that ask in a dialect, and as providers that answer in one. By rules of their own, so
 * that what the gateway translates wrongly is seen. A row of the table is a dialect; the rest of the actors knows none.
 */
#ifndef FUZZ_SIM_TONGUE_H
#define FUZZ_SIM_TONGUE_H

#include "fuzz/sim/book.h"
#include "fuzz/sim/bytes.h"
#include "fuzz/sim/wire.h"

/* What a provider is asked. NULL data: not said. */
struct asked {
	struct slice model, text;
	bool stream;
};

/* What an answer, or an event of a stream, says. NULL data: nothing of it. */
struct said {
	struct slice id; /* that the provider gave, with its marker */
	struct slice model, text, usage, summary;
	struct slice whole;   /* of a stream: all of its text, once more */
	struct slice failure; /* of a stream: what has the member `error` */
	bool end;             /* of a stream: this is all */
	bool opens, closes;   /* of a tongue that parts its streams: text comes in between alone */
	int64_t number;       /* of a tongue that numbers its events */
};

/* How a provider counts: as it is, or such that no sane reader believes it. */
enum usage_told { USAGE_WHOLE, USAGE_NULL, USAGE_NEGATIVE, USAGE_ABSURD };

/* What a provider answers. */
struct answer_told {
	enum call_kind kind;
	const struct attempt *attempt;
	const char *model;
	enum usage_told usage;
};

/* Of a stream, in this order; a dialect that has nothing to say for one of them adds nothing. */
enum event_told { TOLD_START, TOLD_TEXT, TOLD_ERROR, TOLD_FINISH, TOLD_USAGE, TOLD_END };

struct tongue {
	/* Clients; `path` is NULL when it has none. */
	const char *path;            /* of chats */
	const char *before, *behind; /* the text of a request, among its members */
	const char *besides;         /* what each request has besides */
	bool usage_is_asked;         /* a stream's */
	bool own_id;                 /* answers have the gateway's, not the provider's */
	bool has_parts, has_numbers; /* its streams */
	void (*read_answer)(enum call_kind kind, struct slice json, struct said *said);
	/* `name` has NULL data where an event has none. NULL, or what is wrong with it. */
	const char *(*read_event)(enum call_kind kind, struct slice name, struct slice data, struct said *said);
	/* Providers; `kind` is NULL when it has none. */
	const char *kind;                         /* in the configuration */
	const char *credential, *credential_lead; /* a header, and what its value begins with */
	bool signs;                               /* its credentials are two, one of which is not sent */
	bool nameless;                            /* its answers have no id */
	bool repeats;                             /* a stream's end says all of its text again */
	bool cached_untold, thought_untold;       /* of its figures */
	const char *stream_type;                  /* NULL: server-sent events */
	const char *done;                         /* in a stream: nothing is waited for behind it */
	unsigned behind_done;                     /* but so many bytes */
	/* `target` as the request's first line has it. NULL, or what is wrong with it. */
	const char *(*read_request)(struct slice target, struct slice body, struct asked *asked);
	const char *(*check_head)(const struct wire *wire); /* the same; NULL: there is nothing to check */
	void (*write_answer)(struct bytes *json, const struct answer_told *told);
	/* `k`: of the text's pieces, of TOLD_TEXT its number, of what follows how many there were. */
	void (*write_event)(struct bytes *bytes, const struct answer_told *told, enum event_told event, unsigned k);
};

const struct tongue *tongue_named(enum tongue_name name);

/* What a provider that is named so answers a client in: some speak more than one. */
const struct tongue *tongue_answering(enum tongue_name provider, enum tongue_name client);

/* Piece `k` of an answer's text: "<call.attempt.k>" and words. */
void tongue_content(struct bytes *text, const struct attempt *attempt, unsigned k);

/* One of those that the gateway was built for, by any number; each is as likely. */
enum tongue_name tongue_of_clients(uint64_t number);
enum tongue_name tongue_of_providers(uint64_t number);

/* For the rows. */

extern const struct tongue tongue_openai, tongue_anthropic, tongue_responses, tongue_gemini, tongue_cohere,
	tongue_bedrock, tongue_native;

/* What a chat's first message says: a string, or its first part's text. */
struct slice tongue_first_text(struct slice body);

/* Figures that nobody believes, under these names, or none. False: they are to be whole. */
bool tongue_print_bad_usage(struct bytes *json, enum usage_told usage, const char *prompt, const char *completion);

/* `event: TYPE` and `data: {"type":"TYPE"` */
void tongue_open_event(struct bytes *bytes, const char *type);

void tongue_print_content(struct bytes *json, const struct attempt *attempt, unsigned k); /* inside of a string */
void tongue_print_id(struct bytes *json, const struct attempt *attempt); /* `"id":"sim-CALL-ATTEMPT"` */

#endif
