/*
 * Errors as clients see them (contract, section 5): one row per kind of refusal, rendered in the client's dialect.
 * Messages say what to do next and never hold a secret.
 */
#ifndef ROUTE_API_ERROR_H
#define ROUTE_API_ERROR_H

#include "core/text.h"

struct api_error {
	unsigned status;
	struct slice type; /* "invalid_request_error" ... */
	struct slice code; /* stable word; NULL data: null */
	struct slice message;
	struct slice param;     /* NULL data: null */
	struct slice kind;      /* NULL data: left out */
	uint32_t retry_after_s; /* 0: left out */
	struct slice upstream;  /* a provider's own error as JSON text; NULL data: left out */
};

/* The contract's `type` for a status, where the caller has none of its own. */
struct slice api_error_type(unsigned status);

/* {"error":{...}}; request_id may be empty. */
void api_error_print(const struct api_error *error, struct slice request_id, struct text *json);

/* The member alone, `"error":{...}`, for another envelope. */
void api_error_print_member(const struct api_error *error, struct slice request_id, struct text *json);

#endif
