/* Texts in settings: each function reads one form, to its last byte. */
#include "route/settings/settings_text.h"

#include "core/civil.h"
#include "core/text.h"
#include "route/settings/settings_features.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

enum {
	NAME_BYTES_MAX = 64,
	LABEL_BYTES_MAX = 128,
	MODEL_ID_BYTES_MAX = 200,
	HOST_BYTES_MAX = 255,
	SECRET_BYTES_MAX = 256
};

static bool made_of(struct slice text, const char *besides, size_t bytes_max)
{
	size_t i;

	if (text.size == 0 || text.size > bytes_max || !isalnum((unsigned char)text.data[0]))
		return false;
	for (i = 0; i < text.size; i++)
		if (!isalnum((unsigned char)text.data[i]) && !strchr(besides, text.data[i]))
			return false;
	return true;
}

bool check_name(struct slice text)
{
	return made_of(text, "._-", NAME_BYTES_MAX);
}

bool check_model_id(struct slice text)
{
	return made_of(text, "._-/:@+", MODEL_ID_BYTES_MAX) && text.data[text.size - 1] != '/';
}

bool check_tag(struct slice text)
{
	const char *equals = text.size ? memchr(text.data, '=', text.size) : NULL;
	size_t name_bytes = equals ? (size_t)(equals - text.data) : 0;

	return check_label(text) && name_bytes && text.data[name_bytes - 1] != ' ' &&
	       !memchr(text.data, ',', text.size) && (name_bytes + 1 == text.size || equals[1] != ' ');
}

bool check_label(struct slice text)
{
	size_t i;

	if (text.size == 0 || text.size > LABEL_BYTES_MAX || text.data[0] == ' ' || text.data[text.size - 1] == ' ')
		return false;
	for (i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 127)
			return false;
	return true;
}

/* Digits alone, at most `max`. */
static bool parse_number(struct slice text, unsigned long max, unsigned long *value)
{
	unsigned long sum = 0;
	size_t i;

	if (text.size == 0 || text.size > 9)
		return false;
	for (i = 0; i < text.size; i++) {
		if (!isdigit((unsigned char)text.data[i]))
			return false;
		sum = sum * 10 + (unsigned long)(text.data[i] - '0');
	}
	*value = sum;
	return sum <= max;
}

/* Splits at the last `mark`; false when there is none. */
static bool split_last(struct slice text, char mark, struct slice *before, struct slice *after)
{
	const char *at = text.size ? memrchr(text.data, mark, text.size) : NULL;

	if (!at)
		return false;
	*before = slice_of(text.data, (size_t)(at - text.data));
	*after = slice_after(text, before->size + 1);
	return true;
}

/* An address of either family without port; `bits` is what its prefix may be at most. */
static bool parse_literal(struct slice text, struct sockaddr_storage *address, unsigned long *bits)
{
	char terminated[INET6_ADDRSTRLEN + 1];
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	if (text.size >= sizeof(terminated) || text.size == 0)
		return false;
	memcpy(terminated, text.data, text.size);
	terminated[text.size] = 0;
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, terminated, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		*bits = 32;
		return true;
	}
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET6, terminated, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		*bits = 128;
		return true;
	}
	return false;
}

bool check_network(struct slice text)
{
	struct sockaddr_storage address;
	struct slice plain, prefix;
	unsigned long bits, bits_max;

	if (!split_last(text, '/', &plain, &prefix))
		return parse_literal(text, &address, &bits_max);
	return parse_literal(plain, &address, &bits_max) && parse_number(prefix, bits_max, &bits);
}

static bool in_brackets(struct slice *host)
{
	if (host->size < 2 || host->data[0] != '[' || host->data[host->size - 1] != ']')
		return false;
	*host = slice_of(host->data + 1, host->size - 2);
	return true;
}

bool parse_address(struct slice text, void *field, struct config_memory *memory)
{
	struct sockaddr_storage address;
	struct slice host, port_text;
	unsigned long port, bits;
	bool bracketed;

	(void)memory;
	if (!split_last(text, ':', &host, &port_text) || !parse_number(port_text, UINT16_MAX, &port))
		return false;
	bracketed = in_brackets(&host);
	if (!parse_literal(host, &address, &bits) || bracketed != (address.ss_family == AF_INET6))
		return false;
	if (address.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&address)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
	memcpy(field, &address, sizeof(address));
	return true;
}

