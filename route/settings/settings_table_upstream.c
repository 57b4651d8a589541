/* Tables: providers with their credentials, and models with their prices. */
#include "core/kconfig.h"
#include "route/settings/settings_tables.h"

#include <assert.h>

/* In the order of enum provider_kind. */
const char *const provider_kind_names[] = {"openai", "anthropic", "gemini", "mistral", "cohere", "groq", "together",
	"bedrock", "azure", "openai_compatible", NULL};
static_assert(sizeof(provider_kind_names) / sizeof(provider_kind_names[0]) == PROVIDER_KIND_COUNT + 1,
	"a name for each kind");

const char *const capability_names[] = {"chat", "responses", "completions", "embeddings", "moderations", "images",
	"transcription", "speech", "streaming", "tools", "parallel_tools", "forced_tools", "vision", "audio_input",
	"files", "json_object", "json_schema", "reasoning", "logprobs", "n", "prefill", "sampling", NULL};

#define ROW_SECRET(n, m)                                                                                               \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_STRING, MEMBER(struct credential_settings, m), .min = 1, .max = 8192,      \
		.secret = true                                                                                         \
	}

static const struct schema_field credential_limit_fields[] = {
	{.name = "rpm",
		.type = SCHEMA_INTEGER,
		MEMBER(struct credential_settings, limits.rpm),
		.max = INT32_MAX,
		.fallback = "0"},
	{.name = "tpm",
		.type = SCHEMA_INTEGER,
		MEMBER(struct credential_settings, limits.tpm),
		.max = INT64_C(1000000000000),
		.fallback = "0"},
};
static const struct schema credential_limit_schema = SCHEMA(credential_limit_fields);

static const struct schema_field credential_fields[] = {
	{.name = "name",
		.type = SCHEMA_STRING,
		MEMBER(struct credential_settings, name),
		.check = check_name,
		.expected = EXPECTED_NAME,
		.fallback = "default"},
	ROW_SECRET("api_key", api_key),
	ROW_SECRET("access_key_id", access_key_id),
	ROW_SECRET("secret_access_key", secret_access_key),
	ROW_SECRET("session_token", session_token),
	{.name = "region",
		.type = SCHEMA_STRING,
		MEMBER(struct credential_settings, region),
		.check = check_name,
		.expected = EXPECTED_NAME},
	ROW_INT("weight", struct credential_settings, weight, 0, 1000, "1"),
	{.name = "limits", .type = SCHEMA_OBJECT, .object = &credential_limit_schema},
};
static const struct schema credential_schema = SCHEMA(credential_fields);

static const struct schema_field timeout_fields[] = {
	ROW_MS("connect_ms", struct provider_settings, connect_ns, 1, "2000"),
	{.name = "head_ms",
		.type = SCHEMA_INTEGER,
		MEMBER(struct provider_settings, head_ns),
		.min = 1,
		.max = 86400000,
		.unit = 1000000},
	ROW_MS("first_token_ms", struct provider_settings, first_token_ns, 1, "60000"),
	ROW_MS("idle_ms", struct provider_settings, idle_ns, 1, "60000"),
	ROW_MS("total_ms", struct provider_settings, total_ns, 1, "600000"),
};
static const struct schema timeout_schema = SCHEMA(timeout_fields);

static const struct schema_field provider_tls_fields[] = {
	{.name = "ca",
		.type = SCHEMA_STRING,
		MEMBER(struct provider_settings, tls_ca),
		.min = 1,
		.max = 4096,
		.build = CONFIG(TLS) ? SCHEMA_BUILT : SCHEMA_LACKS},
	{.name = "server_name",
		.type = SCHEMA_STRING,
		MEMBER(struct provider_settings, tls_server_name),
		.min = 1,
		.max = 255,
		.build = CONFIG(TLS) ? SCHEMA_BUILT : SCHEMA_LACKS},
	{.name = "insecure",
		.type = SCHEMA_BOOL,
		MEMBER(struct provider_settings, tls_insecure),
		.fallback = "false",
		.build = CONFIG(TLS) ? SCHEMA_BUILT : SCHEMA_LACKS},
};
static const struct schema provider_tls_schema = SCHEMA(provider_tls_fields);

