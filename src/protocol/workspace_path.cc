#include "protocol/workspace_path.h"

#include <algorithm>

namespace hotcell::protocol {

std::expected<std::string, std::string> workspace_path(std::string_view path) {
  constexpr std::string_view kRoot = "/workspace";
  constexpr std::size_t kLongestPath = 4095, kLongestName = 255;  // PATH_MAX and NAME_MAX of Linux
  if (path.empty()) return std::unexpected("a path cannot be empty");
  if (path.size() > kLongestPath) return std::unexpected("a path cannot be longer than 4095 bytes");
  if (path.find('\0') != path.npos) return std::unexpected("a path cannot contain a NUL character");
  if (path == kRoot) return ".";
  if (path.front() == '/') {
    if (!path.starts_with("/workspace/")) return std::unexpected("an absolute path must lie below /workspace");
    path.remove_prefix(kRoot.size() + 1);
  }
  std::string out;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty()) return std::unexpected("a path cannot contain an empty component ('//' or a '/' at the end)");
    if (name == "..") return std::unexpected("a path cannot contain '..'");
    if (name.size() > kLongestName) return std::unexpected("a file name cannot be longer than 255 bytes");
    if (name == ".") continue;
    if (!out.empty()) out += '/';
    out += name;
  }
  return out.empty() ? "." : out;
}

}  // namespace hotcell::protocol
