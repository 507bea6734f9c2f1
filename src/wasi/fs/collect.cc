// What is left after a run. Walks the tree with a stack of its own and one path that grows and shrinks; follows no
// links.
#include <map>

#include "wasi/fs/node.h"
#include "wasi/fs/vfs.h"

namespace hotcell::wasi {

// Calls take(path, node) for everything below `top` that isn't part of a layer, until it returns false. Directories of
// layers are entered, since the caller may have put files there, but only as far as somebody has looked around in them.
template <class Visit>
bool Vfs::visit(std::string_view top, Visit&& take) {
  const auto start = find(top);
  if (!start || !(*start).get()->is_directory()) return true;
  struct Level {
    Directory::Names::iterator at, end;
    std::size_t path_size;
  };
  std::string path(top);
  while (path.ends_with('/')) path.pop_back();
  std::vector<Level> levels;
  const auto enter = [&](Node& node) {
    Directory::Names& names = node.directory().names;
    levels.push_back({names.begin(), names.end(), path.size()});
  };
  enter(**start);
  bool complete = true;
  while (!levels.empty()) {
    Level& level = levels.back();
    path.resize(level.path_size);
    if (level.at == level.end) {
      levels.pop_back();
      continue;
    }
    const auto& [name, entry] = *level.at++;
    if (path.size() + 1 + name.size() >= options_.max_path) {
      complete = false;
      continue;
    }
    path += '/';
    path += name;
    if (!entry.node->layer && !take(path, *entry.node)) return false;
    if (entry.node->is_directory()) enter(*entry.node);
  }
  return complete;
}

Vfs::Changes Vfs::changed(std::string_view top, std::size_t max_items) {
  Changes out;
  std::map<std::string_view, std::uint64_t> gone;  // those given ones that haven't been met again
  for (const Given& file : given_) {
    std::string_view rest = file.path;
    if (top == "/" || (rest.starts_with(top) && rest.substr(top.size()).starts_with('/')))
      gone.emplace(file.path, file.number);
  }
  const auto add = [&](Change change, Item item) {
    if (out.list.size() >= max_items) return false;
    out.list.push_back({change, std::move(item)});
    return true;
  };
  out.complete = visit(top, [&](const std::string& path, Node& node) {
    if (node.type != FileType::kRegular) return true;
    auto change = Change::kCreated;
    if (const auto given = gone.find(path); given != gone.end()) {
      const bool same = given->second == node.number && !node.modified;
      gone.erase(given);
      if (same) return true;
      change = Change::kModified;
    }
    return add(change, {.path = path, .type = node.type, .size = size(node), .target = {}, .node = &node});
  });
  for (const auto& [path, number] : gone) {
    if (!out.complete) break;
    out.complete = add(Change::kDeleted, {.path = std::string(path), .target = {}});
  }
  return out;
}

Vfs::Changes Vfs::all(std::string_view top, std::size_t max_items) {
  Changes out;
  out.complete = visit(top, [&](const std::string& path, Node& node) {
    if (out.list.size() >= max_items) return false;
    std::string_view target;
    if (const auto* link = std::get_if<Symlink>(&node.body)) target = link->target;
    out.list.push_back({node.modified ? Change::kModified : Change::kCreated,
                        {.path = path, .type = node.type, .size = size(node), .target = target, .node = &node}});
    return true;
  });
  return out;
}

}  // namespace hotcell::wasi
