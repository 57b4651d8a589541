/* The deployments' counters and breakers as Prometheus text. */
#include "route/gateway/pages.h"

static const struct {
	struct slice name, head;
} families[] = {
#define FAMILY(n, type, help)                                                                                          \
	{                                                                                                              \
		{n, sizeof(n) - 1},                                                                                    \
		{                                                                                                      \
			"# HELP " n " " help "\n# TYPE " n " " type "\n",                                              \
				sizeof("# HELP " n " " help "\n# TYPE " n " " type "\n") - 1                           \
		}                                                                                                      \
	}
	FAMILY("tollgate_deployment_breaker", "gauge",
		"0 closed, 1 half open, 2 open, on the shard where it is worst."),
	FAMILY("tollgate_deployment_disabled", "gauge", "1 when an operator took the deployment out of use."),
	FAMILY("tollgate_deployment_in_flight", "gauge", "Calls under way."),
	FAMILY("tollgate_deployment_attempts_total", "counter", "Calls made."),
	FAMILY("tollgate_deployment_failures_total", "counter", "Calls that failed by the provider's fault."),
	FAMILY("tollgate_deployment_breaker_openings_total", "counter", "How often a shard's breaker opened."),
#undef FAMILY
};

static uint64_t value(const struct deployment_figures *f, unsigned family)
{
	switch (family) {
	case 0:
		return f->breaker == BREAKER_OPEN ? 2 : f->breaker == BREAKER_HALF_OPEN;
	case 1:
		return f->disabled;
	case 2:
		return f->in_flight;
	case 3:
		return f->attempts;
	case 4:
		return f->failures;
	default:
		return f->openings;
	}
}

void deployment_metrics_print(const struct exchange *e, struct text *text)
{
	const struct fleet_view *view = e->config->config->fleet;

	for (unsigned family = 0; family < sizeof(families) / sizeof(families[0]); family++) {
		text_add(text, families[family].head);
		for (unsigned i = 0; i < view->deployment_count; i++) {
			struct deployment_figures figures;

			deployment_sum(e->gateway_shard->gateway, view->deployments[i], &figures);
			text_add(text, families[family].name);
			text_literal(text, "{deployment=");
			text_json(text, slice_of_string(view->deployments[i]->name));
			text_literal(text, "} ");
			text_u64(text, value(&figures, family));
			text_char(text, '\n');
		}
	}
}
