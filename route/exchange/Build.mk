obj-y += count_tokens.o exchange.o exchange_authenticate.o exchange_auto.o exchange_binary.o exchange_budget.o exchange_credential.o exchange_limit_headers.o
obj-y += exchange_content.o
obj-y += exchange_conversation.o exchange_embeddings.o exchange_endpoint.o exchange_endpoint_schema.o exchange_fleet.o exchange_form.o
obj-y += exchange_idempotency.o exchange_limit.o exchange_media.o exchange_plan.o exchange_receipt.o exchange_session.o exchange_refuse.o
obj-y += exchange_request.o exchange_shadow.o exchange_stream.o
obj-y += exchange_stream_end.o exchange_stream_send.o exchange_transcript.o exchange_translate.o exchange_unary.o
obj-y += exchange_continue.o exchange_hedge.o exchange_upload.o exchange_upstream.o
