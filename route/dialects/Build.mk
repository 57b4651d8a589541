obj-y += dialect.o dialect_bedrock.o dialect_errors.o dialect_fields.o dialect_gemini.o dialect_kinds.o
obj-y += dialect_responses.o
obj-$(CONFIG_ANTHROPIC) += dialect_anthropic.o
test-y += dialect_gemini_test kinds_test
test-$(CONFIG_ANTHROPIC) += dialect_test
