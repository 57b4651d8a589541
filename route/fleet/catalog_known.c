/*
 * The built-in catalog's data.
 *
 * Sources, as of November 2026: prices, context and output from LiteLLM's model_prices_and_context_window.json
 * (snapshot of August 2026) and Portkey's pricing files of 2026-08-21; models that are newer than these, from their
 * vendors' pages. Where sources differ, LiteLLM's figure stands, and a model whose price is told by none of them has
 * none here. Prices of long prompts hold for the whole request: OpenAI from gpt-5.4 on above 272,000 tokens, Gemini's
 * Pro and Claude Sonnet 4.5 above 200,000: twice the input, half as much again for the output; Claude Haiku 5.5 above
 * 100,000: as its vendor lists them. Limits of models (no sampling, no forced tools, no prefill) are from their
 * vendors' documentation. Quality is known of what the documentation of the configuration names.
 */
#include "route/fleet/catalog_known.h"

#include "route/dialects/dialect.h"

#include <assert.h>

#define USD(per_million) ((int64_t)((per_million)*1e6 + 0.5))
#define NONE (-1)

/* input, output, cached input, cache write */
#define PRICE(in, out)                                                                                                 \
	.priced = true, .input_pusd = USD(in), .output_pusd = USD(out), .cached_input_pusd = NONE,                     \
	.cache_write_pusd = NONE
#define PRICE_CACHED(in, out, cached)                                                                                  \
	.priced = true, .input_pusd = USD(in), .output_pusd = USD(out), .cached_input_pusd = USD(cached),              \
	.cache_write_pusd = NONE
#define PRICE_WRITTEN(in, out, cached, written)                                                                        \
	.priced = true, .input_pusd = USD(in), .output_pusd = USD(out), .cached_input_pusd = USD(cached),              \
	.cache_write_pusd = USD(written)
#define ABOVE(tokens, in, out, cached)                                                                                 \
	.above_tokens = (tokens), .above_input_pusd = USD(in), .above_output_pusd = USD(out),                          \
	.above_cached_input_pusd = USD(cached)
/* Twice the input and half as much again for the output. */
#define ABOVE_DOUBLE(tokens, in, out, cached) ABOVE(tokens, 2 * (in), 1.5 * (out), 2 * (cached))
#define SIZE(context, output) .context_window = (context), .max_output_tokens = (output)

enum {
	TEXT_ONLY = CHAT_VISION | CHAT_FILES,
	PLAIN = CATALOG_NO_REASONING, /* answers without thinking */
	THINKS = CATALOG_NO_SAMPLING, /* OpenAI's reasoning models */
	CLAUDE_3 = CATALOG_NO_REASONING | CHAT_JSON_SCHEMA,
	CLAUDE_4_6 = CHAT_PREFILL,
	CLAUDE_5 = CHAT_PREFILL | CATALOG_NO_SAMPLING,
	CLAUDE_5_5 = CLAUDE_5 | CHAT_FORCED_TOOLS,
};

#define ROW(k, name, ...)                                                                                              \
	{                                                                                                              \
		.kind = PROVIDER_##k, .model = (name), __VA_ARGS__                                                     \
	}

