/* Between the files of the tenancy; all of it is its thread's, but for what says otherwise. */
#ifndef ROUTE_TENANCY_INTERNAL_H
#define ROUTE_TENANCY_INTERNAL_H

#include "core/shard.h"
#include "route/gateway/gateway_shard.h"
#include "route/tenancy/stored_routing.h"
#include "route/tenancy/tenancy.h"
#include "store/retention.h"

/* What an operator said of a declared key: stored, and stronger than the configuration. */
struct tenant_override {
	char id[sizeof(((struct key_settings *)NULL)->id)];
	bool disabled;
	uint64_t revoked_ns, updated_ns;
};

/* Stored tenants of a kind, by id. */
struct tenant_list {
	struct tenant **items;
	unsigned count, capacity;
};

struct tenant_tables {
	struct tenant_list of[TENANT_KINDS];
	struct tenant_override *overrides;
	unsigned override_count, override_capacity;
	struct stored_routing *routing; /* NULL: nothing was ever said */
};

/* On its way to one shard and back. */
struct tenancy_spread {
	struct letter letter;
	struct tenancy *tenancy;
	struct gateway_shard *gateway_shard;
	struct shard_config *spare;
	int result;
};

enum { CHANGE_RECORDS = 3, SCRATCH_BYTES_MAX = 8 << 20 };

/* One change at a time, from its check to its answer. Memory of its records is from malloc(). */
struct tenancy_change {
	struct tenancy_ask *ask; /* NULL: a reload */
	enum tenant_kind kind;
	/* Stored; before NULL: new, after NULL: it goes. Both NULL: an override, routing, or a reload. */
	struct tenant *before, *after;
	struct tenant_override was, override; /* with has_override */
	bool has_override, had_override;
	bool has_routing;
	struct stored_routing *routing_before, *routing_after; /* with has_routing */
	struct gateway_config *config;                         /* with the change; until it is in force */
	struct gateway_config *base;                           /* of a reload */
	struct record records[CHANGE_RECORDS];
	char *memory[CHANGE_RECORDS];
	char record_ids[CHANGE_RECORDS][RECORD_ID_BYTES_MAX];
	unsigned record_count;
	bool note; /* an audit record alone: nothing has to reach the shards */
	int result;
};

struct tenancy {
	struct shard shard;
	struct gateway *gateway;
	int (*bind)(void *context, struct gateway_config *config);
	void *bind_context;
	struct gateway_config *base, *config; /* declared; in force */
	struct tenant_tables tables;
	struct json_parser *json;
	struct list asks;
	struct list reloads; /* of struct tenancy_reload_letter; they go first */
	bool busy;
	struct tenancy_change change; /* while busy */
	struct records_write write;
	struct tenancy_spread *spreads; /* one for each shard */
	unsigned spreading;
	struct timer prune_timer;
	struct timer watch_timer;
	struct tenancy_watch *watch;
	struct records_write prune_write; /* of audit records whose time is over */
	struct record *pruned;
	char (*pruned_ids)[RECORD_ID_BYTES_MAX];
	unsigned pruned_count;
	bool pruning;
	struct store_retention retention;
	struct {
		struct retention_rule *list;
		struct retention_rules all;
	} retention_rules;
	struct gateway_config *retention_config; /* whose workspaces they are; NULL: nothing goes on */
	atomic_uint unsettled;                   /* reloads that were begun; the control thread counts up */
	atomic_uint shards_started;
	bool running;
};

/* tenancy_tables.c */
int tenant_tables_load(
	struct tenant_tables *tables, const struct store *store, struct json_parser *json, char *why, size_t why_bytes);
void tenant_tables_fini(struct tenant_tables *tables);
struct tenant *tenant_tables_find(const struct tenant_tables *tables, enum tenant_kind kind, struct slice id);
const struct tenant_override *tenant_tables_override(const struct tenant_tables *tables, struct slice id);
/* Puts `after` where `before` was; either may be NULL. 0, -ENOMEM (never without `after`, or with both). */
int tenant_tables_swap(
	struct tenant_tables *tables, enum tenant_kind kind, struct tenant *before, struct tenant *after);
