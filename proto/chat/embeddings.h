/*
 * Embeddings for providers that speak of them otherwise than OpenAI: a request of OpenAI's is read, written in the
 * provider's words, and its answer brought back, as numbers or in base64 as the client wants them. A dialect is a row
 * of functions. Works on a JSON view; pure.
 */
#ifndef PROTO_EMBEDDINGS_H
#define PROTO_EMBEDDINGS_H

#include "proto/chat/chat.h"

/* What of a request its answer depends on, and what every dialect writes. */
struct embeddings {
	uint32_t input_count;
	uint32_t first, count; /* those of them that one call asks for: all, unless the caller says otherwise */
	bool base64;
	int64_t dimensions;      /* 0: not said */
	struct slice input_type; /* what they are for, in the words of providers that ask; NULL data: not said */
};

struct embeddings_dialect {
	/* Of the inputs of one call: see embeddings_input(). 0; -EINVAL with *problem. */
	int (*write_request)(const struct json_parser *p, const struct embeddings *request, struct slice model,
		struct text *body, struct openai_problem *problem);
	/* The array of an answer that holds its vectors, and the array of numbers in one of them; JSON_NONE: none.
	 * Without the second, an answer has one vector, and the first finds its numbers. */
	json_ref (*vectors)(const struct json_parser *p);
	json_ref (*numbers)(const struct json_parser *p, json_ref vector);
	/* False: it does not say. */
	bool (*read_usage)(const struct json_parser *p, struct openai_usage *usage);
	struct slice tokens_header; /* of an answer whose body does not say it; NULL data: none */
	uint32_t inputs_max;        /* of one call; 0: as many as there are */
	bool takes_input_type;
};

/* embeddings_numbers: answers alone, of servers that speak OpenAI and know no base64. */
extern const struct embeddings_dialect embeddings_gemini, embeddings_cohere, embeddings_titan,
	embeddings_bedrock_cohere, embeddings_numbers;

/* Of a request that passes as it is. */
bool embeddings_want_base64(const struct json_parser *p);
/* Of an answer in OpenAI's shape: how many vectors it has when they are arrays of numbers; 0: they are not. */
uint32_t embeddings_count_numbers(const struct json_parser *p);

/* 0; -EINVAL with *problem: inputs that are numbers of tokens mean nothing to another model. What no other provider
 * knows is named in `dropped`, by chat_drop(). */
int embeddings_read_request(
	const struct json_parser *p, struct embeddings *request, struct chat *dropped, struct openai_problem *problem);

/* The input of that number of a request that was read; json_next() goes on to the others. */
json_ref embeddings_input(const struct json_parser *p, uint32_t number);

/* The vectors of one call's answer, as the client's answer lists them. 0; -EPROTO: not as many as inputs, or something
 * else than numbers. The caller looks at t->full. */
int embeddings_write_vectors(const struct json_parser *p, const struct embeddings_dialect *dialect,
	const struct embeddings *request, struct text *t);
/* What stands before and behind them. */
void embeddings_open_answer(struct text *body);
void embeddings_close_answer(const struct chat_frame *frame, struct text *body);

#endif
