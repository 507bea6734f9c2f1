#include "cli/serve.h"

int main(int argc, char** argv) { return hotcell::cli::run_daemon(argc, argv); }
