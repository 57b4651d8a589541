/* OpenAI's Responses API, of clients, and of the provider that serves it itself (tongue_native.c). */
#include "fuzz/sim/look.h"
#include "fuzz/sim/tongue.h"

/* ---- clients ---- */

static struct slice text_of(struct slice response)
{
	struct slice item = look_item(look_member(response, "output"), 0);

	return look_string(look_member(look_item(look_member(item, "content"), 0), "text"));
}

static void read_response(struct slice response, struct said *said)
{
	*said = (struct said){.model = look_string(look_member(response, "model")),
		.usage = look_member(response, "usage"),
		.summary = look_member(response, "x-llm-gateway")};
}

static void read_answer(enum call_kind kind, struct slice json, struct said *said)
{
	(void)kind;
	read_response(json, said);
	said->text = text_of(json);
}

static const char *read_event(enum call_kind kind, struct slice name, struct slice data, struct said *said)
{
	struct slice type, response;

	(void)kind;
	*said = (struct said){.end = false};
	if (!look_valid(data))
		return "an event is not JSON";
	type = look_string(look_member(data, "type"));
	if (!name.data || !slice_equal(type, name))
		return "an event's name is not its type";
	response = look_member(data, "response");
	if (response.data)
		read_response(response, said);
	if (!look_integer(look_member(data, "sequence_number"), &said->number))
		return "an event without its number";
	if (slice_equal(type, SLICE("response.output_text.delta")))
		said->text = look_string(look_member(data, "delta"));
	else if (slice_equal(type, SLICE("response.output_text.done")))
		said->whole = look_string(look_member(data, "text"));
	else if (slice_equal(type, SLICE("response.completed")))
		said->whole = text_of(response);
	said->opens = slice_equal(type, SLICE("response.content_part.added"));
	said->closes = slice_equal(type, SLICE("response.content_part.done"));
	said->end = slice_equal(type, SLICE("response.completed"));
	if (slice_equal(type, SLICE("response.failed")))
		said->failure = response;
	return NULL;
}

/* ---- providers ---- */

static const char *read_request(struct slice target, struct slice body, struct asked *asked)
{
	*asked = (struct asked){.model = look_string(look_member(body, "model")),
		.text = look_string(look_member(body, "input")),
		.stream = slice_equal(look_member(body, "stream"), SLICE("true"))};
	if (!slice_equal(target, SLICE("/v1/responses")))
		return "a response on another path";
	if (look_member(body, "messages").data || look_member(body, "stream_options").data)
		return "a response with another dialect's members";
	return NULL;
}

static void print_usage(struct bytes *json, const struct answer_told *told)
{
	const struct figures *f = &told->attempt->figures;

	bytes_add(json, SLICE(",\"usage\":"));
	if (!tongue_print_bad_usage(json, told->usage, "input_tokens", "output_tokens"))
		bytes_print(json,
			"{\"input_tokens\":%lld,\"input_tokens_details\":{\"cached_tokens\":%lld},"
			"\"output_tokens\":%lld,\"output_tokens_details\":{\"reasoning_tokens\":%lld},"
			"\"total_tokens\":%lld}",
			(long long)f->prompt, (long long)f->cached, (long long)f->completion, (long long)f->reasoning,
			(long long)(f->prompt + f->completion));
}

static void print_part(struct bytes *json, const struct answer_told *told, unsigned pieces)
{
	bytes_add(json, SLICE("{\"type\":\"output_text\",\"annotations\":[],\"text\":\""));
	for (unsigned k = 0; k < pieces; k++)
		tongue_print_content(json, told->attempt, k);
	bytes_add(json, SLICE("\"}"));
}

static void print_item(struct bytes *json, const struct answer_told *told, unsigned pieces)
{
	bytes_print(json,
		"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"%s\",\"content\":[",
		pieces ? "completed" : "in_progress");
	if (pieces)
		print_part(json, told, pieces);
	bytes_add(json, SLICE("]}"));
}

static void open_object(struct bytes *json, const struct answer_told *told, const char *status)
{
	bytes_add(json, SLICE("{"));
	tongue_print_id(json, told->attempt);
	bytes_print(json, ",\"object\":\"response\",\"error\":null,\"model\":\"%s\",\"status\":\"%s\",\"output\":[",
		told->model, status);
}

