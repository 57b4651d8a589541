/* What a question of the admin API says, read and checked, before anything is changed: for the tenancy's files alone.
 */
#ifndef ROUTE_TENANCY_DRAFT_H
#define ROUTE_TENANCY_DRAFT_H

#include "route/tenancy/tenancy_internal.h"

/* What a body says, while it is being read. */
struct draft {
	struct tenancy *tenancy;
	struct tenancy_ask *ask;
	const struct tenant_shape *shape;
	struct config_memory memory;
	struct config_report report;
	struct json_config document;
	char secret[TENANT_SECRET_BYTES_MAX];
	size_t secret_bytes; /* 0: none was made */
	const void *item;    /* as it will be, for the answer */
	const struct tenant *stored;
};

void draft_open(struct draft *draft, struct tenancy *tenancy, struct tenancy_ask *ask);
void draft_close(struct draft *draft); /* wipes it */

/* Refuses the question. Always false. */
bool draft_refuse(struct draft *draft, unsigned status, struct slice code, const char *param, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
bool draft_refuse_memory(struct draft *draft);

/* True when nothing was complained of; else the first complaint is the answer. */
bool draft_is_sound(struct draft *draft);

/* The body as a tree, with what may be spelt in two ways spelt in one. NULL: refused. */
struct config_node *draft_read_body(struct draft *draft);

/* A member is what the path says; a body that says otherwise is refused. False: refused. */
bool draft_set_text(struct draft *draft, struct config_node *body, const char *name, struct slice text);

/* What the tree says, by itself. NULL: refused. */
struct tenant *draft_read_tenant(struct draft *draft, const struct config_node *tree);

/* The project's tree with the endpoint that the question names put in, as its body says, or taken out. False: refused.
 */
bool draft_put_endpoint(struct draft *draft, struct config_node *project);
bool draft_remove_endpoint(struct draft *draft, struct config_node *project);

/* What no single field shows; `before` is what it changes, or NULL. False: refused. */
bool draft_check(struct draft *draft, const struct tenant *tenant, const void *before);
bool draft_check_connection(struct draft *draft, const struct connection_settings *connection); /* its secrets, too */
bool draft_check_unchanged(struct draft *draft, const struct tenant *tenant, const void *before);

/* A patch of routing, whole. True: it is on its way. */
bool draft_change_routing(struct draft *draft);

/* Whether a team or a workspace is referred to. True: refused, with the first that would be left without it. */
bool draft_is_used(struct draft *draft, const char *id);

/* NULL is a text of its own. */
static inline bool draft_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static inline const struct settings *draft_settings(const struct draft *draft)
{
	return draft->tenancy->config->settings;
}

#endif
