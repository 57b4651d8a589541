/*
 * The Gemini dialect (generateContent of Google's Generative Language API), spoken to providers alone: the functions of
 * its row over the form of a chat. The model and whether the answer is a stream stand in the path, not in the body.
 *
 * Sources: the types of Google's own library (@google/genai), and for thought signatures its documentation.
 */
#ifndef PROTO_GEMINI_H
#define PROTO_GEMINI_H

#include "proto/chat/chat.h"

int gemini_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem);
int gemini_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer);
int gemini_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink);

/* `contents` and `systemInstruction`. 0; -EINVAL with *problem; -ENOMEM. */
int gemini_write_contents(
	struct chat *chat, const struct chat_target *target, struct text *t, struct openai_problem *problem);

/*
 * A JSON Schema, of which the provider takes a known list of keywords and refuses the rest: those are left out and
 * named as dropped. `schema` is good JSON. `of_object`: it says no type and is one of an object.
 */
void gemini_write_schema(struct chat *chat, struct text *t, struct slice schema, bool of_object);

/* The model's generation: 3 of gemini-3.1-pro-preview; 0 when its name does not tell. */
unsigned gemini_generation(struct slice model);

/* `usageMetadata`: false when there is none that is credible. */
bool gemini_read_usage(const struct json_parser *p, struct openai_usage *usage);

/* Why an answer ended. An answer that failed has no reason that OpenAI knows. */
enum gemini_end { GEMINI_GOES_ON, GEMINI_ENDED, GEMINI_FAILED };
enum gemini_end gemini_read_end(
	const struct json_parser *p, json_ref candidate, bool has_calls, enum chat_finish *finish);

/* Whether the prompt was refused, for which there is no candidate. */
bool gemini_is_blocked(const struct json_parser *p);

/* A candidate's first part; JSON_NONE: none. */
json_ref gemini_parts(const struct json_parser *p, json_ref candidate);

/*
 * The id of a call, which clients need and the provider may leave out: made of the answer's id, the choice
 * and the call's number in it.
 * `memory` has CHAT_ID_BYTES and is the id's.
 */
struct slice gemini_call_id(const struct json_parser *p, json_ref call, uint32_t choice, uint32_t number, char *memory);

#endif
