/* Anthropic's dialect: messages. */
#include "fuzz/sim/tongue.h"
#include "fuzz/sim/look.h"

/* ---- clients ---- */

static void read_message(struct slice message, struct said *said)
{
	*said = (struct said){.id = look_string(look_member(message, "id")),
		.model = look_string(look_member(message, "model")),
		.usage = look_member(message, "usage"),
		.summary = look_member(message, "x-llm-gateway")};
}

static void read_answer(enum call_kind kind, struct slice json, struct said *said)
{
	(void)kind;
	read_message(json, said);
	said->text = look_string(look_member(look_item(look_member(json, "content"), 0), "text"));
}

static const char *read_event(enum call_kind kind, struct slice name, struct slice data, struct said *said)
{
	struct slice type;

	(void)kind;
	*said = (struct said){.end = false};
	if (!look_valid(data))
		return "an event is not JSON";
	type = look_string(look_member(data, "type"));
	if (!name.data || !slice_equal(type, name))
		return "an event's name is not its type";
	if (slice_equal(type, SLICE("message_start"))) {
		read_message(look_member(data, "message"), said);
		said->usage = slice_of(NULL, 0); /* a beginning, not a count */
	} else if (slice_equal(type, SLICE("content_block_delta"))) {
		said->text = look_string(look_member(look_member(data, "delta"), "text"));
	} else if (slice_equal(type, SLICE("message_delta"))) {
		said->usage = look_member(data, "usage");
	}
	said->opens = slice_equal(type, SLICE("content_block_start"));
	said->closes = slice_equal(type, SLICE("content_block_stop"));
	if (slice_equal(type, SLICE("error")))
		said->failure = data;
	said->end = slice_equal(type, SLICE("message_stop"));
	return NULL;
}

/* ---- providers ---- */

static const char *read_request(struct slice target, struct slice body, struct asked *asked)
{
	struct slice content = look_member(look_item(look_member(body, "messages"), 0), "content");
	struct slice text = look_string(content);
	int64_t most;

	*asked = (struct asked){.model = look_string(look_member(body, "model")),
		.text = text.data ? text : look_string(look_member(look_item(content, 0), "text")),
		.stream = slice_equal(look_member(body, "stream"), SLICE("true"))};
	if (!slice_equal(target, SLICE("/v1/messages")))
		return "a message on another path";
	if (!look_integer(look_member(body, "max_tokens"), &most) || most < 1)
		return "a message without its max_tokens";
	if (look_member(body, "stream_options").data)
		return "a message with another dialect's stream_options";
	return NULL;
}

/* The cached ones are beside the others, not among them; what was thought is not told. */
static void print_usage(struct bytes *json, const struct answer_told *told)
{
	const struct figures *f = &told->attempt->figures;

	switch (told->usage) {
	case USAGE_WHOLE:
		bytes_print(json,
			"{\"input_tokens\":%lld,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":%lld,"
			"\"output_tokens\":%lld,\"output_tokens_details\":{\"thinking_tokens\":%lld}}",
			(long long)(f->prompt - f->cached), (long long)f->cached, (long long)f->completion,
			(long long)f->reasoning);
		break;
	case USAGE_NULL:
		bytes_add(json, SLICE("null"));
		break;
	case USAGE_NEGATIVE:
		bytes_add(json, SLICE("{\"input_tokens\":-5,\"output_tokens\":7}"));
		break;
	case USAGE_ABSURD:
		bytes_add(json, SLICE("{\"input_tokens\":99999999999999,\"output_tokens\":10}"));
		break;
	}
}

static void open_message(struct bytes *json, const struct answer_told *told)
{
	bytes_add(json, SLICE("{"));
	tongue_print_id(json, told->attempt);
	bytes_print(json,
		",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\",\"stop_sequence\":null,\"usage\":",
		told->model);
	print_usage(json, told);
}

static void write_answer(struct bytes *json, const struct answer_told *told)
{
	open_message(json, told);
	bytes_add(json, SLICE(",\"stop_reason\":\"end_turn\",\"content\":[{\"type\":\"text\",\"text\":\""));
	tongue_print_content(json, told->attempt, 0);
	bytes_add(json, SLICE("\"}]}"));
}

static void open_event(struct bytes *bytes, const char *type)
{
	bytes_print(bytes, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}

static void write_start(struct bytes *bytes, const struct answer_told *told)
{
	open_event(bytes, "message_start");
	bytes_add(bytes, SLICE(",\"message\":"));
	open_message(bytes, told);
	bytes_add(bytes, SLICE(",\"stop_reason\":null,\"content\":[]}}\n\n"));
	open_event(bytes, "content_block_start");
	bytes_add(bytes, SLICE(",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"));
	open_event(bytes, "ping");
	bytes_add(bytes, SLICE("}\n\n"));
}

static void write_event(struct bytes *bytes, const struct answer_told *told, enum event_told event, unsigned k)
{
	switch (event) {
	case TOLD_START:
		write_start(bytes, told);
		break;
	case TOLD_TEXT:
		open_event(bytes, "content_block_delta");
		bytes_add(bytes, SLICE(",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\""));
		tongue_print_content(bytes, told->attempt, k);
		bytes_add(bytes, SLICE("\"}}\n\n"));
		break;
	case TOLD_ERROR:
		open_event(bytes, "error");
		bytes_add(bytes, SLICE(",\"error\":{\"type\":\"api_error\",\"message\":\"It broke.\"}}\n\n"));
		break;
	case TOLD_FINISH:
		open_event(bytes, "content_block_stop");
		bytes_add(bytes, SLICE(",\"index\":0}\n\n"));
		break;
	case TOLD_USAGE:
		open_event(bytes, "message_delta");
		bytes_add(bytes, SLICE(",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":"));
		print_usage(bytes, told);
		bytes_add(bytes, SLICE("}\n\n"));
		break;
	case TOLD_END:
		open_event(bytes, "message_stop");
		bytes_add(bytes, SLICE("}\n\n"));
		break;
	}
}

const struct tongue tongue_anthropic = {
	.path = "/v1/messages",
	.before = "\"messages\":[{\"role\":\"user\",\"content\":\"",
	.behind = "\"}]",
	.besides = ",\"max_tokens\":1000",
	.has_parts = true,
	.read_answer = read_answer,
	.read_event = read_event,
	.kind = "anthropic",
	.credential = "x-api-key",
	.credential_lead = "",
	.done = "\"message_stop\"}\n\n",
	.read_request = read_request,
	.write_answer = write_answer,
	.write_event = write_event,
};
