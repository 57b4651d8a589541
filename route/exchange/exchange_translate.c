/*
 * Between dialects: a request is read into the form of a chat and written for the provider, its answer comes back the
 * same way, and a stream event by event. The form is good until the JSON view's next parse, so each of these is done in
 * one go.
 */
#include "route/exchange/exchange_conversation.h"

#include "core/clock.h"

#include <errno.h>

bool exchange_is_chat(const struct exchange *e)
{
	return e->api == API_CHAT_COMPLETIONS || e->api == API_MESSAGES || e->api == API_RESPONSES;
}

static int open_chat(struct exchange *e)
{
	if (!e->chat)
		e->chat = arena_alloc(&e->arena, sizeof(*e->chat));
	if (!e->chat)
		return -ENOMEM;
	chat_init(e->chat, &e->arena);
	return 0;
}

/* Reads the client's request, which the view holds. 0; -EINVAL with e->problem; -ENOMEM. */
static int read_chat(struct exchange *e)
{
	if (open_chat(e) < 0)
		return -ENOMEM;
	return e->dialect->chat->read_request(e->gateway_shard->json, e->chat, &e->problem);
}

const struct chat *exchange_chat(struct exchange *e)
{
	if (!e->chat_read) {
		e->chat_read = true;
		e->chat_error = read_chat(e);
	}
	return e->chat_error ? NULL : e->chat;
}

/* What the request needs is looked at where somebody may lack it: a foreign provider, or a model that lists what it can
 * do. */
bool exchange_can_serve(struct exchange *e, const struct exchange_candidate *candidate)
{
	bool translated = dialect_translates(e->dialect, candidate->dialect);

	if (!exchange_is_chat(e) ||
		(!translated && candidate->model->capabilities.count == 0 && !candidate->dialect->lacks))
		return true;
	if (!exchange_chat(e))
		return !translated; /* the provider will say what is wrong with it */
	return chat_check(e->chat, dialect_has(candidate->dialect, candidate->model, translated), &e->problem) == 0;
}

static int write_body(struct exchange *e, const struct exchange_candidate *candidate, struct text *body)
{
	struct chat_target target = exchange_target(e, candidate);

	if (e->api == API_EMBEDDINGS)
		return exchange_write_embeddings(e, candidate, body);
	return candidate->dialect->chat->write_request(e->chat, &target, body, &e->problem);
}

static int write_request(struct exchange *e, const struct exchange_candidate *candidate, struct text *body)
{
	size_t capacity = e->request->body.size + e->request->body.size / 4 + 4096;
	int err;

	/* Few requests grow by more than that: many tiny parts, arguments that are escaped. */
	for (unsigned tries = 0; tries < 5; tries++, capacity *= 2) {
		*body = text_over(arena_alloc(&e->arena, capacity), capacity);
		if (!body->data)
			return -ENOMEM;
		err = write_body(e, candidate, body);
		if (err || !body->full)
			return err;
	}
	return -ENOMEM;
}

static void note_dropped(struct exchange *e)
{
	enum { DROPPED_BYTES = 256 };
	struct text list = text_over(arena_alloc(&e->arena, DROPPED_BYTES), DROPPED_BYTES);

	if (!list.data)
		return;
	chat_print_dropped(e->chat, &list);
	e->attempt->dropped = text_slice(&list);
}

/* A request that the provider's dialect cannot say is its complaint, made here. */
static int refuse_here(struct exchange *e)
{
	exchange_set_failure(e, ATTEMPT_REFUSED_REQUEST, 400, e->problem.message);
	e->failure.code = e->problem.code;
	e->failure.param = e->problem.param;
	return -EINVAL;
}

