/*
 * Fuzzes what says who calls: forwarded addresses, ranges of addresses, presented keys, globs. An address that is
 * taken from a request was named by someone trusted and prints as what reads back; a glob matches what a plain table
 * says.
 *
 * An input: a byte that chooses the peer, then lines, each a letter that says what it is and its text: 'f'
 * X-Forwarded-For, 'a' Authorization, 'k' x-api-key, 'n' a trusted network, 'g' a glob, 't' a text for the glob.
 */
#include "core/resolve.h"
#include "fuzz/input.h"
#include "route/tenancy/client_address.h"
#include "route/tenancy/keys.h"
#include "route/settings/settings_text.h"

#include <arpa/inet.h>

enum { INPUT_MAX_BYTES = 2048, NETWORKS_MAX = 8, GLOB_MAX_BYTES = 128 };

struct call {
	struct http_head head;
	struct strings networks;
	char *network_list[NETWORKS_MAX];
	char *glob; /* NULL: none yet */
	struct slice text;
	struct sockaddr_storage peer;
};

static char *string_of(struct slice text)
{
	char *string = malloc(text.size + 1);

	assert(string);
	memcpy(string, text.data, text.size);
	string[text.size] = '\0';
	return string;
}

static void add_header(struct call *call, struct slice name, struct slice value)
{
	if (call->head.header_count < HTTP_HEADERS_MAX)
		call->head.headers[call->head.header_count++] = (struct http_header){name, value};
}

static void take_line(struct call *call, char kind, struct slice text)
{
	if (kind == 'f') {
		add_header(call, SLICE("X-Forwarded-For"), text);
	} else if (kind == 'a') {
		add_header(call, SLICE("authorization"), text);
	} else if (kind == 'k') {
		add_header(call, SLICE("X-Api-Key"), text);
	} else if (kind == 'n' && call->networks.count < NETWORKS_MAX && check_network(text)) {
		call->networks.list[call->networks.count++] = string_of(text);
	} else if (kind == 'g' && !call->glob && text.size <= GLOB_MAX_BYTES && !memchr(text.data, 0, text.size)) {
		call->glob = string_of(text);
	} else if (kind == 't' && text.size <= GLOB_MAX_BYTES) {
		call->text = text;
	}
}

static void take_lines(struct call *call, struct slice lines)
{
	while (lines.size) {
		const char *end = memchr(lines.data, '\n', lines.size);
		size_t size = end ? (size_t)(end - lines.data) : lines.size;

		if (size > 0)
			take_line(call, lines.data[0], slice_of(lines.data + 1, size - 1));
		lines = slice_after(lines, size + 1);
	}
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a, *b4 = (const struct sockaddr_in *)b;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a, *b6 = (const struct sockaddr_in6 *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return memcmp(&a4->sin_addr, &b4->sin_addr, sizeof(a4->sin_addr)) == 0;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

static void check_client(const struct call *call)
{
	char memory[CLIENT_ADDRESS_TEXT_BYTES];
	struct text text = text_over(memory, sizeof(memory));
	struct sockaddr_storage client, again;

	memset(&client, 0, sizeof(client));
	client_address(&call->networks, &call->head, &call->peer, &client);
	if (!call->networks.count || !address_allowed(&call->networks, &call->peer))
		assert(same_address(&client, &call->peer));
	client_address_print(&client, &text);
	assert(!text.full && text.size > 0);
	assert(resolve_literal(text_slice(&text), 0, &again) && same_address(&client, &again));
}

/* An address alone is a range of one: itself. */
static void check_networks(struct call *call)
{
	for (unsigned i = 0; i < call->networks.count; i++) {
		struct strings one = {1, &call->networks.list[i]};
		struct sockaddr_storage address;

		if (resolve_literal(slice_of_string(one.list[0]), 0, &address))
			assert(address_allowed(&one, &address));
	}
}

static void check_key(const struct call *call)
{
	struct slice key = key_presented(&call->head);
	bool inside = !key.data;

	for (unsigned i = 0; i < call->head.header_count && !inside; i++) {
		struct slice value = call->head.headers[i].value;

		inside = key.data >= value.data && key.data + key.size == value.data + value.size;
	}
	assert(inside);
}

/* matched[i]: what of the pattern was read matches the text's first i bytes. */
static bool matches_plainly(const char *pattern, struct slice text)
{
	bool matched[GLOB_MAX_BYTES + 1] = {true};

	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			for (size_t i = 1; i <= text.size; i++)
				matched[i] |= matched[i - 1];
			continue;
		}
		for (size_t i = text.size; i > 0; i--)
			matched[i] = matched[i - 1] && (*pattern == '?' || *pattern == text.data[i - 1]);
		matched[0] = false;
	}
	return matched[text.size];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const peers[] = {"10.1.2.3", "::1", "::ffff:10.1.2.3", "2001:db8::1"};
	struct input input = {data, data + size};
	const char *peer = peers[input_byte(&input) % (sizeof(peers) / sizeof(*peers))];
	struct call *call = calloc(1, sizeof(*call));
	struct slice lines = input_rest(&input);
	char *copy;

	assert(call);
	call->networks.list = call->network_list;
	assert(resolve_literal(slice_of_string(peer), 0, &call->peer));
	copy = copy_of(lines);
	if (lines.size <= INPUT_MAX_BYTES) {
		take_lines(call, slice_of(copy, lines.size));
		check_client(call);
		check_networks(call);
		check_key(call);
		if (call->glob)
			assert(glob_match(call->glob, call->text) == matches_plainly(call->glob, call->text));
	}
	for (unsigned i = 0; i < call->networks.count; i++)
		free(call->networks.list[i]);
	free(call->glob);
	free(copy);
	free(call);
	return 0;
}
