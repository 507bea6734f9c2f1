// The hotcell command.
#pragma once

namespace hotcell::cli {

int run_cli(int argc, char** argv);

}  // namespace hotcell::cli
