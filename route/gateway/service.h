/* The table of routes, and the HTTP service that leads each request into its exchange. */
#ifndef ROUTE_SERVICE_H
#define ROUTE_SERVICE_H

#include "proto/http/http_server.h"
#include "store/receipt.h"

struct exchange;

enum route_access { ACCESS_OPEN, ACCESS_KEY, ACCESS_ADMIN };

struct service_route {
	struct slice path;
	bool prefix;         /* the path goes on: the rest is the exchange's route_argument */
	struct slice suffix; /* with prefix: what the path ends with, after an argument without "/" */
	enum http_method method;
	enum route_access access;
	uint32_t scope;          /* enum key_scope; with ACCESS_KEY */
	uint8_t action;          /* enum admin_action; with ACCESS_ADMIN */
	uint8_t verb, kind;      /* of admin_tenancy */
	bool is_api;             /* a JSON call to a provider */
	enum receipt_api api;    /* with is_api */
	uint64_t body_bytes_max; /* of a page; 0: it takes none. An API's is http.max_body_bytes */
	void (*handle)(struct exchange *exchange);
};

/*
 * The route of a method and path. NULL: none; then *allowed is the mask of methods (1 << enum http_method) that the
 * path has, 0 for an unknown path. HEAD goes where GET goes.
 */
const struct service_route *service_route_find(
	enum http_method method, struct slice path, struct slice *argument, unsigned *allowed);

/* Where a request came in: a listener of both, or one of the two when admin.address gives the admin API its own. */
enum service_door { DOOR_BOTH, DOOR_CLIENTS, DOOR_ADMIN };

/* Whether a door leads to `path`, whose route is `route` (NULL: none). Pages that are open to all are behind each. */
bool service_door_leads(enum service_door door, struct slice path, const struct service_route *route);

/* Their context is the struct gateway_shard. */
extern const struct http_service gateway_service, gateway_admin_service;

#endif
