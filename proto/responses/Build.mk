obj-y += responses.o responses_answer.o responses_history.o responses_items.o responses_read.o responses_stream.o
test-y += responses_test
