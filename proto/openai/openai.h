/*
 * The OpenAI dialect: what the gateway reads of requests, answers and stream events, and how it edits them. Works on a
 * json view of the document; refs and slices are valid until the view's next parse. Pure.
 */
#ifndef PROTO_OPENAI_H
#define PROTO_OPENAI_H

#include "proto/json/json.h"

enum openai_api {
	OPENAI_CHAT,
	OPENAI_COMPLETIONS,
	OPENAI_EMBEDDINGS,
	OPENAI_MODERATIONS,
	OPENAI_RESPONSES,
	OPENAI_IMAGES,
	OPENAI_SPEECH,
	OPENAI_TRANSCRIPTIONS
};

struct openai_request {
	struct slice model;   /* unescaped */
	json_ref model_value; /* JSON_NONE: absent, which only moderations may */
	bool stream;
	bool include_usage; /* the client itself asked for the usage chunk */
	json_ref stream_value, stream_options, include_usage_value;
	json_ref hints,
		chain; /* x-routing-hints (an object), x-fallback-chain (an array of strings), JSON_NONE when absent */
	/* The caller's, to be added: a limit of the answer, under that name. 0: none. */
	uint64_t output_cap;
	struct slice output_cap_name;
	bool unstored; /* likewise: the provider is not to keep the conversation */
};

struct openai_problem {
	struct slice code, message, param; /* static */
};

/* 0; or -EINVAL with *problem for a field that is missing, mistyped or there twice. */
int openai_read_request(const struct json_parser *p, enum openai_api api, struct openai_request *request,
	struct openai_problem *problem);

/*
 * What the provider gets: its own name for the model (`model_json`: quoted), the gateway's extensions removed, usage
 * asked for on streams. `added` is memory of the caller for an absent model or a cap: at least model_json.size +
 * OPENAI_ADDED_BYTES, kept as long as the edits.
 */
enum { OPENAI_ADDED_BYTES = 96 };
void openai_edit_request(const struct json_parser *p, const struct openai_request *request, struct slice model_json,
	char *added, struct json_edits *edits);

struct openai_usage {
	bool present; /* there, and every figure credible */
	uint64_t prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens;
};

/* False for a figure that is no count that one call can have used. That, null and an absent one leave *figure. */
bool openai_read_figure(const struct json_parser *p, json_ref object, struct slice key, uint64_t *figure);

/* The object of an answer or an event, by the names of the Responses API or else by those of all others. Leaves *usage
 * when it says nothing, or nothing credible. */
void openai_read_usage(const struct json_parser *p, json_ref value, bool responses, struct openai_usage *usage);

/* A unary answer. */
struct openai_answer {
	json_ref model,
		gateway; /* members of the root, or JSON_NONE; gateway: an "x-llm-gateway" that was there already */
	struct slice finish_reason; /* of the first choice; NULL data: none */
	struct openai_usage usage;
	uint64_t output_bytes; /* text, refusals, tool calls */
};

/* 0; -EPROTO when the document is no answer: no object, or an error in a successful status. */
int openai_read_answer(const struct json_parser *p, struct openai_answer *answer);

/* `members`: `"x-llm-gateway":{...}`, whose value starts at members.data + `value_at`. `model_json` as above, `added`
 * likewise, of at least model_json.size + members.size + OPENAI_ADDED_BYTES. */
void openai_edit_answer(const struct json_parser *p, const struct openai_answer *answer, struct slice model_json,
	struct slice members, size_t value_at, char *added, struct json_edits *edits);

/* One event of a stream. */
struct openai_chunk {
	json_ref model, usage_value, error, gateway;
	bool content;    /* holds something that a reader sees: text, reasoning, refusal, tool call, audio */
	bool usage_only; /* the extra chunk: empty choices and usage */
	bool empty; /* says nothing to a client: no choice, or one with neither delta nor text nor a reason; no usage */
	struct slice finish_reason;
	struct openai_usage usage;
	uint64_t output_bytes;
};

/* 0; -EPROTO when the document is no object. A true-like "error" member is left to the caller in chunk->error. */
int openai_read_chunk(const struct json_parser *p, struct openai_chunk *chunk);

/* `keep_usage`: the client asked. `members`: to insert, or empty. */
void openai_edit_chunk(const struct json_parser *p, const struct openai_chunk *chunk, struct slice model_json,
	bool keep_usage, struct slice members, struct json_edits *edits);

/* A provider's error body: {"error":{...}}, {"error":"..."} or {"message":...}; all NULL data when it is none of these.
 */
struct openai_error {
	struct slice message, type, code, param;
	struct slice raw;       /* the error's own JSON */
	uint32_t retry_after_s; /* where the body says it; 0: it does not */
};
void openai_read_error(const struct json_parser *p, struct openai_error *error);

#endif
