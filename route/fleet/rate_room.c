/* Reading and using a provider's rate-limit headers: see rate_room.h. */
#include "route/fleet/rate_room.h"

#include "route/settings/settings_text.h"

#define NS_OF_S UINT64_C(1000000000)
/* A provider's word holds for so long at most: what is wrong must not put a deployment out of use for long. */
#define RESET_MAX_NS (60 * NS_OF_S)

static bool read_digits(struct slice *s, uint64_t *number)
{
	size_t digits = 0;

	*number = 0;
	while (digits < s->size && s->data[digits] >= '0' && s->data[digits] <= '9') {
		if (digits == 12)
			return false;
		*number = *number * 10 + (uint64_t)(s->data[digits++] - '0');
	}
	*s = slice_after(*s, digits);
	return digits > 0;
}

/* "7", "3.5" as billionths. */
static bool read_decimal(struct slice *s, uint64_t *billionths)
{
	uint64_t whole, place = NS_OF_S / 10;

	if (!read_digits(s, &whole) || whole > 10000000)
		return false;
	*billionths = whole * NS_OF_S;
	if (s->size == 0 || s->data[0] != '.')
		return true;
	for (*s = slice_after(*s, 1); s->size && s->data[0] >= '0' && s->data[0] <= '9'; *s = slice_after(*s, 1)) {
		*billionths += (uint64_t)(s->data[0] - '0') * place;
		place /= 10;
	}
	return true;
}

/* What stands behind a number, taken off; 0: no unit. */
static uint64_t read_unit(struct slice *s)
{
	static const struct {
		struct slice name;
		uint64_t ns;
	} units[] = {
		{{"ms", 2}, 1000000},
		{{"us", 2}, 1000},
		{{"h", 1}, 3600 * NS_OF_S},
		{{"m", 1}, 60 * NS_OF_S},
		{{"s", 1}, NS_OF_S},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (slice_starts_with(*s, units[i].name)) {
			*s = slice_after(*s, units[i].name.size);
			return units[i].ns;
		}
	return 0;
}

bool rate_room_duration(struct slice text, uint64_t *ns)
{
	unsigned parts = 0;

	*ns = 0;
	for (; text.size; parts++) {
		uint64_t billionths, unit;

		if (!read_decimal(&text, &billionths))
			return false;
		unit = text.size == 0 && parts == 0 ? NS_OF_S : read_unit(&text);
		if (unit == 0)
			return false;
		*ns += (uint64_t)((unsigned __int128)billionths * unit / NS_OF_S);
	}
	return parts > 0;
}

/* What one header says, by what its name means. */
enum said { REMAINING, RESET };
enum limit { REQUESTS, TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, LIMITS };

static const struct {
	struct slice name;
	enum limit limit;
	enum said said;
} names[] = {
	{{"x-ratelimit-remaining-requests", 30}, REQUESTS, REMAINING},
	{{"x-ratelimit-reset-requests", 26}, REQUESTS, RESET},
	{{"x-ratelimit-remaining-tokens", 28}, TOKENS, REMAINING},
	{{"x-ratelimit-reset-tokens", 24}, TOKENS, RESET},
	{{"anthropic-ratelimit-requests-remaining", 38}, REQUESTS, REMAINING},
	{{"anthropic-ratelimit-requests-reset", 34}, REQUESTS, RESET},
	{{"anthropic-ratelimit-tokens-remaining", 36}, TOKENS, REMAINING},
	{{"anthropic-ratelimit-tokens-reset", 32}, TOKENS, RESET},
	{{"anthropic-ratelimit-input-tokens-remaining", 42}, INPUT_TOKENS, REMAINING},
	{{"anthropic-ratelimit-input-tokens-reset", 38}, INPUT_TOKENS, RESET},
	{{"anthropic-ratelimit-output-tokens-remaining", 43}, OUTPUT_TOKENS, REMAINING},
	{{"anthropic-ratelimit-output-tokens-reset", 39}, OUTPUT_TOKENS, RESET},
};

/* A duration, or a time. A limit whose reset is not said, or not understood, is looked at again soon. */
static uint64_t time_to(struct slice reset, uint64_t wall_ns)
{
	uint64_t ns = NS_OF_S, then_ns;

	if (!reset.size || rate_room_duration(reset, &ns))
		return ns;
	if (!parse_rfc3339(reset, &then_ns, NULL))
		return NS_OF_S;
	return then_ns > wall_ns ? then_ns - wall_ns : 0;
}

/* Of several limits of one kind the one that has least left. */
static void take(struct rate_left *left, const struct slice said[2], uint64_t now_ns, uint64_t wall_ns, bool first)
{
	struct slice remaining = said[REMAINING];
	uint64_t number, ns;

	if (!remaining.size || !read_digits(&remaining, &number) || remaining.size)
		return;
	if (!first && left->reset_ns > now_ns && left->left <= number)
		return;
	ns = time_to(said[RESET], wall_ns);
	left->left = number;
	left->reset_ns = now_ns + (ns < RESET_MAX_NS ? ns : RESET_MAX_NS);
}

void rate_room_read(struct rate_room *room, const struct http_head *head, uint64_t now_ns, uint64_t wall_ns)
{
	struct slice said[LIMITS][2] = {{{0}}};
	bool any = false;

	for (unsigned i = 0; i < head->header_count; i++) {
		const struct http_header *h = &head->headers[i];

		if (h->name.size < 22 || (h->name.data[0] | 0x20) != (h->name.data[1] == '-' ? 'x' : 'a'))
			continue;
		for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
			if (slice_equal_nocase(h->name, names[n].name)) {
				said[names[n].limit][names[n].said] = h->value;
				any = true;
			}
	}
	if (!any)
		return;
	take(&room->requests, said[REQUESTS], now_ns, wall_ns, true);
	take(&room->tokens, said[TOKENS], now_ns, wall_ns, true);
	take(&room->tokens, said[INPUT_TOKENS], now_ns, wall_ns, !said[TOKENS][REMAINING].size);
	take(&room->tokens, said[OUTPUT_TOKENS], now_ns, wall_ns,
		!said[TOKENS][REMAINING].size && !said[INPUT_TOKENS][REMAINING].size);
}

static void use(struct rate_left *left, uint64_t amount, uint64_t now_ns)
{
	if (left->reset_ns > now_ns)
		left->left -= amount < left->left ? amount : left->left;
}

void rate_room_use(struct rate_room *room, uint64_t tokens, uint64_t now_ns)
{
	use(&room->requests, 1, now_ns);
	use(&room->tokens, tokens, now_ns);
}

uint64_t rate_room_full_until_ns(const struct rate_room *room, uint64_t tokens, uint64_t now_ns)
{
	uint64_t until_ns = 0;

	if (room->requests.reset_ns > now_ns && room->requests.left == 0)
		until_ns = room->requests.reset_ns;
	if (room->tokens.reset_ns > now_ns && room->tokens.left < tokens && room->tokens.reset_ns > until_ns)
		until_ns = room->tokens.reset_ns;
	return until_ns;
}
