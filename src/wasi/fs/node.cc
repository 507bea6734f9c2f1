#include "wasi/fs/node.h"

namespace hotcell::wasi {

void Directory::insert(std::string_view name, Node* node, std::uint64_t cookie) {
  const auto [at, inserted] = names.emplace(std::string(name), Entry{node, 0});
  if (inserted && cookie != 0) set_cookie(*at, cookie);
  if (inserted && node->is_directory()) ++subdirectories;
}

void Directory::set_cookie(Names::value_type& entry, std::uint64_t cookie) {
  entry.second.cookie = cookie;
  by_cookie.emplace_hint(by_cookie.end(), cookie, &entry);
}

void Directory::erase(Names::iterator at) {
  if (at->second.node->is_directory()) --subdirectories;
  by_cookie.erase(at->second.cookie);
  names.erase(at);
}

}  // namespace hotcell::wasi
