obj-y += alert.o allowance.o anomaly.o auto_reload.o budget.o budget_bound.o price.o webhook.o
test-y += allowance_test anomaly_test price_test budget_test budget_bound_test alert_test
