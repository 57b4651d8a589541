/* The Responses API where golden files do not reach: edits, figures, streams that fail or say too much, conversations.
 */
#include "proto/responses/responses.h"
#include "proto/chat/tests/chat_fixture.h"

static struct slice edited(struct fixture *f, struct json_edits *edits)
{
	struct iovec iov[2 * JSON_EDITS_MAX + 1];
	size_t size;
	unsigned count = json_edited(edits, json_document(f->parser), iov, &size);

	clear_out(f);
	for (unsigned i = 0; i < count; i++)
		text_add(&f->out, slice_of(iov[i].iov_base, iov[i].iov_len));
	assert_int_equal(f->out.size, size);
	return text_slice(&f->out);
}

static void requests_are_edited(void **state)
{
	static const struct {
		const char *in;
		uint64_t cap;
		bool unstored;
		const char *out;
	} table[] = {
		{"{\"model\":\"a\",\"input\":\"x\"}", 0, false, "{\"model\":\"up\",\"input\":\"x\"}"},
		{"{\"model\":\"a\",\"input\":\"x\",\"x-routing-hints\":{},\"y\":1}", 0, false,
			"{\"model\":\"up\",\"input\":\"x\",\"y\":1}"},
		{"{\"model\":\"a\",\"prompt\":{\"id\":\"p\"}}", 0, false,
			"{\"model\":\"up\",\"prompt\":{\"id\":\"p\"}}"},
		{"{\"model\":\"a\",\"input\":\"x\"}", 100, false,
			"{\"model\":\"up\",\"input\":\"x\",\"max_output_tokens\":100}"},
		{"{\"model\":\"a\",\"input\":\"x\"}", 3, true,
			"{\"model\":\"up\",\"input\":\"x\",\"max_output_tokens\":16,\"store\":false}"},
		{"{\"store\":true,\"model\":\"a\",\"max_output_tokens\":null,\"input\":\"x\"}", 100, true,
			"{\"store\":false,\"model\":\"up\",\"max_output_tokens\":100,\"input\":\"x\"}"},
		{"{\"model\":\"a\",\"input\":\"x\"}", UINT64_MAX, true,
			"{\"model\":\"up\",\"input\":\"x\",\"max_output_tokens\":18446744073709551615,\"store\":"
			"false}"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		char memory[4 + OPENAI_ADDED_BYTES];
		struct openai_problem problem;
		struct openai_request request;
		struct json_edits edits;

		parse(f, slice_of_string(table[i].in));
		assert_int_equal(responses_read_common(f->parser, &request, &problem), 0);
		request.output_cap = table[i].cap;
		request.unstored = table[i].unstored;
		json_edits_init(&edits);
		responses_edit_request(f->parser, &request, SLICE("\"up\""), memory, &edits);
		expect_text(i, edited(f, &edits), table[i].out);
	}
}

static void requests_are_refused(void **state)
{
	static const struct {
		const char *in, *code, *param;
	} table[] = {
		{"{\"input\":\"x\"}", "missing_required_parameter", "model"},
		{"{\"model\":\"a\"}", "missing_required_parameter", "input"},
		{"{\"model\":\"a\",\"input\":{}}", "invalid_type", "input"},
		{"{\"model\":\"a\",\"prompt\":{\"id\":\"p\"},\"previous_response_id\":\"r\"}",
			"missing_required_parameter", "input"},
		{"{\"model\":\"a\",\"input\":\"x\",\"stream\":\"yes\"}", "invalid_type", "stream"},
		{"{\"model\":\"a\",\"input\":\"x\",\"input\":\"y\"}", "duplicate_field", "input"},
		{"{\"model\":\"a\",\"input\":\"x\",\"store\":true,\"store\":false}", "duplicate_field", "store"},
		{"{\"model\":\"a\",\"input\":\"x\",\"background\":true}", "unsupported_feature", "background"},
		{"{\"model\":\"a\",\"input\":\"x\",\"store\":1}", "invalid_type", "store"},
		{"{\"model\":\"a\",\"input\":\"x\",\"previous_response_id\":5}", "invalid_type",
			"previous_response_id"},
		{"{\"model\":\"a\",\"input\":\"x\",\"previous_response_id\":\"\"}", "invalid_type",
			"previous_response_id"},
		{"{\"model\":\"a\",\"input\":\"x\",\"previous_response_id\":\"r\",\"conversation\":\"c\"}",
			"invalid_value", "conversation"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		struct responses_conversation conversation;
		struct openai_problem problem = {0};
		struct openai_request request;
		int err;

		parse(f, slice_of_string(table[i].in));
		err = responses_read_common(f->parser, &request, &problem);
		if (!err)
			err = responses_read_conversation(f->parser, &conversation, &problem);
		assert_int_equal(err, -EINVAL);
		expect_text(i, problem.code, table[i].code);
		expect_text(i, problem.param, table[i].param);
		assert_true(problem.message.size > 0);
	}
}

static void answers_tell_their_figures(void **state)
{
	static const struct {
		const char *in;
		int result;
		const char *finish;
		uint64_t prompt, completion;
	} table[] = {
		{"{\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}", 0,
			"stop", 3, 4},
		{"{\"status\":\"completed\",\"output\":[{\"type\":\"function_call\"}]}", 0, "tool_calls", 0, 0},
		{"{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"output\":[]}",
			0, "length", 0, 0},
		{"{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},\"output\":[]}", 0,
			"content_filter", 0, 0},
		{"{\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":-3,\"output_tokens\":4}}", 0,
			"stop", 0, 0},
		{"{\"status\":\"failed\",\"output\":[],\"error\":{\"code\":\"server_error\"}}", -EPROTO, NULL, 0, 0},
		{"{\"output\":\"Hello\"}", -EPROTO, NULL, 0, 0},
		{"[]", -EPROTO, NULL, 0, 0},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		struct openai_answer answer;

		parse(f, slice_of_string(table[i].in));
		assert_int_equal(responses_read_figures(f->parser, &answer), table[i].result);
		if (table[i].result)
			continue;
		expect_text(i, answer.finish_reason, table[i].finish);
		assert_int_equal(answer.usage.prompt_tokens, table[i].prompt);
		assert_int_equal(answer.usage.completion_tokens, table[i].completion);
	}
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

static const struct chat_frame frame = {
	.model_json = {"\"m\"", 3}, .created_s = 5, .id = {"01K", 3}, .echo = {",\"tools\":[]", 11}, .kept = true};

static struct chat_writer open_writer(struct fixture *f)
{
	clear_out(f);
	return (struct chat_writer){.open = -1, .kept.arena = &f->arena};
}

static void a_failure_ends_what_was_begun(void **state)
{
	const struct chat_event said = {.kind = CHAT_EVENT_TEXT, .text = SLICE("Hi")};
	struct fixture *f = *state;
	struct chat_writer writer = open_writer(f);
	const char *last;

	responses_write_event(&writer, &said, &frame, &f->out);
	responses_write_failure(&writer, &frame, SLICE("{\"code\":\"server_error\",\"message\":\"no\"}"), &f->out);
	text_char(&f->out, '\0');
	assert_false(f->out.full);
	last = strstr(f->out.data, "event: response.failed\n");
	assert_non_null(last);
	assert_non_null(strstr(last, "\"sequence_number\":5,"));
	assert_non_null(strstr(last, "\"status\":\"failed\""));
	assert_non_null(strstr(last, "\"error\":{\"code\":\"server_error\""));
	assert_null(strstr(f->out.data, "response.completed"));
}

static void a_failure_before_anything_is_a_stream_as_well(void **state)
{
	struct fixture *f = *state;
	struct chat_writer writer = open_writer(f);

	responses_write_failure(&writer, &frame, SLICE("{\"code\":\"server_error\"}"), &f->out);
	assert_true(slice_starts_with(text_slice(&f->out), SLICE("event: response.created\n")));
	writer = open_writer(f); /* of a provider's own stream, which goes by its id and numbers */
	writer.started = true;
	memcpy(writer.id, "resp_x", 6);
	writer.id_size = 6;
	writer.kept.sequence = 7;
	responses_write_failure(&writer, &frame, SLICE("{\"code\":\"server_error\"}"), &f->out);
	assert_true(slice_starts_with(text_slice(&f->out),
		SLICE("event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":7,"
		      "\"response\":{\"id\":\"resp_x\"")));
}

/* What cannot be repeated ends the stream, and nothing of it is written any more. */
static void an_answer_is_kept_up_to_its_bound(void **state)
{
	static char piece[1 << 16], memory[1 << 18];
	struct fixture *f = *state;
	struct chat_writer writer = open_writer(f);
	struct chat_event said = {.kind = CHAT_EVENT_TEXT};
	struct text out;
	size_t sent = 0;

	memset(piece, 'x', sizeof(piece));
	said.text = slice_of(piece, sizeof(piece));
	for (;;) {
		out = text_over(memory, sizeof(memory));
		assert_int_equal(responses_event_room(&writer, &said, &frame) < sizeof(memory) / 2, true);
		responses_write_event(&writer, &said, &frame, &out);
		if (out.full)
			break;
		sent += sizeof(piece);
	}
	assert_true(sent <= RESPONSES_KEPT_BYTES_MAX && sent + 2 * sizeof(piece) > RESPONSES_KEPT_BYTES_MAX);
	said.kind = CHAT_EVENT_END;
	out = text_over(memory, sizeof(memory));
	responses_write_event(&writer, &said, &frame, &out);
	assert_true(out.full);
	assert_int_equal(out.size, 0);
}

/* The room that is said to be enough is enough, whatever closes. */
static void an_event_fits_the_room_that_it_asked_for(void **state)
{
	static const enum chat_event_kind kinds[] = {CHAT_EVENT_TEXT, CHAT_EVENT_THINKING, CHAT_EVENT_TOOL,
		CHAT_EVENT_REFUSAL, CHAT_EVENT_SIGNATURE, CHAT_EVENT_REDACTED, CHAT_EVENT_ARGUMENTS, CHAT_EVENT_END};
	enum { PIECE = 4000, OWN_BYTES = 3 * PIECE + 4096, ROOM = 1 << 17 };
	static char piece[PIECE], memory[ROOM];
	struct fixture *f = *state;
	struct chat_writer writer;
	struct text out;

	memset(piece, '"', sizeof(piece)); /* twice as long when it is escaped */
	for (size_t a = 0; a < COUNT(kinds); a++)
		for (size_t b = 0; b < COUNT(kinds); b++) {
			struct chat_event events[] = {{.kind = kinds[a]}, {.kind = kinds[b]}, {.kind = CHAT_EVENT_END}};

			writer = open_writer(f);
			for (size_t e = 0; e < COUNT(events); e++) {
				if (events[e].kind != CHAT_EVENT_END)
					events[e].text = slice_of(piece, sizeof(piece));
				events[e].id = SLICE("call_1");
				events[e].name = SLICE("f");
				out = text_over(memory, responses_event_room(&writer, &events[e], &frame) + OWN_BYTES);
				assert_true(out.capacity <= sizeof(memory));
				responses_write_event(&writer, &events[e], &frame, &out);
				assert_false(out.full);
			}
		}
}

/* ---- conversations ------------------------------------------------------------------------------------------ */

static void conversations_go_on(void **state)
{
	static const struct {
		const char *input, *object, *request, *out;
	} table[] = {
		{"\"One.\"",
			"{\"id\":\"r\",\"output\":[{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\","
			"\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Two.\"}]}]}",
			"{\"previous_response_id\":\"r\",\"model\":\"a\",\"input\":\"Three.\"}",
			"{\"model\":\"a\",\"input\":[{\"role\":\"user\",\"content\":\"One.\"},{\"type\":\"message\","
			"\"role\":"
			"\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Two.\"}]},{\"role\":\"user\","
			"\"content\":\"Three.\"}]}"},
		{"[{\"role\":\"user\",\"content\":\"One.\"}]",
			"{\"output\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]},{\"type\":\"reasoning\","
			"\"id\":"
			"\"rs_2\",\"encrypted_content\":\"x\"},{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":"
			"\"c\","
			"\"name\":\"f\",\"arguments\":\"{}\",\"status\":\"completed\"},{\"type\":\"web_search_call\"}]"
			"}",
			"{\"model\":\"a\",\"input\":[{\"type\":\"function_call_output\"}],\"previous_response_id\":"
			"\"r\"}",
			"{\"model\":\"a\",\"input\":[{\"role\":\"user\",\"content\":\"One.\"},{\"type\":\"reasoning\","
			"\"id\":"
			"\"rs_2\",\"encrypted_content\":\"x\"},{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":"
			"\"f\","
			"\"arguments\":\"{}\"},{\"type\":\"web_search_call\"},{\"type\":\"function_call_output\"}]}"},
		{"[]", "{\"output\":[]}", "{\"model\":\"a\",\"previous_response_id\":\"r\",\"input\":[]}",
			"{\"model\":\"a\",\"input\":[]}"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		char kept[2048], said[2048], joined[2048];
		struct text document = text_over(kept, sizeof(kept)), items = text_over(said, sizeof(said));
		struct text input = text_over(joined, sizeof(joined));
		struct responses_conversation conversation;
		struct openai_problem problem;
		struct json_edits edits;

		responses_write_kept(slice_of_string(table[i].input), slice_of_string(table[i].object), &document);
		assert_false(document.full);
		parse(f, text_slice(&document));
		assert_int_equal(responses_read_kept(f->parser, &items), 0);
		assert_true(items.size <= document.size);
		parse(f, slice_of_string(table[i].request));
		assert_int_equal(responses_read_conversation(f->parser, &conversation, &problem), 0);
		expect_text(i, conversation.previous_id, "r");
		json_edits_init(&edits);
		responses_continue(f->parser, &conversation, text_slice(&items), &input, &edits);
		assert_false(input.full);
		expect_text(i, edited(f, &edits), table[i].out);
	}
}

#define ULID_A "01M7ZBMTR23M8R86A5EV85SPTE"
#define ULID_B "01M7ZBMTKMKX33YHP5P8QRN1FX"
#define REFERENCE(id) "{\"type\":\"item_reference\",\"id\":\"" id "\"}"

/* One response after the other: what refers to none of the gateway's making, or to what is not there, stays. */
static void items_are_put_where_they_are_referred_to(void **state)
{
	static const struct {
		const char *request, *response, *out; /* of whom the first reference is, NULL: nobody; the input then */
		unsigned found;
	} table[] = {
		{"{\"input\":[{\"role\":\"user\",\"content\":\"One.\"}," REFERENCE("rs_" ULID_A "_0") "," REFERENCE(
			 "fc_" ULID_A "_1") "," REFERENCE("msg_" ULID_B "_0") "]}",
			ULID_A,
			"[{\"role\":\"user\",\"content\":\"One.\"},{\"type\":\"function_call\",\"call_id\":\"c\","
			"\"name\":\"f\",\"arguments\":\"{}\"}," REFERENCE("msg_" ULID_B "_0") "]",
			2},
		{"{\"input\":[" REFERENCE("fc_theirs") "," REFERENCE("fc_" ULID_A "_7") "]}", ULID_A,
			"[" REFERENCE("fc_theirs") "," REFERENCE("fc_" ULID_A "_7") "]", 0},
		{"{\"input\":[" REFERENCE("fc_theirs") "," REFERENCE("xx_" ULID_A "_1") "," REFERENCE(
			 "fc_" ULID_A) "]}",
			NULL, NULL, 0},
		{"{\"input\":\"text\"}", NULL, NULL, 0},
		{"{}", NULL, NULL, 0},
	};
	const struct slice kept = SLICE("{\"input\":[],\"response\":{\"output\":["
					"{\"type\":\"reasoning\",\"id\":\"rs_" ULID_A "_0\",\"summary\":[]},"
					"{\"type\":\"function_call\",\"id\":\"fc_" ULID_A "_1\",\"call_id\":\"c\","
					"\"name\":\"f\","
					"\"arguments\":\"{}\",\"status\":\"completed\"},{\"type\":\"of_no_id\"}]}}");
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		char said[1024], joined[1024], document[1024];
		struct text json = text_over(said, sizeof(said)), input = text_over(joined, sizeof(joined));
		struct text copy = text_over(document, sizeof(document));
		struct responses_kept_item items[4];
		struct slice referred;
		unsigned count;

		parse(f, slice_of_string(table[i].request));
		referred = responses_referred(f->parser);
		assert_int_equal(referred.data != NULL, table[i].response != NULL);
		if (!table[i].response)
			continue;
		expect_text(i, referred, table[i].response);
		text_add(&copy, kept);
		memset(copy.data + copy.size, 0, sizeof(document) - copy.size);
		assert_int_equal(json_parse(f->parser, text_slice(&copy), &(struct json_error){0}), 0);
		count = responses_read_items(f->parser, items, COUNT(items), &json);
		assert_int_equal(count, 2);
		parse(f, slice_of_string(table[i].request));
		assert_int_equal(responses_write_referred(f->parser, items, count, &input), table[i].found);
		assert_false(json.full || input.full);
		expect_text(i, text_slice(&input), table[i].out);
	}
}

static void what_is_no_conversation_is_told(void **state)
{
	static const char *const table[] = {"{}", "[]", "{\"input\":[]}",
		"{\"input\":\"x\",\"response\":{\"output\":[]}}", "{\"input\":[],\"response\":{}}"};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		parse(f, slice_of_string(table[i]));
		clear_out(f);
		assert_int_equal(responses_read_kept(f->parser, &f->out), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_are_edited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(requests_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_tell_their_figures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failure_ends_what_was_begun, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failure_before_anything_is_a_stream_as_well, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_answer_is_kept_up_to_its_bound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_event_fits_the_room_that_it_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(conversations_go_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(items_are_put_where_they_are_referred_to, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_conversation_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("responses", tests, NULL, NULL);
}