static const struct catalog_row rows[] = {
	ROW(OPENAI, "gpt-4o", .lacks = PLAIN, PRICE_CACHED(2.50, 10, 1.25), SIZE(128000, 16384)),
	ROW(OPENAI, "gpt-4o-mini", .lacks = PLAIN, PRICE_CACHED(0.15, 0.60, 0.075), SIZE(128000, 16384),
		.quality_milli = 720),
	ROW(OPENAI, "gpt-4-turbo", .lacks = PLAIN | CHAT_JSON_SCHEMA, PRICE(10, 30), SIZE(128000, 4096)),
	ROW(OPENAI, "gpt-4", .lacks = PLAIN | TEXT_ONLY | CHAT_JSON_SCHEMA | CHAT_JSON_OBJECT, PRICE(30, 60),
		SIZE(8192, 4096)),
	ROW(OPENAI, "gpt-3.5-turbo", .lacks = PLAIN | TEXT_ONLY | CHAT_JSON_SCHEMA, PRICE(0.50, 1.50),
		SIZE(16385, 4096)),
	ROW(OPENAI, "gpt-4.1", .lacks = PLAIN, PRICE_CACHED(2, 8, 0.50), SIZE(1047576, 32768)),
	ROW(OPENAI, "gpt-4.1-mini", .lacks = PLAIN, PRICE_CACHED(0.40, 1.60, 0.10), SIZE(1047576, 32768)),
	ROW(OPENAI, "o3", .lacks = THINKS, PRICE_CACHED(2, 8, 0.50), SIZE(200000, 100000)),
	ROW(OPENAI, "o4-mini", .lacks = THINKS, PRICE_CACHED(1.10, 4.40, 0.275), SIZE(200000, 100000)),
	ROW(OPENAI, "gpt-5", .lacks = THINKS, PRICE_CACHED(1.25, 10, 0.125), SIZE(272000, 128000)),
	ROW(OPENAI, "gpt-5-mini", .lacks = THINKS, PRICE_CACHED(0.25, 2, 0.025), SIZE(272000, 128000)),
	ROW(OPENAI, "gpt-5-nano", .lacks = THINKS, PRICE_CACHED(0.05, 0.40, 0.005), SIZE(272000, 128000)),
	ROW(OPENAI, "gpt-5.4", .lacks = THINKS, PRICE_CACHED(2.50, 15, 0.25), ABOVE_DOUBLE(272000, 2.50, 15, 0.25),
		SIZE(1050000, 128000)),
	ROW(OPENAI, "gpt-6-sol", .lacks = THINKS, PRICE_WRITTEN(2, 10, 0.20, 2.50), ABOVE_DOUBLE(272000, 2, 10, 0.20),
		SIZE(922000, 128000)),
	ROW(OPENAI, "gpt-6-luna", .lacks = THINKS, PRICE_WRITTEN(0.10, 0.50, 0.01, 0.125),
		ABOVE_DOUBLE(272000, 0.10, 0.50, 0.01), SIZE(922000, 128000)),
	ROW(OPENAI, "gpt-6.1-sol", .lacks = THINKS, PRICE_WRITTEN(2, 10, 0.10, 2.50), ABOVE_DOUBLE(272000, 2, 10, 0.10),
		SIZE(922000, 128000)),
	ROW(OPENAI, "gpt-6.1-terra", .lacks = THINKS, PRICE_WRITTEN(1, 5, 0.05, 1.25), ABOVE_DOUBLE(272000, 1, 5, 0.05),
		SIZE(922000, 128000)),
	ROW(OPENAI, "gpt-6-astra", .lacks = THINKS, PRICE_WRITTEN(10, 50, 1, 12.50), ABOVE_DOUBLE(272000, 10, 50, 1),
		SIZE(922000, 128000)),
	ROW(OPENAI, "gpt-6.2-astra", .lacks = THINKS, PRICE(8, 40), .above_tokens = 272000, .above_input_pusd = USD(16),
		.above_output_pusd = USD(60), .above_cached_input_pusd = NONE, SIZE(922000, 128000)),
	ROW(OPENAI, "text-embedding-3-small", .use = CATALOG_EMBEDDINGS, PRICE(0.02, 0), SIZE(8191, 0)),
	ROW(OPENAI, "text-embedding-3-large", .use = CATALOG_EMBEDDINGS, PRICE(0.13, 0), SIZE(8191, 0)),
	ROW(OPENAI, "omni-moderation-latest", .use = CATALOG_MODERATIONS, PRICE(0, 0)),
	ROW(OPENAI, "whisper-1", .use = CATALOG_TRANSCRIPTION, PRICE(0, 0), .per_minute_nusd = 6000000),
	ROW(OPENAI, "tts-1", .use = CATALOG_SPEECH, PRICE(0, 0), .per_million_chars_nusd = 15000000000),
	ROW(OPENAI, "gpt-image-1", .use = CATALOG_IMAGES, PRICE(5, 40)),
	ROW(OPENAI, "dall-e-3", .use = CATALOG_IMAGES, PRICE(0, 0), .image_nusd = 40000000),

	ROW(AZURE, "gpt-4o", .lacks = PLAIN, PRICE_CACHED(2.50, 10, 1.25), SIZE(128000, 16384)),

	ROW(ANTHROPIC, "claude-3-haiku-20240307", .lacks = CLAUDE_3, PRICE_WRITTEN(0.25, 1.25, 0.03, 0.30),
		SIZE(200000, 4096)),
	ROW(ANTHROPIC, "claude-3-5-sonnet-20241022", .lacks = CLAUDE_3, PRICE_WRITTEN(3, 15, 0.30, 3.75),
		SIZE(200000, 8192)),
	ROW(ANTHROPIC, "claude-3-opus-20240229", .lacks = CLAUDE_3, PRICE_WRITTEN(15, 75, 1.50, 18.75),
		SIZE(200000, 4096)),
	ROW(ANTHROPIC, "claude-haiku-4-5", PRICE_WRITTEN(1, 5, 0.10, 1.25), SIZE(200000, 64000)),
	ROW(ANTHROPIC, "claude-sonnet-4-5", PRICE_WRITTEN(3, 15, 0.30, 3.75), ABOVE_DOUBLE(200000, 3, 15, 0.30),
		SIZE(200000, 64000)),
	ROW(ANTHROPIC, "claude-sonnet-4-6", .lacks = CLAUDE_4_6, PRICE_WRITTEN(3, 15, 0.30, 3.75),
		SIZE(1000000, 64000)),
	ROW(ANTHROPIC, "claude-sonnet-5", .lacks = CLAUDE_5, PRICE_WRITTEN(2, 10, 0.20, 2.50), SIZE(1000000, 128000)),
	ROW(ANTHROPIC, "claude-opus-5", .lacks = CLAUDE_5, PRICE_WRITTEN(5, 25, 0.50, 6.25), SIZE(1000000, 128000)),
	ROW(ANTHROPIC, "claude-opus-5-5", .lacks = CLAUDE_5_5, PRICE_WRITTEN(4, 20, 0.20, 5), SIZE(1000000, 128000)),
	ROW(ANTHROPIC, "claude-sonnet-5-5", .lacks = CLAUDE_5_5, PRICE_WRITTEN(2, 10, 0.10, 2.50),
		SIZE(1000000, 128000)),
	ROW(ANTHROPIC, "claude-haiku-5-5", .lacks = CLAUDE_5, PRICE_WRITTEN(0.10, 0.50, 0.01, 0.125),
		ABOVE(100000, 0.50, 2.50, 0.05), SIZE(1000000, 128000)),
	ROW(ANTHROPIC, "claude-fable-5-1", .lacks = CLAUDE_5_5, PRICE(10, 50), SIZE(1000000, 128000)),

	ROW(GEMINI, "gemini-2.5-pro", PRICE_CACHED(1.25, 10, 0.125), ABOVE_DOUBLE(200000, 1.25, 10, 0.125),
		SIZE(1048576, 65535)),
	ROW(GEMINI, "gemini-2.5-flash", PRICE_CACHED(0.30, 2.50, 0.03), SIZE(1048576, 65535)),
	ROW(GEMINI, "gemini-3.1-pro-preview", PRICE_CACHED(2, 12, 0.20), ABOVE_DOUBLE(200000, 2, 12, 0.20),
		SIZE(1048576, 65536)),
	/* Twice that from 2027 on. */
	ROW(GEMINI, "gemini-3.8-flash", PRICE_CACHED(0.75, 3.75, 0.075), SIZE(1048576, 65536)),

	ROW(MISTRAL, "mistral-large-latest", .lacks = PLAIN, PRICE(0.50, 1.50), SIZE(262144, 262144)),
	ROW(MISTRAL, "mistral-medium-latest", PRICE(1.50, 7.50), SIZE(262144, 262144)),
	ROW(MISTRAL, "mistral-small-latest", PRICE(0.06, 0.18), SIZE(131072, 131072)),

	ROW(COHERE, "command-r-plus-08-2024", .lacks = PLAIN | TEXT_ONLY, PRICE(2.50, 10), SIZE(128000, 4096)),
	ROW(COHERE, "command-r-08-2024", .lacks = PLAIN | TEXT_ONLY, PRICE(0.15, 0.60), SIZE(128000, 4096)),
	ROW(COHERE, "command-a-03-2025", .lacks = PLAIN | TEXT_ONLY, PRICE(2.50, 10), SIZE(256000, 8000)),
	ROW(COHERE, "embed-v4.0", .use = CATALOG_EMBEDDINGS, PRICE(0.12, 0), SIZE(128000, 0)),

	ROW(GROQ, "llama-3.3-70b-versatile", .lacks = PLAIN | TEXT_ONLY, PRICE(0.59, 0.79), SIZE(128000, 32768)),
	ROW(GROQ, "llama-3.1-8b-instant", .lacks = PLAIN | TEXT_ONLY, PRICE(0.05, 0.08), SIZE(128000, 8192)),
	ROW(GROQ, "openai/gpt-oss-120b", .lacks = TEXT_ONLY, PRICE_CACHED(0.15, 0.60, 0.075), SIZE(131072, 32766)),

	ROW(TOGETHER, "meta-llama/Llama-3.3-70B-Instruct-Turbo", .lacks = PLAIN | TEXT_ONLY, PRICE(0.88, 0.88),
		SIZE(131072, 0)),
	ROW(TOGETHER, "deepseek-ai/DeepSeek-V3.1", .lacks = TEXT_ONLY, PRICE(0.60, 1.70), SIZE(128000, 16384)),
	ROW(TOGETHER, "Qwen/Qwen3-235B-A22B-Instruct-2507-tput", .lacks = PLAIN | TEXT_ONLY, PRICE(0.20, 0.60),
		SIZE(262000, 0)),

	ROW(BEDROCK, "anthropic.claude-3-5-sonnet-20241022-v2:0", .lacks = CLAUDE_3, PRICE_WRITTEN(3, 15, 0.30, 3.75),
		SIZE(200000, 8192)),
	ROW(BEDROCK, "us.anthropic.claude-sonnet-4-6", .lacks = CLAUDE_4_6, PRICE_WRITTEN(3.30, 16.50, 0.33, 4.125),
		SIZE(1000000, 64000)),
	ROW(BEDROCK, "meta.llama3-3-70b-instruct-v1:0", .lacks = PLAIN | TEXT_ONLY, PRICE(0.72, 0.72),
		SIZE(128000, 4096)),
	ROW(BEDROCK, "meta.llama3-70b-instruct-v1:0", .lacks = PLAIN | TEXT_ONLY, PRICE(2.65, 3.50), SIZE(8192, 8192)),
	ROW(BEDROCK, "amazon.titan-text-express-v1", .lacks = PLAIN | TEXT_ONLY | CHAT_TOOLS | CHAT_FORCED_TOOLS,
		PRICE(1.30, 1.70), SIZE(42000, 8000)),
	ROW(BEDROCK, "amazon.nova-lite-v1:0", .lacks = PLAIN, PRICE(0.06, 0.24), SIZE(300000, 10000)),
};

