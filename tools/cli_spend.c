/* `tollgate spend`: what was spent, by workspace or another dimension, the dearest first; days in their order. */
#include "tools/cli.h"
#include "tools/client.h"

#include "core/text.h"

enum { PATH_BYTES = 1024, NAME_WIDTH = 40, NAME_BYTES = 512 };

static const char help[] =
	"usage: tollgate spend [options]\n"
	"\n"
	"Prints what was spent, the dearest first, and the sum.\n"
	"\n"
	"      --by WHAT        workspace (the default), team, key, project, endpoint, model, provider, tag or day\n"
	"      --since TIME     since that day (UTC): 2026-01-31, or 24h, 7d ago\n"
	"      --until TIME     up to that day, which is included\n" CLIENT_HELP;

struct spend {
	struct client client;
	const char *by, *since, *until;
	char since_text[CLIENT_SINCE_BYTES], until_text[CLIENT_SINCE_BYTES];
};

static bool ask_page(struct spend *s, const char *cursor)
{
	char path[PATH_BYTES] = "/admin/spend?limit=1000";
	bool fits = client_add_query(path, sizeof(path), "by", s->by) &&
		    (!s->since || client_add_query(path, sizeof(path), "from", s->since)) &&
		    (!s->until || client_add_query(path, sizeof(path), "to", s->until)) &&
		    (!*cursor || client_add_query(path, sizeof(path), "cursor", cursor));

	if (!fits)
		fputs("tollgate: the options are too long\n", stderr);
	return fits && client_get(&s->client, path);
}

static struct slice member(const struct json_parser *p, json_ref object, struct slice name)
{
	json_ref value = json_member(p, object, name);

	if (value == JSON_NONE || json_type(p, value) == JSON_NULL)
		return SLICE("-");
	return json_type(p, value) == JSON_STRING ? json_string(p, value) : json_raw(p, value);
}

/* "name", of teams and tags "workspace/name", of tags with "=value". */
static struct slice row_name(const struct spend *s, json_ref row, char memory[static NAME_BYTES])
{
	const struct json_parser *p = s->client.parser;
	struct text name = text_over(memory, NAME_BYTES);

	if (json_member(p, row, SLICE("workspace")) != JSON_NONE && strcmp(s->by, "workspace") != 0) {
		text_add(&name, member(p, row, SLICE("workspace")));
		text_char(&name, '/');
	}
	text_add(&name, member(p, row, slice_of_string(s->by)));
	if (json_member(p, row, SLICE("value")) != JSON_NONE) {
		text_char(&name, '=');
		text_add(&name, member(p, row, SLICE("value")));
	}
	return text_slice(&name);
}

static void print_row(const struct spend *s, struct slice name, json_ref figures)
{
	static const struct {
		struct slice name;
		int width;
	} columns[] = {{{"requests", 8}, 12}, {{"prompt_tokens", 13}, 16}, {{"completion_tokens", 17}, 16},
		{{"spend_usd", 9}, 20}};

	client_print_safely(name, stdout);
	printf("%*s", name.size < NAME_WIDTH ? (int)(NAME_WIDTH - name.size) : 1, "");
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct slice value = member(s->client.parser, figures, columns[i].name);

		printf("%*.*s", columns[i].width, (int)value.size, value.data);
	}
	putchar('\n');
}

/* False when this was the last page, or when it holds none. */
static bool show_page(const struct spend *s, bool first, char *cursor, size_t capacity)
{
	const struct json_parser *p = s->client.parser;
	json_ref data = json_member(p, 0, SLICE("data")), next = json_member(p, 0, SLICE("next_cursor"));
	char memory[NAME_BYTES];
	struct slice text;

	if (first)
		printf("%-*s%12s%16s%16s%20s\n", NAME_WIDTH, s->by, "requests", "prompt tokens", "output tokens",
			"USD");
	for (json_ref row = data == JSON_NONE ? JSON_NONE : json_first(p, data); row != JSON_NONE;
		row = json_next(p, row))
		print_row(s, row_name(s, row, memory), row);
	if (next == JSON_NONE || json_type(p, next) != JSON_STRING) {
		json_ref total = json_member(p, 0, SLICE("total"));

		if (total != JSON_NONE)
			print_row(s, SLICE("total"), total);
		return false;
	}
	text = json_string(p, next);
	if (!text.size || text.size >= capacity)
		return false;
	memcpy(cursor, text.data, text.size);
	cursor[text.size] = '\0';
	return true;
}

static int show(struct spend *s)
{
	char cursor[32] = "";
	bool first = true;

	do {
		if (!ask_page(s, cursor))
			return CLI_FAILED;
		if (s->client.json) {
			printf("%.*s\n", (int)s->client.answer.body_bytes, s->client.answer.body);
			break;
		}
	} while (show_page(s, first, cursor, sizeof(cursor)) && !(first = false));
	return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}

static bool is_dimension(const char *name)
{
	static const char *const names[] = {
		"workspace", "team", "key", "project", "endpoint", "model", "provider", "tag", "day"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* 0: go on; 1: help was asked for; -1: wrong, and said so. */
static int read_options(struct spend *s, int argc, char **argv)
{
	static const struct option options[] = {
		{"by", required_argument, NULL, 'b'},
		{"since", required_argument, NULL, 's'},
		{"until", required_argument, NULL, 't'},
		CLIENT_OPTIONS,
		{NULL, 0, NULL, 0},
	};
	bool good = true;

	optind = 1;
	for (int c; good && (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (c == CLIENT_OPTION_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (c == 'b')
			good = is_dimension(s->by = optarg);
		else if (c == 's')
			good = client_read_since(optarg, s->since_text, &s->since);
		else if (c == 't')
			good = client_read_since(optarg, s->until_text, &s->until);
		else
			good = client_take_option(&s->client, c, optarg);
	}
	if (good && optind == argc)
		return 0;
	fputs(help, stderr);
	return -1;
}

int cli_spend(int argc, char **argv)
{
	struct spend s = {.by = "workspace"};
	int rc = read_options(&s, argc, argv), status;

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_DONE;
	if (!client_open(&s.client))
		return CLI_USAGE;
	status = show(&s);
	client_close(&s.client);
	return status;
}
