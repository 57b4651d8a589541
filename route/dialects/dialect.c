/* The table of dialects: OpenAI's row, and which row is whose. */
#include "route/dialects/dialect.h"

#include "route/dialects/dialect_errors.h"
#include "route/fleet/upstream.h"

#include "core/kconfig.h"

#include <assert.h>

void dialect_authorize_bearer(const struct upstream_request *request, struct text *head)
{
	const struct credential_settings *credential = request->credential;

	if (!credential || !credential->api_key || !credential->api_key[0])
		return; /* a server of one's own may want none */
	text_literal(head, "Authorization: Bearer ");
	text_string(head, credential->api_key);
	text_literal(head, "\r\n");
}

enum openai_api dialect_openai_api(enum receipt_api api)
{
	switch (api) {
	case API_CHAT_COMPLETIONS:
		return OPENAI_CHAT;
	case API_COMPLETIONS:
		return OPENAI_COMPLETIONS;
	case API_EMBEDDINGS:
		return OPENAI_EMBEDDINGS;
	case API_IMAGES:
		return OPENAI_IMAGES;
	case API_SPEECH:
		return OPENAI_SPEECH;
	case API_TRANSCRIPTIONS:
		return OPENAI_TRANSCRIPTIONS;
	default:
		assert(api == API_MODERATIONS); /* routes name no other */
		return OPENAI_MODERATIONS;
	}
}

static int read_request(const struct json_parser *p, enum receipt_api api, struct openai_request *request,
	struct openai_problem *problem)
{
	return openai_read_request(p, dialect_openai_api(api), request, problem);
}

const struct dialect dialect_openai = {
	.name = "openai",
	.chat = &chat_openai,
	.paths =
		{
			[API_CHAT_COMPLETIONS] = "/chat/completions",
			[API_COMPLETIONS] = "/completions",
			[API_EMBEDDINGS] = "/embeddings",
			[API_MODERATIONS] = "/moderations",
			[API_MESSAGES] = "/chat/completions",
			[API_IMAGES] = "/images/generations",
			[API_SPEECH] = "/audio/speech",
			[API_TRANSCRIPTIONS] = "/audio/transcriptions",
		},
	.authorize = dialect_authorize_bearer,
	.edit_request = openai_edit_request,
	.read_answer = openai_read_answer,
	.read_chunk = openai_read_chunk,
	.scan_chunk = openai_scan_chunk,
	.read_error = openai_read_error,
	.errors = dialect_errors_openai,
	.end_marker = {"[DONE]", 6},
	.read_request = read_request,
	.print_error = api_error_print,
	.error_event = {"data: ", 6},
	.end_event = {"data: [DONE]\n\n", 14},
};

const struct dialect *dialect_of(enum provider_kind kind)
{
	switch (kind) {
	case PROVIDER_OPENAI:
	case PROVIDER_OPENAI_COMPATIBLE:
		return &dialect_openai;
	case PROVIDER_ANTHROPIC:
		return CONFIG(ANTHROPIC) ? &dialect_anthropic : NULL;
	case PROVIDER_GEMINI:
		return &dialect_gemini;
	case PROVIDER_AZURE:
		return &dialect_azure;
	case PROVIDER_BEDROCK:
		return &dialect_bedrock;
	case PROVIDER_COHERE:
		return &dialect_cohere;
	case PROVIDER_MISTRAL:
		return &dialect_mistral;
	case PROVIDER_GROQ:
		return &dialect_groq;
	case PROVIDER_TOGETHER:
		return &dialect_together;
	default:
		return NULL;
	}
}

const struct dialect *dialect_of_api(enum receipt_api api)
{
	if (api == API_RESPONSES)
		return &dialect_responses;
	if (CONFIG(ANTHROPIC) && api == API_COUNT_TOKENS)
		return &dialect_anthropic_count;
	return CONFIG(ANTHROPIC) && api == API_MESSAGES ? &dialect_anthropic : &dialect_openai;
}

static bool model_lists(const struct model_settings *model, const char *capability)
{
	if (model->capabilities.count == 0)
		return true;
	for (unsigned i = 0; i < model->capabilities.count; i++)
		if (strcmp(model->capabilities.list[i], capability) == 0)
			return true;
	return false;
}

/* Azure has it on its newer surface, and on the older one since a version that is not the default there. */
static const struct dialect *responses_of(const struct provider_settings *provider)
{
	const char *version = provider->api_version;

	if (provider->kind == PROVIDER_OPENAI)
		return &dialect_responses;
	if (provider->kind != PROVIDER_AZURE)
		return NULL;
	if (slice_ends_with(slice_of_string(provider->path_prefix), SLICE("/v1")) ||
		(version && strcmp(version, "2025-03-01") >= 0))
		return &dialect_azure_responses;
	return NULL;
}

const struct dialect *dialect_of_call(
	const struct provider_settings *provider, const struct model_settings *model, enum receipt_api api)
{
	const struct dialect *own = api == API_RESPONSES ? responses_of(provider) : NULL;

	if (own && model_lists(model, "responses"))
		return own;
	if (CONFIG(ANTHROPIC) && api == API_COUNT_TOKENS && provider->kind == PROVIDER_ANTHROPIC)
		return &dialect_anthropic_count;
	return dialect_of(provider->kind);
}

bool dialect_samples(const struct model_settings *model)
{
	return model_lists(model, "sampling");
}

/* Anthropic's newest version of its API has no sampling any more: all of its versions are dates. */
static bool version_samples(const struct provider_settings *provider)
{
	return provider->kind != PROVIDER_ANTHROPIC || !provider->api_version ||
	       strcmp(provider->api_version, "2026-10-21") < 0;
}

struct chat_target dialect_target(const struct model_settings *model, const struct deployment_settings *deployment,
	const struct provider_settings *provider)
{
	enum { OUTPUT_TOKENS_DEFAULT = 4096 };
	bool sampling = dialect_samples(model) && version_samples(provider);

	return (struct chat_target){
		.model = slice_of_string(deployment->upstream_model),
		.max_tokens_default = model->max_output_tokens ? model->max_output_tokens : OUTPUT_TOKENS_DEFAULT,
		.sampling = sampling,
		.reasoning = model_lists(model, "reasoning"),
		/* Azure's older versions know the older name alone, and its models without sampling the newer. */
		.max_completion_tokens =
			provider->kind == PROVIDER_OPENAI || (provider->kind == PROVIDER_AZURE && !sampling),
	};
}

/* A model that lists it does, whoever serves it; one that lists nothing, where its dialect does. */
bool dialect_takes_prefill(const struct dialect *dialect, const struct model_settings *model)
{
	if (model->capabilities.count)
		return model_lists(model, "prefill");
	return dialect->chat && (dialect->chat->has & ~dialect->lacks & CHAT_PREFILL);
}

/* Where nothing is translated, what has no capability's name is between client and provider, and so is the last
 * message's role. */
uint32_t dialect_has(const struct dialect *dialect, const struct model_settings *model, bool translated)
{
	uint32_t has = (translated ? dialect->chat->has : UINT32_MAX) & ~dialect->lacks, listed = 0;

	if (model->capabilities.count == 0)
		return has;
	for (unsigned i = 0; i < model->capabilities.count; i++)
		listed |= chat_capability(slice_of_string(model->capabilities.list[i]));
	return has & (listed | ~(uint32_t)CHAT_CAPABILITIES | (translated ? 0 : CHAT_PREFILL));
}
