/* `tollgate keys`: virtual keys through the admin API. What a key shall be is options, which become the members of a
 * JSON body. */
#include "core/text.h"
#include "tools/cli.h"
#include "tools/client.h"
#include "tools/outline.h"

#include <stdlib.h>

enum { PATH_BYTES = 2048, BODY_BYTES = 65536, VALUES_MAX = 256, OVERLAP_TEXT_BYTES = 16 };

static const char help[] =
	"usage: tollgate keys create --name NAME [options]\n"
	"       tollgate keys list [--workspace ID] [--team ID] [--status STATUS] [options]\n"
	"       tollgate keys show|revoke ID [options]\n"
	"       tollgate keys update ID [options]\n"
	"       tollgate keys rotate ID [--overlap SECONDS] [options]\n"
	"\n"
	"Makes and changes keys. A secret is printed once, by create and rotate; nobody can show it again.\n"
	"\n"
	"      --name NAME          what people call it\n"
	"      --workspace ID       whose it is (default: default); it cannot change\n"
	"      --team ID            of that workspace\n"
	"      --environment NAME   prod or dev; it cannot change\n"
	"      --model GLOB         models it may use, once for each (default: *)\n"
	"      --endpoint GLOB      project/slug that it may call, once for each (default: *)\n"
	"      --scope NAME         chat, responses, embeddings, moderations, images, audio, models, endpoints, "
	"receipts\n"
	"      --allow-ip NETWORK   from where, once for each: 10.0.0.0/8, 2001:db8::/32\n"
	"      --tag NAME=VALUE     what its calls count for, once for each\n"
	"      --expires TIME       2026-01-31T12:00:00Z, or null\n"
	"      --rpm N, --rph N, --rpd N, --tpm N, --concurrency N\n"
	"                           limits; 0: the plan's\n"
	"      --daily-usd X, --weekly-usd X, --monthly-usd X, --per-request-usd X\n"
	"                           budgets; null: none\n"
	"      --disabled BOOL      true: refuse its calls\n"
	"      --overlap SECONDS    how long the old secret stays good after rotate (default: 86400)\n" CLIENT_HELP;

/* How an option's values become JSON. */
enum form { FORM_TEXT, FORM_TEXT_OR_NULL, FORM_PLAIN, FORM_LIST, FORM_PAIRS };

static const struct member {
	const char *option, *part, *name; /* part NULL: a member of the body itself */
	enum form form;
} members[] = {
	{"name", NULL, "name", FORM_TEXT},
	{"workspace", NULL, "workspace", FORM_TEXT},
	{"team", NULL, "team", FORM_TEXT_OR_NULL},
	{"environment", NULL, "environment", FORM_TEXT},
	{"expires", NULL, "expires_at", FORM_TEXT_OR_NULL},
	{"disabled", NULL, "disabled", FORM_PLAIN},
	{"overlap", NULL, "overlap_seconds", FORM_PLAIN},
	{"model", NULL, "models", FORM_LIST},
	{"endpoint", NULL, "endpoints", FORM_LIST},
	{"scope", NULL, "scopes", FORM_LIST},
	{"allow-ip", NULL, "allow_ips", FORM_LIST},
	{"tag", NULL, "tags", FORM_PAIRS},
	{"rpm", "limits", "rpm", FORM_PLAIN},
	{"rph", "limits", "rph", FORM_PLAIN},
	{"rpd", "limits", "rpd", FORM_PLAIN},
	{"tpm", "limits", "tpm", FORM_PLAIN},
	{"concurrency", "limits", "concurrency", FORM_PLAIN},
	{"daily-usd", "budget", "daily_usd", FORM_PLAIN},
	{"weekly-usd", "budget", "weekly_usd", FORM_PLAIN},
	{"monthly-usd", "budget", "monthly_usd", FORM_PLAIN},
	{"per-request-usd", "budget", "per_request_usd", FORM_PLAIN},
};
enum { MEMBERS = sizeof(members) / sizeof(members[0]), OPTION_STATUS = MEMBERS + 256, OPTION_MEMBER = 256 };

struct keys {
	struct client client;
	const char *verb, *id, *status;
	struct value {
		unsigned member;
		const char *text;
	} values[VALUES_MAX];
	unsigned value_count;
};

static const char *value_of(const struct keys *k, const char *option)
{
	for (unsigned i = 0; i < k->value_count; i++)
		if (strcmp(members[k->values[i].member].option, option) == 0)
			return k->values[i].text;
	return NULL;
}

/* Numbers, true, false and null go as they are; anything else as a text, so that the gateway says what it expected. */
static bool is_plain(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (text[digits] == '.' && digits)
		digits += 1 + strspn(text + digits + 1, "0123456789");
	return (*text && !text[digits] && text[digits - 1] != '.' && (*text != '0' || !text[1] || text[1] == '.')) ||
	       strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || strcmp(text, "null") == 0;
}

