/* The table of routes, and the HTTP service that leads each request into its exchange. */
#ifndef ROUTE_SERVICE_H
#define ROUTE_SERVICE_H

#include "proto/http_server.h"
#include "store/receipt.h"

struct exchange;

enum route_access { ACCESS_OPEN, ACCESS_KEY, ACCESS_ADMIN };

struct service_route {
	struct slice path;
	bool prefix; /* the path goes on: the rest is the exchange's route_argument */
	enum http_method method;
	enum route_access access;
	uint32_t scope;       /* enum key_scope; with ACCESS_KEY */
	bool is_api;          /* a JSON call to a provider */
	enum receipt_api api; /* with is_api */
	void (*handle)(struct exchange *exchange);
};

/*
 * The route of a method and path. NULL: none; then *allowed is the mask of methods (1 << enum http_method) that the
 * path has, 0 for an unknown path. HEAD goes where GET goes.
 */
const struct service_route *service_route_find(
	enum http_method method, struct slice path, struct slice *argument, unsigned *allowed);

extern const struct http_service gateway_service; /* its context is the struct gateway_shard */

#endif