const struct catalog_row *catalog_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

const struct catalog_row *catalog_known(enum provider_kind kind, const char *model)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].kind == kind && strcmp(rows[i].model, model) == 0)
			return &rows[i];
	return NULL;
}

void catalog_fill_price(const struct catalog_row *row, struct price_settings *price)
{
	if (price->known || !row->priced)
		return;
	*price = (struct price_settings){.known = true,
		.input_pusd = row->input_pusd,
		.output_pusd = row->output_pusd,
		.has_cached_input = row->cached_input_pusd != NONE,
		.cached_input_pusd = row->cached_input_pusd != NONE ? row->cached_input_pusd : 0,
		.has_cache_write = row->cache_write_pusd != NONE,
		.cache_write_pusd = row->cache_write_pusd != NONE ? row->cache_write_pusd : 0,
		.has_above = row->above_tokens != 0,
		.above_tokens = row->above_tokens,
		.above_input_pusd = row->above_tokens ? row->above_input_pusd : -1,
		.above_output_pusd = row->above_tokens ? row->above_output_pusd : -1,
		.above_cached_input_pusd = row->above_tokens ? row->above_cached_input_pusd : -1,
		.image_nusd = row->image_nusd,
		.per_minute_nusd = row->per_minute_nusd,
		.per_million_chars_nusd = row->per_million_chars_nusd};
}

