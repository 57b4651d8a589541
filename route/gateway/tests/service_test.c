/* The table of routes: where methods and paths lead. */
#include "route/gateway/service.h"

#include "route/gateway/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void paths_lead_somewhere(void **state)
{
	static const struct {
		enum http_method method;
		const char *path;
		void (*handle)(struct exchange *);
		const char *argument;
	} table[] = {
		{HTTP_POST, "/v1/chat/completions", exchange_run, NULL},
		{HTTP_POST, "/v1/completions", exchange_run, NULL},
		{HTTP_POST, "/v1/embeddings", exchange_run, NULL},
		{HTTP_POST, "/v1/moderations", exchange_run, NULL},
		{HTTP_POST, "/v1/images/generations", exchange_run, NULL},
		{HTTP_POST, "/v1/audio/speech", exchange_run, NULL},
		{HTTP_POST, "/v1/audio/transcriptions", exchange_run, NULL},
		{HTTP_GET, "/v1/models", page_models, NULL},
		{HTTP_HEAD, "/v1/models", page_models, NULL},
		{HTTP_GET, "/v1/models/openai/gpt", page_model, "openai/gpt"},
		{HTTP_GET, "/v1/models/openai%2Fgpt", page_model, "openai%2Fgpt"},
		{HTTP_GET, "/v1/receipts/req_1", page_receipt, "req_1"},
		{HTTP_GET, "/healthz", page_healthz, NULL},
		{HTTP_GET, "/readyz", page_readyz, NULL},
		{HTTP_GET, "/metrics", page_metrics, NULL},
		{HTTP_GET, "/admin/status", admin_status, NULL},
		{HTTP_GET, "/admin/receipts", admin_receipts, NULL},
		{HTTP_GET, "/admin/receipts/req_1", admin_receipt, "req_1"},
		{HTTP_GET, "/admin/deployments", admin_deployments, NULL},
		{HTTP_POST, "/admin/deployments/disable", admin_deployment_disable, NULL},
		{HTTP_POST, "/admin/deployments/enable", admin_deployment_enable, NULL},
		{HTTP_GET, "/admin/alerts", admin_alerts, NULL},
		{HTTP_PATCH, "/admin/alerts", admin_alerts_change, NULL},
		{HTTP_POST, "/admin/deployments/reset", admin_deployment_reset, NULL},
		{HTTP_GET, "/admin/routing", admin_routing, NULL},
		{HTTP_PATCH, "/admin/routing", admin_tenancy, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct slice argument;
		unsigned allowed;
		const struct service_route *route =
			service_route_find(table[i].method, slice_of_string(table[i].path), &argument, &allowed);

		assert_non_null(route);
		assert_true(route->handle == table[i].handle);
		assert_true(slice_equal(argument, slice_of_string(table[i].argument)));
	}
}

static void others_lead_nowhere(void **state)
{
	static const struct {
		enum http_method method;
		const char *path;
		unsigned allowed;
	} table[] = {
		{HTTP_GET, "/", 0},
		{HTTP_GET, "", 0},
		{HTTP_GET, "/v1", 0},
		{HTTP_POST, "/v1/chat/completions/", 0},
		{HTTP_POST, "/v1/chat", 0},
		{HTTP_GET, "/v1/models/", 0},
		{HTTP_GET, "/V1/models", 0},
		{HTTP_GET, "/v1/chat/completions", 1u << HTTP_POST},
		{HTTP_HEAD, "/v1/embeddings", 1u << HTTP_POST},
		{HTTP_METHOD_OTHER, "/v1/embeddings", 1u << HTTP_POST},
		{HTTP_POST, "/v1/models", 1u << HTTP_GET},
		{HTTP_DELETE, "/v1/models/a", 1u << HTTP_GET},
		{HTTP_POST, "/healthz", 1u << HTTP_GET},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct slice argument;
		unsigned allowed;

		assert_null(service_route_find(table[i].method, slice_of_string(table[i].path), &argument, &allowed));
		assert_int_equal(allowed, table[i].allowed);
	}
}

static void doors_lead_to_their_part(void **state)
{
	static const struct {
		const char *path;
		enum http_method method;
		bool clients, admin;
	} table[] = {
		{"/admin/status", HTTP_GET, false, true},
		{"/admin/receipts/req_1", HTTP_GET, false, true},
		{"/admin/receipts", HTTP_DELETE, false, true},
		{"/admin/nothing", HTTP_GET, false, true},
		{"/admin", HTTP_GET, false, true},
		{"/administration", HTTP_GET, true, false},
		{"/v1/models", HTTP_GET, true, false},
		{"/v1/chat/completions", HTTP_POST, true, false},
		{"/v1/receipts/req_1", HTTP_GET, true, false},
		{"/healthz", HTTP_GET, true, true},
		{"/readyz", HTTP_HEAD, true, true},
		{"/metrics", HTTP_GET, true, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct slice path = slice_of_string(table[i].path), argument;
		unsigned allowed;
		const struct service_route *route = service_route_find(table[i].method, path, &argument, &allowed);

		assert_true(service_door_leads(DOOR_BOTH, path, route));
		assert_int_equal(service_door_leads(DOOR_CLIENTS, path, route), table[i].clients);
		assert_int_equal(service_door_leads(DOOR_ADMIN, path, route), table[i].admin);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_lead_somewhere),
		cmocka_unit_test(others_lead_nowhere),
		cmocka_unit_test(doors_lead_to_their_part),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
