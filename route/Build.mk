obj-y += api_error.o price.o keys.o key_match.o catalog.o catalog_known.o client_address.o
obj-$(CONFIG_ANTHROPIC) += dialect_anthropic.o
test-$(CONFIG_ANTHROPIC) += dialect_test
test-y += dialect_gemini_test
obj-y += dialect.o dialect_responses.o dialect_kinds.o dialect_fields.o dialect_errors.o dialect_gemini.o dialect_bedrock.o upstream.o node.o gateway.o gateway_shard.o gateway_metrics.o service.o pages.o pages_models.o admin.o
obj-y += exchange.o exchange_authenticate.o exchange_request.o exchange_plan.o exchange_refuse.o exchange_upstream.o exchange_unary.o
obj-y += alert.o auto_reload.o webhook.o admin_balance.o admin_spend.o budget.o budget_bound.o exchange_budget.o
obj-y += exchange_media.o exchange_binary.o exchange_form.o
obj-y += limit_window.o limit_meter.o limit_lease.o limit_book.o limits.o exchange_limit.o
obj-y += exchange_stream.o exchange_stream_send.o exchange_stream_end.o exchange_receipt.o exchange_translate.o exchange_conversation.o exchange_idempotency.o responses_pages.o count_tokens.o
obj-y += settings.o settings_check.o settings_derive.o settings_table.o settings_table_features.o settings_table_tenants.o settings_table_upstream.o settings_text.o
test-y += upstream_test service_test kinds_test
test-y += api_error_test price_test keys_test catalog_test catalog_known_test client_address_test
test-y += settings_test
test-y += budget_test budget_bound_test alert_test
test-y += limit_window_test limit_lease_test

obj-y += lockout.o roles.o json_config.o tenant.o tenancy.o tenancy_tables.o tenancy_ask.o tenancy_draft.o tenancy_update.o tenancy_audit.o admin_tenants.o
test-y += lockout_test roles_test tenant_test

route-tls-$(CONFIG_TLS) := gateway_tls.o
obj-y += $(route-tls-y)
obj-y += breaker.o balance.o retry_budget.o rate_room.o retry_after.o fleet.o fleet_call.o plan.o exchange_fleet.o admin_deployments.o deployment_metrics.o
test-y += breaker_test balance_test retry_budget_test rate_room_test retry_after_test plan_test fleet_test

# How hard a request is, for `auto`; the weights' header is tools/train's.
obj-y += affinity.o analysis.o analysis_terms.o score.o rank.o rules.o exchange_auto.o admin_explain.o
test-y += affinity_test score_test rank_test rules_test
