obj-y += bedrock_answer.o bedrock_messages.o bedrock_titan.o bedrock_write.o event_stream.o sigv4.o
test-y += sigv4_test event_stream_test
