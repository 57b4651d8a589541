/* Texts in settings: addresses, networks, URLs, times, names, secrets. Checks say whether, parsers also take it apart.
 * Pure. */
#ifndef ROUTE_SETTINGS_TEXT_H
#define ROUTE_SETTINGS_TEXT_H

#include "core/schema.h"

/* For schema_field.check. */
bool check_name(struct slice text);     /* A-Z a-z 0-9 . _ -, 1..64, begins with a letter or digit */
bool check_secret(struct slice text);   /* 1..256 printable ASCII characters without spaces */
bool check_tag(struct slice text);      /* name=value */
bool check_label(struct slice text);    /* 1..128 printable characters, none of them at the ends a space */
bool check_model_id(struct slice text); /* a name with / : @ + besides, 1..200 */
bool check_url(struct slice text);      /* http or https, absolute */
bool check_base_url(struct slice text); /* the same, without query and fragment */
bool check_network(struct slice text);  /* CIDR, or a plain address */
bool check_peer(struct slice text);     /* host:port */

/* For schema_field.parse: into what `field` points to. */
bool parse_address(struct slice text, void *field, struct config_memory *memory);    /* struct sockaddr_storage */
bool parse_rfc3339(struct slice text, void *field, struct config_memory *memory);    /* uint64_t, wall nanoseconds */
bool parse_day_span(struct slice text, void *field, struct config_memory *memory);   /* struct day_span */
bool parse_secret(struct slice text, void *field, struct config_memory *memory);     /* uint8_t[32]: its SHA-256 */
bool parse_sha256_hex(struct slice text, void *field, struct config_memory *memory); /* uint8_t[32] */

/* For schema_field.print. */
void print_time_or_null(const void *field, struct text *json); /* uint64_t, wall nanoseconds; 0: null */
void print_day_span(const void *field, struct text *json);     /* struct day_span; empty: null */
void print_sha256(const void *field, struct text *json);       /* uint8_t[32] */

#define EXPECTED_NAME "1..64 letters, digits, \".\", \"_\", \"-\""
#define EXPECTED_TAG                                                                                                   \
	"name=value, as in X-Gateway-Tags: the name without = and the value without a comma, 128 bytes at most"
#define EXPECTED_LABEL "1..128 printable characters"
#define EXPECTED_MODEL_ID "1..200 letters, digits, \".\", \"_\", \"-\", \"/\", \":\", \"@\", \"+\""
#define EXPECTED_URL "an http:// or https:// URL"
#define EXPECTED_BASE_URL "an http:// or https:// URL without query or user"
#define EXPECTED_NETWORK "an address or a network such as 10.0.0.0/8 or fd00::/8"
#define EXPECTED_PEER "HOST:PORT"
#define EXPECTED_ADDRESS "ADDRESS:PORT such as 0.0.0.0:8080 or [::]:8080"
#define EXPECTED_RFC3339 "an RFC 3339 time such as 2026-01-31T12:00:00Z"
#define EXPECTED_DAY_SPAN                                                                                              \
	"a span of the day such as 22:00-06:00, of UTC or of a zone of this system's tz database as in \"22:00-06:00 " \
	"Europe/Berlin\""
#define EXPECTED_SECRET "1..256 printable ASCII characters without spaces"
#define EXPECTED_SHA256 "64 hexadecimal digits"

/* The parts of a URL that passed check_url; slices into `text`. */
struct url_parts {
	bool https;
	struct slice host; /* without the brackets of an IPv6 address */
	uint16_t port;
	struct slice path; /* with its query; empty or begins with "/" */
};
bool url_split(struct slice text, struct url_parts *parts);

#endif
