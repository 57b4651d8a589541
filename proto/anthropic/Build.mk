obj-$(CONFIG_ANTHROPIC) += anthropic.o anthropic_answer.o anthropic_read.o anthropic_stream.o anthropic_write.o
test-$(CONFIG_ANTHROPIC) += anthropic_test
