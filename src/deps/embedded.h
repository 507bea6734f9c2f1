// The data files of dependency-cache/ as parts of the binary; CMake's hotcell_embed() writes the functions.
#pragma once
#include <string_view>

namespace hotcell::embedded {

std::string_view python_standard_txt();
std::string_view python_packages_txt();
std::string_view python_well_known_txt();
std::string_view python_wasi_txt();
std::string_view javascript_standard_txt();
std::string_view javascript_packages_txt();
std::string_view javascript_well_known_txt();

}  // namespace hotcell::embedded
