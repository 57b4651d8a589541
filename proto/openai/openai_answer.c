/* The OpenAI dialect, the provider's side: unary answers and stream events, their usage, and the edits that clients
 * get. */
#include "proto/openai/openai.h"

#include <errno.h>

/* Figures beyond this are no count of tokens that one call can have used. */
#define CREDIBLE_TOKENS_MAX 100000000

bool openai_read_figure(const struct json_parser *p, json_ref object, struct slice key, uint64_t *figure)
{
	json_ref value = json_member(p, object, key);
	int64_t number;

	if (value == JSON_NONE || json_type(p, value) == JSON_NULL)
		return true;
	if (!json_integer(p, value, &number) || number < 0 || number > CREDIBLE_TOKENS_MAX)
		return false;
	*figure = (uint64_t)number;
	return true;
}

/* llama.cpp's own figures: what was read anew and from its cache, and what was written. */
static void read_timings(const struct json_parser *p, json_ref timings, struct openai_usage *usage)
{
	struct openai_usage u = {.present = true};
	uint64_t anew = 0;

	if (usage->present || timings == JSON_NONE || json_type(p, timings) != JSON_OBJECT)
		return;
	if (!openai_read_figure(p, timings, SLICE("prompt_n"), &anew) ||
		!openai_read_figure(p, timings, SLICE("cache_n"), &u.cached_tokens) ||
		!openai_read_figure(p, timings, SLICE("predicted_n"), &u.completion_tokens))
		return;
	u.prompt_tokens = anew + u.cached_tokens;
	if (u.prompt_tokens > 0)
		*usage = u;
}

/* The APIs' names for the same figures. */
static const struct usage_names {
	struct slice input, output, input_details, output_details;
} usage_names[] = {
	{{"prompt_tokens", 13}, {"completion_tokens", 17}, {"prompt_tokens_details", 21},
		{"completion_tokens_details", 25}},
	{{"input_tokens", 12}, {"output_tokens", 13}, {"input_tokens_details", 20}, {"output_tokens_details", 21}},
};

void openai_read_usage(const struct json_parser *p, json_ref value, bool responses, struct openai_usage *usage)
{
	const struct usage_names *names = &usage_names[responses];
	struct openai_usage u = {.present = true};
	json_ref details;
	bool credible;

	if (value == JSON_NONE || json_type(p, value) != JSON_OBJECT)
		return;
	/* No figure of its own means that nothing is known, not that nothing was used. */
	if (json_member(p, value, names->input) == JSON_NONE)
		return;
	credible = openai_read_figure(p, value, names->input, &u.prompt_tokens) &&
		   openai_read_figure(p, value, names->output, &u.completion_tokens);
	details = json_member(p, value, names->input_details);
	if (credible && details != JSON_NONE)
		credible = openai_read_figure(p, details, SLICE("cached_tokens"), &u.cached_tokens) &&
			   openai_read_figure(p, details, SLICE("cache_write_tokens"), &u.cache_write_tokens);
	details = json_member(p, value, names->output_details);
	if (credible && details != JSON_NONE)
		credible = openai_read_figure(p, details, SLICE("reasoning_tokens"), &u.reasoning_tokens);
	if (credible && u.cached_tokens + u.cache_write_tokens <= u.prompt_tokens &&
		u.reasoning_tokens <= u.completion_tokens && u.prompt_tokens > 0)
		*usage = u;
}

static void read_usage(const struct json_parser *p, json_ref value, struct openai_usage *usage)
{
	openai_read_usage(p, value, false, usage);
}

static uint64_t text_bytes(const struct json_parser *p, json_ref value)
{
	struct slice raw;

	if (value == JSON_NONE)
		return 0;
	raw = json_raw(p, value);
	switch (json_type(p, value)) {
	case JSON_STRING:
		return raw.size - 2;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return json_first(p, value) == JSON_NONE ? 0 : raw.size;
	default:
		return 0;
	}
}

/* Bytes in a message or a delta that a reader sees; whatever it is called: only what is known to be no content is left
 * out. */