static const struct schema_field gpu_fields[] = {
	{.name = "price_per_hour_usd",
		.type = SCHEMA_DECIMAL,
		MEMBER(struct provider_settings, gpu_price_per_hour_nusd),
		.digits = 9,
		.max = INT64_C(1000000000000000),
		.fallback = "0",
		.build = SCHEMA_IGNORES},
	ROW_INT("max_concurrency", struct provider_settings, gpu_max_concurrency, 0, 1000000, "0"),
};
static const struct schema gpu_schema = SCHEMA(gpu_fields);

static const struct schema_field provider_fields[] = {
	{.name = "name",
		.type = SCHEMA_STRING,
		MEMBER(struct provider_settings, name),
		.required = true,
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "kind",
		.type = SCHEMA_ENUM,
		MEMBER(struct provider_settings, kind),
		.names = provider_kind_names,
		.fallback = "openai"},
	{.name = "base_url",
		.type = SCHEMA_STRING,
		MEMBER(struct provider_settings, base_url),
		.check = check_base_url,
		.expected = EXPECTED_BASE_URL},
	{.name = "region",
		.type = SCHEMA_STRING,
		MEMBER(struct provider_settings, region),
		.check = check_name,
		.expected = EXPECTED_NAME},
	ROW_TEXT("api_version", struct provider_settings, api_version),
	ROW_ITEMS(
		"credentials", SCHEMA_LIST, struct provider_settings, credentials, credential_count, credential_schema),
	ROW_PART("timeouts", timeout_schema),
	{.name = "max_concurrency",
		.type = SCHEMA_INTEGER,
		MEMBER(struct provider_settings, max_concurrency),
		.max = 1000000,
		.fallback = "0"},
	ROW_PART("tls", provider_tls_schema),
	{.name = "gpu", .type = SCHEMA_OBJECT, .object = &gpu_schema, PRESENT(struct provider_settings, has_gpu)},
};
const struct schema provider_schema = SCHEMA(provider_fields);

static const struct schema_field deployment_fields[] = {
	{.name = "provider",
		.type = SCHEMA_STRING,
		MEMBER(struct deployment_settings, provider_name),
		.required = true,
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "credential",
		.type = SCHEMA_STRING,
		MEMBER(struct deployment_settings, credential),
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "upstream_model",
		.type = SCHEMA_STRING,
		MEMBER(struct deployment_settings, upstream_model),
		.min = 1,
		.max = 256},
	ROW_INT("weight", struct deployment_settings, weight, 0, 1000, "1"),
};
static const struct schema deployment_schema = SCHEMA(deployment_fields);

/* USD per million tokens is micro-USD a token, 10^6 pico-USD: six decimals are exact. At most a USD a token. */
#define ROW_TOKEN(n, m)                                                                                                \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_DECIMAL, MEMBER(struct price_settings, m), .digits = 6,                    \
		.max = INT64_C(1000000000000)                                                                          \
	}
#define ROW_NUSD(n, m)                                                                                                 \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_DECIMAL, MEMBER(struct price_settings, m), .digits = 9,                    \
		.max = INT64_C(1000000000000)                                                                          \
	}

static const struct schema_field above_fields[] = {
	{.name = "tokens",
		.type = SCHEMA_INTEGER,
		MEMBER(struct price_settings, above_tokens),
		.min = 1,
		.max = INT32_MAX,
		.required = true},
	{.name = "input",
		.type = SCHEMA_DECIMAL,
		MEMBER(struct price_settings, above_input_pusd),
		.digits = 6,
		.max = INT64_C(1000000000000),
		.absent = -1},
	{.name = "cached_input",
		.type = SCHEMA_DECIMAL,
		MEMBER(struct price_settings, above_cached_input_pusd),
		.digits = 6,
		.max = INT64_C(1000000000000),
		.absent = -1},
	{.name = "output",
		.type = SCHEMA_DECIMAL,
		MEMBER(struct price_settings, above_output_pusd),
		.digits = 6,
		.max = INT64_C(1000000000000),
		.absent = -1},
};
static const struct schema above_schema = SCHEMA(above_fields);

