/*
 * Once an hour, and right after the start: the receipts of each workspace that are older than it keeps them go, a few
 * blocks at a time on the store's thread, until none is left whose time is over (store/retention.h).
 */
#include "route/tenancy/tenancy_internal.h"

#include <stdlib.h>

/* Of a workspace that is gone: as one keeps them that says nothing. */
enum { RECEIPTS_DAYS_DEFAULT = 90 };

static void on_step(struct store_retention *step)
{
	struct tenancy *tenancy = container_of(step, struct tenancy, retention);

	if (step->result > 0) {
		store_retention_start(tenancy->gateway->store, step);
		return;
	}
	gateway_config_give(&tenancy->retention_config); /* a store that failed is asked again the next time */
}

void tenancy_expire_receipts(struct tenancy *tenancy)
{
	const struct settings *settings = tenancy->config->settings;
	struct retention_rule *rules;

	if (tenancy->retention_config)
		return; /* the last one still goes on */
	rules = reallocarray(tenancy->retention_rules.list, settings->workspace_count + 1, sizeof(*rules));
	if (!rules)
		return;
	tenancy->retention_rules.list = rules;
	for (unsigned i = 0; i < settings->workspace_count; i++)
		rules[i] = (struct retention_rule){
			slice_of_string(settings->workspaces[i].id), settings->workspaces[i].receipts_days};
	retention_rules_sort(rules, settings->workspace_count);
	tenancy->retention_rules.all =
		(struct retention_rules){rules, settings->workspace_count, RECEIPTS_DAYS_DEFAULT};
	tenancy->retention_config = gateway_config_borrow(tenancy->config); /* the names are its */
	tenancy->retention = (struct store_retention){
		.shard = &tenancy->shard, .done = on_step, .rules = &tenancy->retention_rules.all};
	store_retention_start(tenancy->gateway->store, &tenancy->retention);
}