static void add_value(struct text *json, enum form form, const char *text)
{
	const char *equals = strchr(text, '=');

	if (form == FORM_PAIRS) {
		text_json(json, slice_of(text, equals ? (size_t)(equals - text) : strlen(text)));
		text_char(json, ':');
		text_json(json, slice_of_string(equals ? equals + 1 : ""));
	} else if ((form == FORM_PLAIN && is_plain(text)) || (form == FORM_TEXT_OR_NULL && strcmp(text, "null") == 0)) {
		text_string(json, text);
	} else {
		text_json(json, slice_of_string(text));
	}
}

/* All values of one member; of forms that take one, the last counts. */
static void add_member(const struct keys *k, unsigned member, struct text *json)
{
	enum form form = members[member].form;
	bool many = form == FORM_LIST || form == FORM_PAIRS, first = true;
	const char *last = "";

	text_json(json, slice_of_string(members[member].name));
	text_char(json, ':');
	if (many)
		text_char(json, form == FORM_LIST ? '[' : '{');
	for (unsigned i = 0; i < k->value_count; i++) {
		if (k->values[i].member != member)
			continue;
		last = k->values[i].text;
		if (!many)
			continue;
		if (!first)
			text_char(json, ',');
		first = false;
		add_value(json, form, last);
	}
	if (many)
		text_char(json, form == FORM_LIST ? ']' : '}');
	else
		add_value(json, form, last);
}

static bool has_member(const struct keys *k, unsigned member)
{
	for (unsigned i = 0; i < k->value_count; i++)
		if (k->values[i].member == member)
			return true;
	return false;
}

/* Members of a part stand together in the table. */
static bool print_body(const struct keys *k, struct text *json)
{
	const char *part = NULL;
	bool first = true;

	text_char(json, '{');
	for (unsigned m = 0; m < MEMBERS; m++) {
		if (!has_member(k, m))
			continue;
		if (part && (!members[m].part || strcmp(members[m].part, part) != 0)) {
			text_char(json, '}');
			part = NULL;
		}
		if (!first)
			text_char(json, ',');
		first = false;
		if (members[m].part && !part) {
			part = members[m].part;
			text_json(json, slice_of_string(part));
			text_literal(json, ":{");
		}
		add_member(k, m, json);
	}
	text_string(json, part ? "}}" : "}");
	text_char(json, '\0');
	if (json->full)
		fputs("tollgate: that is too much for one key\n", stderr);
	return !json->full;
}

static void show(const struct keys *k, json_ref key)
{
	struct slice raw = json_raw(k->client.parser, key);

	if (!k->client.json) {
		outline_print(k->client.parser, key, stdout);
		return;
	}
	fwrite(raw.data, 1, raw.size, stdout);
	putchar('\n');
}

static int change(struct keys *k, const char *method, const char *path)
{
	struct text json = text_over(malloc(BODY_BYTES), BODY_BYTES);
	bool good = json.data && print_body(k, &json);

	good = good && client_ask(&k->client, method, path, strcmp(method, "DELETE") == 0 ? NULL : json.data);
	if (good)
		show(k, 0);
	free(json.data);
	return good && fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}

static struct slice text_of(const struct json_parser *p, json_ref object, struct slice name)
{
	json_ref value = json_member(p, object, name);

	return value != JSON_NONE && json_type(p, value) == JSON_STRING ? json_string(p, value) : SLICE("-");
}

static void print_cell(struct slice text, int width)
{
	client_print_safely(text, stdout);
	for (int i = (int)text.size; i < width; i++)
		putchar(' ');
	putchar(' ');
}

static void print_row(const struct keys *k, json_ref key)
{
	const struct json_parser *p = k->client.parser;

	print_cell(text_of(p, key, SLICE("id")), 29);
	print_cell(text_of(p, key, SLICE("status")), 8);
	print_cell(text_of(p, key, SLICE("workspace")), 12);
	print_cell(text_of(p, key, SLICE("team")), 10);
	print_cell(text_of(p, key, SLICE("secret_prefix")), 18);
	client_print_safely(text_of(p, key, SLICE("name")), stdout);
	putchar('\n');
}

static bool list_path(const struct keys *k, char *path, const char *cursor)
{
	const char *workspace = value_of(k, "workspace"), *team = value_of(k, "team");
	bool fits;

	snprintf(path, PATH_BYTES, "/admin/keys?limit=1000");
	fits = (!workspace || client_add_query(path, PATH_BYTES, "workspace", workspace)) &&
	       (!team || client_add_query(path, PATH_BYTES, "team", team)) &&
	       (!k->status || client_add_query(path, PATH_BYTES, "status", k->status)) &&
	       (!*cursor || client_add_query(path, PATH_BYTES, "cursor", cursor));
	if (!fits)
		fputs("tollgate: the filters are too long\n", stderr);
	return fits;
}