/* Nothing else of a stream ends as this does. */
static void print_whole(struct bytes *json, const struct answer_told *told, unsigned pieces)
{
	open_object(json, told, "completed");
	print_item(json, told, pieces);
	bytes_add(json, SLICE("]"));
	print_usage(json, told);
	bytes_add(json, SLICE(",\"incomplete_details\":null}"));
}

static void write_answer(struct bytes *json, const struct answer_told *told)
{
	print_whole(json, told, 1);
}

enum { EVENTS_OF_START = 4 };

static void open_numbered(struct bytes *bytes, const char *type, unsigned number)
{
	tongue_open_event(bytes, type);
	bytes_print(bytes, ",\"sequence_number\":%u", number);
}

#define IN_ITEM ",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0"

static void write_start(struct bytes *bytes, const struct answer_told *told)
{
	static const char *const begun[] = {"response.created", "response.in_progress"};

	for (unsigned i = 0; i < 2; i++) {
		open_numbered(bytes, begun[i], i);
		bytes_add(bytes, SLICE(",\"response\":"));
		open_object(bytes, told, "in_progress");
		bytes_add(bytes, SLICE("],\"usage\":null}}\n\n"));
	}
	open_numbered(bytes, "response.output_item.added", 2);
	bytes_add(bytes, SLICE(",\"output_index\":0,\"item\":"));
	print_item(bytes, told, 0);
	bytes_add(bytes, SLICE("}\n\n"));
	open_numbered(bytes, "response.content_part.added", 3);
	bytes_add(bytes, SLICE(IN_ITEM ",\"part\":"));
	print_part(bytes, told, 0);
	bytes_add(bytes, SLICE("}\n\n"));
}

/* `k`: of how many pieces. */
static void write_finish(struct bytes *bytes, const struct answer_told *told, unsigned k)
{
	open_numbered(bytes, "response.output_text.done", EVENTS_OF_START + k);
	bytes_add(bytes, SLICE(IN_ITEM ",\"text\":\""));
	for (unsigned i = 0; i < k; i++)
		tongue_print_content(bytes, told->attempt, i);
	bytes_add(bytes, SLICE("\"}\n\n"));
	open_numbered(bytes, "response.content_part.done", EVENTS_OF_START + k + 1);
	bytes_add(bytes, SLICE(IN_ITEM ",\"part\":"));
	print_part(bytes, told, k);
	bytes_add(bytes, SLICE("}\n\n"));
	open_numbered(bytes, "response.output_item.done", EVENTS_OF_START + k + 2);
	bytes_add(bytes, SLICE(",\"output_index\":0,\"item\":"));
	print_item(bytes, told, k);
	bytes_add(bytes, SLICE("}\n\n"));
}

static void write_event(struct bytes *bytes, const struct answer_told *told, enum event_told event, unsigned k)
{
	switch (event) {
	case TOLD_START:
		write_start(bytes, told);
		break;
	case TOLD_TEXT:
		open_numbered(bytes, "response.output_text.delta", EVENTS_OF_START + k);
		bytes_add(bytes, SLICE(IN_ITEM ",\"delta\":\""));
		tongue_print_content(bytes, told->attempt, k);
		bytes_add(bytes, SLICE("\"}\n\n"));
		break;
	case TOLD_ERROR:
		open_numbered(bytes, "error", EVENTS_OF_START + k);
		bytes_add(bytes, SLICE(",\"code\":\"server_error\",\"message\":\"It broke.\",\"param\":null}\n\n"));
		break;
	case TOLD_FINISH:
		write_finish(bytes, told, k);
		break;
	case TOLD_END:
		open_numbered(bytes, "response.completed", EVENTS_OF_START + k + 3);
		bytes_add(bytes, SLICE(",\"response\":"));
		print_whole(bytes, told, k);
		bytes_add(bytes, SLICE("}\n\n"));
		break;
	case TOLD_USAGE:
		break;
	}
}

const struct tongue tongue_responses = {
	.path = "/v1/responses",
	.before = "\"input\":\"",
	.behind = "\"",
	.besides = ",\"store\":false",
	.own_id = true,
	.has_parts = true,
	.has_numbers = true,
	.read_answer = read_answer,
	.read_event = read_event,
	.repeats = true,
	.done = ",\"incomplete_details\":null}}\n\n",
	.read_request = read_request,
	.write_answer = write_answer,
	.write_event = write_event,
};
