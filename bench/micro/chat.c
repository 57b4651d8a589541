/*
 * Between dialects: a request of OpenAI's client written for each kind of provider, and an event of each one's stream
 * written for that client. The views are made once or, of events, each time, as it is where they come from.
 */
#include "bench/micro/micro.h"

#include "proto/chat/chat.h"

enum { REQUEST_KB = 20, DOCUMENT_MAX_BYTES = 1 << 20, OUT_BYTES = 1 << 16, POOL_KEPT = 8, ARENA_BYTES = 1 << 22 };

struct translation {
	const struct chat_dialect *from, *to;
	struct json_parser *json;
	struct arena_pool pool;
	struct slice bytes;
	char out[OUT_BYTES];
};

static void close_translation(void *state)
{
	struct translation *s = state;

	json_parser_close(s->json);
	arena_pool_fini(&s->pool);
	free((char *)s->bytes.data);
	free(s);
}

static void *open_translation(const struct chat_dialect *from, const struct chat_dialect *to, struct slice bytes)
{
	struct translation *s = calloc(1, sizeof(*s));

	if (!s) {
		free((char *)bytes.data);
		return NULL;
	}
	s->from = from;
	s->to = to;
	s->bytes = bytes;
	arena_pool_init(&s->pool, POOL_KEPT);
	s->json = json_parser_open(DOCUMENT_MAX_BYTES);
	if (s->json && bytes.data)
		return s;
	close_translation(s);
	return NULL;
}

static void parse(struct translation *s)
{
	struct json_error error;

	micro_expect(json_parse(s->json, s->bytes, &error) == 0, "parsing for a translation");
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static void run_request(void *state, uint64_t times)
{
	static const struct chat_target target = {.model = {"gemini-3.1-pro-preview", 22},
		.max_tokens_default = 4096,
		.sampling = true,
		.reasoning = true};
	struct translation *s = state;
	struct openai_problem problem;
	struct arena arena;
	struct chat *chat;
	struct text out;
	bool good = true;

	parse(s);
	while (times--) {
		arena_init(&arena, &s->pool, ARENA_BYTES);
		chat = arena_alloc(&arena, sizeof(*chat));
		micro_expect(chat != NULL, "making a chat");
		chat_init(chat, &arena);
		out = text_over(s->out, sizeof(s->out));
		good &= s->from->read_request(s->json, chat, &problem) == 0 &&
			s->to->write_request(chat, &target, &out, &problem) == 0 && !out.full;
		micro_use(out.data);
		arena_fini(&arena);
	}
	micro_expect(good, "translating a request");
}

static void *open_request(const struct chat_dialect *to)
{
	return open_translation(&chat_openai, to, micro_request(REQUEST_KB * 1024));
}

/* ---- events ------------------------------------------------------------------------------------------------- */

struct relay {
	struct chat_sink sink;
	const struct chat_dialect *to;
	struct chat_writer writer;
	struct text out;
};

static void relay_event(struct chat_sink *sink, const struct chat_event *event)
{
	static const struct chat_frame frame = {.model_json = {"\"asked-for\"", 11}, .created_s = 1790000000};
	struct relay *relay = (struct relay *)sink;

	relay->to->write_event(&relay->writer, event, &frame, &relay->out);
}

static void run_event(void *state, uint64_t times)
{
	struct translation *s = state;
	struct relay relay = {.sink.event = relay_event, .to = s->to, .writer.open = -1};
	struct chat_reader reader = {0};
	bool good = true;

	while (times--) {
		relay.out = text_over(s->out, sizeof(s->out));
		parse(s);
		good &= s->from->read_event(&reader, s->json, &relay.sink) == 0 && relay.out.size > 0 &&
			!relay.out.full;
		micro_use(relay.out.data);
	}
	micro_expect(good, "translating an event");
}

static void *open_event(const struct chat_dialect *from, const char *event)
{
	return open_translation(from, &chat_openai, micro_padded(event, strlen(event)));
}

/* ---- steps -------------------------------------------------------------------------------------------------- */

#define STEPS(name, event)                                                                                             \
	static void *open_to_##name(void)                                                                              \
	{                                                                                                              \
		return open_request(&chat_##name);                                                                     \
	}                                                                                                              \
	static void *open_from_##name(void)                                                                            \
	{                                                                                                              \
		return open_event(&chat_##name, event);                                                                \
	}

#ifdef CONFIG_ANTHROPIC
STEPS(anthropic,
	"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" event\"}}")
#endif
STEPS(gemini, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" event\"}],\"role\":\"model\"},\"index\":0}],"
	      "\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":5,\"totalTokenCount\":14},"
	      "\"modelVersion\":\"gemini-3.1-pro-preview\",\"responseId\":\"Rk9-a.1\"}")
STEPS(cohere, "{\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\" event\"}}}}")
STEPS(bedrock, "{\"contentBlockDelta\":{\"contentBlockIndex\":0,\"delta\":{\"text\":\" event\"},\"p\":\"abcdef\"}}")
STEPS(mistral, "{\"id\":\"cmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"up\","
	       "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" event\"},\"finish_reason\":null}]}")

#define ROW_TO(name, kind)                                                                                             \
	{                                                                                                              \
		"to-" #name, "1 kB of a request to " kind, open_to_##name, run_request, close_translation, REQUEST_KB, \
			NULL                                                                                           \
	}
#define ROW_FROM(name, kind)                                                                                           \
	{                                                                                                              \
		"from-" #name, "event from " kind ", view included", open_from_##name, run_event, close_translation,   \
			1, NULL                                                                                        \
	}

const struct micro micro_chat[] = {
#ifdef CONFIG_ANTHROPIC
	ROW_TO(anthropic, "Anthropic"),
	ROW_FROM(anthropic, "Anthropic"),
#endif
	ROW_TO(gemini, "Gemini"),
	ROW_TO(cohere, "Cohere"),
	ROW_TO(bedrock, "Bedrock"),
	ROW_TO(mistral, "Mistral"),
	ROW_FROM(gemini, "Gemini"),
	ROW_FROM(cohere, "Cohere"),
	ROW_FROM(bedrock, "Bedrock, without its frame"),
	ROW_FROM(mistral, "Mistral"),
	{.name = NULL},
};
