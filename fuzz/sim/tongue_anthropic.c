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
	int64_t most;

	*asked = (struct asked){.model = look_string(look_member(body, "model")),
		.text = tongue_first_text(body),
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

	if (!tongue_print_bad_usage(json, told->usage, "input_tokens", "output_tokens"))
		bytes_print(json,
			"{\"input_tokens\":%lld,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":%lld,"
			"\"output_tokens\":%lld,\"output_tokens_details\":{\"thinking_tokens\":%lld}}",
			(long long)(f->prompt - f->cached), (long long)f->cached, (long long)f->completion,
			(long long)f->reasoning);
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

static void write_start(struct bytes *bytes, const struct answer_told *told)
{
	tongue_open_event(bytes, "message_start");
	bytes_add(bytes, SLICE(",\"message\":"));
	open_message(bytes, told);
	bytes_add(bytes, SLICE(",\"stop_reason\":null,\"content\":[]}}\n\n"));
	tongue_open_event(bytes, "content_block_start");
	bytes_add(bytes, SLICE(",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"));
	tongue_open_event(bytes, "ping");
	bytes_add(bytes, SLICE("}\n\n"));
}

static void write_event(struct bytes *bytes, const struct answer_told *told, enum event_told event, unsigned k)
{
	switch (event) {
	case TOLD_START:
		write_start(bytes, told);
		break;
	case TOLD_TEXT:
		tongue_open_event(bytes, "content_block_delta");
		bytes_add(bytes, SLICE(",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\""));
		tongue_print_content(bytes, told->attempt, k);
		bytes_add(bytes, SLICE("\"}}\n\n"));
		break;
	case TOLD_ERROR:
		tongue_open_event(bytes, "error");
		bytes_add(bytes, SLICE(",\"error\":{\"type\":\"api_error\",\"message\":\"It broke.\"}}\n\n"));
		break;
	case TOLD_FINISH:
		tongue_open_event(bytes, "content_block_stop");
		bytes_add(bytes, SLICE(",\"index\":0}\n\n"));
		break;
	case TOLD_USAGE:
		tongue_open_event(bytes, "message_delta");
		bytes_add(bytes, SLICE(",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":"));
		print_usage(bytes, told);
		bytes_add(bytes, SLICE("}\n\n"));
		break;
	case TOLD_END:
		tongue_open_event(bytes, "message_stop");
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
