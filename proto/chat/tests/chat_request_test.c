/* Requests from one dialect to the other: whole bodies compared, what is dropped by name, what is refused. */
#include "proto/chat/tests/chat_fixture.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define ANTHROPIC_USER "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]"
#define OPENAI "{\"model\":\"m\","
#define ANTHROPIC "{\"model\":\"m\",\"max_tokens\":9,"

static const struct chat_target target = {.model = {"up", 2},
	.max_tokens_default = 4096,
	.sampling = true,
	.reasoning = true,
	.max_completion_tokens = true};

struct row {
	const char *in, *out, *dropped;
};

static void translate(struct fixture *f, const struct chat_dialect *from, const struct chat_dialect *to,
	const struct chat_target *for_target, const struct row *row, size_t number)
{
	struct openai_problem problem = {0};
	char dropped_memory[256];
	struct text dropped = text_over(dropped_memory, sizeof(dropped_memory));
	struct json_error error;
	struct chat chat;

	parse(f, slice_of_string(row->in));
	clear_out(f);
	chat_init(&chat, &f->arena);
	if (from->read_request(f->parser, &chat, &problem) || chat_check(&chat, to->has, &problem) ||
		to->write_request(&chat, for_target, &f->out, &problem))
		fail_msg("row %zu: %.*s", number, (int)problem.message.size, problem.message.data);
	assert_false(f->out.full);
	expect_text(number, text_slice(&f->out), row->out);
	chat_print_dropped(&chat, &dropped);
	expect_text(number, text_slice(&dropped), row->dropped ? row->dropped : "");
	memcpy(f->document, f->out.data, f->out.size);
	assert_int_equal(json_parse(f->parser, slice_of(f->document, f->out.size), &error), 0);
}

