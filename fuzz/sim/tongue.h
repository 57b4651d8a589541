/*
 * How actors speak: as clients that ask in a dialect, and as providers that answer in one. By rules of their own, so
 * that what the gateway translates wrongly is seen. A row of the table is a dialect; the rest of the actors knows none.
 */
#ifndef FUZZ_SIM_TONGUE_H
#define FUZZ_SIM_TONGUE_H

#include "fuzz/sim/book.h"
#include "fuzz/sim/bytes.h"

/* What a provider is asked. NULL data: not said. */
struct asked {
	struct slice model, text;
	bool stream;
};

/* What an answer, or an event of a stream, says. NULL data: nothing of it. */
struct said {
	struct slice id, model, text, usage, summary;
	bool error, end;    /* of a stream: there is an error in it, and this is all */
	bool opens, closes; /* of a dialect that parts its streams: text comes in between alone */
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
	const char *kind; /* of its providers, in the configuration */
	const char *path; /* of chats */
	/* Clients. */
	const char *besides; /* members that each request has */
	bool usage_is_asked; /* a stream's */
	bool parts;          /* its streams have them */
	void (*read_answer)(enum call_kind kind, struct slice json, struct said *said);
	/* `name` has NULL data where an event has none. NULL, or what is wrong with it. */
	const char *(*read_event)(enum call_kind kind, struct slice name, struct slice data, struct said *said);
	/* Providers. */
	const char *credential, *credential_lead; /* a header, and what its value begins with */
	const char *done;                         /* in a stream: nothing behind it is waited for */
	const char *(*read_request)(struct slice body, struct asked *asked); /* NULL, or what is wrong with it */
	void (*write_answer)(struct bytes *json, const struct answer_told *told);
	void (*write_event)(struct bytes *bytes, const struct answer_told *told, enum event_told event, unsigned k);
};

extern const struct tongue tongue_openai, tongue_anthropic;

const struct tongue *tongue_named(enum tongue_name name);

/* For the rows. */

/* Piece `k` of an answer's text: "<call.attempt.k>" and letters. */
void tongue_print_content(struct bytes *bytes, const struct attempt *attempt, unsigned k);
void tongue_print_id(struct bytes *json, const struct attempt *attempt); /* `"id":"sim-CALL-ATTEMPT"` */

#endif
