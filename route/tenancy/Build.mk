obj-y += client_address.o connection.o json_config.o key_match.o keys.o lockout.o roles.o stored_routing.o tenancy.o tenancy_ask.o tenancy_audit.o
obj-y += tenancy_draft.o tenancy_endpoints.o tenancy_retention.o tenancy_routing.o tenancy_tables.o tenancy_update.o tenancy_watch.o tenant.o
test-y += tenancy_audit_test connection_test keys_test client_address_test lockout_test roles_test stored_routing_test tenant_test
