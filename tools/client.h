/* What the client commands share: where the gateway is, and asking its admin API. */
#ifndef TOOLS_CLIENT_H
#define TOOLS_CLIENT_H

#include "proto/json/json.h"
#include "tools/http_get.h"

#include <getopt.h>
#include <stdio.h>

struct client {
	const char *url, *admin_key;
	struct http_trust trust; /* for https */
	bool json;
	struct json_parser *parser; /* holds the last answer's view */
	struct http_answer answer;  /* the last one */
};

/* Long options of every client command; a command's own short codes are letters and differ from these. */
enum {
	CLIENT_OPTION_URL = 'u',
	CLIENT_OPTION_KEY = 'a',
	CLIENT_OPTION_JSON = 'j',
	CLIENT_OPTION_HELP = 'h',
	CLIENT_OPTION_CA = 'C',
	CLIENT_OPTION_INSECURE = 'I'
};

#define CLIENT_OPTIONS                                                                                                 \
	{"url", required_argument, NULL, CLIENT_OPTION_URL},                                                           \
		{"admin-key", required_argument, NULL, CLIENT_OPTION_KEY},                                             \
		{"ca", required_argument, NULL, CLIENT_OPTION_CA},                                                     \
		{"insecure", no_argument, NULL, CLIENT_OPTION_INSECURE},                                               \
		{"json", no_argument, NULL, CLIENT_OPTION_JSON},                                                       \
	{                                                                                                              \
		"help", no_argument, NULL, CLIENT_OPTION_HELP                                                          \
	}

#define CLIENT_HELP                                                                                                    \
	"      --url URL        the gateway to ask (default: http://127.0.0.1:8080)\n"                                 \
	"      --ca FILE        issuers that are trusted, PEM (default for https: the system's)\n"                     \
	"      --insecure       trust any certificate\n"                                                               \
	"      --admin-key KEY  master key or admin token (default: $TOLLGATE_MASTER_KEY)\n"                           \
	"      --json           print JSON\n"                                                                          \
	"  -h, --help           this text\n"

/* Takes one of CLIENT_OPTIONS; false when it is none of them. */
bool client_take_option(struct client *client, int option, const char *argument);

/* After the options: fills in defaults. False, and said on stderr, when no key is known. */
bool client_open(struct client *client);
void client_close(struct client *client);

/* GETs and parses. True on 200; else says on stderr what is wrong. The view lives until the next call. */
bool client_get(struct client *client, const char *path);

/* The same with another method and a body, which may be NULL; true on 200 and 201. */
bool client_ask(struct client *client, const char *method, const char *path, const char *json);

/* Prints text from elsewhere with its control characters replaced, so that nobody's model name drives a terminal. */
void client_print_safely(struct slice text, FILE *to);

/* A time for the gateway: "15m" becomes the Unix second that long ago, in `memory`; anything else is left to the
 * gateway to read. False for a wrong age. */
enum { CLIENT_SINCE_BYTES = 32 };
bool client_read_since(const char *text, char memory[static CLIENT_SINCE_BYTES], const char **since);

/* Appends to a query string: percent-encoded (RFC 3986 section 2.1). False when it does not fit. */
bool client_add_query(char *path, size_t capacity, const char *name, const char *value);

#endif
