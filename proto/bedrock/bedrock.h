/* AWS Bedrock's dialect (Converse) over the form of a chat: the functions of its row, each in a file of its own. */
#ifndef PROTO_BEDROCK_H
#define PROTO_BEDROCK_H

#include "proto/chat/chat.h"

int bedrock_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem);
/* `"messages"` and `"system"`. 0; -EINVAL with *problem. */
int bedrock_write_messages(struct chat *chat, struct text *t, struct openai_problem *problem);
/* `,{"cachePoint":...}`, where the part or tool before it asks for one. */
void bedrock_write_cache_point(struct slice cache_control, struct text *t);

int bedrock_read_answer(const struct json_parser *p, struct chat *chat, struct chat_answer *answer);
/* Of a document as event_stream_print() makes it. */
int bedrock_read_event(struct chat_reader *reader, const struct json_parser *p, struct chat_sink *sink);

#endif
