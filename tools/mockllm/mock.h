/*
 * mockllm, the provider simulator: an OpenAI-like server with deterministic answers and faults on demand. It stands
 * on the gateway's ring, shards, streams and parser, but writes its own bytes: a truncated body, a reset or a byte a
 * time cannot be said to a well-behaved HTTP server.
 *
 *   main.c        command line, shards, signals
 *   connection.c  a connection: requests in, `out` away, whole, dripped or split
 *   request.c     which path, what a strict provider refuses
 *   plan.c        the model's name -> what to do
 *   answer.c      whole answers;  vectors.c  embeddings;  stream.c  events
 *   anthropic.c   a provider's own format, where it is not OpenAI's: what it refuses;  anthropic_answer.c  what it says
 *   gemini.c, responses.c, kinds.c, cohere.c, bedrock.c   likewise
 *   media.c       OpenAI's images and sound
 *   record.c      what tests ask for: counters, the last bodies
 */
#ifndef TOOLS_MOCKLLM_MOCK_H
#define TOOLS_MOCKLLM_MOCK_H

#include "core/shard.h"
#include "core/text.h"
#include "proto/http/http_parser.h"
#include "proto/json/json.h"
#include "tls/secure.h"

enum {
	MOCK_BODY_MAX_BYTES = 64 << 20,
	MOCK_WORD_BYTES = 6, /* every token of an answer has this size, so that an event is a copy and a patch */
	MOCK_MODEL_MAX_BYTES = 200,
	MOCK_EVENT_BYTES = 1024, /* bound of one event with its chunk frame */
};

enum mock_path {
	MOCK_CHAT,
	MOCK_COMPLETIONS,
	MOCK_EMBEDDINGS,
	MOCK_MODERATIONS,
	MOCK_MESSAGES,
	MOCK_COUNT,
	MOCK_RESPONSES,
	MOCK_AZURE_RESPONSES,
	MOCK_GEMINI,
	MOCK_GEMINI_EMBED,
	MOCK_BEDROCK,
	MOCK_BEDROCK_EMBED,
	MOCK_MISTRAL,
	MOCK_GROQ,
	MOCK_TOGETHER,
	MOCK_AZURE,
	MOCK_COHERE,
	MOCK_COHERE_EMBED,
	MOCK_MISTRAL_EMBED,
	MOCK_TOGETHER_EMBED,
	MOCK_IMAGES,
	MOCK_SPEECH,
	MOCK_TRANSCRIPTIONS,
	MOCK_MODELS,
	MOCK_STATS,
	MOCK_LAST,
	MOCK_UNKNOWN,
	MOCK_PATHS,
};

enum mock_fault {
	MOCK_WELL,
	MOCK_REFUSE,       /* closes without an answer */
	MOCK_RESET,        /* RST without an answer */
	MOCK_STALL_HEAD,   /* never answers */
	MOCK_STALL_BODY,   /* stops after three events, or half the body */
	MOCK_TRUNCATED,    /* closes there */
	MOCK_INVALID_JSON, /* in the body, or in the third event */
	MOCK_CUT,          /* a stream that closes in the middle of its fourth event */
	MOCK_NO_DONE,      /* a stream that ends in order, without [DONE] */
	MOCK_ERROR_EVENT,  /* an error object after three events */
};

enum mock_pieces { MOCK_WHOLE, MOCK_DRIP, MOCK_SPLIT };

/* What an answer will be: defaults of the command line, then the model's name. */
struct mock_plan {
	enum mock_fault fault;
	enum mock_pieces pieces;
	unsigned status;        /* 0: answer */
	unsigned retry_after_s; /* 0: no header */
	uint32_t words;         /* tokens of the answer */
	bool words_fixed;       /* by the model's name: max_tokens does not cut it */
	uint64_t head_delay_ns;
	uint64_t interval_ns; /* between tokens; 0: as fast as it goes */
	bool no_usage, tool, parallel, empty_input, thinking, cached, error_first, json, safety, blocked;
};

struct mock_options {
	struct sockaddr_storage listen;
	unsigned shards;
	uint64_t ttft_ns, interval_ns;
	uint32_t answer_words;
	const char *cert, *key; /* paths; NULL: no TLS */
	struct tls_tickets *tickets;
	struct tls_server *tls;
};

