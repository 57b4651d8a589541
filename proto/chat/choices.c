/* Several answers of one call: their numbers, and what readers of streams tell of each. */
#include "proto/chat/chat.h"

/* CHAT_CHOICES_MAX: more than can be asked for; -1: it says none. */
static int own_number(const struct json_parser *p, json_ref choice)
{
	json_ref index = json_member(p, choice, SLICE("index"));
	int64_t number;

	if (!chat_given(p, index) || !json_integer(p, index, &number) || number < 0)
		return -1;
	return number < CHAT_CHOICES_MAX ? (int)number : CHAT_CHOICES_MAX;
}

struct chat_choices chat_choices_of(const struct json_parser *p, json_ref list, bool several_asked)
{
	struct chat_choices choices = {.at = JSON_NONE};

	if (list == JSON_NONE || json_type(p, list) != JSON_ARRAY)
		return choices;
	choices.at = json_first(p, list);
	choices.numbered = several_asked || (choices.at != JSON_NONE && json_next(p, choices.at) != JSON_NONE);
	if (!choices.numbered)
		return choices;
	for (json_ref c = choices.at; c != JSON_NONE; c = json_next(p, c)) {
		int number = own_number(p, c);

		if (number >= 0)
			choices.taken |= 1u << number;
	}
	return choices;
}

json_ref chat_next_choice(const struct json_parser *p, struct chat_choices *choices)
{
	json_ref choice;
	int number;

	do {
		choice = choices->at;
		if (choice == JSON_NONE)
			return JSON_NONE;
		choices->at = json_next(p, choice);
		if (!choices->numbered)
			break;
		number = own_number(p, choice);
		if (number < 0) {
			number = __builtin_ctz(~choices->taken);
			if (number < CHAT_CHOICES_MAX)
				choices->taken |= 1u << number;
		}
		choices->number = (uint32_t)number;
	} while (number >= CHAT_CHOICES_MAX);
	return choice;
}

int chat_read_choices(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref list,
	int (*read)(const struct json_parser *p, struct chat *chat, struct chat_answer *answer, json_ref choice))
{
	struct chat_choices choices = chat_choices_of(p, list, false);
	struct chat_answer *last = NULL;
	int err = 0;

	for (json_ref c = chat_next_choice(p, &choices); c != JSON_NONE && !err; c = chat_next_choice(p, &choices)) {
		last = last ? chat_add_choice(chat, last) : answer;
		if (!last)
			return chat->err;
		last->choice = choices.number;
		err = read(p, chat, last, c);
		if (last != answer)
			answer->output_bytes += last->output_bytes;
	}
	return last ? err : -EPROTO;
}

int chat_check_choices(const struct chat *chat, struct openai_problem *problem)
{
	if (chat->n <= CHAT_CHOICES_MAX)
		return 0;
	return chat_refuse(problem, SLICE("unsupported_feature"),
		SLICE("This model gives no more than 16 answers a call. Ask for fewer, in several calls."), SLICE("n"));
}

void chat_tell(const struct chat_telling *t, struct chat_event event)
{
	event.choice = t->choice;
	t->sink->event(t->sink, &event);
}

void chat_tell_text(const struct chat_telling *t, enum chat_event_kind kind, struct slice text)
{
	const struct chat_event event = {.kind = kind, .choice = t->choice, .text = text, .error = JSON_NONE};

	if (text.size)
		t->sink->event(t->sink, &event);
}

void chat_tell_start(const struct chat_telling *t, struct slice id)
{
	if (t->reader->begun >> t->choice & 1)
		return;
	t->reader->begun |= 1u << t->choice;
	chat_tell(t,
		(struct chat_event){.kind = CHAT_EVENT_START, .id = chat_member_text(t->p, 0, id), .error = JSON_NONE});
}

void chat_tell_finish(const struct chat_telling *t, enum chat_finish finish)
{
	if (t->reader->ended >> t->choice & 1)
		return;
	t->reader->ended |= 1u << t->choice;
	chat_tell(t, (struct chat_event){.kind = CHAT_EVENT_FINISH, .finish = finish, .error = JSON_NONE});
}

bool chat_all_ended(const struct chat_reader *reader, unsigned at_least)
{
	return reader->ended == reader->begun && (unsigned)__builtin_popcount(reader->begun) >= at_least;
}
