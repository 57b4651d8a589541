/*
 * stream_recovery: continue. A stream that breaks behind its first content goes on at the next candidate, which gets
 * what was said so far as the begin of its answer. Such streams are written by the gateway from their first event on,
 * in whichever dialect, so that the client sees one answer, begun once and ended once.
 *
 * Only text can go on: not calls of tools, thoughts, refusals, several answers, nor what the gateway cannot say in its
 * own words; and only at models that take such a begin (capability `prefill`). A budget and a balance reserve one
 * attempt at a time, so that there is no second one behind it.
 */
#include "route/exchange/exchange_stream.h"

#include <errno.h>

/* What an answer cannot have in the middle, or loses when the gateway writes it. */
enum { NOT_CONTINUED = CHAT_PREFILL | CHAT_LOGPROBS | CHAT_JSON_OBJECT | CHAT_JSON_SCHEMA };

enum { SAID_FIRST_BYTES = 4096, SAID_MAX_BYTES = 256 * 1024, BYTES_PER_TOKEN = 4 };

void exchange_continue_prepare(struct exchange *e)
{
	const struct exchange_candidate *candidate = e->attempt->candidate;
	const struct limit_subject *subject = e->limit.subject;
	struct openai_problem problem;
	const struct chat *chat;

	if (!e->config->config->settings->routing.more.stream_recovery_continue || e->continued)
		return;
	e->continuable = false;
	if (!e->stream || !exchange_is_chat(e) || e->conversation ||
		(subject && (subject->has_budget || subject->has_balance)))
		return;
	chat = exchange_chat(e);
	if (!chat || chat->n > 1 || (chat->needs & NOT_CONTINUED) ||
		chat_check(chat, dialect_has(candidate->dialect, candidate->model, true), &problem))
		return;
	e->said = text_over(NULL, 0);
	e->continuable = e->attempt->translates = true;
}

static bool grow(struct exchange *e, size_t wanted)
{
	size_t capacity = e->said.capacity ? e->said.capacity : SAID_FIRST_BYTES;
	char *memory;

	if (wanted > SAID_MAX_BYTES)
		return false;
	while (capacity < wanted)
		capacity *= 2;
	if (capacity == e->said.capacity)
		return true;
	memory = arena_alloc(&e->arena, capacity);
	if (!memory)
		return false;
	if (e->said.size)
		memcpy(memory, e->said.data, e->said.size);
	e->said.data = memory;
	e->said.capacity = capacity;
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The provider did not see the white space that ended what was said, and may say it again: the client has it. */
static void skip_unsent(struct exchange *e, struct slice *text)
{
	while (e->said_unsent && text->size && is_space(text->data[0])) {
		*text = slice_after(*text, 1);
		e->said_unsent--;
	}
	if (text->size)
		e->said_unsent = 0;
}

bool exchange_continue_event(struct exchange *e, struct chat_event *event)
{
	if (event->kind == CHAT_EVENT_START)
		return !e->continued; /* it has begun */
	if (event->kind == CHAT_EVENT_TEXT) {
		skip_unsent(e, &event->text);
		if (e->continuable && grow(e, e->said.size + event->text.size))
			text_add(&e->said, event->text);
		else
			e->continuable = false;
		return !e->continued || event->text.size;
	}
	e->continuable = false;
	return true;
}

/* Of those that are left, the ones that take the begin of an answer. */
static bool keep_able(struct exchange *e)
{
	struct plan *plan = &e->plan;
	unsigned kept = e->candidate_next;

	for (unsigned i = kept; i < plan->candidate_count; i++)
		if (dialect_takes_prefill(plan->candidates[i].dialect, plan->candidates[i].model))
			plan->candidates[kept++] = plan->candidates[i];
	plan->candidate_count = kept;
	return kept > e->candidate_next;
}

/* What the attempt delivered is paid for. */
static void settle_part(struct exchange *e)
{
	const struct limit_use use = {.tokens = e->attempt->usage.prompt_tokens + e->attempt->usage.completion_tokens};

	exchange_credential_settle(e, &use);
	if (!e->attempt->output_bytes)
		return;
	relay_count_delivered(e);
	exchange_settle_besides(e);
}

static void forget_attempt(struct exchange *e)
{
	e->attempt->reader = (struct chat_reader){0};
	e->attempt->usage = (struct usage){0};
	e->attempt->output_bytes = 0;
	e->attempt->usage_known = e->attempt->usage_told = false;
	e->paused = e->budget.waiting = false;
	exchange_forget_answer(e);
}

bool exchange_continue(struct exchange *e)
{
	if (!e->continuable || !e->attempt->translates)
		return false;
	if (!e->continued)
		e->broken = e->failure;
	settle_part(e);
	forget_attempt(e);
	e->failure = e->broken;
	if (!keep_able(e))
		return false;
	e->continued = true;
	e->receipt.reason = SLICE("the next candidate continued a broken stream");
	metric_add(&e->gateway_shard->metrics.streams_continued, 1);
	exchange_attempt(e);
	return true;
}

/* Some providers refuse a begin that ends with white space. */
int exchange_continue_write(struct exchange *e)
{
	struct slice said = text_slice(&e->said);
	int64_t spent = (int64_t)(said.size / BYTES_PER_TOKEN);
	struct chat_message *message;
	struct chat_part *part;

	while (said.size && is_space(said.data[said.size - 1]))
		said.size--;
	e->said_unsent = (unsigned)(e->said.size - said.size);
	if (e->chat->max_tokens)
		e->chat->max_tokens = e->chat->max_tokens > spent ? e->chat->max_tokens - spent : 1;
	if (!said.size)
		return 0;
	message = chat_add_message(e->chat, CHAT_ASSISTANT);
	part = message ? chat_add_part(e->chat, &message->parts, CHAT_TEXT) : NULL;
	if (!part)
		return -ENOMEM;
	part->text = said;
	return 0;
}
