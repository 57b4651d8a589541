obj-y += stream.o
test-y += stream_test
obj-y += wolfssl_time.o