int exchange_translate_request(struct exchange *e, const struct exchange_candidate *candidate, size_t *size)
{
	struct text body;
	int err = 0;

	if (e->api == API_EMBEDDINGS)
		err = open_chat(e);
	else if (!e->chat_read || e->view_lost || e->receipt.attempt_count > 0)
		err = read_chat(e);
	e->chat_read = true;
	if (!err && e->continued)
		err = exchange_continue_write(e);
	if (!err && !e->chat->max_tokens)
		e->chat->max_tokens = (int64_t)exchange_output_cap(e, candidate->model);
	if (!err)
		err = write_request(e, candidate, &body);
	if (err)
		return err == -EINVAL ? refuse_here(e) : err;
	note_dropped(e);
	e->attempt->body_iov[0] = (struct iovec){body.data, body.size};
	e->attempt->call.body = e->attempt->body_iov;
	e->attempt->call.body_count = 1;
	*size = body.size;
	return 0;
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

struct chat_frame exchange_frame(const struct exchange *e, struct slice members)
{
	enum { BYTES_PER_TOKEN = 4 };
	struct usage usage = e->continued ? exchange_usage(e) : e->attempt->usage;
	struct chat_frame frame = {
		.model_json = e->attempt->model_json,
		.members = members,
		.created_s = e->received_wall_ns / NS_PER_S,
		.prompt_tokens_estimate = e->request ? e->request->body.size / BYTES_PER_TOKEN + 1 : 1,
		.include_usage = e->asked.include_usage,
		.usage = {.present = true,
			.prompt_tokens = usage.prompt_tokens,
			.completion_tokens = usage.completion_tokens,
			.cached_tokens = usage.cached_tokens,
			.cache_write_tokens = usage.cache_write_tokens,
			.reasoning_tokens = usage.reasoning_tokens},
		.id = slice_of(e->id_text + sizeof(e->id_text) - ULID_TEXT_BYTES, ULID_TEXT_BYTES),
		.echo = e->chat ? e->chat->echo : slice_of(NULL, 0),
	};

	conversation_frame(e, &frame);
	return frame;
}

int exchange_read_translated(struct exchange *e, struct chat_answer *whole, struct openai_answer *figures)
{
	struct chat *chat = arena_alloc(&e->arena, sizeof(*chat));
	int err;

	if (!chat)
		return -ENOMEM;
	if (e->api == API_EMBEDDINGS) {
		*figures = (struct openai_answer){.model = JSON_NONE, .gateway = JSON_NONE};
		exchange_read_embeddings(e, &figures->usage);
		return 0;
	}
	chat_init(chat, &e->arena);
	err = e->attempt->candidate->dialect->chat->read_answer(e->gateway_shard->json, chat, whole);
	if (!whole->id.size)
		whole->id = slice_of(e->id_text, sizeof(e->id_text));
	*figures = (struct openai_answer){.model = JSON_NONE,
		.gateway = JSON_NONE,
		.finish_reason = chat_finish_name(whole->finish),
		.usage = whole->usage,
		.output_bytes = whole->output_bytes};
	return err;
}

int exchange_write_translated(struct exchange *e, const struct chat_answer *whole, struct slice members)
{
	struct chat_frame frame = exchange_frame(e, members);
	size_t capacity =
		e->attempt->answer.size + e->attempt->answer.size / 4 + e->vectors.text.size + members.size + 2048;
	struct text body;
	int err;

	for (unsigned tries = 0; tries < 5; tries++, capacity *= 2) {
		body = text_over(arena_alloc(&e->arena, capacity), capacity);
		if (!body.data)
			return -ENOMEM;
		err = e->api == API_EMBEDDINGS ? exchange_write_vectors(e, &frame, &body)
					       : e->dialect->chat->write_answer(whole, &frame, &body);
		if (err)
			return err;
		if (body.full)
			continue;
		e->answer_iov[0] = (struct iovec){body.data, body.size};
		e->answer_iov_count = 1;
		return 0;
	}
	return -ENOMEM;
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

struct watch {
	struct chat_sink sink;
	struct exchange *e;
	struct chat_frame frame;
	struct text out;
	struct exchange_event *event;
};

static struct text scratch(struct exchange *e)
{
	return text_over(e->gateway_shard->event_written, GATEWAY_STREAM_WRITTEN_BYTES);
}

/* What an event repeats of earlier ones may not fit the scratch: then it goes into the arena, with what is there. */
static void make_room(
	struct exchange *e, const struct chat_event *event, const struct chat_frame *frame, struct text *out)
{
	const struct chat_dialect *chat = e->dialect->chat;
	size_t room = chat->event_room ? chat->event_room(&e->attempt->writer, event, frame) : 0;
	size_t capacity = out->size + room + GATEWAY_STREAM_WRITTEN_BYTES;
	char *memory;

	if (room <= (out->capacity - out->size) / 2)
		return;
	memory = arena_alloc(&e->arena, capacity);
	if (!memory)
		return; /* then it is full */
	if (out->size)
		memcpy(memory, out->data, out->size);
	out->data = memory;
	out->capacity = capacity;
}

/* Of a stream that stays as it is, what an error event of the gateway's own would need to know. */
static void note_event(struct exchange *e, const struct chat_event *event)
{
	struct chat_writer *w = &e->attempt->writer;

	w->started = true;
	if (event->kind != CHAT_EVENT_START || event->id.size > sizeof(w->id))
		return;
	w->id_size = (unsigned)event->id.size;
	if (w->id_size)
		memcpy(w->id, event->id.data, w->id_size);
}

static void watch_event(struct chat_sink *sink, const struct chat_event *event)
{
	struct watch *watch = container_of(sink, struct watch, sink);
	struct exchange *e = watch->e;
	struct slice name = chat_finish_name(event->finish);
	struct chat_event named = *event; /* an answer without an id of its own has the request's */

	switch (event->kind) {
	case CHAT_EVENT_START:
		break;
	case CHAT_EVENT_FINISH:
		watch->event->content = true;
		if (event->choice) /* the receipt has the first one's */
			break;
		if (name.size)
			memcpy(e->attempt->finish_reason, name.data, name.size);
		e->attempt->finish_reason_size = (unsigned)name.size;
		break;
	case CHAT_EVENT_END:
		watch->event->ended = true;
		return;
	case CHAT_EVENT_ERROR:
		watch->event->error = event->error;
		return;
	default:
		watch->event->content = true;
		e->attempt->output_bytes += event->text.size + event->name.size;
		break;
	}
	if (!e->attempt->translates) {
		note_event(e, event);
		return;
	}
	if ((e->continuable || e->continued) && !exchange_continue_event(e, &named))
		return;
	if (event->kind == CHAT_EVENT_START && !event->id.size)
		named.id = slice_of(e->id_text, sizeof(e->id_text));
	make_room(e, &named, &watch->frame, &watch->out);
	e->dialect->chat->write_event(&e->attempt->writer, &named, &watch->frame, &watch->out);
}

static void take_usage(struct exchange *e)
{
	const struct openai_usage *usage = &e->attempt->reader.usage;

	e->attempt->usage_known = usage->present;
	e->attempt->usage = (struct usage){.prompt_tokens = usage->prompt_tokens,
		.completion_tokens = usage->completion_tokens,
		.cached_tokens = usage->cached_tokens,
		.cache_write_tokens = usage->cache_write_tokens,
		.reasoning_tokens = usage->reasoning_tokens};
}

int exchange_read_event(struct exchange *e, struct exchange_event *event)
{
	struct watch watch = {.sink.event = watch_event,
		.e = e,
		.frame = exchange_frame(e, slice_of(NULL, 0)),
		.out = scratch(e),
		.event = event};
	int err;

	*event = (struct exchange_event){.error = JSON_NONE};
	err = e->attempt->candidate->dialect->chat->read_event(
		&e->attempt->reader, e->gateway_shard->json, &watch.sink);
	take_usage(e);
	if (!e->attempt->translates)
		e->attempt->writer.kept.sequence = e->attempt->reader.sequence;
	event->written = text_slice(&watch.out);
	return watch.out.full ? -E2BIG : err;
}

int exchange_write_end(struct exchange *e, struct slice members, struct slice *written, struct slice *last)
{
	const struct chat_event end = {.kind = CHAT_EVENT_END, .error = JSON_NONE};
	struct chat_frame frame = exchange_frame(e, members);
	struct text out = scratch(e);

	make_room(e, &end, &frame, &out);
	e->dialect->chat->write_event(&e->attempt->writer, &end, &frame, &out);
	*written = slice_of(out.data, out.size - e->attempt->writer.last_bytes);
	*last = slice_of(out.data + written->size, e->attempt->writer.last_bytes);
	return out.full ? -E2BIG : 0;
}

/* The older API, which no chat's dialect has. */
static void write_completion_length(const struct exchange *e, struct text *out)
{
	text_literal(out, "data: {\"id\":");
	text_json(out, slice_of(e->attempt->writer.id, e->attempt->writer.id_size));
	text_literal(out, ",\"object\":\"text_completion\",\"created\":");
	text_u64(out, e->received_wall_ns / NS_PER_S);
	text_literal(out, ",\"model\":");
	text_add(out, e->attempt->model_json);
	text_literal(
		out, ",\"choices\":[{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\n");
}

/* Of each choice that goes on, as far as is known: of those that pass as they are, the ends are not followed. */
static void write_choices_length(struct exchange *e, struct text *out)
{
	struct chat_event finish = {.kind = CHAT_EVENT_FINISH, .finish = CHAT_FINISH_LENGTH, .error = JSON_NONE};
	struct chat_frame frame = exchange_frame(e, slice_of(NULL, 0));

	do {
		if (!(e->attempt->writer.ended >> finish.choice & 1))
			e->dialect->chat->write_event(&e->attempt->writer, &finish, &frame, out);
	} while (++finish.choice < e->budget.answers && finish.choice < CHAT_CHOICES_MAX);
}

int exchange_write_length(struct exchange *e, struct slice *written)
{
	struct text out = scratch(e);

	if (!e->attempt->writer.id_size) { /* it was not needed so far */
		memcpy(e->attempt->writer.id, e->id_text, sizeof(e->id_text));
		e->attempt->writer.id_size = sizeof(e->id_text);
	}
	if (e->api == API_COMPLETIONS)
		write_completion_length(e, &out);
	else
		write_choices_length(e, &out);
	*written = text_slice(&out);
	return out.full ? -E2BIG : 0;
}

/* What an error in a stream means, where its kind is told by name: Anthropic's and Bedrock's as its type,
 * Google's as its status. */
enum attempt_failure exchange_stream_failure(const struct exchange *e, json_ref error)
{
	static const struct {
		const char *name;
		enum attempt_failure failure;
	} kinds[] = {
		{"overloaded_error", ATTEMPT_OVERLOADED},
		{"UNAVAILABLE", ATTEMPT_OVERLOADED},
		{"rate_limit_error", ATTEMPT_RATE_LIMITED},
		{"RESOURCE_EXHAUSTED", ATTEMPT_RATE_LIMITED},
		{"timeout_error", ATTEMPT_STATUS_TIMEOUT},
		{"DEADLINE_EXCEEDED", ATTEMPT_STATUS_TIMEOUT},
		{"throttlingException", ATTEMPT_RATE_LIMITED},
		{"serviceUnavailableException", ATTEMPT_OVERLOADED},
		{"modelTimeoutException", ATTEMPT_STATUS_TIMEOUT},
	};
	const struct json_parser *json = e->gateway_shard->json;
	struct slice type = chat_member_text(json, error, SLICE("type"));
	struct slice status = chat_member_text(json, error, SLICE("status"));

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (slice_equal(type, slice_of_string(kinds[i].name)) ||
			slice_equal(status, slice_of_string(kinds[i].name)))
			return kinds[i].failure;
	return ATTEMPT_STREAM_ERROR;
}
