// The scripts that run in builders, as parts of the binary; CMake's hotcell_embed() writes the functions.
#pragma once
#include <string_view>

namespace hotcell::embedded {

std::string_view install_python_sh();
std::string_view install_node_sh();

}  // namespace hotcell::embedded
