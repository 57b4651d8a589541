/*
 * What a provider says is left of its own rate limits, in the headers of its answers: remembered, so that a call that
 * it would refuse with 429 is given to another deployment before. x-ratelimit-* as OpenAI writes them (Groq, Together,
 * vLLM gateways and others write the same): the time to the reset is "1s", "6m0s", "120ms", "1h2m3.5s", or seconds.
 * anthropic-ratelimit-* as Anthropic does: when the reset is, as RFC 3339 says it; tokens are limited in several ways,
 * of which the tightest counts.
 */
#ifndef ROUTE_RATE_ROOM_H
#define ROUTE_RATE_ROOM_H

#include "proto/http/http.h"

struct rate_room { /* zeroed: nothing known. What is over at its reset is not known any more. */
	struct rate_left {
		uint64_t left, reset_ns; /* reset_ns 0: not known */
	} requests, tokens;
};

/* Takes what an answer's head says; what it does not say stays. */
void rate_room_read(struct rate_room *room, const struct http_head *head, uint64_t now_ns, uint64_t wall_ns);

/* A call of about so many tokens goes: it counts as used until the provider says otherwise. */
void rate_room_use(struct rate_room *room, uint64_t tokens, uint64_t now_ns);

/* 0: it fits, as far as is known; else when it does again. */
uint64_t rate_room_full_until_ns(const struct rate_room *room, uint64_t tokens, uint64_t now_ns);

/* A duration as above; false for anything else. */
bool rate_room_duration(struct slice text, uint64_t *ns);

#endif
