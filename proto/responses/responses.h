/*
 * OpenAI's Responses API: a dialect of clients, bridged over the form of a chat to providers that lack it, and edited
 * where the provider speaks it itself. What has no type here is OpenAI's (proto/openai/openai.h), which the exchange
 * knows.
 *
 * A bridged answer is of the gateway's making: its id and those of its items are made from the request's own id.
 * Thinking goes out as the summary of a reasoning item; what its provider wants back with it (a signature, redacted
 * data) is the item's encrypted_content, behind a mark by which it is known when a client sends it back.
 */
#ifndef PROTO_RESPONSES_H
#define PROTO_RESPONSES_H

#include "proto/openai/chat_openai.h"

/* Before a signature and before redacted data in `encrypted_content`. */
#define RESPONSES_SIGNATURE_MARK SLICE("tollgate1.signature.")
#define RESPONSES_REDACTED_MARK SLICE("tollgate1.redacted.")

/* Output that a stream repeats at its end, as JSON; a longer answer ends as a failure. 128 Ki tokens are some 600 KiB.
 */
enum { RESPONSES_KEPT_BYTES_MAX = 4 * 1024 * 1024 };

/* As openai_read_request(). A stream always tells its usage. */
int responses_read_common(const struct json_parser *p, struct openai_request *request, struct openai_problem *problem);
void responses_edit_request(const struct json_parser *p, const struct openai_request *request, struct slice model_json,
	char *memory, struct json_edits *edits);

/*
 * The input without the reasoning that this gateway marked for providers of other dialects, which one that speaks this
 * API would refuse. `input`: of as many bytes as the request's. False: there is none, and nothing was written.
 */
bool responses_write_unmarked(const struct json_parser *p, struct text *input);

/* What of a request its conversation depends on. Slices and refs as all others: until the view's next parse. */
struct responses_conversation {
	bool store;               /* the answer is kept, as it is unless the request says no */
	struct slice previous_id; /* NULL data: a new conversation */
	struct slice input;       /* JSON */
	json_ref previous, store_value;
};
/* 0; -EINVAL with *problem. */
int responses_read_conversation(
	const struct json_parser *p, struct responses_conversation *c, struct openai_problem *problem);

/* What is kept of an answer, which is `object`, to an input. Takes RESPONSES_KEPT_FRAME_BYTES more than both. */
enum { RESPONSES_KEPT_FRAME_BYTES = 64 };
void responses_write_kept(struct slice input, struct slice object, struct text *document);
/* The view holds such a document: the items that continue its conversation, without brackets; no more bytes than it
 * has. 0; -EPROTO. */
int responses_read_kept(const struct json_parser *p, struct text *items);
/* Edits the request that the view holds, so that its input begins with these items and refers to nothing. `input`:
 * memory for the new one, RESPONSES_KEPT_FRAME_BYTES more than both, kept as long as the edits. */
void responses_continue(const struct json_parser *p, const struct responses_conversation *c, struct slice items,
	struct text *input, struct json_edits *edits);

/*
 * Items that a request's input has by the ids that this gateway gave them. The id of the response that the first of
 * them is of, without "resp_"; NULL data: there is none.
 */
struct slice responses_referred(const struct json_parser *p);

struct responses_kept_item {
	struct slice id;   /* quoted, of the kept document */
	struct slice json; /* as one of input; empty: it has nothing to say there */
};
/* The view holds what is kept of that response: how many items it has, up to `count`. `json`: memory for them all. */
unsigned responses_read_items(
	const struct json_parser *p, struct responses_kept_item *items, unsigned count, struct text *json);
/* The request's input with these items in place of what refers to them; how many did. */
unsigned responses_write_referred(
	const struct json_parser *p, const struct responses_kept_item *items, unsigned count, struct text *input);

/* As openai_read_answer(); openai_edit_answer() does the edits. */
int responses_read_figures(const struct json_parser *p, struct openai_answer *answer);

/* The model's name in the events that carry the answer as a whole. */
void responses_edit_event(const struct json_parser *p, struct slice model_json, struct json_edits *edits);

/* The items of a request's input; read_request() has read all else. */
int responses_read_input(struct chat_reading *r, json_ref value);

int responses_read_request(const struct json_parser *p, struct chat *chat, struct openai_problem *problem);
int responses_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer);
int responses_write_answer(const struct chat_answer *answer, const struct chat_frame *frame, struct text *body);
int responses_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink);
void responses_write_event(
	struct chat_writer *writer, const struct chat_event *event, const struct chat_frame *frame, struct text *out);
size_t responses_event_room(
	const struct chat_writer *writer, const struct chat_event *event, const struct chat_frame *frame);

/* What a response object says, beside its frame. */
struct responses_object {
	const char *status;
	struct slice id;                  /* NULL data: made of the frame's */
	struct slice error;               /* JSON; NULL data: null */
	enum chat_finish finish;          /* of an incomplete one: why */
	const struct openai_usage *usage; /* NULL: null */
};

/* From the opening brace into the array of the output's items, which are to follow; and the rest behind them. */
void responses_open_object(struct text *t, const struct chat_frame *frame, const struct responses_object *object);
void responses_close_object(struct text *t, const struct chat_frame *frame, const struct responses_object *object);

/* "completed" or "incomplete". */
const char *responses_status(enum chat_finish finish);

/* Quoted: a prefix like "msg_", the frame's id, and the item's place. */
void responses_write_item_id(struct text *t, const char *prefix, const struct chat_frame *frame, uint32_t place);

/* An item from its opening brace into what it holds: a message's parts, a reasoning's summary, a call's arguments. */
void responses_open_message(struct text *t, const struct chat_frame *frame, uint32_t place);
void responses_open_reasoning(struct text *t, const struct chat_frame *frame, uint32_t place);
void responses_open_call(
	struct text *t, const struct chat_frame *frame, uint32_t place, struct slice call_id, struct slice name);

/* A stream's end as a failure: `error` is JSON of an object. Writes the opening events too when none came. */
void responses_write_failure(
	struct chat_writer *writer, const struct chat_frame *frame, struct slice error, struct text *out);

#endif
