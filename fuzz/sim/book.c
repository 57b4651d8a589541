/* See book.h. */
#include "fuzz/sim/book.h"

#include "fuzz/sim/bytes.h"

#include <assert.h>
#include <stdlib.h>

struct call *book_call_add(struct book *book, enum call_kind kind)
{
	struct call *call;

	if (book->call_count == book->call_capacity) {
		book->call_capacity = book->call_capacity ? 2 * book->call_capacity : 256;
		book->calls = sim_grown(book->calls, book->call_capacity * sizeof(*book->calls));
	}
	call = &book->calls[book->call_count];
	*call = (struct call){.id = (uint32_t)book->call_count++, .kind = kind, .cost_nusd = -1};
	return call;
}

struct call *book_call(const struct book *book, uint32_t id)
{
	return id < book->call_count ? &book->calls[id] : NULL;
}

uint32_t book_attempt_add(struct book *book, struct call *call)
{
	if (book->attempt_count == book->attempt_capacity) {
		book->attempt_capacity = book->attempt_capacity ? 2 * book->attempt_capacity : 256;
		book->attempts = sim_grown(book->attempts, book->attempt_capacity * sizeof(*book->attempts));
	}
	book->attempts[book->attempt_count] =
		(struct attempt){.call = call->id, .number = ++call->attempt_count, .open = true};
	call->last_attempt = (uint32_t)book->attempt_count;
	return (uint32_t)book->attempt_count++;
}

/* Those of one call lie near each other. */
struct attempt *book_attempt(const struct book *book, uint32_t call, uint32_t number)
{
	const struct call *c = book_call(book, call);

	if (!c || number == 0 || number > c->attempt_count)
		return NULL;
	for (size_t i = c->last_attempt + 1; i-- > 0;)
		if (book->attempts[i].call == call && book->attempts[i].number == number)
			return &book->attempts[i];
	return NULL;
}

void book_free(struct book *book)
{
	free(book->calls);
	free(book->attempts);
}

bool book_find_marker(struct slice text, uint32_t *call)
{
	const char *at = text.size ? memmem(text.data, text.size, "sim-", 4) : NULL;
	const char *end = text.data + text.size;
	const char *digits = at ? at + 4 : NULL;

	*call = 0;
	if (!at)
		return false;
	for (at += 4; at < end && *at >= '0' && *at <= '9' && at < digits + 9; at++)
		*call = *call * 10 + (uint32_t)(*at - '0');
	return at > digits;
}

const char *call_kind_name(enum call_kind kind)
{
	static const char *const names[CALL_KINDS] = {
		[CALL_CHAT] = "chat",
		[CALL_CHAT_STREAM] = "chat stream",
		[CALL_COMPLETION] = "completion",
		[CALL_COMPLETION_STREAM] = "completion stream",
		[CALL_EMBEDDING] = "embedding",
		[CALL_MODERATION] = "moderation",
		[CALL_BAD_JSON] = "bad JSON",
		[CALL_UNKNOWN_KEY] = "unknown key",
		[CALL_NO_KEY] = "no key",
		[CALL_UNKNOWN_PATH] = "unknown path",
		[CALL_WRONG_METHOD] = "wrong method",
		[CALL_UNKNOWN_MODEL] = "unknown model",
		[CALL_NOT_ALLOWED] = "model not allowed",
		[CALL_NO_MESSAGES] = "no messages",
		[CALL_TOO_LARGE] = "too large",
		[CALL_WRONG_TYPE] = "wrong type",
		[CALL_BAD_HTTP] = "bad HTTP",
		[CALL_MODELS] = "models",
		[CALL_HEALTH] = "healthz",
		[CALL_READY] = "readyz",
		[CALL_METRICS] = "metrics",
		[CALL_RECEIPT] = "receipt",
		[CALL_RECEIPTS] = "receipts",
		[CALL_DEPOSIT] = "deposit",
	};

	assert(kind < CALL_KINDS);
	return names[kind];
}
