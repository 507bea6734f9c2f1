// What a file probably is, by its name.
#pragma once
#include <string_view>

namespace hotcell::protocol {

std::string_view mime_type_of(std::string_view path);  // "application/octet-stream" when the extension says nothing

}  // namespace hotcell::protocol