int tenant_tables_set_override(struct tenant_tables *tables, const struct tenant_override *override);
void tenant_tables_drop_override(struct tenant_tables *tables, struct slice id);
void tenant_override_print(const struct tenant_override *override, struct text *json);

/* The stored one of that id, unless the configuration declares one since, which counts then. NULL: none. */
struct tenant *tenancy_stored(const struct tenancy *tenancy, enum tenant_kind kind, struct slice id);

/* A configuration of these over `base`. NULL: memory is out. */
struct gateway_config *tenancy_make_config(struct tenancy *tenancy, struct gateway_config *base);

/* tenancy.c: the rest of a change that was checked. False: refused, for lack of memory. */
bool tenancy_begin(struct tenancy *tenancy);
void tenancy_write(struct tenancy *tenancy);                           /* its records, and what follows from them */
void tenancy_answer(struct tenancy *tenancy, struct tenancy_ask *ask); /* sends it back */
void tenancy_drop_records(struct tenancy_change *change);              /* wiped; and the change is none */
bool tenancy_add_record(struct tenancy_change *change, enum record_table table, struct slice id, struct text *value);
/* The same for what lies sealed; `owner` stays until the change is over. */
bool tenancy_add_sealed(struct tenancy_change *change, const char *owner, struct slice id, struct slice value);
static inline uint64_t tenancy_wall_ns(const struct tenancy *tenancy)
{
	return shard_wall_ns(&tenancy->shard);
}

/* tenancy_ask.c: answers, or begins a change. */
void tenancy_work(struct tenancy *tenancy, struct tenancy_ask *ask);
void tenancy_refuse(struct tenancy_ask *ask, unsigned status, struct slice code, const char *param, const char *format,
	...) __attribute__((format(printf, 5, 6)));
void tenancy_refuse_unknown(struct tenancy_ask *ask);
/* The next one of a query string, whose values are taken as they are; false at its end. */
bool tenancy_next_parameter(struct slice *query, struct slice *name, struct slice *value);
bool tenancy_read_limit(struct slice value, unsigned *limit); /* of a list: 1 to 1000 */
/* Prints into ever more memory until it fits: the answer. False: refused. */
typedef void tenancy_print(const struct tenancy *tenancy, const void *context, struct text *text);
bool tenancy_print_answer(const struct tenancy *tenancy, struct tenancy_ask *ask, unsigned status, tenancy_print *print,
	const void *context);

/* tenancy_endpoints.c: the parts of a project, which are changed with it. */
void tenancy_show_endpoints(struct tenancy *tenancy, struct tenancy_ask *ask);
void tenancy_print_endpoint(const struct project_settings *project, struct slice slug, struct text *json);

/* tenancy_update.c: create, update, remove, rotate. */
void tenancy_change(struct tenancy *tenancy, struct tenancy_ask *ask);

/* tenancy_audit.c */
bool tenancy_audit_add(struct tenancy *tenancy, const char *verb, const char *kind, struct slice id,
	const char *workspace, struct slice before, struct slice after);
void tenancy_audit_note(struct tenancy *tenancy, struct tenancy_ask *ask);
void tenancy_audit_list(struct tenancy *tenancy, struct tenancy_ask *ask);
void tenancy_prune(struct tenancy *tenancy);
void tenancy_expire_receipts(struct tenancy *tenancy); /* tenancy_retention.c */

/* tenancy_watch.c: what somebody should hear of. Opening reads what was told before: 0, -ENOMEM, -EIO. */
int tenancy_watch_open(struct tenancy *tenancy);
void tenancy_watch_close(struct tenancy *tenancy); /* its thread has ended */
void tenancy_watch_look(struct tenancy *tenancy);

#endif
