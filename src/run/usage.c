/* The tables of options and commands, and `-h`, which prints them. */
#include "run/usage.h"

#include <stdio.h>
#include <string.h>

const struct usage_option usage_options[] = {
    { '?', NULL, NULL, "this help" },
    { 'h', NULL, NULL, "this help" },
    { 'v', NULL, NULL, "show version and exit" },
    { 'V', NULL, NULL, "show version and how it was built, then exit" },
    { 't', NULL, NULL, "test configuration and exit" },
    { 'T', NULL, NULL, "test configuration, dump it and exit" },
    { 'q', NULL, NULL, "suppress non-error messages during configuration testing" },
    { 's', "signal", "signal", "send signal to a running service: stop, quit, reopen, reload" },
    { 'p', "directory name", "prefix", "set prefix path (default: /var/lib/bifrons/)" },
    { 'e', "file name", "filename", "set error log file (default: logs/error.log)" },
    { 'c', "file name", "filename", "set configuration file (default: /etc/bifrons/bifrons.conf)" },
    { 'g', "parameter", "directives", "set global directives out of configuration file" },
    {},
};

const struct usage_command usage_commands[] = {
    { "reverse-proxy", "--from ADDRESS --to ADDRESS", "--from --to --print --help",
      "stands before an upstream, without a configuration file" },
    { "forward-proxy", "[--listen ADDRESS] [--allow NETWORK] [--deny-list FILE]",
      "--listen --allow --deny-list --print --help",
      "is a proxy for clients, without a configuration file" },
    { "file-server", "--root FOLDER [--listen ADDRESS]", "--root --listen --print --help",
      "serves a folder, without a configuration file" },
    { "explain", "[-c FILE] URL", "--client --method --header --to --json --help",
      "says what would become of a request, and which lines decide it" },
    { "forward explain", "[-c FILE] URL | HOST:PORT",
      "--client --method --header --to --address --resolve --json --help",
      "the same for a request to the forward face" },
    { "lint", "[-c FILE] [--json]", "--json --help",
      "says what a configuration has that is legal and most likely not meant" },
    { "fmt", "[FILE... | -c FILE] [--check | --write]", "--check --write --help",
      "lays out a configuration; its meaning, its words and its comments stay" },
    { "help", "[DIRECTIVE | $VARIABLE | COMMAND]", "", "says what a word of the language means" },
    {},
};

void usage_print(void)
{
    fputs("bifrons version: bifrons/" BIFRONS_VERSION "\n"
          "Usage: bifrons [-?hvVtTq] [-s signal] [-p prefix] [-c filename] [-e filename]\n"
          "               [-g directives]\n",
          stderr);
    for (const struct usage_command *c = usage_commands; c->name != NULL; c++)
        fprintf(stderr, "       bifrons %s %s\n", c->name, c->words);
    fputs("       bifrons COMMAND -h\n\nOptions:\n", stderr);
    for (const struct usage_option *o = usage_options; o->flag != '\0'; o++)
        fprintf(stderr, "  -%c %-11s: %s\n", o->flag, o->value ? o->value : "", o->help);
}

bool usage_print_command(const char *name)
{
    for (const struct usage_command *c = usage_commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) != 0)
            continue;
        fprintf(stderr, "Usage: bifrons %s %s\n\n%s\n", c->name, c->words, c->help);
        return true;
    }
    return false;
}

bool usage_is_wanted(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0;
}
