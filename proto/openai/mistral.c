/*
 * Mistral's dialect: OpenAI's chat completions, but strict. What is not in its list of fields is refused (422), also in
 * messages; ids of tool calls are nine letters and digits; usage comes unasked, on the last chunk. Answers are read as
 * OpenAI's are, which takes contents in parts and arguments that are objects.
 */
#include "proto/openai/chat_openai.h"

static const struct chat_openai_flavour mistral = {
	.top_p = "top_p",
	.stop = "stop",
	.knobs = {[CHAT_SEED] = "random_seed",
		[CHAT_FREQUENCY_PENALTY] = "frequency_penalty",
		[CHAT_PRESENCE_PENALTY] = "presence_penalty"},
	.choices = {[CHAT_CHOICE_AUTO] = "auto", [CHAT_CHOICE_NONE] = "none", [CHAT_CHOICE_REQUIRED] = "any"},
	.max_tokens = true,
	.needs_parameters = true,
	.parallel_tools = true,
	.write_format = chat_openai_write_format,
	.write_effort = chat_openai_write_effort,
};

enum { SHORT_ID_BYTES = 9 };

static bool is_short_id(struct slice id)
{
	for (size_t i = 0; i < id.size; i++)
		if (!((id.data[i] >= '0' && id.data[i] <= '9') || (id.data[i] >= 'a' && id.data[i] <= 'z') ||
			    (id.data[i] >= 'A' && id.data[i] <= 'Z')))
			return false;
	return id.size == SHORT_ID_BYTES;
}

/* The same for the same id, so that a call and its result stay together; 62^9 is more than 2^53. */
static int shorten(struct chat *chat, struct slice *id)
{
	static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint64_t hash = chat_hash(*id);
	char *made;

	if (is_short_id(*id))
		return 0;
	made = arena_alloc(chat->arena, SHORT_ID_BYTES);
	if (!made)
		return -ENOMEM;
	for (unsigned i = 0; i < SHORT_ID_BYTES; i++, hash /= sizeof(alphabet) - 1)
		made[i] = alphabet[hash % (sizeof(alphabet) - 1)];
	*id = slice_of(made, SHORT_ID_BYTES);
	return 0;
}

static int shorten_ids(struct chat *chat)
{
	int err = 0;

	for (struct chat_message *message = chat->messages; message; message = message->next)
		for (struct chat_part *part = message->parts.first; part && !err; part = part->next)
			if (part->kind == CHAT_TOOL_CALL || part->kind == CHAT_TOOL_RESULT)
				err = shorten(chat, &part->id);
	return err;
}

static int write_request(
	struct chat *chat, const struct chat_target *target, struct text *body, struct openai_problem *problem)
{
	int err = shorten_ids(chat);

	chat_forget_signatures(chat);
	return err ? err : chat_openai_write_as(&mistral, chat, target, body, problem);
}

const struct chat_dialect chat_mistral = {
	.name = "mistral",
	.has = CHAT_TOOLS | CHAT_FORCED_TOOLS | CHAT_VISION | CHAT_JSON_OBJECT | CHAT_JSON_SCHEMA | CHAT_N,
	.read_request = chat_openai_read_request,
	.write_request = write_request,
	.read_answer = chat_openai_read_answer,
	.write_answer = chat_openai_write_answer,
	.read_event = chat_openai_read_event,
	.write_event = chat_openai_write_event,
};
