#include "cli/cli.h"

int main(int argc, char** argv) { return hotcell::cli::run_cli(argc, argv); }
