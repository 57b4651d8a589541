/* OpenAI's dialect: chats, completions, embeddings and moderations. */
#include "fuzz/sim/tongue.h"
#include "fuzz/sim/look.h"

static bool is_chat(enum call_kind kind)
{
	return kind == CALL_CHAT || kind == CALL_CHAT_STREAM;
}

static bool is_text(enum call_kind kind)
{
	return is_chat(kind) || kind == CALL_COMPLETION || kind == CALL_COMPLETION_STREAM;
}

/* ---- clients ---- */

static void read_common(struct slice json, struct said *said)
{
	*said = (struct said){.id = look_string(look_member(json, "id")),
		.model = look_string(look_member(json, "model")),
		.usage = look_member(json, "usage"),
		.summary = look_member(json, "x-llm-gateway"),
		.failure = look_member(json, "error").data ? json : slice_of(NULL, 0)};
}

static void read_answer(enum call_kind kind, struct slice json, struct said *said)
{
	struct slice choice = look_item(look_member(json, "choices"), 0);

	read_common(json, said);
	said->text = look_string(
		is_chat(kind) ? look_member(look_member(choice, "message"), "content") : look_member(choice, "text"));
}

static const char *read_event(enum call_kind kind, struct slice name, struct slice data, struct said *said)
{
	struct slice choice;

	*said = (struct said){.end = slice_equal(data, SLICE("[DONE]"))};
	if (said->end)
		return NULL;
	if (name.data)
		return "an event has a name";
	if (!look_valid(data))
		return "an event is not JSON";
	read_common(data, said);
	choice = look_item(look_member(data, "choices"), 0);
	said->text = look_string(
		is_chat(kind) ? look_member(look_member(choice, "delta"), "content") : look_member(choice, "text"));
	return NULL;
}

/* ---- providers ---- */

static struct slice text_of(struct slice body)
{
	struct slice messages = look_member(body, "messages"), prompt = look_member(body, "prompt");

	if (messages.data)
		return look_string(look_member(look_item(messages, 0), "content"));
	return look_string(prompt.data ? prompt : look_member(body, "input"));
}

static const char *read_request(struct slice target, struct slice body, struct asked *asked)
{
	struct slice options = look_member(body, "stream_options");

	*asked = (struct asked){.model = look_string(look_member(body, "model")),
		.text = text_of(body),
		.stream = slice_equal(look_member(body, "stream"), SLICE("true"))};
	if (look_member(body, "messages").data && !slice_equal(target, SLICE("/v1/chat/completions")))
		return "a chat on another path";
	if (asked->stream && !slice_equal(look_member(options, "include_usage"), SLICE("true")))
		return "a stream for which usage was not asked";
	return NULL;
}

static void print_usage(struct bytes *json, const struct answer_told *told)
{
	const struct figures *f = &told->attempt->figures;

	if (!tongue_print_bad_usage(json, told->usage, "prompt_tokens", "completion_tokens"))
		bytes_print(json,
			"{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
			"\"prompt_tokens_details\":{\"cached_tokens\":%lld},"
			"\"completion_tokens_details\":{\"reasoning_tokens\":%lld}}",
			(long long)f->prompt, (long long)f->completion, (long long)(f->prompt + f->completion),
			(long long)f->cached, (long long)f->reasoning);
}

static void write_answer(struct bytes *json, const struct answer_told *told)
{
	bool chat = is_chat(told->kind);

	bytes_add(json, SLICE("{"));
	tongue_print_id(json, told->attempt);
	bytes_print(json, ",\"model\":\"%s\",", told->model);
	if (is_text(told->kind)) {
		bytes_add(json, SLICE("\"choices\":[{\"index\":0,\"finish_reason\":\"stop\","));
		bytes_add(json,
			chat ? SLICE("\"message\":{\"role\":\"assistant\",\"content\":\"") : SLICE("\"text\":\""));
		tongue_print_content(json, told->attempt, 0);
		bytes_add(json, chat ? SLICE("\"}}],") : SLICE("\"}],"));
	} else {
		bytes_add(json, SLICE("\"data\":[{\"embedding\":[0.1,-2e-3,0],\"index\":0}],"));
	}
	bytes_add(json, SLICE("\"usage\":"));
	print_usage(json, told);
	bytes_add(json, SLICE("}"));
}

static void open_chunk(struct bytes *bytes, const struct answer_told *told)
{
	bytes_add(bytes, SLICE("data: {"));
	tongue_print_id(bytes, told->attempt);
	bytes_print(bytes, ",\"object\":\"chat.completion.chunk\",\"model\":\"%s\",", told->model);
}

static void write_text(struct bytes *bytes, const struct answer_told *told, unsigned k)
{
	bool chat = is_chat(told->kind);

	open_chunk(bytes, told);
	bytes_add(bytes, SLICE("\"choices\":[{\"index\":0,"));
	bytes_add(bytes, chat ? SLICE("\"delta\":{\"content\":\"") : SLICE("\"text\":\""));
	tongue_print_content(bytes, told->attempt, k);
	bytes_add(bytes, chat ? SLICE("\"},") : SLICE("\","));
	bytes_add(bytes, SLICE("\"finish_reason\":null}],\"usage\":null}\n\n"));
}

static void write_event(struct bytes *bytes, const struct answer_told *told, enum event_told event, unsigned k)
{
	bool chat = is_chat(told->kind);

	switch (event) {
	case TOLD_START:
		if (!chat)
			break;
		open_chunk(bytes, told);
		bytes_add(bytes,
			SLICE("\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"));
		break;
	case TOLD_TEXT:
		write_text(bytes, told, k);
		break;
	case TOLD_ERROR:
		bytes_add(bytes, SLICE("data: {\"error\":{\"message\":\"It broke.\",\"type\":\"server_error\"}}\n\n"));
		break;
	case TOLD_FINISH:
		open_chunk(bytes, told);
		bytes_add(bytes, SLICE("\"choices\":[{\"index\":0,"));
		bytes_add(bytes, chat ? SLICE("\"delta\":{},") : SLICE("\"text\":\"\","));
		bytes_add(bytes, SLICE("\"finish_reason\":\"stop\"}]}\n\n"));
		break;
	case TOLD_USAGE:
		open_chunk(bytes, told);
		bytes_add(bytes, SLICE("\"choices\":[],\"usage\":"));
		print_usage(bytes, told);
		bytes_add(bytes, SLICE("}\n\n"));
		break;
	case TOLD_END:
		bytes_add(bytes, SLICE("data: [DONE]\n\n"));
		break;
	}
}

const struct tongue tongue_openai = {
	.path = "/v1/chat/completions",
	.before = "\"messages\":[{\"role\":\"user\",\"content\":\"",
	.behind = "\"}]",
	.besides = "",
	.usage_is_asked = true,
	.read_answer = read_answer,
	.read_event = read_event,
	.kind = "openai_compatible",
	.credential = "authorization",
	.credential_lead = "Bearer ",
	.done = "[DONE]\n\n",
	.read_request = read_request,
	.write_answer = write_answer,
	.write_event = write_event,
};
