# Endpoints that an operator defines: their table, their templates, and the chat request that a call of one becomes.
obj-y += endpoint_request.o endpoint_table.o template.o
test-y += endpoint_request_test endpoint_table_test template_test
