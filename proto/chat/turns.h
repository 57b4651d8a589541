/*
 * A conversation as most providers want it told: in turns. Neighbours of one role are one turn; what the system says
 * stands elsewhere, and what says nothing is left out. Thinking and results go before what else a turn says.
 */
#ifndef PROTO_CHAT_TURNS_H
#define PROTO_CHAT_TURNS_H

#include "proto/chat/chat.h"

/* Whether the provider is told this part; it may note that one is dropped. */
typedef bool chat_is_told(struct chat *chat, const struct chat_part *part);

struct chat_turns {
	struct chat *chat;
	bool system; /* what the system says anywhere, as one turn, and nothing else */
	chat_is_told *is_told;
	/* The turn: from a message to the one behind it, messages of no turn between them. */
	enum chat_role role;
	const struct chat_message *begin, *end;
};

void chat_turns_open(struct chat_turns *turns, struct chat *chat, bool system, chat_is_told *is_told);
bool chat_next_turn(struct chat_turns *turns); /* false: there is none */

/* The parts of the turn that are told, from a place that is zero at first: NULL behind the last one. */
struct chat_turn_part {
	bool rest; /* beyond what goes first */
	const struct chat_message *message;
	const struct chat_part *part;
};
const struct chat_part *chat_next_part(const struct chat_turns *turns, struct chat_turn_part *at);

/* All turns, as dialects have them whose messages are a role and a list: `[{"role":"user","content":[...]},...]`, each
 * part by `write`. How many there were, or what `write` returned below 0. */
int chat_write_turns(struct chat *chat, chat_is_told *is_told, struct text *t,
	int (*write)(void *context, const struct chat_part *part), void *context);

#endif
