// Which files a request asks to have back: shell patterns over paths relative to the workspace.
#pragma once
#include <string_view>

namespace hotcell {

// `*` and `?` within one component, `**` across components, `[a-z]` classes; everything else stands for itself. Linear
// in the product of both lengths, whatever the pattern.
bool glob_matches(std::string_view pattern, std::string_view path);

// What Python keeps beside a module to load it faster. Nobody wants that back as a file that the program made.
inline bool is_bytecode(std::string_view path) {
  return path.ends_with(".pyc") && path.find("__pycache__/") != path.npos;
}

}  // namespace hotcell
