/*
 * The one form that a chat has between two dialects: what a client asked in its own, read once, and what a provider is
 * asked in its own, written from here; answers and the events of streams likewise. A dialect is a row of functions
 * (struct chat_dialect); where both sides speak the same one, none of this runs: the body is edited, not rebuilt.
 *
 * Everything lives in the exchange's arena, and texts are slices of the JSON view: a form is good until the view's next
 * parse. Texts are unescaped; what is marked "JSON" is JSON text as it stands in the document. Pure.
 *
 * Nothing is lost in silence: what changes an answer's meaning is a need, which a provider has or the call is refused;
 * what is a mere knob and finds no place is a name in `dropped`.
 */
#ifndef PROTO_CHAT_H
#define PROTO_CHAT_H

#include "core/arena.h"
#include "core/text.h"
#include "proto/openai/openai.h"

#include <errno.h>

enum {
	CHAT_PARTS_MAX = 65536, /* messages, parts and tools together */
	CHAT_STOPS_MAX = 64,
	CHAT_CHOICES_MAX = 16, /* answers of one call */
	CHAT_DROPPED_MAX = 32,
};

/* What an answer depends on and not every provider has. The first ones are capabilities of a model (contract, section
 * 2). */
enum chat_need {
	CHAT_TOOLS = 1 << 0,
	CHAT_FORCED_TOOLS = 1 << 1,
	CHAT_VISION = 1 << 2,
	CHAT_AUDIO_INPUT = 1 << 3,
	CHAT_FILES = 1 << 4,
	CHAT_JSON_OBJECT = 1 << 5,
	CHAT_JSON_SCHEMA = 1 << 6,
	CHAT_LOGPROBS = 1 << 7,
	CHAT_N = 1 << 8,
	CHAT_PREFILL = 1 << 9,
	CHAT_CAPABILITIES = (1 << 10) - 1,
	/* What only a dialect of its own can say. */
	CHAT_OWN_TOOLS = 1 << 10, /* tools that the provider itself runs, custom tools, deprecated functions */
	CHAT_OWN_PARTS = 1 << 11, /* parts of a message that the form does not know, files by id */
	CHAT_AUDIO_OUTPUT = 1 << 12,
	CHAT_OWN_OPTIONS = 1 << 13, /* web search, moderation, containers ... */
	CHAT_NEEDS = 14
};

enum chat_role { CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT };

enum chat_part_kind {
	CHAT_TEXT,
	CHAT_REFUSAL,
	CHAT_IMAGE,
	CHAT_FILE, /* a document, or sound */
	CHAT_TOOL_CALL,
	CHAT_TOOL_RESULT,
	CHAT_THINKING,
	CHAT_REDACTED_THINKING
};

struct chat_part;

struct chat_parts {
	struct chat_part *first, *last;
};

struct chat_part {
	struct chat_part *next;
	enum chat_part_kind kind;
	bool is_error;                 /* a tool's result */
	struct slice text;             /* text, refusal, thinking, redacted thinking's data */
	struct slice url;              /* image, file: where it is; NULL data: it is `data` */
	struct slice media_type, data; /* base64 */
	struct slice name;             /* a tool's, a file's */
	struct slice id;               /* a tool call's, also in its result */
	struct slice arguments;        /* JSON of an object */
	struct slice signature;        /* of thinking, or of the thought that led to a call */
	struct slice cache_control;    /* JSON; NULL data: none */
	struct chat_parts content;     /* of a tool's result: text and images */
};

struct chat_message {
	struct chat_message *next;
	enum chat_role role;
	struct chat_parts parts;
};

struct chat_tool {
	struct chat_tool *next;
	struct slice name, description;
	struct slice parameters;    /* JSON of an object; NULL data: none */
	bool untyped;               /* parameters say no "type" */
	struct slice strict;        /* JSON true or false; NULL data: not said */
	struct slice cache_control; /* JSON */
};

enum chat_choice { CHAT_CHOICE_UNSAID, CHAT_CHOICE_AUTO, CHAT_CHOICE_NONE, CHAT_CHOICE_REQUIRED, CHAT_CHOICE_TOOL };

/* Knobs that some dialects have and no answer's meaning depends on. */
enum chat_knob { CHAT_SEED, CHAT_TOP_K, CHAT_FREQUENCY_PENALTY, CHAT_PRESENCE_PENALTY, CHAT_KNOBS };

enum chat_format { CHAT_FORMAT_TEXT, CHAT_FORMAT_JSON_OBJECT, CHAT_FORMAT_JSON_SCHEMA };