static uint64_t message_bytes(const struct json_parser *p, json_ref message)
{
	uint64_t bytes = 0;

	for (json_ref m = json_first(p, message); m != JSON_NONE; m = json_next(p, m)) {
		struct slice key = json_key(p, m);

		if (slice_equal(key, SLICE("role")) || slice_equal(key, SLICE("annotations")))
			continue;
		bytes += text_bytes(p, m);
	}
	return bytes;
}

static uint64_t choices_bytes(const struct json_parser *p, json_ref choices, struct slice *finish_reason)
{
	uint64_t bytes = 0;

	if (choices == JSON_NONE || json_type(p, choices) != JSON_ARRAY)
		return 0;
	for (json_ref c = json_first(p, choices); c != JSON_NONE; c = json_next(p, c)) {
		if (json_type(p, c) != JSON_OBJECT)
			continue;
		for (json_ref m = json_first(p, c); m != JSON_NONE; m = json_next(p, m)) {
			struct slice key = json_key(p, m);
			enum json_type type = json_type(p, m);

			if (type == JSON_OBJECT &&
				(slice_equal(key, SLICE("delta")) || slice_equal(key, SLICE("message"))))
				bytes += message_bytes(p, m);
			else if (slice_equal(key, SLICE("text")))
				bytes += text_bytes(p, m);
			else if (type == JSON_STRING && !finish_reason->data &&
				 slice_equal(key, SLICE("finish_reason")))
				*finish_reason = json_string(p, m);
		}
	}
	return bytes;
}

static bool is_true_like(const struct json_parser *p, json_ref value)
{
	enum json_type type;

	if (value == JSON_NONE)
		return false;
	type = json_type(p, value);
	return type != JSON_NULL && type != JSON_FALSE;
}

int openai_read_answer(const struct json_parser *p, struct openai_answer *answer)
{
	json_ref error = JSON_NONE, usage = JSON_NONE, choices = JSON_NONE, timings = JSON_NONE;

	*answer = (struct openai_answer){.model = JSON_NONE, .gateway = JSON_NONE};
	if (json_type(p, 0) != JSON_OBJECT)
		return -EPROTO;
	for (json_ref m = json_first(p, 0); m != JSON_NONE; m = json_next(p, m)) {
		struct slice key = json_key(p, m);

		if (slice_equal(key, SLICE("model")))
			answer->model = m;
		else if (slice_equal(key, SLICE("usage")))
			usage = m;
		else if (slice_equal(key, SLICE("choices")))
			choices = m;
		else if (slice_equal(key, SLICE("error")))
			error = m;
		else if (slice_equal(key, SLICE("timings")))
			timings = m;
		else if (slice_equal(key, SLICE("x-llm-gateway")))
			answer->gateway = m;
	}
	if (is_true_like(p, error))
		return -EPROTO;
	answer->output_bytes = choices_bytes(p, choices, &answer->finish_reason);
	read_usage(p, usage, &answer->usage);
	read_timings(p, timings, &answer->usage);
	return 0;
}

void openai_edit_answer(const struct json_parser *p, const struct openai_answer *answer, struct slice model_json,
	struct slice members, size_t value_at, char *added, struct json_edits *edits)
{
	size_t size = 0;

	if (answer->model != JSON_NONE) {
		json_replace(edits, p, answer->model, model_json);
	} else {
		memcpy(added, "\"model\":", 8);
		memcpy(added + 8, model_json.data, model_json.size);
		size = 8 + model_json.size;
	}
	if (answer->gateway != JSON_NONE) {
		json_replace(edits, p, answer->gateway, slice_after(members, value_at));
	} else {
		if (size)
			added[size++] = ',';
		memcpy(added + size, members.data, members.size);
		size += members.size;
	}
	if (size)
		json_insert(edits, p, 0, slice_of(added, size));
}

