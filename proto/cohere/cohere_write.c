/*
 * Writes a chat as a request in Cohere's dialect: messages and tools are written as OpenAI has them, the rest has
 * names, words and ranges of its own.
 */
#include "proto/cohere/cohere.h"

#include <stdlib.h>

/* A schema is one of JSON mode's. */
static void write_format(const struct chat *chat, struct text *t)
{
	if (chat->format == CHAT_FORMAT_TEXT)
		return;
	text_literal(t, ",\"response_format\":{\"type\":\"json_object\"");
	if (chat->format == CHAT_FORMAT_JSON_SCHEMA)
		chat_write_json(t, SLICE("json_schema"), chat->schema);
	text_char(t, '}');
}

/* Thinking is bounded by a number of tokens: as many as other providers are given for these words. */
static void write_effort(struct chat *chat, struct text *t)
{
	static const struct {
		struct slice effort;
		const char *thinking;
	} table[] = {
		{{"none", 4}, "{\"type\":\"disabled\"}"},
		{{"minimal", 7}, "{\"type\":\"enabled\",\"token_budget\":1024}"},
		{{"low", 3}, "{\"type\":\"enabled\",\"token_budget\":1024}"},
		{{"medium", 6}, "{\"type\":\"enabled\",\"token_budget\":4096}"},
	};
	const char *thinking = "{\"type\":\"enabled\",\"token_budget\":16384}";

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (slice_equal(chat->effort, table[i].effort))
			thinking = table[i].thinking;
	chat_write_json(t, SLICE("thinking"), slice_of_string(thinking));
}

/* Tools are forced in capitals; that the model may choose is what it does unasked. */
static const struct chat_openai_flavour cohere = {
	.top_p = "p",
	.stop = "stop_sequences",
	.knobs = {[CHAT_SEED] = "seed",
		[CHAT_TOP_K] = "k",
		[CHAT_FREQUENCY_PENALTY] = "frequency_penalty",
		[CHAT_PRESENCE_PENALTY] = "presence_penalty"},
	.choices = {[CHAT_CHOICE_NONE] = "NONE", [CHAT_CHOICE_REQUIRED] = "REQUIRED", [CHAT_CHOICE_TOOL] = "REQUIRED"},
	.max_tokens = true,
	.strict_tools = true,
	.needs_parameters = true,
	.omits_content = true,
	.write_format = write_format,
	.write_effort = write_effort,
};

/* A JSON number; texts of a length that no number needs count as 0. */
static double number_of(struct slice json)
{
	char text[40];

	if (!json.size || json.size >= sizeof(text))
		return 0;
	memcpy(text, json.data, json.size);
	text[json.size] = 0;
	return strtod(text, NULL);
}

/* `p` is within 0.01 and 0.99, and 0.75 unsaid: 1 is the nearest of these. Penalties are within 0 and 1. */
static void keep_ranges(struct chat *chat)
{
	static const struct {
		enum chat_knob knob;
		struct slice name;
	} penalties[] = {
		{CHAT_FREQUENCY_PENALTY, {"frequency_penalty", 17}}, {CHAT_PRESENCE_PENALTY, {"presence_penalty", 16}}};

	if (chat->top_p.data && number_of(chat->top_p) > 0.99)
		chat->top_p = SLICE("0.99");
	else if (chat->top_p.data && number_of(chat->top_p) < 0.01)
		chat->top_p = SLICE("0.01");
	for (size_t i = 0; i < sizeof(penalties) / sizeof(penalties[0]); i++) {
		struct slice *said = &chat->knobs[penalties[i].knob];

		if (!said->data || (number_of(*said) >= 0 && number_of(*said) <= 1))
			continue;
		chat_drop(chat, penalties[i].name);
		*said = slice_of(NULL, 0);
	}
}

int cohere_write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem)
{
	keep_ranges(chat);
	chat_forget_signatures(chat);
	return chat_openai_write_as(&cohere, chat, target, body, problem);
}