static int list(struct keys *k)
{
	const struct json_parser *p = k->client.parser;
	char path[PATH_BYTES], cursor[256] = "";
	struct slice next;

	if (!k->client.json)
		printf("%-29s %-8s %-12s %-10s %-18s %s\n", "ID", "STATUS", "WORKSPACE", "TEAM", "SECRET", "NAME");
	do {
		json_ref data;

		if (!list_path(k, path, cursor) || !client_get(&k->client, path))
			return CLI_FAILED;
		data = json_member(p, 0, SLICE("data"));
		for (json_ref one = data == JSON_NONE ? data : json_first(p, data); one != JSON_NONE;
			one = json_next(p, one)) {
			if (k->client.json)
				show(k, one);
			else
				print_row(k, one);
		}
		next = text_of(p, 0, SLICE("next_cursor"));
		snprintf(cursor, sizeof(cursor), "%.*s", next.size > 1 ? (int)next.size : 0, next.data);
	} while (*cursor);
	return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}

static bool is_id(const char *id)
{
	return id && *id &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(id);
}

static bool is(const char *verb, const char *word)
{
	return strcmp(verb, word) == 0;
}

static int run(struct keys *k)
{
	char path[PATH_BYTES];

	if (is(k->verb, "list"))
		return list(k);
	if (is(k->verb, "create"))
		return change(k, "POST", "/admin/keys");
	snprintf(path, sizeof(path), "/admin/keys/%.200s%s", k->id, is(k->verb, "rotate") ? "/rotate" : "");
	if (is(k->verb, "show")) {
		if (!client_get(&k->client, path))
			return CLI_FAILED;
		show(k, 0);
		return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
	}
	return change(k, is(k->verb, "update") ? "PATCH" : is(k->verb, "revoke") ? "DELETE" : "POST", path);
}

static bool take_option(struct keys *k, int option, const char *argument)
{
	if (option == OPTION_STATUS) {
		k->status = argument;
		return true;
	}
	if (option < OPTION_MEMBER || option >= OPTION_MEMBER + MEMBERS)
		return client_take_option(&k->client, option, argument);
	if (k->value_count == VALUES_MAX)
		return false;
	k->values[k->value_count++] = (struct value){(unsigned)(option - OPTION_MEMBER), argument};
	return true;
}

/* What is said of the key has to suit the verb; what the values say is the gateway's to check. */
static bool suits(const struct keys *k)
{
	static const char *const with_id[] = {"show", "update", "revoke", "rotate"};
	bool names_one = false;

	for (unsigned i = 0; i < sizeof(with_id) / sizeof(with_id[0]); i++)
		names_one = names_one || is(k->verb, with_id[i]);
	if (names_one != (k->id != NULL) || (k->id && !is_id(k->id)))
		return false;
	for (unsigned i = 0; i < k->value_count; i++) {
		const char *option = members[k->values[i].member].option;

		if (is(option, "overlap") != is(k->verb, "rotate"))
			return false;
		if (is(k->verb, "list") && !is(option, "workspace") && !is(option, "team"))
			return false;
	}
	if (is(k->verb, "create"))
		return value_of(k, "name") && !k->status;
	if (is(k->verb, "update"))
		return k->value_count && !k->status;
	return is(k->verb, "list") || (names_one && !k->status && (is(k->verb, "rotate") || !k->value_count));
}

/* 0: go on; 1: help was asked for; -1: wrong, and said so. */
static int read_options(struct keys *k, int argc, char **argv)
{
	static const struct option common[] = {CLIENT_OPTIONS, {NULL, 0, NULL, 0}};
	struct option options[MEMBERS + sizeof(common) / sizeof(common[0]) + 1];
	bool good = true;

	for (unsigned i = 0; i < MEMBERS; i++)
		options[i] = (struct option){members[i].option, required_argument, NULL, OPTION_MEMBER + (int)i};
	options[MEMBERS] = (struct option){"status", required_argument, NULL, OPTION_STATUS};
	memcpy(options + MEMBERS + 1, common, sizeof(common));
	optind = 1;
	for (int c; good && (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (c == CLIENT_OPTION_HELP) {
			fputs(help, stdout);
			return 1;
		}
		good = take_option(k, c, optarg);
	}
	k->verb = optind < argc ? argv[optind] : "";
	k->id = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (good && argc - optind <= 2 && suits(k))
		return 0;
	fputs(help, stderr);
	return -1;
}

int cli_keys(int argc, char **argv)
{
	struct keys k = {.value_count = 0};
	int rc = read_options(&k, argc, argv), status;

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_DONE;
	if (!client_open(&k.client))
		return CLI_USAGE;
	status = run(&k);
	client_close(&k.client);
	return status;
}