struct mock_record;

struct mock_shard {
	struct shard shard;
	const struct mock_options *options;
	struct mock_record *record;
	struct json_parser *json;
	int listener;
	struct tls_listener tls; /* no server: plain */
	struct accepting accepting;
	struct list connections;
	struct letter quit_letter;
	bool quitting;
};

/* A request that passed the checks. Slices live until its answer has begun. */
struct mock_request {
	enum mock_path path;
	struct slice body;
	uint64_t hash;         /* of the body: ids depend on it */
	uint64_t content_hash; /* of messages, prompt or input: text and vectors depend on it, streamed or not */
	char model_bytes[MOCK_MODEL_MAX_BYTES];
	struct slice model; /* JSON-safe */
	bool stream, include_usage, base64;
	unsigned choices; /* n */
	uint32_t max_words;
	uint32_t prompt_tokens;
	uint32_t input_count; /* embeddings, moderations */
	uint32_t dimensions;
	bool flagged;
	struct mock_plan plan;
};

/* A stream under way: an event is `event` with its word and choice patched in. */
struct mock_stream {
	char event[MOCK_EVENT_BYTES];
	uint32_t event_bytes, word_at, index_at;
	uint32_t next, total; /* content events of each choice: sent, wanted */
	uint64_t started_ns;
	uint32_t sequence; /* of the Responses API's events */
};

struct mock_connection {
	struct stream stream;
	struct mock_shard *mock;
	struct list link;
	struct http_parser *parser;
	struct http_head head;
	struct buffer *head_buffer;
	char *body; /* a body that came in several pieces */
	size_t body_size, body_capacity;
	struct slice body_whole;
	struct buffer *held_buffer; /* came while an answer was under way */
	struct slice held;
	struct turn_hook resume_hook;
	/* The answer. */
	struct mock_request request;
	struct mock_stream events;
	char *out;
	size_t out_size, out_capacity, out_sent;
	struct iovec iov;
	struct timer timer; /* the head's delay, then the pace */
	enum { MOCK_READING, MOCK_WAITING, MOCK_ANSWERING, MOCK_CLOSING } state;
	bool streaming;                /* more events follow what is in `out` */
	bool close_after, stall_after; /* once `out` is away */
	bool counted;                  /* in the record, as active */
	unsigned piece;
};

/* connection.c */
void mock_listen(struct mock_shard *mock);
void mock_quit(struct mock_shard *mock);
char *mock_out_reserve(struct mock_connection *c, size_t bytes); /* at out + out_size */
void mock_out_add(struct mock_connection *c, struct slice bytes);

/* request.c: fills in c->request; false when it has answered with an error. */
bool mock_request_read(struct mock_connection *c, struct slice body);

/* plan.c */
void mock_plan_make(struct mock_plan *plan, const struct mock_options *options, struct slice model);

/* answer.c */
void mock_answer(struct mock_connection *c);
void mock_answer_error(
	struct mock_connection *c, unsigned status, struct slice message, const char *param, const char *code);
/* Head and body into `out`; `headers` are lines. */
void mock_answer_whole(struct mock_connection *c, unsigned status, struct slice headers, struct slice body);
void mock_answer_planned_error(struct mock_connection *c);
struct slice mock_word(uint64_t hash, uint32_t index);
#define MOCK_JSON "{\\\"city\\\":\\\"Bern\\\"}" /* what "json" in a model's name makes it say, as in a JSON string */
/* What an answer says, piece by piece: words, or with "json" that text alone; and how many, none beside a call. */
struct slice mock_say(const struct mock_request *r, unsigned choice, uint32_t index);
uint32_t mock_words(const struct mock_request *r, bool *cut);
void mock_usage(struct text *t, const struct mock_request *r, uint32_t completion_tokens);

/* A body that is written in place: room for it, then its head before it. */
struct text mock_body_open(struct mock_connection *c, size_t bound);
void mock_body_finish(struct mock_connection *c, unsigned status, struct slice headers, const struct text *body);

