/* `tollgate explain`: why a request went where it went, from its receipt: the figures, the verdicts, the same order
 * again. */
#include "tools/cli.h"
#include "tools/client.h"

#include <stdlib.h>

enum { PATH_BYTES = 512 };

static const char help[] =
	"usage: tollgate explain --receipt ID [options]\n"
	"\n"
	"Explains a decision from its receipt: each candidate with its verdict and the figures that ranked it,\n"
	"and whether the same figures rank them in the same order again.\n"
	"\n"
	"      --receipt ID     the receipt's request id (req_...)\n" CLIENT_HELP;

static const struct column {
	const char *head;
	int width; /* negative: left-aligned */
	struct slice name;
} columns[] = {
	{"#", 2, {"place", 5}},
	{"MODEL", -28, {"model", 5}},
	{"VERDICT", -17, {"verdict", 7}},
	{"QUALITY", 7, {"quality", 7}},
	{"USD", 11, {"cost_usd", 8}},
	{"MS", 9, {"latency_ms", 10}},
	{"CONTEXT", 8, {"context_window", 14}},
	{"WHY", -1, {"why", 3}},
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

/* As it is written; "-" for what is null or missing. */
static struct slice value_of(const struct json_parser *p, json_ref of, struct slice name)
{
	json_ref value = json_member(p, of, name);

	if (value == JSON_NONE || json_type(p, value) == JSON_NULL)
		return SLICE("-");
	return json_type(p, value) == JSON_STRING ? json_string(p, value) : json_raw(p, value);
}

static bool has(const struct json_parser *p, struct slice name)
{
	json_ref value = json_member(p, 0, name);

	return value != JSON_NONE && json_type(p, value) != JSON_NULL;
}

static void print_value(const struct json_parser *p, const char *before, struct slice name)
{
	fputs(before, stdout);
	client_print_safely(value_of(p, 0, name), stdout);
}

static bool is_true(const struct json_parser *p, json_ref of, struct slice name)
{
	json_ref value = json_member(p, of, name);

	return value != JSON_NONE && json_type(p, value) == JSON_TRUE;
}

static void print_head(const struct json_parser *p)
{
	print_value(p, "", SLICE("request_id"));
	print_value(p, "  ", SLICE("timestamp"));
	print_value(p, "\nasked for ", SLICE("requested_model"));
	print_value(p, ", served by ", SLICE("winner"));
	print_value(p, " (", SLICE("strategy"));
	print_value(p, "): ", SLICE("reason"));
	if (has(p, SLICE("score"))) {
		print_value(p, "\nbucket ", SLICE("bucket"));
		print_value(p, ", score ", SLICE("score"));
		if (is_true(p, 0, SLICE("unsure")))
			fputs(", in doubt the harder one", stdout);
	}
	if (has(p, SLICE("rule")))
		print_value(p, "\nby rule ", SLICE("rule"));
	if (has(p, SLICE("priority"))) {
		print_value(p, "\nranked by ", SLICE("priority"));
		print_value(p, ": quality at least ", SLICE("quality_needed"));
		if (is_true(p, 0, SLICE("quality_asked")))
			fputs(" (asked for)", stdout);
		if (has(p, SLICE("max_latency_ms")))
			print_value(p, ", first token within ms ", SLICE("max_latency_ms"));
		print_value(p, ", tokens ", SLICE("tokens"));
	}
	fputs("\n\n", stdout);
}

static void print_row(const struct json_parser *p, json_ref candidate)
{
	for (unsigned i = 0; i < COLUMNS; i++) {
		struct slice text = value_of(p, candidate, columns[i].name);
		bool left = columns[i].width < 0;
		size_t width = (size_t)(left ? -columns[i].width : columns[i].width);
		int padding = text.size < width ? (int)(width - text.size) : 0;

		printf("%*s", left ? 0 : padding, "");
		client_print_safely(text, stdout);
		if (i + 1 < COLUMNS)
			printf("%*s", left ? padding + 1 : 1, "");
	}
	putchar('\n');
}

static void print_candidates(const struct json_parser *p)
{
	json_ref list = json_member(p, 0, SLICE("candidates"));

	for (unsigned i = 0; i < COLUMNS; i++)
		printf("%*s%c", columns[i].width, columns[i].head, i + 1 < COLUMNS ? ' ' : '\n');
	if (list == JSON_NONE || json_type(p, list) != JSON_ARRAY)
		return;
	for (json_ref one = json_first(p, list); one != JSON_NONE; one = json_next(p, one))
		print_row(p, one);
}

/* What the ranking was, done again. */
static void print_replay(const struct json_parser *p)
{
	json_ref replay = json_member(p, 0, SLICE("replay"));

	if (replay == JSON_NONE || json_type(p, replay) != JSON_OBJECT)
		puts("\nNothing was ranked: the model was named.");
	else if (is_true(p, replay, SLICE("agrees")))
		puts("\nRanked again from these figures: the same order.");
	else
		puts("\nRanked again from these figures: ANOTHER order. The receipt, or this version's ranking, is "
		     "another one.");
}

static int explain(struct client *client, const char *id)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "/admin/receipts/%.200s/explain", id);
	if (!client_get(client, path))
		return CLI_FAILED;
	if (client->json) {
		struct slice raw = json_raw(client->parser, 0);

		fwrite(raw.data, 1, raw.size, stdout);
		putchar('\n');
	} else {
		print_head(client->parser);
		print_candidates(client->parser);
		print_replay(client->parser);
	}
	return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}

static bool is_request_id(const char *id)
{
	return *id && strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(id);
}

int cli_explain(int argc, char **argv)
{
	static const struct option options[] = {
		{"receipt", required_argument, NULL, 'r'},
		CLIENT_OPTIONS,
		{NULL, 0, NULL, 0},
	};
	struct client client = {.json = false};
	const char *id = NULL;
	bool good = true;
	int status;

	optind = 1;
	for (int c; good && (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (c == CLIENT_OPTION_HELP) {
			fputs(help, stdout);
			return CLI_DONE;
		}
		if (c == 'r')
			good = is_request_id(id = optarg);
		else
			good = client_take_option(&client, c, optarg);
	}
	if (!good || !id || optind != argc) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	if (!client_open(&client))
		return CLI_USAGE;
	status = explain(&client, id);
	client_close(&client);
	return status;
}
