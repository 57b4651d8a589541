/* Gemini's dialect, of providers: model and method stand in the path, and a stream's last event has its reason to end.
 */
#include "fuzz/sim/look.h"
#include "fuzz/sim/tongue.h"

static const char *read_request(struct slice target, struct slice body, struct asked *asked)
{
	struct slice lead = SLICE("/v1/models/"), text, method;
	const char *colon;

	if (!slice_starts_with(target, lead))
		return "a chat on another path";
	target = slice_after(target, lead.size);
	colon = memchr(target.data, ':', target.size);
	method = slice_after(target, colon ? (size_t)(colon - target.data) + 1 : target.size);
	text = look_member(look_item(look_member(look_item(look_member(body, "contents"), 0), "parts"), 0), "text");
	*asked = (struct asked){.model = slice_of(target.data, target.size - method.size - (colon ? 1 : 0)),
		.text = look_string(text),
		.stream = slice_equal(method, SLICE("streamGenerateContent?alt=sse"))};
	if (!asked->stream && !slice_equal(method, SLICE("generateContent")))
		return "a chat by another method";
	if (look_member(body, "model").data || look_member(body, "stream").data)
		return "a chat with another dialect's members";
	return NULL;
}

static void print_usage(struct bytes *json, const struct answer_told *told)
{
	const struct figures *f = &told->attempt->figures;

	bytes_add(json, SLICE("\"usageMetadata\":"));
	if (!tongue_print_bad_usage(json, told->usage, "promptTokenCount", "candidatesTokenCount"))
		bytes_print(json,
			"{\"promptTokenCount\":%lld,\"cachedContentTokenCount\":%lld,\"candidatesTokenCount\":%lld,"
			"\"thoughtsTokenCount\":%lld,\"totalTokenCount\":%lld}",
			(long long)f->prompt, (long long)f->cached, (long long)(f->completion - f->reasoning),
			(long long)f->reasoning, (long long)(f->prompt + f->completion));
}

/* Into the candidate's text. */
static void open_answer(struct bytes *json, const struct answer_told *told)
{
	bytes_print(json, "{\"responseId\":\"sim-%u-%u\",\"modelVersion\":\"%s\",", told->attempt->call,
		told->attempt->number, told->model);
	print_usage(json, told);
	bytes_add(json, SLICE(",\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\""));
}

static void write_answer(struct bytes *json, const struct answer_told *told)
{
	open_answer(json, told);
	tongue_print_content(json, told->attempt, 0);
	bytes_add(json, SLICE("\"}]},\"finishReason\":\"STOP\"}]}"));
}

static void write_event(struct bytes *bytes, const struct answer_told *told, enum event_told event, unsigned k)
{
	switch (event) {
	case TOLD_TEXT:
		bytes_add(bytes, SLICE("data: "));
		open_answer(bytes, told);
		tongue_print_content(bytes, told->attempt, k);
		bytes_add(bytes, SLICE("\"}]}}]}\r\n\r\n"));
		break;
	case TOLD_ERROR:
		bytes_add(bytes, SLICE("data: {\"error\":{\"code\":500,\"message\":\"It "
				       "broke.\",\"status\":\"INTERNAL\"}}\r\n\r\n"));
		break;
	case TOLD_END:
		bytes_add(bytes, SLICE("data: "));
		open_answer(bytes, told);
		bytes_add(bytes, SLICE("\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n"));
		break;
	case TOLD_START:
	case TOLD_FINISH:
	case TOLD_USAGE:
		break;
	}
}

const struct tongue tongue_gemini = {
	.kind = "gemini",
	.credential = "x-goog-api-key",
	.credential_lead = "",
	.done = "\"finishReason\":\"STOP\"}]}\r\n\r", /* a line may end so */
	.read_request = read_request,
	.write_answer = write_answer,
	.write_event = write_event,
};
