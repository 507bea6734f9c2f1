// Which files a request asks to have back: shell patterns over paths relative to the workspace.
#pragma once
#include <string_view>

namespace hotcell::wasi {

// `*` and `?` within one component, `**` across components, `[a-z]` classes; everything else stands for itself. Linear
// in the product of both lengths, whatever the pattern.
bool glob_matches(std::string_view pattern, std::string_view path);

}  // namespace hotcell::wasi
