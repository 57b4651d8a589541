/* Upper bounds of prompts: see budget_bound.h. */
#include "route/money/budget_bound.h"

enum {
	MESSAGE_TOKENS = 16, /* around each message: roles and separators, and the priming of the answer */
	TOOLS_TOKENS = 1024, /* the preamble that providers add when there are tools: Anthropic 313..804 */
	RESULT_DEPTH = 2,    /* parts within a tool's result */
};

/*
 * An image at its largest. OpenAI's dearest count is gpt-4o-mini's, 2,833 and 5,667 for each of at most 8 tiles (2048 x
 * 768 in squares of 512); Anthropic's is width x height / 750 of at most 2,576 x 2,576 in 28-pixel patches: 4,784.
 * Servers of one's own count as many tokens as OpenAI, or fewer.
 */
static uint64_t image_tokens(enum provider_kind kind)
{
	return kind == PROVIDER_ANTHROPIC ? 4784 : 2833 + 8 * 5667;
}

static struct slice member_text(const struct json_parser *json, json_ref object, struct slice key)
{
	json_ref value = json_member(json, object, key);

	return value != JSON_NONE && json_type(json, value) == JSON_STRING ? json_string(json, value)
									   : slice_of(NULL, 0);
}

static bool is_given(const struct json_parser *json, json_ref object, struct slice key)
{
	json_ref value = json_member(json, object, key);

	return value != JSON_NONE && json_type(json, value) != JSON_NULL;
}

static bool is_one_of(struct slice text, const char *const *names)
{
	for (; *names; names++)
		if (slice_equal(text, slice_of_string(*names)))
			return true;
	return false;
}

static void leave_out(const struct json_parser *json, json_ref part, struct prompt_bound *bound)
{
	uint64_t size = json_raw(json, part).size;

	bound->bytes -= size < bound->bytes ? size : bound->bytes;
}

/* A file that is only named is as large as its owner made it; so is one that the provider fetches. */
static void read_file(const struct json_parser *json, json_ref part, struct prompt_bound *bound)
{
	json_ref source = json_member(json, part, SLICE("source")), file = json_member(json, part, SLICE("file"));
	struct slice kind = member_text(json, source, SLICE("type"));

	if (slice_equal(kind, SLICE("text")) || slice_equal(kind, SLICE("content")))
		return; /* its bytes are its text */
	if (is_given(json, part, SLICE("file_id")) || is_given(json, file, SLICE("file_id")) ||
		slice_equal(kind, SLICE("file")))
		bound->unbounded = SLICE("file_id");
	else if (is_given(json, part, SLICE("file_url")) || slice_equal(kind, SLICE("url")))
		bound->unbounded = SLICE("file_url");
	leave_out(json, part, bound);
	bound->files++;
}

static void read_parts(const struct json_parser *json, json_ref parts, unsigned depth, struct prompt_bound *bound)
{
	static const char *const images[] = {"image_url", "image", "input_image", NULL};
	static const char *const files[] = {"file", "document", "input_file", NULL};

	if (parts == JSON_NONE || json_type(json, parts) != JSON_ARRAY)
		return;
	for (json_ref m = json_first(json, parts); m != JSON_NONE; m = json_next(json, m)) {
		struct slice type = member_text(json, m, SLICE("type"));

		if (is_one_of(type, images)) {
			leave_out(json, m, bound);
			bound->images++;
		} else if (is_one_of(type, files)) {
			read_file(json, m, bound);
		} else if (depth > 0) {
			read_parts(json, json_member(json, m, SLICE("content")), depth - 1, bound);
		}
	}
}

/* Messages, or what stands for them: items with parts. */
static void read_items(const struct json_parser *json, struct slice key, struct prompt_bound *bound)
{
	json_ref items = json_member(json, 0, key);

	if (items == JSON_NONE || json_type(json, items) != JSON_ARRAY)
		return;
	for (json_ref m = json_first(json, items); m != JSON_NONE; m = json_next(json, m)) {
		bound->messages++;
		read_parts(json, json_member(json, m, SLICE("content")), RESULT_DEPTH, bound);
		read_parts(json, json_member(json, m, SLICE("output")), RESULT_DEPTH, bound);
		if (slice_equal(member_text(json, m, SLICE("type")), SLICE("item_reference")))
			bound->unbounded = SLICE("input");
	}
}

static bool starts_with_one_of(struct slice text, const char *const *names)
{
	for (; *names; names++)
		if (slice_starts_with(text, slice_of_string(*names)))
			return true;
	return false;
}

/* Tools that the caller runs send back what the caller sends; what a provider runs reads what it likes. */
static void read_tools(const struct json_parser *json, struct prompt_bound *bound)
{
	static const char *const own[] = {"function", "custom", "bash_", "text_editor_", "computer_", "memory_", NULL};
	json_ref tools = json_member(json, 0, SLICE("tools"));

	if (is_given(json, 0, SLICE("functions")))
		bound->has_tools = true;
	if (is_given(json, 0, SLICE("web_search_options")))
		bound->unbounded = SLICE("web_search_options");
	if (tools == JSON_NONE || json_type(json, tools) != JSON_ARRAY)
		return;
	for (json_ref m = json_first(json, tools); m != JSON_NONE; m = json_next(json, m)) {
		struct slice type = member_text(json, m, SLICE("type"));

		bound->has_tools = true;
		if (type.data && !starts_with_one_of(type, own))
			bound->unbounded = SLICE("tools");
	}
}

void prompt_bound_read(const struct json_parser *json, size_t body_bytes, struct prompt_bound *bound)
{
	static const struct slice kept_elsewhere[] = {
		{"conversation", 12}, {"previous_response_id", 20}, {"container", 9}};

	*bound = (struct prompt_bound){.bytes = body_bytes, .messages = 1};
	read_items(json, SLICE("messages"), bound);
	read_items(json, SLICE("input"), bound);
	read_tools(json, bound);
	for (unsigned i = 0; i < sizeof(kept_elsewhere) / sizeof(kept_elsewhere[0]); i++)
		if (is_given(json, 0, kept_elsewhere[i]))
			bound->unbounded = kept_elsewhere[i];
}

bool prompt_bound_tokens(
	const struct prompt_bound *bound, enum provider_kind kind, uint32_t context_window, uint64_t *tokens)
{
	*tokens = bound->bytes + bound->messages * MESSAGE_TOKENS + bound->images * image_tokens(kind) +
		  (bound->has_tools ? TOOLS_TOKENS : 0);
	if (bound->unbounded.data || (bound->files && !context_window))
		return false;
	/* What a model cannot read it cannot be paid for; how many tokens a file has nothing else tells. */
	if (context_window && (bound->files || *tokens > context_window))
		*tokens = context_window;
	return true;
}
