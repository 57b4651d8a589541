/* A conversation in turns: see turns.h. */
#include "proto/chat/turns.h"

static bool goes_first(const struct chat_part *part)
{
	return part->kind == CHAT_THINKING || part->kind == CHAT_REDACTED_THINKING || part->kind == CHAT_TOOL_RESULT;
}

/* From this message on, the first one of a turn. */
static const struct chat_message *next_told(const struct chat_turns *turns, const struct chat_message *message)
{
	for (; message; message = message->next) {
		if ((message->role == CHAT_SYSTEM) != turns->system)
			continue;
		for (const struct chat_part *part = message->parts.first; part; part = part->next)
			if (turns->is_told(turns->chat, part))
				return message;
	}
	return NULL;
}

void chat_turns_open(struct chat_turns *turns, struct chat *chat, bool system, chat_is_told *is_told)
{
	*turns = (struct chat_turns){.chat = chat, .system = system, .is_told = is_told};
	turns->end = next_told(turns, chat->messages);
}

bool chat_next_turn(struct chat_turns *turns)
{
	turns->begin = turns->end;
	if (!turns->begin)
		return false;
	turns->role = turns->begin->role;
	while (turns->end && turns->end->role == turns->role)
		turns->end = next_told(turns, turns->end->next);
	return true;
}

const struct chat_part *chat_next_part(const struct chat_turns *turns, struct chat_turn_part *at)
{
	if (at->part)
		at->part = at->part->next;
	for (;;) {
		for (; at->part; at->part = at->part->next)
			if (goes_first(at->part) != at->rest && turns->is_told(turns->chat, at->part))
				return at->part;
		at->message = at->message ? next_told(turns, at->message->next) : turns->begin;
		if (at->message == turns->end && at->rest)
			return NULL;
		if (at->message == turns->end)
			*at = (struct chat_turn_part){.rest = true, .message = turns->begin};
		at->part = at->message->parts.first;
	}
}

int chat_write_turns(struct chat *chat, chat_is_told *is_told, struct text *t,
	int (*write)(void *context, const struct chat_part *part), void *context)
{
	struct chat_turns turns;
	int count = 0, err = 0;

	text_char(t, '[');
	for (chat_turns_open(&turns, chat, false, is_told); !err && chat_next_turn(&turns); count++) {
		struct chat_turn_part at = {0};
		const struct chat_part *part = chat_next_part(&turns, &at);

		text_string(t, count ? ",{\"role\":" : "{\"role\":");
		text_string(t, turns.role == CHAT_USER ? "\"user\",\"content\":[" : "\"assistant\",\"content\":[");
		while (part && !err) {
			err = write(context, part);
			part = chat_next_part(&turns, &at);
			text_string(t, part ? "," : "");
		}
		text_literal(t, "]}");
	}
	text_char(t, ']');
	return err ? err : count;
}
