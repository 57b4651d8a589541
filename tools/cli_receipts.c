/*
 * `tollgate receipts`: the newest, those since a time, one by its id, or new ones as they come. The list comes newest
 * first in pages with a cursor; following asks each second for what lies before the newest receipt already shown.
 */
#include "tools/cli.h"
#include "tools/client.h"
#include "tools/outline.h"
#include "tools/receipt_row.h"

#include <stdlib.h>
#include <unistd.h>

enum { PATH_BYTES = 2048, PAGE_MAX = 1000, SHOWN_DEFAULT = 50, ID_BYTES_MAX = 64, FOLLOW_S = 1 };

static const char help[] =
	"usage: tollgate receipts [options]\n"
	"\n"
	"Prints receipts, newest first: the last 50, or all since a time.\n"
	"\n"
	"      --id ID          one receipt, whole, by its request id (req_...)\n"
	"      --content        with --id: what was asked and answered, where the workspace keeps it\n"
	"      --key ID         of one key (vk_...)\n"
	"      --since TIME     since then: 2026-01-31T12:00:00Z, or 30s, 15m, 24h, 7d ago\n"
	"      --fallback BOOL  true: those that another deployment had to serve; false: the others\n"
	"      --cache STATUS   hit, semantic, miss or bypass\n"
	"      --follow         go on printing new ones as they come, oldest first\n" CLIENT_HELP "\n"
	"With --json each receipt is a line of its own.\n";

struct receipts {
	struct client client;
	const char *id, *key, *since, *fallback, *cache;
	char since_text[CLIENT_SINCE_BYTES];
	bool follow, content;
	char newest[ID_BYTES_MAX + 1]; /* request id of the newest shown; "" before the first */
};

static struct slice request_id(const struct json_parser *p, json_ref receipt)
{
	json_ref id = json_member(p, receipt, SLICE("request_id"));

	return id != JSON_NONE && json_type(p, id) == JSON_STRING ? json_string(p, id) : slice_of("", 0);
}

static void show(const struct receipts *r, json_ref receipt)
{
	const struct json_parser *p = r->client.parser;
	struct slice raw = json_raw(p, receipt);

	if (!r->client.json) {
		receipt_row_print(p, receipt, stdout);
		return;
	}
	fwrite(raw.data, 1, raw.size, stdout);
	putchar('\n');
}

static bool ask_page(struct receipts *r, unsigned limit, const char *cursor)
{
	char path[PATH_BYTES];
	bool fits;

	snprintf(path, sizeof(path), "/admin/receipts?limit=%u", limit);
	fits = (!r->key || client_add_query(path, sizeof(path), "key", r->key)) &&
	       (!r->since || client_add_query(path, sizeof(path), "since", r->since)) &&
	       (!r->fallback || client_add_query(path, sizeof(path), "fallback", r->fallback)) &&
	       (!r->cache || client_add_query(path, sizeof(path), "cache", r->cache)) &&
	       (!*cursor || client_add_query(path, sizeof(path), "cursor", cursor));
	if (!fits)
		fputs("tollgate: the filters are too long\n", stderr);
	return fits && client_get(&r->client, path);
}

/* The page's array; JSON_NONE, and said, when the answer has none. */
static json_ref page_of(const struct receipts *r)
{
	json_ref data = json_member(r->client.parser, 0, SLICE("data"));

	if (data != JSON_NONE && json_type(r->client.parser, data) == JSON_ARRAY)
		return data;
	fputs("tollgate: the answer holds no list of receipts\n", stderr);
	return JSON_NONE;
}

/* False when this was the last page. */
static bool next_cursor(const struct receipts *r, char *cursor, size_t capacity)
{
	const struct json_parser *p = r->client.parser;
	json_ref next = json_member(p, 0, SLICE("next_cursor"));
	struct slice text;

	if (next == JSON_NONE || json_type(p, next) == JSON_NULL)
		return false;
	text = json_type(p, next) == JSON_STRING ? json_string(p, next) : json_raw(p, next);
	if (!text.size || text.size >= capacity)
		return false;
	memcpy(cursor, text.data, text.size);
	cursor[text.size] = '\0';
	return true;
}

static void note_newest(struct receipts *r, struct slice id)
{
	if (id.size > ID_BYTES_MAX)
		id.size = ID_BYTES_MAX;
	memcpy(r->newest, id.data, id.size);
	r->newest[id.size] = '\0';
}

