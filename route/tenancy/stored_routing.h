/*
 * What the admin API says of routing while the gateway runs: fields of the configuration's `routing` that its file does
 * not give, read and checked by the same rows. Never changed once it is made; whoever uses its texts holds a reference.
 * On disk it is one JSON object of the fields that were said.
 */
#ifndef ROUTE_STORED_ROUTING_H
#define ROUTE_STORED_ROUTING_H

#include "core/text.h"
#include "route/settings/settings.h"
#include "route/tenancy/json_config.h"

struct stored_routing;

/* Of routing_schema; -1: there is no field of that name. */
int stored_routing_row(struct slice name);
bool stored_routing_may_change(int row); /* while the gateway runs */

/*
 * From the members that `tree` holds; what is wrong goes to the document's report. NULL: memory is out. Null members
 * are as if they were not there.
 */
struct stored_routing *stored_routing_read(const struct config_node *tree, struct json_config *document);

/* The row of the store, and back: NULL when it cannot be read. It has BUFFER_PADDING_BYTES behind it. */
struct slice stored_routing_row_of(const struct stored_routing *routing); /* NULL routing: "{}" */
struct stored_routing *stored_routing_read_row(struct json_parser *json, struct slice row);

/* Its fields go into settings, but for those that their file gives. The texts stay its own. */
void stored_routing_apply(const struct stored_routing *routing, struct settings *settings);

struct stored_routing *stored_routing_borrow(struct stored_routing *routing);
void stored_routing_give(struct stored_routing **routing); /* any thread */

/* What settings say of routing, as the admin API shows it. */
void stored_routing_print(const struct settings *settings, struct text *json);

#endif
