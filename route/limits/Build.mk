obj-y += limit_book.o limit_endpoint.o limit_lease.o limit_meter.o limit_window.o limits.o
test-y += limit_window_test limit_lease_test
