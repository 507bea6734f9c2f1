// Paths that callers name: inside the cell's workspace, in one spelling.
#pragma once
#include <expected>
#include <string>
#include <string_view>

namespace hotcell::protocol {

// The path relative to /workspace ("a/b"; "." for the workspace itself), or a sentence that says what is wrong with it.
// "/workspace/a/b" and "./a/b" become "a/b". Any ".." is refused, even one that would stay inside: what it means
// depends on symbolic links that only the cell knows.
std::expected<std::string, std::string> workspace_path(std::string_view path);

}  // namespace hotcell::protocol
