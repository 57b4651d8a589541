obj-y += affinity.o balance.o breaker.o catalog.o catalog_known.o deployment_metrics.o fleet.o hedge.o fleet_call.o fleet_report.o
obj-y += plan.o pool_limit.o rate_room.o retry_after.o retry_budget.o upstream.o
test-y += upstream_test catalog_test catalog_known_test breaker_test balance_test retry_budget_test rate_room_test
test-y += pool_limit_test retry_after_test plan_test hedge_test fleet_test affinity_test
