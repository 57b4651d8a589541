/*
 * Embeddings of providers that speak of them in their own way. A provider that takes no more than so many texts a call
 * is called again, one call after the other, until all are there; a call that fails makes the attempt fail, and another
 * candidate begins anew, since its vectors may be another model's.
 */
#include "route/exchange/exchange.h"

#include "proto/http/http_head.h"

#include <errno.h>

enum { CALLS_MAX = 256 };

const struct embeddings_dialect *exchange_embeddings_dialect(const struct exchange_candidate *candidate)
{
	return dialect_embeddings(candidate->dialect, slice_of_string(candidate->deployment->upstream_model));
}

/* The texts of this call. */
static int choose_part(struct exchange *e, const struct embeddings_dialect *dialect)
{
	struct embeddings *request = &e->embeddings;
	uint32_t rest = request->input_count - e->vectors.count;

	request->first = e->vectors.count;
	request->count = dialect->inputs_max && rest > dialect->inputs_max ? dialect->inputs_max : rest;
	if (!dialect->inputs_max || request->input_count <= dialect->inputs_max * CALLS_MAX)
		return 0;
	return chat_refuse(&e->problem, SLICE("unsupported_feature"),
		dialect->inputs_max == 1
			? SLICE("This model takes one text a call, and 256 at most of one request. Send fewer in "
				"'input'.")
			: SLICE("This model takes so many texts in more than 256 calls. Send fewer in 'input'."),
		SLICE("input"));
}

int exchange_write_embeddings(struct exchange *e, const struct exchange_candidate *candidate, struct text *body)
{
	const struct embeddings_dialect *dialect = exchange_embeddings_dialect(candidate);
	const struct json_parser *json = e->gateway_shard->json;
	int err;

	chat_init(e->chat, &e->arena); /* holds the names of what is dropped */
	err = embeddings_read_request(json, &e->embeddings, e->chat, &e->problem);
	if (!err)
		err = choose_part(e, dialect);
	if (err)
		return err;
	if (e->embeddings.input_type.data && !dialect->takes_input_type)
		chat_drop(e->chat, SLICE("input_type"));
	return dialect->write_request(
		json, &e->embeddings, slice_of_string(candidate->deployment->upstream_model), body, &e->problem);
}

/* 0: no count that one call can have used. */
static uint64_t read_count(struct slice text)
{
	enum { DIGITS_MAX = 9 };
	uint64_t count = 0;

	if (text.size > DIGITS_MAX)
		return 0;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		count = count * 10 + (uint64_t)(text.data[i] - '0');
	}
	return count;
}

static void read_header(const struct http_head *head, struct slice name, struct openai_usage *usage)
{
	uint64_t tokens = name.data ? read_count(http_header(head, name)) : 0;

	if (tokens)
		*usage = (struct openai_usage){.present = true, .prompt_tokens = tokens};
}

void exchange_read_embeddings(struct exchange *e, struct openai_usage *usage)
{
	const struct embeddings_dialect *dialect = exchange_embeddings_dialect(e->attempt->candidate);

	*usage = (struct openai_usage){0};
	if (!dialect->read_usage(e->gateway_shard->json, usage))
		read_header(e->attempt->call.head, dialect->tokens_header, usage);
	e->vectors.untold |= !usage->present;
	usage->present = !e->vectors.untold;
	usage->prompt_tokens += e->vectors.prompt_tokens;
}

/* In OpenAI's shape it is here for its numbers alone: the client wants them in base64. */
static int write_vectors(struct exchange *e, struct text *t)
{
	const struct embeddings_dialect *dialect = exchange_embeddings_dialect(e->attempt->candidate);

	return embeddings_write_vectors(
		e->gateway_shard->json, dialect ? dialect : &embeddings_numbers, &e->embeddings, t);
}

int exchange_write_vectors(struct exchange *e, const struct chat_frame *frame, struct text *body)
{
	int err;

	embeddings_open_answer(body);
	text_add(body, text_slice(&e->vectors.text));
	err = write_vectors(e, body);
	embeddings_close_answer(frame, body);
	return err;
}

/* Adds what the view holds to what came before. */
static int keep_vectors(struct exchange *e)
{
	enum { ENTRY_BYTES = 64 }; /* around a vector, whose own text does not grow */
	size_t most = e->attempt->answer.size + (size_t)ENTRY_BYTES * e->embeddings.count;
	struct text *kept = &e->vectors.text, wider;
	int err;

	if (kept->capacity - kept->size < most) {
		wider = text_over(arena_alloc(&e->arena, 2 * kept->size + most), 2 * kept->size + most);
		if (!wider.data)
			return -ENOMEM;
		text_add(&wider, text_slice(kept));
		*kept = wider;
	}
	err = write_vectors(e, kept);
	return err ? err : kept->full ? -ENOMEM : 0;
}

static void call_again(struct exchange *e)
{
	int err = -EINVAL;

	exchange_call_served(e);
	exchange_forget_answer(e);
	e->view_lost = true; /* it held the answer */
	if (exchange_time_left_ns(e, e->attempt->candidate->provider) == 0)
		exchange_set_failure(e, ATTEMPT_TOTAL_TIMEOUT, 0,
			SLICE("The provider took too long for all the texts of the request. Send fewer."));
	else if (!exchange_call_take(e, e->attempt->candidate))
		exchange_set_failure(e, ATTEMPT_RATE_LIMITED, 0,
			SLICE("The provider's limit is reached before all texts of the request were sent. Send "
			      "fewer."));
	else
		err = exchange_start_call(e, e->attempt->candidate);
	if (err == 0)
		return;
	if (err != -EINVAL) /* else the failure is told */
		exchange_set_failure(
			e, ATTEMPT_NO_MEMORY, 0, SLICE("The gateway is out of memory. Try again in a moment."));
	exchange_attempt_failed(e);
}

int exchange_next_embeddings(struct exchange *e, const struct openai_usage *usage)
{
	int err;

	if (e->vectors.count + e->embeddings.count >= e->embeddings.input_count)
		return 0;
	err = keep_vectors(e);
	if (err)
		return err;
	e->vectors.count += e->embeddings.count;
	e->vectors.prompt_tokens = usage->prompt_tokens;
	call_again(e);
	return 1;
}