struct chat {
	struct arena *arena;
	int err;             /* -ENOMEM, -E2BIG: what was added since is missing */
	unsigned part_count; /* of CHAT_PARTS_MAX */
	struct chat_message *messages, *last_message;
	struct chat_tool *tools, *last_tool;
	enum chat_choice choice;
	struct slice choice_name;
	int parallel_tools; /* -1: not said */
	enum chat_format format;
	struct slice schema_name, schema_description, schema, schema_strict; /* schema, strict: JSON */
	struct slice stops[CHAT_STOPS_MAX];
	unsigned stop_count;
	int64_t max_tokens;              /* 0: not said */
	unsigned n;                      /* answers asked for, as far as they can be counted; 0: not said */
	struct slice temperature, top_p; /* JSON numbers; NULL data: not said */
	double temperature_number;
	struct slice knobs[CHAT_KNOBS];          /* JSON numbers; NULL data: not said */
	struct slice effort;                     /* none minimal low medium high xhigh max; NULL data: not said */
	struct slice thinking;                   /* JSON, in the words of Anthropic; NULL data: not said */
	struct slice verbosity, verbosity_param; /* low medium high, and the client's name of it; NULL data: not said */
	struct slice user;
	bool stream;
	struct slice echo;                    /* JSON members of the request that its answers repeat, in the arena */
	uint32_t needs;                       /* enum chat_need */
	struct slice need_params[CHAT_NEEDS]; /* static: the field of each */
	unsigned dropped_count;
	struct slice dropped[CHAT_DROPPED_MAX]; /* each once */
};

void chat_init(struct chat *chat, struct arena *arena);

/* NULL: chat->err is set. What is appended is zeroed. */
struct chat_message *chat_add_message(struct chat *chat, enum chat_role role);
struct chat_part *chat_add_part(struct chat *chat, struct chat_parts *parts, enum chat_part_kind kind);
/* For one more result: results of one turn are one message. */
struct chat_message *chat_results_message(struct chat *chat);
struct chat_tool *chat_add_tool(struct chat *chat);

void chat_need(struct chat *chat, enum chat_need need, struct slice param);
void chat_drop(struct chat *chat, struct slice name);

/* 0, or -EINVAL and *problem when the chat needs what is not in `has` (enum chat_need). */
int chat_check(const struct chat *chat, uint32_t has, struct openai_problem *problem);

/* The need of that name in a model's list of capabilities; 0: none of a chat's. */
uint32_t chat_capability(struct slice name);

/* "a,b,c", as a header can carry it: other characters are "?", and the end is "..." when it does not fit. */
void chat_print_dropped(const struct chat *chat, struct text *list);

enum chat_finish { CHAT_FINISH_NONE, CHAT_FINISH_STOP, CHAT_FINISH_LENGTH, CHAT_FINISH_TOOLS, CHAT_FINISH_FILTER };

/* As receipts and OpenAI's clients call it; NULL data for none. */
struct slice chat_finish_name(enum chat_finish finish);
enum chat_finish chat_finish_of(struct slice name); /* any that is unknown is a stop */

/* A whole answer. Where several were asked for, `next` is another of them: its choice, parts and reason alone count. */
struct chat_answer {
	struct chat_answer *next;
	uint32_t choice; /* its number */
	struct slice id;
	struct chat_parts parts;
	enum chat_finish finish;
	struct openai_usage usage;
	uint64_t output_bytes;
};

/* The answer of the next choice, behind `last` and zeroed; NULL: chat->err is set. */
struct chat_answer *chat_add_choice(struct chat *chat, struct chat_answer *last);

/* An answer's next part of that kind, and its bytes; nothing of an empty text. 0; -ENOMEM, -E2BIG. */
int chat_add_text(struct chat *chat, struct chat_answer *answer, enum chat_part_kind kind, struct slice text);

/* What of an answer is the gateway's. */
struct chat_frame {
	struct slice model_json; /* quoted */
	struct slice members;    /* `"x-llm-gateway":{...}`, may be empty */
	uint64_t created_s, prompt_tokens_estimate;
	bool include_usage;
	struct openai_usage usage; /* settled, for the end of a stream */
	struct slice id;           /* the gateway's own of the request: letters and digits */
	struct slice echo;         /* as struct chat has it */
	struct slice previous_id;  /* the answer that the conversation continues; NULL data: none */
	bool kept;                 /* the gateway keeps the conversation */
};

