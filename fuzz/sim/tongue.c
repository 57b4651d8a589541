/* See tongue.h. */
#include "fuzz/sim/tongue.h"

const struct tongue *tongue_named(enum tongue_name name)
{
	static const struct tongue *const tongues[TONGUES] = {
		[TONGUE_OPENAI] = &tongue_openai, [TONGUE_ANTHROPIC] = &tongue_anthropic};

	return tongues[name];
}

void tongue_print_content(struct bytes *bytes, const struct attempt *attempt, unsigned k)
{
	size_t start = bytes->size;

	bytes_print(bytes, "<%u.%u.%u>", attempt->call, attempt->number, k);
	while (bytes->size - start < attempt->delta_bytes)
		bytes_add(bytes, SLICE("lorem ipsum dolor sit amet "));
}

void tongue_print_id(struct bytes *json, const struct attempt *attempt)
{
	bytes_print(json, "\"id\":\"sim-%u-%u\"", attempt->call, attempt->number);
}
