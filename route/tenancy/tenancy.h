/*
 * Who may use the gateway, while it runs: keys, teams, workspaces and admin tokens from the store, with what the
 * configuration declares; and what is said of routing beside it. One thread owns them and works off one question after
 * the other. A change is made in this order:
 *
 *   checked -> a configuration with it is made -> row and audit record are durable -> it is in force on every shard ->
 * answered
 *
 * so whoever got the answer finds it everywhere and after any crash, and one that was refused has changed nothing. A
 * reload takes the same way, so the two never overtake each other.
 */
#ifndef ROUTE_TENANCY_H
#define ROUTE_TENANCY_H

#include "route/gateway/gateway.h"
#include "route/tenancy/roles.h"
#include "route/tenancy/tenant.h"
#include "store/records.h"

struct exchange;
struct tenancy;

struct tenancy_options {
	struct gateway *gateway;     /* its store is open; outlives this */
	struct gateway_config *base; /* of the configuration; borrowed */
	/* Makes what a configuration needs besides (its table of limits), in the tenancy's thread. 0 or -ENOMEM. */
	int (*bind)(void *context, struct gateway_config *config);
	void *context;
	uint32_t ring_without;
};

/* Reads the store, and makes the first configuration. `why` tells a person what is wrong. */
int tenancy_open(struct tenancy **tenancy, const struct tenancy_options *options, char *why, size_t why_bytes);

/* What a shard starts with. Until every shard has said that it started, nothing changes. */
struct gateway_config *tenancy_config(const struct tenancy *tenancy);
void tenancy_shard_started(struct tenancy *tenancy);

/* Puts another configuration in force, on every shard, with the stored tenants; takes it over. From the control thread.
 */
int tenancy_reload(struct tenancy *tenancy, struct gateway_config *base); /* 0, -ENOMEM */

/* Nothing that was begun is still on its way to a shard. Any thread. */
bool tenancy_settled(const struct tenancy *tenancy);

void tenancy_stop(struct tenancy *tenancy);  /* after the shards' threads, before the store closes */
void tenancy_close(struct tenancy *tenancy); /* after it closed; NULL is nothing */

/* ---- questions of the admin API ---- */

enum tenancy_verb {
	TENANCY_CREATE,
	TENANCY_SHOW,
	TENANCY_LIST,
	TENANCY_UPDATE,
	TENANCY_PUT, /* made, or changed as by an update */
	TENANCY_REMOVE,
	TENANCY_ROTATE,
	TENANCY_ROUTING, /* a patch of it; of no kind */
	TENANCY_AUDIT,
	TENANCY_NOTE
};

enum { TENANCY_MESSAGE_BYTES = 512, TENANCY_PARAM_BYTES = 160, TENANCY_ADDRESS_BYTES = 64 };

struct tenancy_actor { /* who asks; NULL data: the master key */
	struct slice id, name;
	enum admin_role role;
	struct slice request_id;
	struct slice client_certificate; /* NULL data: none was asked for */
	char address[TENANCY_ADDRESS_BYTES];
};

/* A change that others made, for the audit log: "deployment", "disable", its name. */
struct tenancy_note {
	const char *kind, *verb;
	struct slice object, before, after; /* the last two are JSON without secrets; NULL data: null */
	const char *workspace;              /* NULL: of none */
	/* What keeps it over a restart, written with it; id NULL data: nothing does. */
	struct record record;
	/* Takes it back where it could not be stored, before the refusal; NULL: there is nothing to take back. */
	void (*undo)(struct exchange *exchange, const struct tenancy_note *note);
};

/* The tenancy's until done() runs on `shard`; all that it points to is the asker's and stays until then. */
struct tenancy_ask {
	struct letter letter;
	struct shard *shard;
	void (*done)(struct tenancy_ask *ask);
	enum tenancy_verb verb;
	enum tenant_kind kind;
	struct slice id, query;
	struct slice part;        /* of a project: an endpoint's slug, empty for all of them; NULL data: the whole */
	struct slice body;        /* with BUFFER_PADDING_BYTES behind it */
	struct tenancy_note note; /* of TENANCY_NOTE, which is answered without a body: status 200, or why not */
	struct tenancy_actor actor;
	/* The answer: JSON (or CSV) from malloc(), the asker's to free; or an error with its code. */
	unsigned status;
	bool csv;
	char *answer;
	size_t answer_bytes;
	struct slice code; /* static */
	char message[TENANCY_MESSAGE_BYTES], param[TENANCY_PARAM_BYTES];
	struct tenancy *tenancy; /* its own, from here on */
	struct list link;
};

void tenancy_split_endpoint(struct tenancy_ask *ask); /* "PROJECT/endpoints/SLUG" as its id into id and part */
void tenancy_ask_start(struct tenancy *tenancy, struct tenancy_ask *ask);

#endif