/* RFC 3986 section 3.2.2, as far as DNS names and literals need it. */
static bool is_host(struct slice host, bool bracketed)
{
	struct sockaddr_storage address;
	unsigned long bits;

	if (bracketed)
		return parse_literal(host, &address, &bits) && bits == 128;
	return made_of(host, "._-", HOST_BYTES_MAX);
}

static bool split_authority(struct slice authority, struct url_parts *parts)
{
	struct slice host = authority, port_text;
	unsigned long port = parts->https ? 443 : 80;
	bool bracketed;

	if (authority.size && authority.data[authority.size - 1] != ']' &&
		split_last(authority, ':', &host, &port_text) &&
		(!parse_number(port_text, UINT16_MAX, &port) || port == 0))
		return false;
	bracketed = in_brackets(&host);
	parts->host = host;
	parts->port = (uint16_t)port;
	return is_host(host, bracketed);
}

bool url_split(struct slice text, struct url_parts *parts)
{
	static const struct slice schemes[] = {{"http://", 7}, {"https://", 8}};
	size_t i, end;

	parts->https = slice_starts_with(text, schemes[1]);
	if (!slice_starts_with(text, schemes[parts->https]))
		return false;
	for (i = 0; i < text.size; i++) /* RFC 3986 section 2: what a URL never holds unescaped */
		if ((unsigned char)text.data[i] <= ' ' || (unsigned char)text.data[i] >= 127 ||
			strchr("\"<>\\^`{|}", text.data[i]))
			return false;
	text = slice_after(text, schemes[parts->https].size);
	for (end = 0; end < text.size && !strchr("/?#", text.data[end]); end++)
		;
	parts->path = slice_after(text, end);
	return split_authority(slice_of(text.data, end), parts);
}

bool check_url(struct slice text)
{
	struct url_parts parts;

	return url_split(text, &parts) && !memchr(text.data, '#', text.size);
}

bool check_base_url(struct slice text)
{
	return check_url(text) && !memchr(text.data, '?', text.size);
}

bool check_peer(struct slice text)
{
	struct slice host, port_text;
	unsigned long port;
	bool bracketed;

	if (!split_last(text, ':', &host, &port_text) || !parse_number(port_text, UINT16_MAX, &port) || port == 0)
		return false;
	bracketed = in_brackets(&host);
	return is_host(host, bracketed);
}

/* `count` digits at the front, taken off; false: other bytes, or beyond min..max. */
static bool take_digits(struct slice *text, size_t count, unsigned long min, unsigned long max, unsigned long *value)
{
	if (text->size < count || !parse_number(slice_of(text->data, count), max, value) || *value < min)
		return false;
	*text = slice_after(*text, count);
	return true;
}

static bool take_char(struct slice *text, const char *of)
{
	if (text->size == 0 || !strchr(of, text->data[0]) || text->data[0] == 0)
		return false;
	*text = slice_after(*text, 1);
	return true;
}

