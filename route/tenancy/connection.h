/*
 * Connections: a workspace's own credential at a provider. What of it is secret lies sealed beside its record, as one
 * text: the API key, or, where that is none, a line feed and the three of AWS, each behind one. Pure.
 */
#ifndef ROUTE_CONNECTION_H
#define ROUTE_CONNECTION_H

#include "core/config_memory.h"
#include "core/text.h"
#include "route/settings/settings.h"

/* As calls use it; what it points to is the connection's. */
struct credential_settings connection_credential(const struct connection_settings *connection);

/* What a connection that is changed keeps of `before`, whose secrets nobody could send again. */
void connection_keep(
	struct connection_settings *after, const struct connection_settings *before, struct config_memory *memory);

/* Sets connection->sealed from its secrets, or its secrets from that. 0, -ENOMEM. */
int connection_seal(struct connection_settings *connection, struct config_memory *memory);
int connection_unseal(struct connection_settings *connection, struct slice sealed, struct config_memory *memory);

/* What a provider of that kind cannot use, or needs besides. */
struct connection_problem {
	const char *param; /* NULL: none */
	bool missing;
	const char *message;
};
struct connection_problem connection_check(const struct connection_settings *connection, enum provider_kind kind);

#endif