/* Streams: a reader takes a provider's events apart, a writer puts the client's together. */
enum chat_event_kind {
	CHAT_EVENT_START, /* once for each choice, with the answer's id */
	CHAT_EVENT_TEXT,
	CHAT_EVENT_REFUSAL,
	CHAT_EVENT_THINKING,
	CHAT_EVENT_SIGNATURE,
	CHAT_EVENT_REDACTED,
	CHAT_EVENT_TOOL,      /* begins a call: id, name */
	CHAT_EVENT_ARGUMENTS, /* a piece of the arguments of the call begun last, or of `index` */
	CHAT_EVENT_FINISH,
	CHAT_EVENT_ERROR, /* the provider's own error */
	CHAT_EVENT_END    /* the provider said that this is all */
};

struct chat_event {
	enum chat_event_kind kind;
	uint32_t choice; /* whose it is; below CHAT_CHOICES_MAX */
	struct slice id, name, text;
	struct slice signature; /* of the thought that led to a call, where the provider tells it */
	enum chat_finish finish;
	json_ref error;
};

struct chat_sink {
	void (*event)(struct chat_sink *sink, const struct chat_event *event);
};

/* What is known of one of several choices that come in one stream. */
struct chat_reader_choice {
	bool said;           /* text or a call */
	uint32_t tool_count; /* begun */
	uint32_t tool_index; /* the provider's number of the last one */
	uint64_t tool_hash;  /* of its id, where the number does not tell calls apart */
};

struct chat_reader {
	struct openai_usage usage; /* present: as far as it is known */
	uint64_t raw[5];           /* the provider's own figures, cumulative */
	bool started, in_tool, arguments_seen;
	uint32_t tool_count;   /* begun */
	uint32_t tool_index;   /* of the last one's block */
	uint64_t sequence;     /* behind the last event's number, where events are numbered */
	unsigned asked;        /* how many choices; the caller's, 0: one */
	uint32_t begun, ended; /* a bit for each choice */
	struct chat_reader_choice choices[CHAT_CHOICES_MAX]; /* where the dialect has several */
};

/* One choice of an event, as a reader tells of it. */
struct chat_telling {
	const struct json_parser *p;
	struct chat_sink *sink;
	struct chat_reader *reader;
	uint32_t choice;
};
void chat_tell(const struct chat_telling *t, struct chat_event event); /* as its choice's */
void chat_tell_text(
	const struct chat_telling *t, enum chat_event_kind kind, struct slice text); /* unless it is empty */
/* Each once for a choice, whatever a provider repeats. */
void chat_tell_start(const struct chat_telling *t, struct slice id); /* the member of the event that has it */
void chat_tell_finish(const struct chat_telling *t, enum chat_finish finish);

/* Whether at least so many choices began, and each that began has said why it ended. */
bool chat_all_ended(const struct chat_reader *reader, unsigned at_least);

enum { CHAT_ID_BYTES = 128 };

/* What a stream's last events repeat of those before: see responses_stream.c. */
struct chat_kept {
	struct arena *arena;
	struct text output;               /* the items of the answer as JSON, the last one as far as it came */
	size_t item_at, part_at, text_at; /* in `output`: of the item and the part that are open */
	size_t name_at, name_bytes;       /* of a call's, quoted */
	uint32_t part_count;              /* of the open item */
	uint64_t sequence;                /* the next event's number */
	bool sealed;                      /* the open item's signature has begun */
};

struct chat_writer {
	char id[CHAT_ID_BYTES];
	unsigned id_size;
	bool started, finished;
	int open; /* the kind of the block that is open; -1: none */
	uint32_t block_count;
	uint32_t ended; /* choices whose reason is told, a bit for each */
	uint32_t tool_counts[CHAT_CHOICES_MAX];
	enum chat_finish finish;
	size_t last_bytes; /* of what the end wrote: the dialect's last event, which the receipt goes before; 0: none */
	struct chat_kept kept;
};

/* What a request is written for. */
struct chat_target {
	struct slice model; /* the provider's name of it */
	int64_t max_tokens_default;
	bool sampling, reasoning;   /* the model takes such fields */
	bool max_completion_tokens; /* the name that the limit has there */
};

