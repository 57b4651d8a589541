obj-y += stream.o
test-y += stream_test
obj-y += wolfssl_time.o

tls-$(CONFIG_TLS) := alt_name.o cause.o certificate.o client.o der.o entropy.o hello.o identity.o
tls-$(CONFIG_TLS) += output.o peer.o ration.o secret.o secret_heap.o secure.o server.o session.o
tls-$(CONFIG_TLS) += ticket.o worker.o
obj-y += $(tls-y)

tls-test-$(CONFIG_TLS) := alt_name_test identity_test ration_test secret_test secure_test session_test
test-y += $(tls-test-y)
session_test-y := tests/authority.o
secure_test-y := tests/authority.o
