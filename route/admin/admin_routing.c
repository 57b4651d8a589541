/* GET /admin/routing: how requests are routed, as what is in force says, its defaults included. */
#include "route/gateway/pages.h"
#include "route/tenancy/stored_routing.h"

static void print_routing(const struct exchange *e, struct text *text)
{
	stored_routing_print(e->config->config->settings, text);
}

void admin_routing(struct exchange *e)
{
	page_answer_printed(e, 200, SLICE("application/json"), print_routing);
}
