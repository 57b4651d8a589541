/*
 * OpenAI's APIs for images and sound: what is priced by the piece, as a request asks for it and as an answer tells it.
 * Works on a json view of the document. Pure.
 */
#ifndef PROTO_OPENAI_MEDIA_H
#define PROTO_OPENAI_MEDIA_H

#include "proto/openai/openai.h"

struct openai_media {
	uint32_t images;     /* asked for; of an answer: there */
	uint64_t characters; /* to be spoken */
	uint64_t audio_ms;   /* listened to; 0: not told */
	bool measured;       /* audio_ms is the provider's word */
	bool plain;          /* a transcription that is asked for as text, which is no JSON */
};

enum { OPENAI_IMAGES_MAX = 10 }; /* of one request; a provider that takes more is asked for it in several */

/* 0; or -EINVAL with *problem. The document has passed openai_read_request(); one of a form is its fields. */
int openai_read_media_request(
	const struct json_parser *p, enum openai_api api, struct openai_media *media, struct openai_problem *problem);

/* Leaves what the answer does not tell, or tells beyond belief. */
void openai_read_media_answer(const struct json_parser *p, struct openai_media *media, struct openai_usage *usage);

#endif
