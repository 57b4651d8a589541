obj-y += http_client.o http_connection.o http_call.o
