/* See tongue.h. */
#include "fuzz/sim/tongue.h"

#include "core/kconfig.h"
#include "fuzz/sim/look.h"
#include "fuzz/sim/words.h"

const struct tongue *tongue_named(enum tongue_name name)
{
	static const struct tongue *const tongues[TONGUES] = {
		[TONGUE_OPENAI] = &tongue_openai,
		[TONGUE_ANTHROPIC] = &tongue_anthropic,
		[TONGUE_RESPONSES] = &tongue_responses,
		[TONGUE_GEMINI] = &tongue_gemini,
		[TONGUE_COHERE] = &tongue_cohere,
		[TONGUE_BEDROCK] = &tongue_bedrock,
		[TONGUE_NATIVE] = &tongue_native,
	};

	return tongues[name];
}

const struct tongue *tongue_answering(enum tongue_name provider, enum tongue_name client)
{
	if (provider == TONGUE_NATIVE)
		return client == TONGUE_RESPONSES ? &tongue_responses : &tongue_openai;
	return tongue_named(provider);
}

static bool is_spoken(enum tongue_name name, bool by_providers)
{
	const struct tongue *tongue = tongue_named(name);

	return (CONFIG(ANTHROPIC) || name != TONGUE_ANTHROPIC) && (by_providers ? tongue->kind : tongue->path);
}

static enum tongue_name choose(uint64_t number, bool by_providers)
{
	enum tongue_name spoken[TONGUES];
	unsigned count = 0;

	for (unsigned i = 0; i < TONGUES; i++)
		if (is_spoken((enum tongue_name)i, by_providers))
			spoken[count++] = (enum tongue_name)i;
	return spoken[number % count];
}

enum tongue_name tongue_of_clients(uint64_t number)
{
	return choose(number, false);
}

enum tongue_name tongue_of_providers(uint64_t number)
{
	return choose(number, true);
}

void tongue_content(struct bytes *text, const struct attempt *attempt, unsigned k)
{
	size_t start = text->size;

	bytes_print(text, "<%u.%u.%u>", attempt->call, attempt->number, k);
	words_add(text, start, attempt->call + k, attempt->delta_bytes);
}

void tongue_print_content(struct bytes *json, const struct attempt *attempt, unsigned k)
{
	struct bytes text = {0};

	tongue_content(&text, attempt, k);
	words_escape(json, bytes_slice(&text), (attempt->call + attempt->number + k) % WORDS_STYLES);
	bytes_free(&text);
}

void tongue_print_id(struct bytes *json, const struct attempt *attempt)
{
	bytes_print(json, "\"id\":\"sim-%u-%u\"", attempt->call, attempt->number);
}

struct slice tongue_first_text(struct slice body)
{
	struct slice content = look_member(look_item(look_member(body, "messages"), 0), "content");
	struct slice text = look_string(content);

	return text.data ? text : look_string(look_member(look_item(content, 0), "text"));
}

bool tongue_print_bad_usage(struct bytes *json, enum usage_told usage, const char *prompt, const char *completion)
{
	if (usage == USAGE_WHOLE)
		return false;
	if (usage == USAGE_NULL)
		bytes_add(json, SLICE("null"));
	else if (usage == USAGE_NEGATIVE)
		bytes_print(json, "{\"%s\":-5,\"%s\":7}", prompt, completion);
	else
		bytes_print(json, "{\"%s\":10,\"%s\":99999999999999}", prompt, completion);
	return true;
}

void tongue_open_event(struct bytes *bytes, const char *type)
{
	bytes_print(bytes, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}
