/* GET /admin/routing/shadow: what was compared since the start, over all shards (route/exchange/exchange_shadow.h). */
#include "route/gateway/pages.h"

#define SUM(e, field) gateway_sum((e)->gateway_shard->gateway, offsetof(struct gateway_metrics, field))

static void add(struct text *t, struct slice name, uint64_t value)
{
	text_add(t, name);
	text_u64(t, value);
}

static void print(const struct exchange *e, struct text *t)
{
	uint64_t compared = SUM(e, shadows_compared);

	add(t, SLICE("{\"shadow_percent\":"), e->config->config->settings->routing.more.shadow_percent);
	add(t, SLICE(",\"compared\":"), compared);
	add(t, SLICE(",\"agreed\":"), SUM(e, shadows_agreed));
	text_literal(t, ",\"agreement\":");
	if (compared)
		text_milli(t, SUM(e, shadow_agreement_permille) / compared);
	else
		text_literal(t, "null");
	add(t, SLICE(",\"failed\":"), SUM(e, shadows_failed));
	add(t, SLICE(",\"left_out\":"), SUM(e, shadows_left_out));
	text_literal(t, "}\n");
}

void admin_shadow(struct exchange *e)
{
	page_answer_printed(e, 200, SLICE("application/json"), print);
}
