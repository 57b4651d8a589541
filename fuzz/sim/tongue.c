/* See tongue.h. */
#include "fuzz/sim/tongue.h"

#include "core/kconfig.h"
#include "fuzz/sim/words.h"

const struct tongue *tongue_named(enum tongue_name name)
{
	static const struct tongue *const tongues[TONGUES] = {
		[TONGUE_OPENAI] = &tongue_openai,
		[TONGUE_ANTHROPIC] = &tongue_anthropic,
		[TONGUE_RESPONSES] = &tongue_responses,
		[TONGUE_GEMINI] = &tongue_gemini,
		[TONGUE_COHERE] = &tongue_cohere,
	};

	return tongues[name];
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