static void from_openai_to_anthropic(void **state)
{
	static const struct row table[] = {
		{OPENAI USER "}", "{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER "}", NULL},
		{OPENAI "\"max_tokens\":5,\"stream\":true,\"stream_options\":{\"include_usage\":true}," USER "}",
			"{\"model\":\"up\",\"max_tokens\":5," ANTHROPIC_USER ",\"stream\":true}", NULL},
		{OPENAI "\"max_completion_tokens\":7,\"max_tokens\":5," USER "}",
			"{\"model\":\"up\",\"max_tokens\":7," ANTHROPIC_USER "}", NULL},
		/* What the system says is said first, from wherever it stands; empty texts are no blocks. */
		{OPENAI "\"messages\":[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"\"},"
			"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}]},"
			"{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"c\",\"cache_control\":"
			"{\"type\":\"ephemeral\"}}]},{\"role\":\"user\",\"content\":\"d\\n\\u00e9\"}]}",
			"{\"model\":\"up\",\"max_tokens\":4096,\"system\":[{\"type\":\"text\",\"text\":\"a\"},{"
			"\"type\":\"text\","
			"\"text\":\"c\",\"cache_control\":{\"type\":\"ephemeral\"}}],\"messages\":[{\"role\":\"user\","
			"\"content\":"
			"[{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"text\",\"text\":\"d\\n\xc3\xa9\"}]}]}",
			NULL},
		/* Calls and their results: one turn each, results first, images after; arguments that are empty are {}.
		 */
		{OPENAI "\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":null,"
			"\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
			"\"arguments\":"
			"\"{\\\"x\\\":1}\"}},{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"g\","
			"\"arguments\":\"\"}}]},"
			"{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"r\"},{\"role\":\"tool\",\"tool_call_"
			"id\":\"2\","
			"\"content\":\"\"},{\"role\":\"user\",\"content\":\"and\"}]}",
			"{\"model\":\"up\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
			"\"text\","
			"\"text\":\"q\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"1\","
			"\"name\":\"f\","
			"\"input\":{\"x\":1}},{\"type\":\"tool_use\",\"id\":\"2\",\"name\":\"g\",\"input\":{}}]},{"
			"\"role\":\"user\","
			"\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":[{\"type\":\"text\","
			"\"text\":\"r\"}]},"
			"{\"type\":\"tool_result\",\"tool_use_id\":\"2\"},{\"type\":\"text\",\"text\":\"and\"}]}]}",
			NULL},
		/* Thinking goes first with its signature, and not at all without. */
		{OPENAI "\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"a\","
			"\"reasoning_content\":\"hm\",\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"\","
			"\"signature\":\"s\"}]},{\"role\":\"user\",\"content\":\"b\"},{\"role\":\"assistant\","
			"\"content\":\"c\","
			"\"reasoning_content\":\"lost\"},{\"role\":\"user\",\"content\":\"d\"}]}",
			"{\"model\":\"up\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
			"\"text\","
			"\"text\":\"q\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
			"\"hm\","
			"\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"user\",\"content\":[{"
			"\"type\":\"text\","
			"\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"c\"}]},{"
			"\"role\":\"user\","
			"\"content\":[{\"type\":\"text\",\"text\":\"d\"}]}]}",
			"reasoning_content"},
		/* Images and files. */
		{OPENAI "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
			"\"data:image\\/"
			"png;base64,AAAA\",\"detail\":\"low\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":"
			"\"https://x/y.png\"}},{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/"
			"pdf;base64,BBBB\","
			"\"filename\":\"f.pdf\"}}]}]}",
			"{\"model\":\"up\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
			"\"image\","
			"\"source\":{\"type\":\"base64\",\"media_type\":\"image/"
			"png\",\"data\":\"AAAA\"}},{\"type\":\"image\","
			"\"source\":{\"type\":\"url\",\"url\":\"https://x/"
			"y.png\"}},{\"type\":\"document\",\"source\":{\"type\":"
			"\"base64\",\"media_type\":\"application/pdf\",\"data\":\"BBBB\"},\"title\":\"f.pdf\"}]}]}",
			"detail"},
		/* Tools: a schema always says that it is an object. */
		{OPENAI "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\"}},{\"type\":\"function\","
			"\"function\":"
			"{\"name\":\"b\",\"description\":\"d\",\"strict\":true,\"parameters\":{ "
			"}}},{\"type\":\"function\","
			"\"function\":{\"name\":\"c\",\"parameters\":{\"properties\":{\"type\":{}}}}},{\"type\":"
			"\"function\","
			"\"function\":{\"name\":\"e\",\"parameters\":{\"type\":\"object\"}}}],\"tool_choice\":"
			"\"required\","
			"\"parallel_tool_calls\":false," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER
			",\"tools\":[{\"name\":\"a\",\"input_schema\":"
			"{\"type\":\"object\",\"properties\":{}}},{\"name\":\"b\",\"description\":\"d\",\"input_"
			"schema\":{\"type\":"
			"\"object\",\"properties\":{}},\"strict\":true},{\"name\":\"c\",\"input_schema\":{\"type\":"
			"\"object\","
			"\"properties\":{\"type\":{}}}},{\"name\":\"e\",\"input_schema\":{\"type\":\"object\"}}],"
			"\"tool_choice\":"
			"{\"type\":\"any\",\"disable_parallel_tool_use\":true}}",
			NULL},
		{OPENAI "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\"}}],\"tool_choice\":{\"type\":"
			"\"function\","
			"\"function\":{\"name\":\"a\"}},\"parallel_tool_calls\":true," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER
			",\"tools\":[{\"name\":\"a\",\"input_schema\":{\"type\":"
			"\"object\",\"properties\":{}}}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"a\"}}",
			NULL},
		{OPENAI "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\"}}],\"tool_choice\":"
			"\"none\"," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER
			",\"tools\":[{\"name\":\"a\",\"input_schema\":{\"type\":"
			"\"object\",\"properties\":{}}}],\"tool_choice\":{\"type\":\"none\"}}",
			NULL},
		/* Without tools there is nothing to choose. */
		{OPENAI "\"tool_choice\":\"auto\",\"parallel_tool_calls\":false," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER "}", NULL},
		/* Options. */
		{OPENAI "\"stop\":[\"END\",\" "
			"\\n\"],\"temperature\":0.5,\"top_p\":0.9,\"user\":\"u\",\"n\":1,\"logprobs\":false,"
			"\"store\":false,\"modalities\":[\"text\"]," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER
			",\"stop_sequences\":[\"END\"],\"temperature\":0.5,"
			"\"metadata\":{\"user_id\":\"u\"}}",
			"stop,top_p"},
		{OPENAI "\"stop\":\"x\",\"temperature\":1.5," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER
			",\"stop_sequences\":[\"x\"],\"temperature\":1}",
			"temperature"},
		{OPENAI "\"top_p\":0.9,\"seed\":1,\"logit_bias\":{\"5\":1},\"presence_penalty\":0.1,\"new "
			"field\":[]," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER ",\"top_p\":0.9}",
			"logit_bias,new?field,seed,presence_penalty"},
		{OPENAI "\"reasoning_effort\":\"minimal\",\"response_format\":{\"type\":\"json_schema\",\"json_"
			"schema\":{\"name\":"
			"\"n\",\"strict\":true,\"schema\":{\"type\":\"object\"}}}," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER
			",\"output_config\":{\"effort\":\"low\",\"format\":"
			"{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}",
			NULL},
		{OPENAI "\"reasoning_effort\":\"none\",\"response_format\":{\"type\":\"text\"}," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER
			",\"thinking\":{\"type\":\"disabled\"}}",
			NULL},
		{OPENAI "\"temperature\":null,\"stop\":null,\"tools\":null,\"x-routing-hints\":{},\"x-fallback-chain\":"
			"[]," USER "}",
			"{\"model\":\"up\",\"max_tokens\":4096," ANTHROPIC_USER "}", NULL},
	};

	for (size_t i = 0; i < COUNT(table); i++)
		translate(*state, &chat_openai, &chat_anthropic, &target, &table[i], i);
}

static void from_anthropic_to_openai(void **state)
{
	static const struct row table[] = {
		{ANTHROPIC USER "}", "{\"model\":\"up\"," USER ",\"max_completion_tokens\":9}", NULL},
		{ANTHROPIC
			"\"stream\":true,\"stop_sequences\":[\"a\",\"b\"],\"temperature\":1,\"top_p\":0.5,\"top_k\":5,"
			"\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"auto\",\"cache_control\":{\"type\":"
			"\"ephemeral\"}," USER "}",
			"{\"model\":\"up\"," USER
			",\"max_completion_tokens\":9,\"temperature\":1,\"top_p\":0.5,\"stop\":[\"a\",\"b\"],"
			"\"user\":\"u\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
			"service_tier,cache_control,top_k"},
		{ANTHROPIC USER
			",\"system\":[{\"type\":\"text\",\"text\":\"s\",\"cache_control\":{\"type\":\"ephemeral\"}}]}",
			"{\"model\":\"up\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\","
			"\"content\":\"hi\"}],"
			"\"max_completion_tokens\":9}",
			"cache_control"},
		/* Calls, results with an image: a message for each result, then the user's with the image and the rest.
		 */
		{ANTHROPIC "\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":[{"
			   "\"type\":\"thinking\","
			   "\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
			   "\"tool_use\",\"id\":"
			   "\"1\",\"name\":\"f\",\"input\":{\"x\": "
			   "\"y\"}},{\"type\":\"tool_use\",\"id\":\"2\",\"name\":\"g\",\"input\":"
			   "{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"1\","
			   "\"content\":[{\"type\":"
			   "\"text\",\"text\":\"r\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_"
			   "type\":\"image/png\","
			   "\"data\":\"AAAA\"}}]},{\"type\":\"tool_result\",\"tool_use_id\":\"2\",\"is_error\":true,"
			   "\"content\":\"no\"},"
			   "{\"type\":\"text\",\"text\":\"and\"}]}]}",
			"{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
			"\"content\":\"a\","
			"\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
			"\"arguments\":\"{\\\"x\\\": "
			"\\\"y\\\"}\"}},{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":"
			"\"{}\"}}]},"
			"{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"r\"},{\"role\":\"tool\",\"tool_call_"
			"id\":\"2\","
			"\"content\":\"no\"},{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
			"\"url\":"
			"\"data:image/"
			"png;base64,AAAA\"}},{\"type\":\"text\",\"text\":\"and\"}]}],\"max_completion_tokens\":9}",
			"thinking,is_error"},
		{ANTHROPIC "\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":[{"
			   "\"type\":\"tool_use\","
			   "\"id\":\"1\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":"
			   "\"tool_result\","
			   "\"tool_use_id\":\"1\"}]}]}",
			"{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
			"\"content\":null,"
			"\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
			"\"arguments\":\"{}\"}}]},"
			"{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"\"}],\"max_completion_tokens\":9}",
			NULL},
		/* What holds nothing is left out: an empty text, and a message of nothing else. */
		{ANTHROPIC
			"\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"\"},"
			"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\"},{\"type\":\"text\","
			"\"text\":\"a\"}]}]}",
			"{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
			"{\"role\":\"user\",\"content\":\"a\"}],\"max_completion_tokens\":9}",
			NULL},
		/* Images and documents. */
		{ANTHROPIC "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":"
			   "\"url\",\"url\":"
			   "\"https://x/"
			   "y\"}},{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/"
			   "pdf\","
			   "\"data\":\"BBBB\"},\"title\":\"t\"},{\"type\":\"document\",\"source\":{\"type\":\"text\","
			   "\"media_type\":"
			   "\"text/plain\",\"data\":\"words\"}}]}]}",
			"{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
			"\"image_url\":{\"url\":"
			"\"https://x/y\"}},{\"type\":\"file\",\"file\":{\"file_data\":\"data:application/"
			"pdf;base64,BBBB\",\"filename\":"
			"\"t\"}},{\"type\":\"text\",\"text\":\"words\"}]}],\"max_completion_tokens\":9}",
			NULL},
		/* Tools. */
		{ANTHROPIC
			"\"tools\":[{\"name\":\"a\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"},"
			"\"strict\":true},"
			"{\"type\":\"custom\",\"name\":\"b\",\"input_schema\":{}}],\"tool_choice\":{\"type\":\"auto\","
			"\"disable_parallel_tool_use\":true}," USER "}",
			"{\"model\":\"up\"," USER
			",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"description\":\"d\","
			"\"parameters\":{\"type\":\"object\"},\"strict\":true}},{\"type\":\"function\",\"function\":{"
			"\"name\":\"b\","
			"\"parameters\":{}}}],\"tool_choice\":\"auto\",\"parallel_tool_calls\":false,\"max_completion_"
			"tokens\":9}",
			NULL},
		{ANTHROPIC "\"tools\":[{\"name\":\"a\",\"input_schema\":{}}],\"tool_choice\":{\"type\":\"any\"}," USER
			   "}",
			"{\"model\":\"up\"," USER
			",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":{}}}],"
			"\"tool_choice\":\"required\",\"max_completion_tokens\":9}",
			NULL},
		{ANTHROPIC "\"tools\":[{\"name\":\"a\",\"input_schema\":{}}],\"tool_choice\":{\"type\":\"tool\","
			   "\"name\":\"a\"}," USER "}",
			"{\"model\":\"up\"," USER
			",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":{}}}],"
			"\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"a\"}},\"max_completion_"
			"tokens\":9}",
			NULL},
		/* Effort, thinking, schema. */
		{ANTHROPIC "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":4096}," USER "}",
			"{\"model\":\"up\"," USER ",\"max_completion_tokens\":9,\"reasoning_effort\":\"medium\"}",
			NULL},
		{ANTHROPIC "\"thinking\":{\"type\":\"adaptive\"}," USER
			   ",\"output_config\":{\"effort\":\"max\",\"format\":{\"type\":"
			   "\"json_schema\",\"schema\":{\"type\":\"object\"}}}}",
			"{\"model\":\"up\"," USER
			",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\","
			"\"schema\":{\"type\":\"object\"},\"strict\":true}},\"max_completion_tokens\":9,\"reasoning_"
			"effort\":\"max\"}",
			NULL},
		{ANTHROPIC "\"thinking\":{\"type\":\"adaptive\"}," USER "}",
			"{\"model\":\"up\"," USER ",\"max_completion_tokens\":9}", "thinking"},
		{ANTHROPIC "\"thinking\":{\"type\":\"disabled\"}," USER "}",
			"{\"model\":\"up\"," USER ",\"max_completion_tokens\":9}", NULL},
	};

	for (size_t i = 0; i < COUNT(table); i++)
		translate(*state, &chat_anthropic, &chat_openai, &target, &table[i], i);
}

