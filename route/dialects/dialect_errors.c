/*
 * What errors of providers mean. A row says it where the status alone would be misread: a quota that is used up is a
 * matter of the credential and passes with no wait (402), a key that is called invalid is one (401), a server that
 * still loads its model is busy and no broken one (503). What no row names means its status.
 */
#include "route/dialects/dialect_errors.h"

#define NOTHING                                                                                                        \
	{                                                                                                              \
		0                                                                                                      \
	}

enum { LOADING_S = 2 };

/* OpenAI, Azure, Together, and the servers that speak as they do (llama.cpp loads models while it listens). */
const struct dialect_error dialect_errors_openai[] = {
	{429, "insufficient_quota", NULL, 402, 0},
	{429, "billing_hard_limit_reached", NULL, 402, 0},
	{400, "invalid_api_key", NULL, 401, 0},
	{503, NULL, "oading model", 503, LOADING_S},
	NOTHING,
};

/* A spending limit is told as a rate limit. */
const struct dialect_error dialect_errors_anthropic[] = {
	{429, "enforced_spend_limit_reached", NULL, 402, 0},
	{0, "overloaded_error", NULL, 529, 0},
	NOTHING,
};

/* 498: the tier's capacity is used up for now. */
const struct dialect_error dialect_errors_groq[] = {
	{498, NULL, NULL, 503, 0},
	{429, "insufficient_quota", NULL, 402, 0},
	{400, "invalid_api_key", NULL, 401, 0},
	NOTHING,
};

const struct dialect_error dialect_errors_mistral[] = {
	NOTHING,
};

/* 498: the token is no good; 499: the provider's own cancellation; 501: not by this deployment. */
const struct dialect_error dialect_errors_cohere[] = {
	{498, NULL, NULL, 401, 0},
	{499, NULL, NULL, 500, 0},
	NOTHING,
};

static bool is_word(const char *word, const struct openai_error *error)
{
	struct slice s = slice_of_string(word);

	return !word || slice_equal(error->code, s) || slice_equal(error->type, s);
}

static bool has_part(const char *part, struct slice message)
{
	return !part || (message.size && memmem(message.data, message.size, part, strlen(part)));
}

unsigned dialect_error_means(
	const struct dialect *dialect, unsigned status, const struct openai_error *error, uint32_t *retry_after_s)
{
	const struct dialect_error *rule = dialect->errors;

	*retry_after_s = 0;
	for (; rule && rule->means; rule++) {
		if ((rule->status && rule->status != status) || !is_word(rule->word, error) ||
			!has_part(rule->part, error->message))
			continue;
		*retry_after_s = rule->retry_after_s;
		return rule->means;
	}
	return status;
}

/* A conversation that is too long is told in a message alone by most: as OpenAI and vLLM, Mistral, Cohere, Anthropic
 * and llama.cpp word it. */
struct slice dialect_error_code(const struct openai_error *error)
{
	static const char *const parts[] = {"maximum context length", "too many tokens", "prompt is too long",
		"exceeds the available context size"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (has_part(parts[i], error->message))
			return SLICE("context_length_exceeded");
	return error->code;
}

/* Anthropic: "temperature: Extra inputs are not permitted"; OpenAI: a code, and the field as its param. */
bool dialect_refuses_sampling(const struct openai_error *error)
{
	static const struct slice fields[] = {{"temperature", 11}, {"top_p", 5}, {"top_k", 5}};
	bool unsupported = slice_equal(error->code, SLICE("unsupported_value")) ||
			   slice_equal(error->code, SLICE("unsupported_parameter"));

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (unsupported && slice_equal(error->param, fields[i]))
			return true;
		if (slice_starts_with(error->message, fields[i]) &&
			slice_equal(
				slice_after(error->message, fields[i].size), SLICE(": Extra inputs are not permitted")))
			return true;
	}
	return false;
}
