obj-y += stream.o
