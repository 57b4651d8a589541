obj-y += stream.o
test-y += stream_test
