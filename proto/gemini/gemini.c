/* The Gemini dialect, what is common to its parts: usage, reasons, ids; and its row. */
#include "proto/gemini/gemini.h"

#include "core/kconfig.h"

unsigned gemini_generation(struct slice model)
{
	static const struct slice name = {"gemini-", 7};
	const char *found = model.size >= name.size ? memmem(model.data, model.size, name.data, name.size) : NULL;
	unsigned generation = 0;
	struct slice rest;

	if (!found)
		return 0;
	rest = slice_after(model, (size_t)(found - model.data) + name.size);
	for (size_t i = 0; i < rest.size && i < 4 && rest.data[i] >= '0' && rest.data[i] <= '9'; i++)
		generation = generation * 10 + (unsigned)(rest.data[i] - '0');
	return generation;
}

/* What is cached counts among the prompt's tokens; thoughts count beside the answer's, which OpenAI counts together. */
bool gemini_read_usage(const struct json_parser *p, struct openai_usage *usage)
{
	json_ref metadata = json_member(p, 0, SLICE("usageMetadata"));
	uint64_t prompt = 0, tools = 0, cached = 0, answer = 0, thoughts = 0;

	if (metadata == JSON_NONE || json_type(p, metadata) != JSON_OBJECT)
		return false;
	if (!openai_read_figure(p, metadata, SLICE("promptTokenCount"), &prompt) ||
		!openai_read_figure(p, metadata, SLICE("toolUsePromptTokenCount"), &tools) ||
		!openai_read_figure(p, metadata, SLICE("cachedContentTokenCount"), &cached) ||
		!openai_read_figure(p, metadata, SLICE("candidatesTokenCount"), &answer) ||
		!openai_read_figure(p, metadata, SLICE("thoughtsTokenCount"), &thoughts) || prompt + tools == 0)
		return false;
	*usage = (struct openai_usage){.present = true,
		.prompt_tokens = prompt + tools,
		.completion_tokens = answer + thoughts,
		.cached_tokens = cached < prompt ? cached : prompt,
		.reasoning_tokens = thoughts};
	return true;
}

/* Reasons other than STOP, which depends on what was said, and those of failures. */
static const struct {
	const char *name;
	enum gemini_end end;
	enum chat_finish finish;
} reasons[] = {
	{"MAX_TOKENS", GEMINI_ENDED, CHAT_FINISH_LENGTH},
	{"SAFETY", GEMINI_ENDED, CHAT_FINISH_FILTER},
	{"RECITATION", GEMINI_ENDED, CHAT_FINISH_FILTER},
	{"BLOCKLIST", GEMINI_ENDED, CHAT_FINISH_FILTER},
	{"PROHIBITED_CONTENT", GEMINI_ENDED, CHAT_FINISH_FILTER},
	{"SPII", GEMINI_ENDED, CHAT_FINISH_FILTER},
	{"LANGUAGE", GEMINI_ENDED, CHAT_FINISH_FILTER},
	{"IMAGE_SAFETY", GEMINI_ENDED, CHAT_FINISH_FILTER},
	{"IMAGE_PROHIBITED_CONTENT", GEMINI_ENDED, CHAT_FINISH_FILTER},
	{"IMAGE_RECITATION", GEMINI_ENDED, CHAT_FINISH_FILTER},
	{"MALFORMED_FUNCTION_CALL", GEMINI_FAILED, CHAT_FINISH_STOP},
	{"UNEXPECTED_TOOL_CALL", GEMINI_FAILED, CHAT_FINISH_STOP},
	{"TOO_MANY_TOOL_CALLS", GEMINI_FAILED, CHAT_FINISH_STOP},
	{"MALFORMED_RESPONSE", GEMINI_FAILED, CHAT_FINISH_STOP},
	{"OTHER", GEMINI_FAILED, CHAT_FINISH_STOP},
	{"IMAGE_OTHER", GEMINI_FAILED, CHAT_FINISH_STOP},
	{"NO_IMAGE", GEMINI_FAILED, CHAT_FINISH_STOP},
	{"CONTINUATION", GEMINI_ENDED, CHAT_FINISH_LENGTH}, /* more would come on a further call */
	{"FINISH_REASON_UNSPECIFIED", GEMINI_GOES_ON, CHAT_FINISH_NONE},
};

enum gemini_end gemini_read_end(
	const struct json_parser *p, json_ref candidate, bool has_calls, enum chat_finish *finish)
{
	struct slice reason = chat_member_text(p, candidate, SLICE("finishReason"));

	*finish = CHAT_FINISH_NONE;
	if (!reason.size)
		return GEMINI_GOES_ON;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (slice_equal(reason, slice_of_string(reasons[i].name))) {
			*finish = reasons[i].finish;
			return reasons[i].end;
		}
	*finish = has_calls ? CHAT_FINISH_TOOLS : CHAT_FINISH_STOP;
	return GEMINI_ENDED;
}

json_ref gemini_parts(const struct json_parser *p, json_ref candidate)
{
	json_ref parts = json_member(p, json_member(p, candidate, SLICE("content")), SLICE("parts"));

	return parts != JSON_NONE && json_type(p, parts) == JSON_ARRAY ? json_first(p, parts) : JSON_NONE;
}

bool gemini_is_blocked(const struct json_parser *p)
{
	return chat_member_text(p, json_member(p, 0, SLICE("promptFeedback")), SLICE("blockReason")).size > 0;
}

struct slice gemini_call_id(const struct json_parser *p, json_ref call, uint32_t choice, uint32_t number, char *memory)
{
	enum { NUMBERS_BYTES = 24 };
	struct slice id = chat_member_text(p, call, SLICE("id")), answer = chat_member_text(p, 0, SLICE("responseId"));
	struct text t = text_over(memory, CHAT_ID_BYTES);

	if (id.size && id.size <= CHAT_ID_BYTES)
		return id;
	text_literal(&t, "call_");
	for (size_t i = 0; i < answer.size && t.size < CHAT_ID_BYTES - NUMBERS_BYTES; i++) {
		char c = answer.data[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';

		text_char(&t, plain ? c : '_');
	}
	text_char(&t, '_');
	if (choice) {
		text_u64(&t, choice);
		text_char(&t, '_');
	}
	text_u64(&t, number);
	return text_slice(&t);
}

const struct chat_dialect chat_gemini = {
	.name = "gemini",
	.has = CHAT_TOOLS | CHAT_FORCED_TOOLS | CHAT_VISION | CHAT_AUDIO_INPUT | CHAT_FILES | CHAT_JSON_OBJECT |
	       CHAT_JSON_SCHEMA | CHAT_N,
	.write_request = gemini_write_request,
	.read_answer = gemini_read_answer,
	.read_event = gemini_read_event,
};
