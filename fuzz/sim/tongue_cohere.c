/* Cohere's dialect (chat, version 2), of providers: events with names, and figures of what is billed beside what was
 * read. */
#include "fuzz/sim/look.h"
#include "fuzz/sim/tongue.h"

enum { PREAMBLE_TOKENS = 70 }; /* the provider's own, which nobody pays */

static const char *read_request(struct slice target, struct slice body, struct asked *asked)
{
	*asked = (struct asked){.model = look_string(look_member(body, "model")),
		.text = tongue_first_text(body),
		.stream = slice_equal(look_member(body, "stream"), SLICE("true"))};
	if (!slice_equal(target, SLICE("/v1/chat")))
		return "a chat on another path";
	if (look_member(body, "stream_options").data)
		return "a chat with another dialect's stream_options";
	return NULL;
}

static void print_usage(struct bytes *json, const struct answer_told *told)
{
	const struct figures *f = &told->attempt->figures;

	bytes_add(json, SLICE("{\"billed_units\":"));
	if (!tongue_print_bad_usage(json, told->usage, "input_tokens", "output_tokens"))
		bytes_print(json,
			"{\"input_tokens\":%lld,\"output_tokens\":%lld},"
			"\"tokens\":{\"input_tokens\":%lld,\"output_tokens\":%lld}",
			(long long)f->prompt, (long long)f->completion, (long long)f->prompt + PREAMBLE_TOKENS,
			(long long)f->completion);
	bytes_add(json, SLICE("}"));
}

static void write_answer(struct bytes *json, const struct answer_told *told)
{
	bytes_add(json, SLICE("{"));
	tongue_print_id(json, told->attempt);
	bytes_add(json, SLICE(",\"finish_reason\":\"COMPLETE\",\"message\":{\"role\":\"assistant\",\"content\":["
			      "{\"type\":\"text\",\"text\":\""));
	tongue_print_content(json, told->attempt, 0);
	bytes_add(json, SLICE("\"}]},\"usage\":"));
	print_usage(json, told);
	bytes_add(json, SLICE("}"));
}

static void write_start(struct bytes *bytes, const struct answer_told *told)
{
	tongue_open_event(bytes, "message-start");
	bytes_add(bytes, SLICE(","));
	tongue_print_id(bytes, told->attempt);
	bytes_add(bytes, SLICE(",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\","
			       "\"tool_calls\":[],\"citations\":[]}}}\n\n"));
	tongue_open_event(bytes, "content-start");
	bytes_add(bytes,
		SLICE(",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}\n\n"));
}

static void write_event(struct bytes *bytes, const struct answer_told *told, enum event_told event, unsigned k)
{
	switch (event) {
	case TOLD_START:
		write_start(bytes, told);
		break;
	case TOLD_TEXT:
		tongue_open_event(bytes, "content-delta");
		bytes_add(bytes, SLICE(",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\""));
		tongue_print_content(bytes, told->attempt, k);
		bytes_add(bytes, SLICE("\"}}}}\n\n"));
		break;
	case TOLD_ERROR:
		tongue_open_event(bytes, "message-end");
		bytes_add(bytes, SLICE(",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"It broke.\"}}\n\n"));
		break;
	case TOLD_FINISH:
		tongue_open_event(bytes, "content-end");
		bytes_add(bytes, SLICE(",\"index\":0}\n\n"));
		break;
	case TOLD_END:
		tongue_open_event(bytes, "message-end");
		bytes_add(bytes, SLICE(",\"delta\":{\"usage\":"));
		print_usage(bytes, told);
		bytes_add(bytes, SLICE(",\"finish_reason\":\"COMPLETE\"}}\n\n"));
		break;
	case TOLD_USAGE:
		break;
	}
}

const struct tongue tongue_cohere = {
	.kind = "cohere",
	.credential = "authorization",
	.credential_lead = "Bearer ",
	.done = "\"finish_reason\":\"COMPLETE\"}}\n\n",
	.cached_untold = true,
	.thought_untold = true,
	.read_request = read_request,
	.write_answer = write_answer,
	.write_event = write_event,
};
