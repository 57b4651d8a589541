obj-y += http_client.o http_connection.o http_call.o
obj-y += json.o json_edit.o json_error.o
test-y += json_test json_edit_test
obj-y += http.o http_chunked.o http_head.o http_parser.o
obj-y += sse.o
test-y += sse_test
obj-y += openai.o openai_answer.o