/* What a model does not take is left out, and said. */
static void models_of_fewer_fields(void **state)
{
	static const struct chat_target few = {.model = {"up", 2}, .max_tokens_default = 64};
	static const struct row to_anthropic = {OPENAI
		"\"temperature\":0.5,\"top_p\":0.5,\"reasoning_effort\":\"high\"," USER "}",
		"{\"model\":\"up\",\"max_tokens\":64," ANTHROPIC_USER "}", "temperature,top_p,reasoning_effort"};
	static const struct row to_openai = {ANTHROPIC
		"\"temperature\":0.5,\"top_p\":0.5,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}," USER
		"}",
		"{\"model\":\"up\"," USER ",\"max_tokens\":9}", "temperature,top_p,thinking"};

	translate(*state, &chat_openai, &chat_anthropic, &few, &to_anthropic, 0);
	translate(*state, &chat_anthropic, &chat_openai, &few, &to_openai, 1);
}

#define TOOL_CALL(arguments)                                                                                           \
	OPENAI "\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\","            \
	       "\"function\":"                                                                                         \
	       "{\"name\":\"f\",\"arguments\":\"" arguments "\"}}]},{\"role\":\"user\",\"content\":\"x\"}]}"
#define PART(part) OPENAI "\"messages\":[{\"role\":\"user\",\"content\":[" part "]}]}"
#define BLOCK(block) ANTHROPIC "\"messages\":[{\"role\":\"user\",\"content\":[" block "]}]}"

