/*
 * What the admin API makes: a key, a team, a workspace or an admin token, as settings with the dates and secrets that
 * go with them. One is never changed once it is made; whoever uses it holds a reference. On disk it is JSON, read by
 * the tables that read the configuration.
 */
#ifndef ROUTE_TENANT_H
#define ROUTE_TENANT_H

#include "core/text.h"
#include "route/tenancy/json_config.h"
#include "route/settings/settings.h"
#include "store/records.h"

#include <stdatomic.h>

enum tenant_kind {
	TENANT_KEY,
	TENANT_TEAM,
	TENANT_WORKSPACE,
	TENANT_TOKEN,
	TENANT_CONNECTION,
	TENANT_PROJECT,
	TENANT_KINDS
};

enum {
	TENANT_ID_BYTES_MAX = 64,
	TENANT_SECRET_BYTES_MAX = 80,
	TENANT_ROW_BYTES_MAX = 512 * 1024 /* a body of 64 KiB, escaped at its worst */
};

struct tenant_meta {
	uint64_t created_ns, updated_ns, revoked_ns; /* wall */
	uint64_t previous_until_ns;                  /* of the secret before the last rotation; 0: there is none */
	uint8_t secret_sha256[32], previous_sha256[32];
	char *secret_prefix; /* what people may see of it */
};

struct tenant {
	enum tenant_kind kind;
	_Atomic uint32_t references;
	struct config_memory memory;
	char id[TENANT_ID_BYTES_MAX + 1];
	struct tenant_meta meta;
	union {
		struct key_settings key;
		struct team_settings team;
		struct workspace_settings workspace;
		struct admin_token_settings token;
		struct connection_settings connection;
		struct project_settings project;
	} item;
};

/* How a kind lies in settings and in the store, and what it is called. */
struct tenant_shape {
	const char *name;      /* "key" */
	const char *param_id;  /* the member that names it, when its maker does; NULL: the gateway makes ids */
	const char *id_prefix; /* then, of these; else NULL */
	enum record_table table;
	const struct schema *schema, *input; /* as it is shown and stored; as it is read */
	size_t item_bytes;
	size_t list_at, count_at; /* in struct settings */
	const char *(*id_of)(const void *item);
	const char *(*workspace_of)(const void *item); /* NULL: of none */
};

extern const struct tenant_shape tenant_shapes[TENANT_KINDS];

static inline const void *tenant_item_of(const struct settings *settings, enum tenant_kind kind, unsigned i)
{
	const struct tenant_shape *shape = &tenant_shapes[kind];
	const char *list = *(char *const *)(const void *)((const char *)settings + shape->list_at);

	return list + i * shape->item_bytes;
}

static inline unsigned tenant_count_of(const struct settings *settings, enum tenant_kind kind)
{
	return *(const unsigned *)(const void *)((const char *)settings + tenant_shapes[kind].count_at);
}

/* NULL: there is none of that id. */
const void *tenant_item_find(const struct settings *settings, enum tenant_kind kind, struct slice id);

/*
 * From the members that `tree` holds; what is wrong goes to the document's report. NULL only when memory is out. The
 * caller fills in id and meta, then settles.
 */
struct tenant *tenant_read(enum tenant_kind kind, const struct config_node *tree, struct json_config *document);
void tenant_settle(struct tenant *tenant); /* what its settings repeat of id and meta */
struct tenant *tenant_borrow(struct tenant *tenant);
void tenant_give(struct tenant **tenant);

/* The row of the store, and back: NULL when it cannot be read. */
bool tenant_fits(const struct tenant *tenant); /* into a row */
void tenant_print_row(const struct tenant *tenant, struct text *json);
struct tenant *tenant_read_row(enum tenant_kind kind, struct slice id, struct json_parser *json, struct slice row);

/* Its settings as a tree, to be changed and read again. NULL: memory is out. */
struct config_node *tenant_tree(
	enum tenant_kind kind, const void *item, struct json_parser *json, struct json_config *document);

/* The same with the same id and meta, to be changed before anybody sees it. NULL: memory is out. */
struct tenant *tenant_copy(const struct tenant *tenant, struct json_parser *json);

/* As the admin API shows it, without the braces. `tenant` is NULL when the configuration declares it. */
void tenant_print(
	enum tenant_kind kind, const void *item, const struct tenant *tenant, uint64_t wall_ns, struct text *json);
const char *tenant_key_status(const struct key_settings *key, uint64_t wall_ns);

/* A new secret of 256 random bits behind the prefix that tells what it is for. Returns its size. */
size_t tenant_make_secret(const struct tenant *tenant, char secret[static TENANT_SECRET_BYTES_MAX]);
int tenant_set_secret(struct tenant *tenant, struct slice secret); /* 0, -ENOMEM */

#endif