#define ROW_TOKEN_MAYBE(n, m, p)                                                                                       \
	{                                                                                                              \
		.name = (n), .type = SCHEMA_DECIMAL, MEMBER(struct price_settings, m), .digits = 6,                    \
		.max = INT64_C(1000000000000), PRESENT(struct price_settings, p)                                       \
	}

static const struct schema_field price_fields[] = {
	ROW_TOKEN("input", input_pusd),
	ROW_TOKEN_MAYBE("cached_input", cached_input_pusd, has_cached_input),
	ROW_TOKEN("output", output_pusd),
	ROW_TOKEN_MAYBE("cache_write", cache_write_pusd, has_cache_write),
	ROW_TOKEN_MAYBE("reasoning", reasoning_pusd, has_reasoning),
	ROW_NUSD("image", image_nusd),
	ROW_NUSD("per_minute", per_minute_nusd),
	ROW_NUSD("per_million_chars", per_million_chars_nusd),
	{.name = "above", .type = SCHEMA_OBJECT, .object = &above_schema, PRESENT(struct price_settings, has_above)},
};
static const struct schema price_schema = SCHEMA(price_fields);

static const struct schema_field model_fields[] = {
	{.name = "id",
		.type = SCHEMA_STRING,
		MEMBER(struct model_settings, id),
		.required = true,
		.check = check_model_id,
		.expected = EXPECTED_MODEL_ID},
	{.name = "provider",
		.type = SCHEMA_STRING,
		MEMBER(struct model_settings, provider_name),
		.check = check_name,
		.expected = EXPECTED_NAME},
	ROW_ITEMS("deployments", SCHEMA_LIST, struct model_settings, deployments, deployment_count, deployment_schema),
	ROW_NAMES("fallback", struct model_settings, fallback),
	{.name = "upstream_model",
		.type = SCHEMA_STRING,
		MEMBER(struct model_settings, upstream_model),
		.min = 1,
		.max = 256},
	{.name = "aliases",
		.type = SCHEMA_STRINGS,
		MEMBER(struct model_settings, aliases),
		.check = check_model_id,
		.expected = EXPECTED_MODEL_ID},
	{.name = "slug",
		.type = SCHEMA_STRING,
		MEMBER(struct model_settings, slug),
		.check = check_name,
		.expected = EXPECTED_NAME},
	{.name = "price",
		.type = SCHEMA_OBJECT,
		.object = &price_schema,
		.offset = offsetof(struct model_settings, price),
		PRESENT(struct model_settings, price.known)},
	ROW_INT("context_window", struct model_settings, context_window, 1, INT32_MAX, NULL),
	ROW_INT("max_output_tokens", struct model_settings, max_output_tokens, 1, INT32_MAX, NULL),
	{.name = "quality",
		.type = SCHEMA_DECIMAL,
		MEMBER(struct model_settings, quality_milli),
		.digits = 3,
		.max = 1000,
		.fallback = "0.5",
		PRESENT(struct model_settings, has_quality)},
	{.name = "capabilities",
		.type = SCHEMA_STRINGS,
		MEMBER(struct model_settings, capabilities),
		.names = capability_names},
	{.name = "hosted", .type = SCHEMA_BOOL, MEMBER(struct model_settings, hosted), .fallback = "false"},
	{.name = "free_tokens_per_month",
		.type = SCHEMA_INTEGER,
		MEMBER(struct model_settings, free_tokens_per_month),
		.max = INT64_C(1000000000000),
		.fallback = "0"},
};
const struct schema model_schema = SCHEMA(model_fields);
