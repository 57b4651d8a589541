obj-y += api_error.o courier.o gateway.o gateway_metrics.o gateway_shard.o node.o pages.o pages_content.o pages_models.o responses_pages.o
obj-y += service.o
obj-$(CONFIG_TLS) += gateway_tls.o
test-y += service_test api_error_test