static void refused(void **state)
{
	static const struct {
		const struct chat_dialect *from, *to;
		const char *in, *code, *param;
	} table[] = {
		{&chat_openai, &chat_anthropic, OPENAI "\"n\":2," USER "}", "unsupported_feature", "n"},
		{&chat_openai, &chat_mistral, OPENAI "\"n\":17," USER "}", "unsupported_feature", "n"},
		{&chat_openai, &chat_gemini, OPENAI "\"n\":9000000000," USER "}", "unsupported_feature", "n"},
		{&chat_openai, &chat_mistral, OPENAI "\"n\":0," USER "}", "invalid_value", "n"},
		{&chat_openai, &chat_anthropic, OPENAI "\"logprobs\":true," USER "}", "unsupported_feature",
			"logprobs"},
		{&chat_openai, &chat_anthropic, OPENAI "\"response_format\":{\"type\":\"json_object\"}," USER "}",
			"unsupported_feature", "response_format"},
		{&chat_openai, &chat_anthropic, OPENAI "\"response_format\":{\"type\":\"xml\"}," USER "}",
			"invalid_value", "response_format"},
		{&chat_openai, &chat_anthropic, OPENAI "\"response_format\":{\"type\":\"json_schema\"}," USER "}",
			"invalid_value", "response_format"},
		{&chat_openai, &chat_anthropic, OPENAI "\"modalities\":[\"text\",\"audio\"]," USER "}",
			"unsupported_feature", "modalities"},
		{&chat_openai, &chat_anthropic, OPENAI "\"web_search_options\":{}," USER "}", "unsupported_feature",
			"web_search_options"},
		{&chat_openai, &chat_anthropic, OPENAI "\"functions\":[]," USER "}", "unsupported_feature",
			"functions"},
		{&chat_openai, &chat_anthropic, OPENAI "\"tools\":[{\"type\":\"custom\"}]," USER "}",
			"unsupported_feature", "tools"},
		{&chat_openai, &chat_anthropic, OPENAI "\"tools\":{}," USER "}", "invalid_type", "tools"},
		{&chat_openai, &chat_anthropic,
			OPENAI
			"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":[]}}]," USER "}",
			"invalid_type", "tools"},
		{&chat_openai, &chat_anthropic, OPENAI "\"tool_choice\":\"maybe\"," USER "}", "invalid_value",
			"tool_choice"},
		{&chat_openai, &chat_anthropic, OPENAI "\"tool_choice\":{\"type\":\"allowed_tools\"}," USER "}",
			"unsupported_feature", "tool_choice"},
		{&chat_openai, &chat_anthropic, OPENAI "\"max_tokens\":0," USER "}", "invalid_value", "max_tokens"},
		{&chat_openai, &chat_anthropic, OPENAI "\"max_completion_tokens\":\"9\"," USER "}", "invalid_value",
			"max_completion_tokens"},
		{&chat_openai, &chat_anthropic, OPENAI "\"temperature\":\"hot\"," USER "}", "invalid_type",
			"temperature"},
		{&chat_openai, &chat_anthropic, OPENAI "\"stop\":[1]," USER "}", "invalid_type", "stop"},
		{&chat_openai, &chat_anthropic, OPENAI "\"messages\":[{\"role\":\"oracle\",\"content\":\"x\"}]}",
			"invalid_value", "messages"},
		{&chat_openai, &chat_anthropic, OPENAI "\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}",
			"invalid_value", "messages"},
		{&chat_openai, &chat_anthropic, OPENAI "\"messages\":[{\"role\":\"user\",\"content\":7}]}",
			"invalid_type", "messages"},
		{&chat_openai, &chat_anthropic, OPENAI "\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
			"invalid_value", "messages"},
		{&chat_openai, &chat_anthropic, TOOL_CALL("[1]"), "invalid_value", "messages"},
		{&chat_openai, &chat_anthropic, TOOL_CALL("{\\\"x\\\":"), "invalid_value", "messages"},
		{&chat_openai, &chat_anthropic, TOOL_CALL("{} {}"), "invalid_value", "messages"},
		{&chat_openai, &chat_anthropic, PART("{\"type\":\"input_audio\",\"input_audio\":{}}"), "invalid_value",
			"messages"},
		{&chat_openai, &chat_anthropic,
			PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA==\",\"format\":\"mp3\"}}"),
			"unsupported_feature", "messages"},
		{&chat_openai, &chat_anthropic, PART("{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}"),
			"unsupported_feature", "messages"},
		{&chat_openai, &chat_anthropic,
			PART("{\"type\":\"file\",\"file\":{\"file_data\":\"data:text/csv;base64,AAAA\"}}"),
			"unsupported_feature", "messages"},
		{&chat_openai, &chat_anthropic,
			PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png,AA\"}}"), "invalid_value",
			"messages"},
		{&chat_openai, &chat_anthropic, PART("{\"type\":\"hologram\"}"), "unsupported_feature", "messages"},
		{&chat_openai, &chat_anthropic, PART("{\"text\":\"x\"}"), "invalid_value", "messages"},
		{&chat_anthropic, &chat_openai,
			ANTHROPIC "\"tools\":[{\"type\":\"web_search_20260209\",\"name\":\"w\"}]," USER "}",
			"unsupported_feature", "tools"},
		{&chat_anthropic, &chat_openai, ANTHROPIC "\"tools\":[{\"name\":\"w\"}]," USER "}", "invalid_type",
			"tools"},
		{&chat_anthropic, &chat_openai, ANTHROPIC "\"container\":\"c\"," USER "}", "unsupported_feature",
			"container"},
		{&chat_anthropic, &chat_openai, ANTHROPIC "\"mcp_servers\":[{}]," USER "}", "unsupported_feature",
			"mcp_servers"},
		{&chat_anthropic, &chat_openai,
			ANTHROPIC "\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\","
				  "\"content\":\"y\"}]}",
			"unsupported_feature", "messages"},
		{&chat_anthropic, &chat_openai, "{\"model\":\"m\",\"max_tokens\":0," USER "}", "invalid_value",
			"max_tokens"},
		{&chat_anthropic, &chat_openai, ANTHROPIC "\"tool_choice\":{\"type\":\"tool\"}," USER "}",
			"invalid_value", "tool_choice"},
		{&chat_anthropic, &chat_openai, ANTHROPIC "\"output_config\":{\"format\":{\"type\":\"x\"}}," USER "}",
			"invalid_value", "output_config"},
		{&chat_anthropic, &chat_openai,
			BLOCK("{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}"),
			"unsupported_feature", "messages"},
		{&chat_anthropic, &chat_openai,
			BLOCK("{\"type\":\"document\",\"source\":{\"type\":\"url\",\"url\":\"u\"}}"),
			"unsupported_feature", "messages"},
		{&chat_anthropic, &chat_openai, BLOCK("{\"type\":\"search_result\"}"), "unsupported_feature",
			"messages"},
		{&chat_anthropic, &chat_openai, BLOCK("{\"type\":\"tool_result\"}"), "invalid_value", "messages"},
		{&chat_anthropic, &chat_openai,
			BLOCK("{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":[{\"type\":\"tool_result\","
			      "\"tool_use_id\":"
			      "\"1\"}]}"),
			"unsupported_feature", "messages"},
		{&chat_anthropic, &chat_openai,
			BLOCK("{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"f\",\"input\":\"x\"}"), "invalid_value",
			"messages"},
		{&chat_anthropic, &chat_openai, BLOCK("7"), "invalid_value", "messages"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		struct openai_problem problem = {0};
		struct chat chat;

		parse(f, slice_of_string(table[i].in));
		clear_out(f);
		chat_init(&chat, &f->arena);
		if (table[i].from->read_request(f->parser, &chat, &problem) == 0 &&
			chat_check(&chat, table[i].to->has, &problem) == 0 &&
			table[i].to->write_request(&chat, &target, &f->out, &problem) == 0)
			fail_msg("row %zu was not refused: %.*s", i, (int)f->out.size, f->out.data);
		expect_text(i, problem.code, table[i].code);
		expect_text(i, problem.param, table[i].param);
		assert_true(problem.message.size > 0);
	}
}

/* The form is bounded, whatever the document. */
static void many_parts_are_refused(void **state)
{
	struct fixture *f = *state;
	struct chat_parts parts = {0};
	struct chat chat;

	chat_init(&chat, &f->arena);
	for (unsigned i = 0; i < CHAT_PARTS_MAX; i++)
		assert_non_null(chat_add_part(&chat, &parts, CHAT_TEXT));
	assert_null(chat_add_part(&chat, &parts, CHAT_TEXT));
	assert_int_equal(chat.err, -E2BIG);
}

/* A header's value: bounded, and without bytes that a header could not hold. */
static void dropped_names(void **state)
{
	char memory[16];
	struct text list = text_over(memory, sizeof(memory));
	struct fixture *f = *state;
	struct chat chat;

	chat_init(&chat, &f->arena);
	chat_drop(&chat, SLICE("a\r\nb"));
	chat_drop(&chat, SLICE("seed"));
	chat_drop(&chat, SLICE("seed"));
	chat_drop(&chat, SLICE("a_long_one"));
	chat_print_dropped(&chat, &list);
	assert_false(list.full);
	expect_text(0, text_slice(&list), "a??b,seed...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(from_openai_to_anthropic, set_up, tear_down),
		cmocka_unit_test_setup_teardown(from_anthropic_to_openai, set_up, tear_down),
		cmocka_unit_test_setup_teardown(models_of_fewer_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_parts_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dropped_names, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("chat_request", tests, NULL, NULL);
}
