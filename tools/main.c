/* `tollgate`: finds the command and runs it. */
#include "tools/cli.h"

#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"run", cli_run, "serve in the foreground"},
	{"check", cli_check, "validate a configuration, or the receipts of a data directory"},
	{"receipts", cli_receipts, "print receipts, and follow new ones"},
	{"explain", cli_explain, "explain from a receipt why a request went where it went"},
	{"keys", cli_keys, "create, list, show, update, rotate and revoke keys"},
	{"spend", cli_spend, "print what was spent, by key, team, model ..."},
	{"status", cli_status, "print the state of a running gateway"},
	{"features", cli_features, "print the choices of the build and the versions of its libraries"},
};

static void print_help(FILE *to)
{
	fputs("usage: tollgate COMMAND [options]\n\n", to);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\n`tollgate COMMAND --help` tells its options.\n", to);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_help(stdout);
		return CLI_DONE;
	}
	if (*name)
		fprintf(stderr, "tollgate: there is no command \"%s\"\n\n", name);
	print_help(stderr);
	return CLI_USAGE;
}
