/* Reading and using a provider's rate-limit headers: see rate_room.h. */
#include "route/rate_room.h"

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

static void take(struct rate_left *left, struct slice remaining, struct slice reset, uint64_t now_ns)
{
	uint64_t number, ns;

	if (!remaining.size || !read_digits(&remaining, &number) || remaining.size)
		return;
	if (!reset.size || !rate_room_duration(reset, &ns))
		ns = NS_OF_S;
	left->left = number;
	left->reset_ns = now_ns + (ns < RESET_MAX_NS ? ns : RESET_MAX_NS);
}

void rate_room_read(struct rate_room *room, const struct http_head *head, uint64_t now_ns)
{
	struct slice remaining_requests = {0}, reset_requests = {0}, remaining_tokens = {0}, reset_tokens = {0};

	for (unsigned i = 0; i < head->header_count; i++) {
		const struct http_header *h = &head->headers[i];

		if (h->name.size < 22 || strncasecmp(h->name.data, "x-ratelimit-re", 14) != 0)
			continue;
		if (slice_equal_nocase(h->name, SLICE("x-ratelimit-remaining-requests")))
			remaining_requests = h->value;
		else if (slice_equal_nocase(h->name, SLICE("x-ratelimit-reset-requests")))
			reset_requests = h->value;
		else if (slice_equal_nocase(h->name, SLICE("x-ratelimit-remaining-tokens")))
			remaining_tokens = h->value;
		else if (slice_equal_nocase(h->name, SLICE("x-ratelimit-reset-tokens")))
			reset_tokens = h->value;
	}
	take(&room->requests, remaining_requests, reset_requests, now_ns);
	take(&room->tokens, remaining_tokens, reset_tokens, now_ns);
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
