/* GET /admin/routing: how requests are routed, as the configuration in force says, its defaults included. */
#include "route/gateway/pages.h"
#include "route/settings/settings_tables.h"

static void print_routing(const struct exchange *e, struct text *text)
{
	text_literal(text, "{\"object\":\"routing\",");
	schema_print_members(&routing_schema, e->config->config->settings, text);
	text_literal(text, "}\n");
}

void admin_routing(struct exchange *e)
{
	page_answer_printed(e, 200, SLICE("application/json"), print_routing);
}
