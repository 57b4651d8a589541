obj-y += limit_address.o limit_allowance.o limit_bind.o limit_bind_key.o limit_book.o limit_endpoint.o limit_lease.o
obj-y += limit_meter.o limit_money.o limit_owed.o limit_shard.o limit_window.o limits.o
test-y += limit_address_test limit_endpoint_test limit_owed_test limit_window_test limit_lease_test
