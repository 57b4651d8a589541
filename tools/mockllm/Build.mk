mockllm-y += main.o connection.o request.o fields.o plan.o answer.o vectors.o stream.o anthropic.o anthropic_answer.o responses.o
mockllm-y += responses_answer.o gemini.o gemini_answer.o bedrock.o bedrock_answer.o bedrock_embed.o kinds.o kinds_answer.o cohere.o cohere_answer.o media.o record.o
test-y += mock_test
mock_test-y := plan.o vectors.o
