obj-y += chat_openai_answer.o chat_openai_messages.o chat_openai_options.o chat_openai_read.o chat_openai_stream.o
obj-y += chat_openai_write.o mistral.o openai.o openai_answer.o openai_media.o openai_scan.o
test-y += openai_test openai_media_test openai_scan_test
