/*
 * The commands of `tollgate`. Each has argv[0] set to its own name and returns the exit status: 0, 1 for a failure, 2
 * for a wrong command line. main() finds them in a table.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

enum cli_status { CLI_DONE, CLI_FAILED, CLI_USAGE };

int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_receipts(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_keys(int argc, char **argv);
int cli_spend(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_features(int argc, char **argv);

#endif
