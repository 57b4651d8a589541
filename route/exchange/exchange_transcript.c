/*
 * Transcriptions as they are heard ("stream": true): events pass as they come, each of them JSON; the last one, which
 * has the whole text and the figures, waits for the receipt. Servers that speak of transcripts in chunks, as of chats,
 * end them with "[DONE]".
 */
#include "route/exchange/exchange_stream.h"

#include "proto/chat/chat.h"

#include <errno.h>

static struct slice type_of(const struct json_parser *json)
{
	return chat_member_text(json, 0, SLICE("type"));
}

static bool is_content(const struct json_parser *json)
{
	return slice_starts_with(type_of(json), SLICE("transcript.text.")) ||
	       json_member(json, 0, SLICE("choices")) != JSON_NONE;
}

/* Seconds or tokens; where a chunk says nothing of them, what an earlier one said stays. */
static void take_figures(struct exchange *e)
{
	struct openai_answer told = {.model = JSON_NONE, .gateway = JSON_NONE};

	exchange_take_media(e, &told);
	if (!told.usage.present)
		return;
	e->attempt->usage_known = true;
	e->attempt->usage = (struct usage){.prompt_tokens = told.usage.prompt_tokens,
		.completion_tokens = told.usage.completion_tokens,
		.cached_tokens = told.usage.cached_tokens,
		.cache_write_tokens = told.usage.cache_write_tokens,
		.reasoning_tokens = told.usage.reasoning_tokens};
}

/* The event as it came, but for a model's name in it. */
static unsigned edit(const struct exchange *e, struct slice data, struct iovec *iov, size_t *size)
{
	const struct json_parser *json = e->gateway_shard->json;
	json_ref model = json_member(json, 0, SLICE("model"));
	struct json_edits edits;

	json_edits_init(&edits);
	if (model != JSON_NONE)
		json_replace(&edits, json, model, e->attempt->model_json);
	return json_edited(&edits, data, iov, size);
}

static const struct slice out_of_memory = {"The gateway is out of memory. Try again in a moment.", 52};
static const struct slice lead = {"data: ", 6};

static void end(struct exchange *e, const struct iovec *iov, unsigned count, size_t size)
{
	struct text last = text_over(arena_alloc(&e->arena, lead.size + size + 2), lead.size + size + 2);

	if (!last.data) {
		relay_fail(e, ATTEMPT_NO_MEMORY, out_of_memory);
		return;
	}
	text_add(&last, lead);
	for (unsigned i = 0; i < count; i++)
		text_add(&last, slice_of(iov[i].iov_base, iov[i].iov_len));
	text_literal(&last, "\n\n");
	relay_end(e, text_slice(&last));
}

static void pass_on(struct exchange *e, struct slice data)
{
	const struct json_parser *json = e->gateway_shard->json;
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	size_t size;
	unsigned count = edit(e, data, iov, &size);

	if (slice_equal(type_of(json), SLICE("transcript.text.done")))
		end(e, iov, count, size);
	else if (relay_send_event(e, lead, iov, count, size, is_content(json)) < 0)
		relay_fail(e, ATTEMPT_NO_MEMORY, out_of_memory);
}

void exchange_transcript_event(struct exchange *e, struct slice data)
{
	struct json_parser *json = e->gateway_shard->json;
	struct json_error json_error;
	json_ref error;

	if (slice_equal(data, SLICE("[DONE]"))) {
		relay_end(e, e->dialect->end_event);
		return;
	}
	if (json_parse(json, data, &json_error) || json_type(json, 0) != JSON_OBJECT) {
		relay_fail(e, ATTEMPT_BROKEN_STREAM, SLICE("The provider's stream holds something that is not JSON."));
		return;
	}
	error = json_member(json, 0, SLICE("error"));
	if (error != JSON_NONE && json_type(json, error) != JSON_NULL) {
		relay_provider_error(e, error);
		return;
	}
	take_figures(e);
	pass_on(e, data);
}

/* Some models take the wish for a stream and do without: then the answer is one, as far as the client has seen none. */
bool exchange_transcript_whole(struct exchange *e)
{
	if (!e->form || e->head_sent)
		return false;
	exchange_stream_stop(e);
	e->stream = false;
	e->state = EXCHANGE_ANSWERING;
	return true;
}
