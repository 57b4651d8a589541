/* `tollgate status`: what a running gateway says of itself, as an indented outline. */
#include "tools/cli.h"
#include "tools/client.h"
#include "tools/outline.h"

static const char help[] = "usage: tollgate status [options]\n"
			   "\n"
			   "Prints the state of a running gateway.\n"
			   "\n" CLIENT_HELP;

int cli_status(int argc, char **argv)
{
	static const struct option options[] = {CLIENT_OPTIONS, {NULL, 0, NULL, 0}};
	struct client client = {.json = false};
	int status = CLI_FAILED;

	optind = 1;
	for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (client_take_option(&client, c, optarg))
			continue;
		fputs(help, c == CLIENT_OPTION_HELP ? stdout : stderr);
		return c == CLIENT_OPTION_HELP ? CLI_DONE : CLI_USAGE;
	}
	if (optind != argc) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	if (!client_open(&client))
		return CLI_USAGE;
	if (client_get(&client, "/admin/status")) {
		if (client.json)
			printf("%.*s\n", (int)client.answer.body_bytes, client.answer.body);
		else
			outline_print(client.parser, 0, stdout);
		status = CLI_DONE;
	}
	client_close(&client);
	return status;
}