/* A choice that says nothing is one of a filter that reports beside the text: it has no delta. */
static bool is_empty(const struct json_parser *p, json_ref choices)
{
	static const struct slice said[] = {{"delta", 5}, {"text", 4}, {"finish_reason", 13}};

	if (choices == JSON_NONE || json_type(p, choices) != JSON_ARRAY)
		return false;
	for (json_ref c = json_first(p, choices); c != JSON_NONE; c = json_next(p, c))
		for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
			json_ref value = json_type(p, c) == JSON_OBJECT ? json_member(p, c, said[i]) : JSON_NONE;

			if (value != JSON_NONE && json_type(p, value) != JSON_NULL)
				return false;
		}
	return true;
}

int openai_read_chunk(const struct json_parser *p, struct openai_chunk *chunk)
{
	json_ref choices = JSON_NONE, groq = JSON_NONE, timings = JSON_NONE;

	*chunk = (struct openai_chunk){
		.model = JSON_NONE, .usage_value = JSON_NONE, .error = JSON_NONE, .gateway = JSON_NONE};
	if (json_type(p, 0) != JSON_OBJECT)
		return -EPROTO;
	for (json_ref m = json_first(p, 0); m != JSON_NONE; m = json_next(p, m)) {
		struct slice key = json_key(p, m);

		if (slice_equal(key, SLICE("model")))
			chunk->model = m;
		else if (slice_equal(key, SLICE("usage")))
			chunk->usage_value = m;
		else if (slice_equal(key, SLICE("choices")))
			choices = m;
		else if (slice_equal(key, SLICE("error")) && is_true_like(p, m))
			chunk->error = m;
		else if (slice_equal(key, SLICE("x_groq")) && json_type(p, m) == JSON_OBJECT)
			groq = m;
		else if (slice_equal(key, SLICE("timings")))
			timings = m;
		else if (slice_equal(key, SLICE("x-llm-gateway")))
			chunk->gateway = m;
	}
	chunk->output_bytes = choices_bytes(p, choices, &chunk->finish_reason);
	chunk->content = chunk->output_bytes > 0;
	read_usage(p, chunk->usage_value, &chunk->usage);
	if (groq != JSON_NONE && !chunk->usage.present)
		read_usage(p, json_member(p, groq, SLICE("usage")), &chunk->usage);
	if (groq != JSON_NONE && is_true_like(p, json_member(p, groq, SLICE("error"))))
		chunk->error = json_member(p, groq, SLICE("error"));
	read_timings(p, timings, &chunk->usage);
	chunk->usage_only = chunk->usage_value != JSON_NONE && json_type(p, chunk->usage_value) == JSON_OBJECT &&
			    choices != JSON_NONE && json_type(p, choices) == JSON_ARRAY &&
			    json_first(p, choices) == JSON_NONE;
	chunk->empty = !chunk->content && chunk->error == JSON_NONE && !chunk->usage.present && !chunk->usage_only &&
		       is_empty(p, choices);
	return 0;
}

/* However often it is there: what is left of a name given twice would be read in its place. */
static void remove_each(const struct json_parser *p, struct slice key, struct json_edits *edits)
{
	enum { REPEATED_MAX = JSON_EDITS_MAX / 3 }; /* more is nonsense and stays: other edits need room */
	unsigned count = 0;

	for (json_ref m = json_first(p, 0); m != JSON_NONE && count < REPEATED_MAX; m = json_next(p, m)) {
		if (!slice_equal(json_key(p, m), key))
			continue;
		json_remove(edits, p, 0, m);
		count++;
	}
}

void openai_edit_chunk(const struct json_parser *p, const struct openai_chunk *chunk, struct slice model_json,
	bool keep_usage, struct slice members, struct json_edits *edits)
{
	if (chunk->model != JSON_NONE)
		json_replace(edits, p, chunk->model, model_json);
	if (chunk->gateway != JSON_NONE)
		remove_each(p, SLICE("x-llm-gateway"), edits);
	if (chunk->usage_value != JSON_NONE && !keep_usage)
		remove_each(p, SLICE("usage"), edits);
	if (members.size)
		json_insert(edits, p, 0, members);
}
