// WebAssembly modules that the operator has put into a folder, by name.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hotcell::server {

// Opened beneath the folder and through no link: a name is never a path on this machine's disk. Errors that a caller
// may see: "invalid_field", "file_not_found", "file_too_large".
Expected<std::string> read_module(const std::filesystem::path& folder, std::string_view name);

}  // namespace hotcell::server
