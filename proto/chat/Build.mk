obj-y += chat.o choices.o embeddings.o estimate.o reading.o turns.o
test-y += embeddings_test estimate_test
test-$(CONFIG_ANTHROPIC) += chat_request_test chat_answer_test chat_golden_test
chat_golden_test-y := tests/golden.o
