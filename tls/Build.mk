obj-y += stream.o
test-y += stream_test
obj-y += wolfssl_time.o

tls-$(CONFIG_TLS) := alt_name.o cause.o certificate.o client.o entropy.o hello.o output.o secret.o secure.o
tls-$(CONFIG_TLS) += server.o session.o ticket.o worker.o
obj-y += $(tls-y)

tls-test-$(CONFIG_TLS) := alt_name_test secure_test session_test
test-y += $(tls-test-y)
session_test-y := tests/authority.o
secure_test-y := tests/authority.o
