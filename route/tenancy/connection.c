/* A workspace's own credential: see connection.h. */
#include "route/tenancy/connection.h"

#include <errno.h>
#include <stdlib.h>

enum { AWS_PARTS = 3 };

struct credential_settings connection_credential(const struct connection_settings *c)
{
	return (struct credential_settings){.name = (char *)(uintptr_t)c->id,
		.api_key = c->api_key,
		.access_key_id = c->access_key_id,
		.secret_access_key = c->secret_access_key,
		.session_token = c->session_token,
		.region = c->region,
		.api_version = c->api_version,
		.weight = 1,
		.workspace = c->workspace};
}

static void keep(char **after, const char *before, struct config_memory *memory)
{
	if (!*after && before)
		*after = config_copy(memory, slice_of_string(before));
}

/* Another key, or another id, is another credential: nothing of the old one goes with it. */
void connection_keep(
	struct connection_settings *after, const struct connection_settings *before, struct config_memory *memory)
{
	if (after->api_key || after->access_key_id)
		return;
	if (!after->secret_access_key && !after->session_token)
		keep(&after->api_key, before->api_key, memory);
	keep(&after->access_key_id, before->access_key_id, memory);
	keep(&after->secret_access_key, before->secret_access_key, memory);
	keep(&after->session_token, before->session_token, memory);
}

int connection_seal(struct connection_settings *c, struct config_memory *memory)
{
	const char *const parts[AWS_PARTS] = {c->access_key_id, c->secret_access_key, c->session_token};
	struct text text;
	size_t size = 1;

	if (c->api_key) {
		c->sealed = c->api_key;
		return 0;
	}
	for (unsigned i = 0; i < AWS_PARTS; i++)
		size += 1 + (parts[i] ? strlen(parts[i]) : 0);
	text = text_over(config_alloc(memory, size, 1), size);
	if (!text.data)
		return -ENOMEM;
	for (unsigned i = 0; i < AWS_PARTS; i++) {
		text_char(&text, '\n');
		text_add(&text, slice_of_string(parts[i]));
	}
	c->sealed = text.data; /* the memory is zeroed */
	return 0;
}

/* What stands before the next line feed, or to the end; NULL when that is nothing. */
static char *take_part(struct slice *rest, struct config_memory *memory)
{
	const char *end = rest->size ? memchr(rest->data, '\n', rest->size) : NULL;
	struct slice part = slice_of(rest->data, end ? (size_t)(end - rest->data) : rest->size);

	*rest = slice_after(*rest, part.size + 1);
	return part.size ? config_copy(memory, part) : NULL;
}

int connection_unseal(struct connection_settings *c, struct slice sealed, struct config_memory *memory)
{
	struct slice rest = sealed;

	c->sealed = config_copy(memory, sealed);
	c->api_key = take_part(&rest, memory);
	c->access_key_id = take_part(&rest, memory);
	c->secret_access_key = take_part(&rest, memory);
	c->session_token = take_part(&rest, memory);
	return c->sealed && (c->api_key || c->access_key_id) ? 0 : -ENOMEM;
}

static struct connection_problem wrong(const char *param, const char *message)
{
	return (struct connection_problem){.param = param, .message = message};
}

static struct connection_problem missing(const char *param, const char *message)
{
	return (struct connection_problem){.param = param, .missing = true, .message = message};
}

static struct connection_problem check_aws(const struct connection_settings *c)
{
	if (c->api_key && c->access_key_id)
		return wrong("access_key_id", "access_key_id stands beside api_key (expected one of them)");
	if (c->api_key && (c->secret_access_key || c->session_token))
		return wrong(c->secret_access_key ? "secret_access_key" : "session_token",
			"it stands beside api_key, which needs neither (expected one or the other)");
	if (!c->api_key && !c->access_key_id)
		return missing(
			"access_key_id", "\"access_key_id\" is missing (it, or an api_key, is required for bedrock)");
	if (!c->api_key && !c->secret_access_key)
		return missing(
			"secret_access_key", "\"secret_access_key\" is missing (it is required beside access_key_id)");
	return wrong(NULL, NULL);
}

struct connection_problem connection_check(const struct connection_settings *c, enum provider_kind kind)
{
	const struct {
		const char *param, *value;
		enum provider_kind kind;
		const char *message;
	} rows[] = {
		{"access_key_id", c->access_key_id, PROVIDER_BEDROCK,
			"access_key_id belongs to bedrock (expected api_key)"},
		{"secret_access_key", c->secret_access_key, PROVIDER_BEDROCK,
			"secret_access_key belongs to bedrock (expected api_key)"},
		{"session_token", c->session_token, PROVIDER_BEDROCK,
			"session_token belongs to bedrock (expected api_key)"},
		{"region", c->region, PROVIDER_BEDROCK, "region belongs to bedrock (expected none)"},
		{"api_version", c->api_version, PROVIDER_AZURE, "api_version belongs to azure (expected none)"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].value && rows[i].kind != kind)
			return wrong(rows[i].param, rows[i].message);
	if (kind == PROVIDER_BEDROCK)
		return check_aws(c);
	return c->api_key ? wrong(NULL, NULL) : missing("api_key", "\"api_key\" is missing (it is required)");
}