static int show_list(struct receipts *r)
{
	const struct json_parser *p = r->client.parser;
	char cursor[256] = "";

	do {
		json_ref data;

		if (!ask_page(r, r->since ? PAGE_MAX : SHOWN_DEFAULT, cursor) || (data = page_of(r)) == JSON_NONE)
			return CLI_FAILED;
		if (!r->client.json && !*cursor)
			receipt_row_print_head(stdout);
		for (json_ref one = json_first(p, data); one != JSON_NONE; one = json_next(p, one)) {
			if (!*r->newest)
				note_newest(r, request_id(p, one));
			show(r, one);
		}
	} while (r->since && next_cursor(r, cursor, sizeof(cursor)));
	return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}

/* Shows one page's receipts newer than the newest shown, oldest first; a page of 1000 a second bounds what is shown. */
static bool show_new(struct receipts *r)
{
	const struct json_parser *p = r->client.parser;
	struct slice newest = slice_of_string(r->newest);
	json_ref fresh[PAGE_MAX], data;
	unsigned count = 0;

	if (!ask_page(r, PAGE_MAX, "") || (data = page_of(r)) == JSON_NONE)
		return false;
	for (json_ref one = json_first(p, data); one != JSON_NONE && count < PAGE_MAX; one = json_next(p, one)) {
		if (slice_equal(request_id(p, one), newest))
			break;
		fresh[count++] = one;
	}
	for (unsigned i = count; i-- > 0;)
		show(r, fresh[i]);
	if (count)
		note_newest(r, request_id(p, fresh[0]));
	return fflush(stdout) == 0;
}

static int follow(struct receipts *r)
{
	for (;;) {
		sleep(FOLLOW_S);
		if (!show_new(r))
			return CLI_FAILED;
	}
}

static bool is_one_of(const char *const *words, const char *word)
{
	while (*words && strcmp(*words, word) != 0)
		words++;
	return *words;
}

static bool is_request_id(const char *id)
{
	return *id && strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(id);
}

static int show_one(struct receipts *r)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "/admin/receipts/%.200s%s", r->id, r->content ? "/content" : "");
	if (!client_get(&r->client, path))
		return CLI_FAILED;
	if (r->client.json)
		show(r, 0);
	else
		outline_print(r->client.parser, 0, stdout);
	return CLI_DONE;
}

/* 0: go on; 1: help was asked for; -1: wrong, and said so. */
static int read_options(struct receipts *r, int argc, char **argv)
{
	static const struct option options[] = {
		{"id", required_argument, NULL, 'i'},
		{"key", required_argument, NULL, 'k'},
		{"since", required_argument, NULL, 's'},
		{"fallback", required_argument, NULL, 'b'},
		{"cache", required_argument, NULL, 'c'},
		{"follow", no_argument, NULL, 'f'},
		{"content", no_argument, NULL, 'o'},
		CLIENT_OPTIONS,
		{NULL, 0, NULL, 0},
	};
	static const char *const truths[] = {"true", "false", NULL}, *const cache_statuses[] = {
									     "hit", "semantic", "miss", "bypass", NULL};
	bool good = true;

	optind = 1;
	for (int c; good && (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (c == CLIENT_OPTION_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (c == 'i')
			good = is_request_id(r->id = optarg);
		else if (c == 'k')
			r->key = optarg;
		else if (c == 's')
			good = client_read_since(optarg, r->since_text, &r->since);
		else if (c == 'b')
			good = is_one_of(truths, r->fallback = optarg);
		else if (c == 'c')
			good = is_one_of(cache_statuses, r->cache = optarg);
		else if (c == 'f')
			r->follow = true;
		else if (c == 'o')
			r->content = true;
		else
			good = client_take_option(&r->client, c, optarg);
	}
	if (good && optind == argc && (r->id || !r->content) &&
		!(r->id && (r->key || r->since || r->fallback || r->cache || r->follow)))
		return 0;
	fputs(help, stderr);
	return -1;
}

int cli_receipts(int argc, char **argv)
{
	struct receipts r = {.follow = false};
	int rc = read_options(&r, argc, argv), status;

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_DONE;
	if (!client_open(&r.client))
		return CLI_USAGE;
	status = r.id ? show_one(&r) : show_list(&r);
	if (status == CLI_DONE && r.follow)
		status = follow(&r);
	client_close(&r.client);
	return status;
}