static bool is_any(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* Of a chat model: what its provider's dialect can say, but for what it lacks. */
static bool chats(const struct catalog_row *row, const char *name)
{
	static const char *const always[] = {"chat", "responses", "streaming", NULL};
	const struct dialect *dialect = dialect_of(row->kind);
	uint32_t need = chat_capability(slice_of_string(name));
	uint32_t has = dialect ? dialect->chat->has & ~dialect->lacks & ~row->lacks : 0;

	if (need)
		return has & need;
	if (strcmp(name, "parallel_tools") == 0)
		return has & CHAT_TOOLS;
	if (strcmp(name, "reasoning") == 0)
		return !(row->lacks & CATALOG_NO_REASONING);
	if (strcmp(name, "sampling") == 0)
		return !(row->lacks & CATALOG_NO_SAMPLING);
	return is_any(name, always);
}

unsigned catalog_list_capabilities(const struct catalog_row *row, const char **list, unsigned most)
{
	static const char *const uses[CATALOG_USES] = {[CATALOG_EMBEDDINGS] = "embeddings",
		[CATALOG_MODERATIONS] = "moderations",
		[CATALOG_IMAGES] = "images",
		[CATALOG_TRANSCRIPTION] = "transcription",
		[CATALOG_SPEECH] = "speech"};
	unsigned count = 0;

	for (const char *const *name = capability_names; *name; name++) {
		if (row->use == CATALOG_CHAT ? !chats(row, *name) : strcmp(*name, uses[row->use]) != 0)
			continue;
		assert(count < most);
		list[count++] = *name;
	}
	return count;
}
