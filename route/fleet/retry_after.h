/*
 * How long a provider asks to be left alone, by the head of its error: `retry-after-ms`, `retry-after` (seconds, also
 * with decimals, or an HTTP date, RFC 9110, 10.2.3), `x-ratelimit-reset` (Unix seconds), or the reset of a limit of
 * which nothing is left (route/fleet/rate_room.h). Pure.
 */
#ifndef ROUTE_RETRY_AFTER_H
#define ROUTE_RETRY_AFTER_H

#include "proto/http/http.h"

enum { RETRY_AFTER_MAX_S = 120 }; /* what is wrong must not put a deployment out of use for long */

/* Whole seconds, rounded up; 0: not said, or in the past. */
uint32_t retry_after_read(const struct http_head *head, uint64_t wall_ns);

#endif
