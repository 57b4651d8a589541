/*
 * How many tokens a request's prompt can have at most, without a tokenizer: a token of a byte-level vocabulary spends
 * at least one byte, and what does not lie in the body as text (images, files) is taken from a table, or has no bound.
 * Pure.
 */
#ifndef ROUTE_BUDGET_BOUND_H
#define ROUTE_BUDGET_BOUND_H

#include "proto/json/json.h"
#include "route/settings/settings.h"

struct prompt_bound {
	uint64_t bytes; /* of the body, without its images and files */
	uint64_t messages, images, files;
	bool has_tools;
	struct slice unbounded; /* static: the field whose size nothing tells; NULL data: there is none */
};

/* Of the document that the view holds; `body_bytes` is its size. */
void prompt_bound_read(const struct json_parser *json, size_t body_bytes, struct prompt_bound *bound);

/* At a provider of that kind, whose model reads `context_window` tokens (0: not known). False: there is no bound. */
bool prompt_bound_tokens(
	const struct prompt_bound *bound, enum provider_kind kind, uint32_t context_window, uint64_t *tokens);

#endif
