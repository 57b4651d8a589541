/* OpenAI's Responses API, of clients. */
#include "fuzz/sim/look.h"
#include "fuzz/sim/tongue.h"

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
};