static bool is_leap(unsigned long year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned long days_in(unsigned long year, unsigned long month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* The seconds that a zone is ahead of UTC: "Z", "+01:00". */
static bool take_zone(struct slice *text, int64_t *ahead_s)
{
	unsigned long hour, minute;
	bool west = text->size && text->data[0] == '-';

	*ahead_s = 0;
	if (take_char(text, "Zz"))
		return true;
	if (!take_char(text, "+-") || !take_digits(text, 2, 0, 23, &hour) || !take_char(text, ":") ||
		!take_digits(text, 2, 0, 59, &minute))
		return false;
	*ahead_s = (int64_t)(hour * 3600 + minute * 60) * (west ? -1 : 1);
	return true;
}

static void take_fraction(struct slice *text, uint64_t *ns)
{
	uint64_t unit = 100000000;

	while (text->size && isdigit((unsigned char)text->data[0])) {
		*ns += (uint64_t)(text->data[0] - '0') * unit;
		unit /= 10;
		*text = slice_after(*text, 1);
	}
}

/* RFC 3339 section 5.6. A leap second counts as the one after. */
bool parse_rfc3339(struct slice text, void *field, struct config_memory *memory)
{
	unsigned long year, month, day, hour, minute, second;
	int64_t ahead_s, total_s;
	uint64_t ns = 0;

	(void)memory;
	if (!take_digits(&text, 4, 1970, 2500, &year) || !take_char(&text, "-") ||
		!take_digits(&text, 2, 1, 12, &month) || !take_char(&text, "-") ||
		!take_digits(&text, 2, 1, days_in(year, month), &day) || !take_char(&text, "Tt ") ||
		!take_digits(&text, 2, 0, 23, &hour) || !take_char(&text, ":") ||
		!take_digits(&text, 2, 0, 59, &minute) || !take_char(&text, ":") ||
		!take_digits(&text, 2, 0, 60, &second))
		return false;
	if (take_char(&text, ".")) {
		if (text.size == 0 || !isdigit((unsigned char)text.data[0]))
			return false;
		take_fraction(&text, &ns);
	}
	if (!take_zone(&text, &ahead_s) || text.size)
		return false;
	total_s = civil_days((int64_t)year, (int64_t)month, (int64_t)day) * 86400 +
		  (int64_t)(hour * 3600 + minute * 60 + second) - ahead_s;
	if (total_s < 0)
		return false;
	ns += (uint64_t)total_s * 1000000000u;
	memcpy(field, &ns, sizeof(ns));
	return true;
}

static bool take_minutes(struct slice *text, uint16_t *minutes)
{
	unsigned long hour, minute;

	if (!take_digits(text, 2, 0, 24, &hour) || !take_char(text, ":") || !take_digits(text, 2, 0, 59, &minute) ||
		hour * 60 + minute > 1440)
		return false;
	*minutes = (uint16_t)(hour * 60 + minute);
	return true;
}

/* A zone is named behind a space. */
static bool take_zone_name(struct slice text, struct config_memory *memory, struct day_span *span)
{
	struct zone *loaded;

	span->zone = NULL;
	span->zone_name = NULL;
	if (text.size == 0)
		return true;
	if (!take_char(&text, " "))
		return false;
	loaded = config_alloc(memory, 1, sizeof(*loaded));
	span->zone = loaded;
	span->zone_name = config_copy(memory, text);
	return !loaded || zone_load(text, loaded) == 0; /* memory that is out is told by its own flag */
}

bool parse_day_span(struct slice text, void *field, struct config_memory *memory)
{
	struct day_span span;

	if (!take_minutes(&text, &span.from_minute) || !take_char(&text, "-") ||
		!take_minutes(&text, &span.to_minute) || span.from_minute == span.to_minute ||
		span.from_minute == 1440 || !take_zone_name(text, memory, &span))
		return false;
	memcpy(field, &span, sizeof(span));
	return true;
}

bool check_secret(struct slice text)
{
	size_t i;

	if (text.size == 0 || text.size > SECRET_BYTES_MAX)
		return false;
	for (i = 0; i < text.size; i++)
		if (text.data[i] <= ' ' || text.data[i] >= 127)
			return false;
	return true;
}

bool parse_secret(struct slice text, void *field, struct config_memory *memory)
{
	(void)memory;
	return check_secret(text) && wc_Sha256Hash((const uint8_t *)text.data, (word32)text.size, field) == 0;
}

static int hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool parse_sha256_hex(struct slice text, void *field, struct config_memory *memory)
{
	uint8_t bytes[32];
	size_t i;

	(void)memory;
	if (text.size != 2 * sizeof(bytes))
		return false;
	for (i = 0; i < sizeof(bytes); i++) {
		int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(field, bytes, sizeof(bytes));
	return true;
}

static void print_minutes(uint16_t minutes, struct text *json)
{
	const char digits[5] = {(char)('0' + minutes / 600), (char)('0' + minutes / 60 % 10), ':',
		(char)('0' + minutes % 60 / 10), (char)('0' + minutes % 10)};

	text_add(json, slice_of(digits, sizeof(digits)));
}

void print_day_span(const void *field, struct text *json)
{
	const struct day_span *span = field;

	if (span->from_minute == span->to_minute) {
		text_literal(json, "null");
		return;
	}
	text_char(json, '"');
	print_minutes(span->from_minute, json);
	text_char(json, '-');
	print_minutes(span->to_minute, json);
	if (span->zone_name) {
		text_char(json, ' ');
		text_string(json, span->zone_name);
	}
	text_char(json, '"');
}

void print_time_or_null(const void *field, struct text *json)
{
	const uint64_t *wall_ns = field;

	if (!*wall_ns) {
		text_literal(json, "null");
		return;
	}
	text_char(json, '"');
	text_rfc3339(json, *wall_ns);
	text_char(json, '"');
}

void print_sha256(const void *field, struct text *json)
{
	text_char(json, '"');
	text_hex(json, field, 32);
	text_char(json, '"');
}
