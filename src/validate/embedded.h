// Data files that are part of the binary; CMake's hotcell_embed() writes the functions.
#pragma once
#include <string_view>

namespace hotcell::embedded {

std::string_view rules_python_yaml();
std::string_view rules_javascript_yaml();
std::string_view rules_bash_yaml();

}  // namespace hotcell::embedded