struct chat_dialect {
	const char *name;
	uint32_t has; /* enum chat_need: what it can say */
	/* Where no provider is spoken to in this dialect through the form, write_request and read_answer are NULL. */
	/* 0; -EINVAL with *problem; -ENOMEM. */
	int (*read_request)(const struct json_parser *p, struct chat *chat, struct openai_problem *problem);
	/* 0; -EINVAL with *problem. The caller looks at body->full. */
	int (*write_request)(
		struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem);
	/* 0; -EPROTO: no answer; -ENOMEM. `chat` owns the parts. */
	int (*read_answer)(const struct json_parser *p, struct chat *chat, struct chat_answer *answer);
	/* 0; -EPROTO: the client's dialect cannot say it. */
	int (*write_answer)(const struct chat_answer *answer, const struct chat_frame *frame, struct text *body);
	/* 0; -EPROTO: no event of this dialect. What is unknown is passed over. */
	int (*read_event)(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink);
	void (*write_event)(struct chat_writer *writer, const struct chat_event *event, const struct chat_frame *frame,
		struct text *out);
	/* Bytes that writing the event may take beside its own; NULL: none worth counting. */
	size_t (*event_room)(
		const struct chat_writer *writer, const struct chat_event *event, const struct chat_frame *frame);
};

extern const struct chat_dialect chat_openai, chat_mistral, chat_cohere, chat_anthropic, chat_gemini, chat_responses,
	chat_bedrock;

/* For the dialects. */

/* The member's text; NULL data when it is no string. */
struct slice chat_member_text(const struct json_parser *p, json_ref object, struct slice key);
/* The member as JSON; NULL data when it is absent or null. */
struct slice chat_member_json(const struct json_parser *p, json_ref object, struct slice key);
bool chat_given(const struct json_parser *p, json_ref value);         /* neither absent nor null */
json_ref chat_first(const struct json_parser *p, json_ref container); /* also of what is absent: JSON_NONE */
bool chat_is_true(const struct json_parser *p, json_ref value);

/* The knob that a client calls so; CHAT_KNOBS: none. */
enum chat_knob chat_knob_of(struct slice name);
/* Those that the provider has, by its names; the others are dropped. `names` NULL: it has none. */
void chat_write_knobs(struct chat *chat, const char *const *names, struct text *t);

/* For who knows of none: it is dropped by the client's name of it. */
void chat_drop_verbosity(struct chat *chat);

/* What another provider has signed is a field too many for who knows of none. */
void chat_forget_signatures(struct chat *chat);

/* An event's own `type`, as the line `event:` wants it; NULL data: none that can stand there. */
struct slice chat_event_name(const struct json_parser *p);

/* Whether this is JSON of an object. Empty text is not. */
bool chat_is_object(struct slice json);

/* FNV-1a (64 bits): the same on every machine and in every run. */
uint64_t chat_hash(struct slice text);

/* Takes "data:MEDIA;base64,DATA" apart; false when it is none. */
bool chat_data_url(struct slice url, struct slice *media_type, struct slice *data);

/* `,"key":` and a value, when there is one. */
void chat_write_json(struct text *t, struct slice key, struct slice json);
void chat_write_text(struct text *t, struct slice key, struct slice text);

/* A tool's schema, which has to say that it is of type object. */
void chat_write_object_schema(const struct chat_tool *tool, struct text *t);

/* Whether so many choices as are asked for can be held. 0; -EINVAL with *problem. */
int chat_check_choices(const struct chat *chat, struct openai_problem *problem);

/*
 * Reads a provider's list of choices, each by `read` (0, or what to return), into the answer and those behind it; their
 * bytes are the answer's. -EPROTO when there is none.
 */
int chat_read_choices(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref list,
	int (*read)(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref choice));

/*
 * Goes through a provider's list of choices, which number themselves in `index`; what says no number has the first one
 * that nobody has: one whose 0 was left out is 0. So is a lone one, unless several were asked for and it may be any of
 * them. Numbers that nobody can have asked for are passed over. JSON_NONE: behind the last one.
 */
struct chat_choices {
	json_ref at;     /* the next one */
	bool numbered;   /* their numbers count */
	uint32_t taken;  /* numbers, a bit for each */
	uint32_t number; /* of the one returned last */
};
/* JSON_NONE, no array: of none. */
struct chat_choices chat_choices_of(const struct json_parser *p, json_ref list, bool several_asked);
json_ref chat_next_choice(const struct json_parser *p, struct chat_choices *choices);

/* White space alone, or nothing. */
bool chat_is_blank(struct slice s);

static inline int chat_refuse(
	struct openai_problem *problem, struct slice code, struct slice message, struct slice param)
{
	*problem = (struct openai_problem){code, message, param};
	return -EINVAL;
}

#endif