/* How a stream goes on behind its beginning. */
struct mock_steps {
	void (*token)(struct mock_connection *c); /* the next one, of each choice; counts it */
	void (*error)(struct mock_connection *c); /* as an event; ends the stream */
	void (*end)(struct mock_connection *c);
	unsigned behind_brace; /* bytes of an event behind the brace that closes its document, the chunk's included */
};

/* A provider's own format: as the functions without one do it for OpenAI's. */
struct mock_format {
	const char *key_header; /* besides a bearer; NULL: none */
	/* False: refused. */
	bool (*read_model)(struct mock_connection *c); /* NULL: the body has it */
	bool (*check)(struct mock_connection *c, const struct json_parser *p);
	bool (*check_form)(struct mock_connection *c); /* instead of both: its body is no JSON */
	/* NULL: as OpenAI's other APIs */
	void (*error)(struct mock_connection *c, unsigned status, struct slice headers, struct slice message);
	void (*write)(struct mock_connection *c);
	void (*begin)(struct mock_connection *c); /* a stream */
	const struct mock_steps *steps;
};
extern const struct mock_format mock_messages, mock_count, mock_responses, mock_azure_responses, mock_gemini,
	mock_gemini_embed;

const struct mock_format *mock_format_of(enum mock_path path); /* NULL: OpenAI's */

/* fields.c: NULL data when it is no string; also the first of what is absent: JSON_NONE; a list that ends with NULL. */
struct slice mock_string(const struct json_parser *p, json_ref object, const char *name);
json_ref mock_first(const struct json_parser *p, json_ref container);
bool mock_one_of(struct slice word, const char *const *words);

/* request.c: copies the model's name, which goes into answers as it is; false: refused. */
bool mock_take_model(struct mock_connection *c, struct slice model);

/* anthropic_answer.c */
void mock_messages_write(struct mock_connection *c);
void mock_count_write(struct mock_connection *c);
void mock_messages_begin(struct mock_connection *c);
extern const struct mock_steps mock_messages_steps;

/* gemini_answer.c; it signs calls so, and gemini.c wants them back so. */
#define MOCK_GEMINI_SIGNATURE "c2lnbmF0dXJl"
bool mock_gemini_signs(const struct mock_request *r);
void mock_gemini_write(struct mock_connection *c);
void mock_gemini_begin(struct mock_connection *c);
extern const struct mock_steps mock_gemini_steps;
void mock_gemini_write_vectors(struct mock_connection *c);

/* responses_answer.c */
void mock_responses_write(struct mock_connection *c);
void mock_responses_begin(struct mock_connection *c);
extern const struct mock_steps mock_responses_steps;

/* vectors.c: how many bytes it may write, and the array of embeddings. */
size_t mock_vectors_bytes(const struct mock_request *r);
void mock_vectors(struct text *t, const struct mock_request *r);
void mock_vector_floats(struct text *t, const struct mock_request *r, uint32_t input);

/* stream.c */
void mock_stream_begin(struct mock_connection *c);
void mock_stream_fill(struct mock_connection *c);                 /* appends events that are due */
void mock_stream_open(struct mock_connection *c, uint32_t total); /* of so many content events */
void mock_stream_head(struct mock_connection *c);
void mock_stream_close(struct mock_connection *c); /* behind its last chunk */
void mock_stream_chunk(struct mock_connection *c, struct slice payload);
uint32_t mock_stream_events_due(const struct mock_connection *c);
uint64_t mock_stream_due_ns(const struct mock_connection *c); /* of the next event; 0: now */

/* record.c: shared by all shards. */
struct mock_record *mock_record_open(void);
void mock_record_close(struct mock_record *record);
void mock_record_request(struct mock_record *record, const struct mock_request *r, bool authorized);
void mock_record_begin(struct mock_record *record, bool stream);
void mock_record_end(struct mock_record *record);
void mock_record_abort(struct mock_record *record, bool stream, uint64_t wall_ns);
void mock_record_stats(struct mock_record *record, struct text *t);
/* A copy of the last body of that path (MOCK_PATHS: of any); the caller frees it. */
struct slice mock_record_last(struct mock_record *record, enum mock_path path);

#endif
