obj-y += admin.o admin_alerts.o admin_balance.o admin_connections.o admin_deployments.o admin_explain.o admin_routing.o admin_shadow.o admin_spend.o admin_tenants.o
