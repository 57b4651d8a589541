/* Asking the admin API: defaults, errors told for people, text made safe for a terminal. */
#include "tools/client.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { DOCUMENT_BYTES_MAX = HTTP_GET_BYTES_MAX };

bool client_take_option(struct client *client, int option, const char *argument)
{
	switch (option) {
	case CLIENT_OPTION_URL:
		client->url = argument;
		return true;
	case CLIENT_OPTION_KEY:
		client->admin_key = argument;
		return true;
	case CLIENT_OPTION_CA:
		client->trust.ca = argument;
		return true;
	case CLIENT_OPTION_INSECURE:
		client->trust.insecure = true;
		return true;
	case CLIENT_OPTION_JSON:
		client->json = true;
		return true;
	default:
		return false;
	}
}

bool client_open(struct client *client)
{
	if (!client->url)
		client->url = "http://127.0.0.1:8080";
	if (!client->admin_key)
		client->admin_key = getenv("TOLLGATE_MASTER_KEY");
	if (!client->admin_key || !*client->admin_key) {
		fputs("tollgate: no key: set TOLLGATE_MASTER_KEY or give --admin-key\n", stderr);
		return false;
	}
	client->parser = json_parser_open(DOCUMENT_BYTES_MAX);
	if (!client->parser)
		fputs("tollgate: out of memory\n", stderr);
	return client->parser != NULL;
}

void client_close(struct client *client)
{
	http_answer_fini(&client->answer);
	if (client->parser)
		json_parser_close(client->parser);
	client->parser = NULL;
}

/* The gateway's own words, when its answer has some. */
static void tell_refusal(const struct client *client, bool parsed)
{
	const struct json_parser *p = client->parser;
	json_ref message = JSON_NONE, error;

	if (parsed) {
		error = json_member(p, 0, SLICE("error"));
		message = error == JSON_NONE ? JSON_NONE : json_member(p, error, SLICE("message"));
	}
	fprintf(stderr, "tollgate: the gateway answered %u", client->answer.status);
	if (message != JSON_NONE && json_type(p, message) == JSON_STRING) {
		fputs(": ", stderr);
		client_print_safely(json_string(p, message), stderr);
	}
	fputc('\n', stderr);
}

bool client_ask(struct client *client, const char *method, const char *path, const char *json)
{
	const struct http_question question = {method, path, client->admin_key, json};
	char why[HTTP_GET_WHY_BYTES] = "out of memory";
	struct json_error error;
	bool parsed;

	http_answer_fini(&client->answer);
	if (http_ask(client->url, &client->trust, &question, &client->answer, why) < 0) {
		fprintf(stderr, "tollgate: %s\n", why);
		return false;
	}
	parsed = json_parse(client->parser, slice_of(client->answer.body, client->answer.body_bytes), &error) == 0;
	if (client->answer.status != 200 && client->answer.status != 201) {
		tell_refusal(client, parsed);
		return false;
	}
	if (!parsed)
		fprintf(stderr, "tollgate: %.100s did not answer with JSON; is it a tollgate?\n", client->url);
	return parsed;
}

bool client_get(struct client *client, const char *path)
{
	return client_ask(client, "GET", path, NULL);
}

void client_print_safely(struct slice text, FILE *to)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		unsigned char next = i + 1 < text.size ? (unsigned char)text.data[i + 1] : 0;
		bool control = c < ' ' || c == 0x7f || (c == 0xc2 && next < 0xa0); /* U+0080..U+009F begin with C2 */

		fputc(control ? '?' : c, to);
		if (control && c == 0xc2)
			i++;
	}
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

bool client_add_query(char *path, size_t capacity, const char *name, const char *value)
{
	size_t size = strlen(path);
	int n = snprintf(path + size, capacity - size, "%c%s=", strchr(path, '?') ? '&' : '?', name);

	if (n < 0 || (size_t)n >= capacity - size)
		return false;
	size += (size_t)n;
	for (; *value; value++) {
		if (capacity - size < 4)
			return false;
		if (is_unreserved(*value))
			n = snprintf(path + size, capacity - size, "%c", *value);
		else
			n = snprintf(path + size, capacity - size, "%%%02X", (unsigned char)*value);
		size += (size_t)n;
	}
	return true;
}

bool client_read_since(const char *text, char memory[static CLIENT_SINCE_BYTES], const char **since)
{
	static const char units[] = "smhd";
	static const long seconds[] = {1, 60, 3600, 86400};
	char *end;
	const char *unit;
	long age;

	*since = text;
	errno = 0;
	age = strtol(text, &end, 10);
	if (end == text || !*end || end[1] || !(unit = strchr(units, *end)))
		return *text != '\0';
	if (errno || age < 0 || age > 100L * 365 * 86400 / seconds[unit - units])
		return false;
	snprintf(memory, CLIENT_SINCE_BYTES, "%lld", (long long)time(NULL) - age * seconds[unit - units]);
	*since = memory;
	return true;
}
