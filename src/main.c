/* Bifrons: one small, fast, safe proxy with two faces. The tour begins in ARCHITECTURE.md. */
#include "run/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
