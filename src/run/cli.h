#ifndef RUN_CLI_H
#define RUN_CLI_H

/* What the command line asks for is done. The exit code. */
int cli_main(int argc, char **argv);

#endif
