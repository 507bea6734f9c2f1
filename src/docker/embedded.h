// The seccomp profile as a part of the binary; CMake's hotcell_embed() writes the function.
#pragma once
#include <string_view>

namespace hotcell::embedded {

std::string_view docker_seccomp_json();

}  // namespace hotcell::embedded
