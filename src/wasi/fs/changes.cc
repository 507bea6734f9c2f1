// What changes the tree: creating, removing, linking and renaming, with the rules of POSIX (as Linux reads them).
#include "wasi/fs/node.h"
#include "wasi/fs/vfs.h"

namespace hotcell::wasi {

namespace {
constexpr std::uint32_t kMaxLinks = 65000;
}

// May an entry be created where the walk ended? If so, it is paid for.
Errno Vfs::take_name(const Found& found) {
  const Node& parent = *found.parent;
  if (const Errno error = may_change(parent); error != Errno::kSuccess) return error;
  if (parent.links == 0) return Errno::kNoent;  // removed, but still open
  if (depth_of(parent) >= options_.max_depth) return Errno::kNametoolong;
  return ledger_.take_node() ? Errno::kSuccess : Errno::kNospc;
}

Result<NodeRef> Vfs::open(At at, std::string_view path, const OpenFlags& flags) {
  Found found;
  const bool exclusive = flags.create && flags.exclusive;
  const Follow follow = flags.follow && !exclusive ? Follow::kYes : Follow::kNo;
  if (const Errno error = walk(at, path, follow, found); error != Errno::kSuccess) return fail_with(error);
  if (flags.create && flags.directory) return fail_with(found.node ? Errno::kExist : Errno::kInval);

  if (!found.node) {
    if (!flags.create) return fail_with(Errno::kNoent);
    if (found.trailing_slash) return fail_with(Errno::kIsdir);
    if (const Errno error = take_name(found); error != Errno::kSuccess) return fail_with(error);
    Node& node = create(FileType::kRegular);
    attach(*found.parent, found.name, node);
    return NodeRef(*this, node);
  }

  Node& node = *found.node;
  if (exclusive) return fail_with(Errno::kExist);
  if (node.is_symlink()) return fail_with(flags.directory ? Errno::kNotdir : Errno::kLoop);
  if (node.is_directory()) {
    if (flags.create || flags.write || flags.truncate) return fail_with(Errno::kIsdir);
    return NodeRef(*this, node);
  }
  if (flags.directory || found.trailing_slash) return fail_with(Errno::kNotdir);
  if (flags.write || flags.truncate) {
    if (const Errno error = may_change(node); error != Errno::kSuccess) return fail_with(error);
  }
  NodeRef ref(*this, node);
  if (std::holds_alternative<HostFile>(node.body)) {
    if (const Errno error = open_host_file(node); error != Errno::kSuccess) return fail_with(error);
  }
  if (flags.truncate) {
    if (const Errno error = resize(node, 0); error != Errno::kSuccess) return fail_with(error);
  }
  return ref;
}

Errno Vfs::make_directory(At at, std::string_view path) {
  Found found;
  if (const Errno error = walk(at, path, Follow::kNever, found); error != Errno::kSuccess) return error;
  if (found.node) return Errno::kExist;
  if (const Errno error = take_name(found); error != Errno::kSuccess) return error;
  attach(*found.parent, found.name, create(FileType::kDirectory));
  return Errno::kSuccess;
}

Errno Vfs::symlink(std::string_view target, At at, std::string_view path) {
  if (target.empty()) return Errno::kNoent;
  if (target.size() >= options_.max_path) return Errno::kNametoolong;
  if (target.find('\0') != target.npos) return Errno::kInval;
  Found found;
  if (const Errno error = walk(at, path, Follow::kNever, found); error != Errno::kSuccess) return error;
  if (found.node) return Errno::kExist;
  if (found.trailing_slash) return Errno::kNoent;
  if (const Errno error = take_name(found); error != Errno::kSuccess) return error;
  if (!ledger_.take_bytes(target.size())) {
    ledger_.give_node();
    return Errno::kNospc;
  }
  Node& node = create(FileType::kSymlink);
  std::get_if<Symlink>(&node.body)->target = target;
  attach(*found.parent, found.name, node);
  return Errno::kSuccess;
}

Errno Vfs::link(At from, std::string_view old_path, bool follow, At to, std::string_view new_path) {
  Found source;
  if (const Errno error = walk(from, old_path, follow ? Follow::kYes : Follow::kNo, source); error != Errno::kSuccess)
    return error;
  if (!source.node) return Errno::kNoent;
  if (source.trailing_slash && !source.node->is_directory()) return Errno::kNotdir;
  Found found;
  if (const Errno error = walk(to, new_path, Follow::kNever, found); error != Errno::kSuccess) return error;
  if (found.node) return Errno::kExist;
  if (source.node->is_directory()) return Errno::kPerm;
  if (found.trailing_slash) return Errno::kNoent;
  if (source.node->layer) return Errno::kXdev;
  if (source.node->links >= kMaxLinks) return Errno::kMlink;
  if (const Errno error = take_name(found); error != Errno::kSuccess) return error;
  attach(*found.parent, found.name, *source.node);
  source.node->ctim = now();
  return Errno::kSuccess;
}

Errno Vfs::unlink(At at, std::string_view path) {
  Found found;
  if (const Errno error = walk(at, path, Follow::kNever, found); error != Errno::kSuccess) return error;
  if (!found.node) return Errno::kNoent;
  if (found.node->is_directory()) return Errno::kIsdir;
  if (found.trailing_slash) return Errno::kNotdir;
  if (const Errno error = may_change(*found.parent); error != Errno::kSuccess) return error;
  if (found.node->layer) return Errno::kRofs;
  detach(*found.parent, found.name);
  return Errno::kSuccess;
}

Errno Vfs::remove_directory(At at, std::string_view path) {
  Found found;
  if (const Errno error = walk(at, path, Follow::kNever, found); error != Errno::kSuccess) return error;
  if (!found.node) return Errno::kNoent;
  if (!found.node->is_directory()) return Errno::kNotdir;
  if (!found.parent) return path.ends_with('.') && !path.ends_with("..") ? Errno::kInval : Errno::kNotempty;
  if (const Errno error = may_change(*found.parent); error != Errno::kSuccess) return error;
  if (found.node->layer) return Errno::kRofs;
  if (found.node->pinned) return Errno::kBusy;
  if (!found.node->directory().names.empty()) return Errno::kNotempty;
  detach(*found.parent, found.name);
  return Errno::kSuccess;
}

// The number of directory levels below `directory`, by a depth-first walk along sibling iterators.
std::uint32_t Vfs::height_of(const Node& directory) const {
  struct Level {
    Directory::Names::const_iterator at, end;
  };
  std::vector<Level> levels;
  std::size_t height = 0;
  const auto enter = [&levels](const Node& node) {
    const Directory& body = node.directory();
    if (body.subdirectories > 0) levels.push_back({body.names.begin(), body.names.end()});
    return body.subdirectories > 0;
  };
  enter(directory);
  while (!levels.empty()) {
    Level& level = levels.back();
    if (level.at == level.end) {
      levels.pop_back();
      continue;
    }
    const Node& node = *(level.at++)->second.node;
    if (!node.is_directory()) continue;
    height = std::max(height, levels.size());
    enter(node);
  }
  return static_cast<std::uint32_t>(height);
}

Errno Vfs::check_rename(const Found& from, const Found& to) const {
  const Node& node = *from.node;
  if (const Errno error = may_change(*from.parent); error != Errno::kSuccess) return error;
  if (const Errno error = may_change(*to.parent); error != Errno::kSuccess) return error;
  if (node.layer || (to.node && to.node->layer)) return Errno::kRofs;
  if (node.pinned || (to.node && to.node->pinned)) return Errno::kBusy;
  if (to.parent->links == 0) return Errno::kNoent;
  if (!node.is_directory()) {
    if (to.node && to.node->is_directory()) return Errno::kIsdir;
    if (from.trailing_slash || to.trailing_slash) return Errno::kNotdir;
    return Errno::kSuccess;
  }
  std::uint32_t depth = 0;
  for (const Node* at = to.parent; at; at = at->parent, ++depth) {
    if (at == &node) return Errno::kInval;  // into itself
  }
  if (to.node && !to.node->is_directory()) return Errno::kNotdir;
  if (to.node && !to.node->directory().names.empty()) return Errno::kNotempty;
  if (depth + height_of(node) > options_.max_depth) return Errno::kNametoolong;
  return Errno::kSuccess;
}

Errno Vfs::rename(At from, std::string_view old_path, At to, std::string_view new_path) {
  Found source;
  Found target;
  if (const Errno error = walk(from, old_path, Follow::kNever, source); error != Errno::kSuccess) return error;
  if (const Errno error = walk(to, new_path, Follow::kNever, target); error != Errno::kSuccess) return error;
  if (!source.node) return Errno::kNoent;
  if (!source.parent || !target.parent) return Errno::kBusy;
  if (source.node == target.node && !(source.trailing_slash && !source.node->is_directory()))
    return may_change(*source.parent);  // two links to one file: nothing happens
  if (const Errno error = check_rename(source, target); error != Errno::kSuccess) return error;

  Node& node = *source.node;
  if (target.node) detach(*target.parent, target.name);
  Directory& old_directory = source.parent->directory();
  // The name views end in the guest's memory or in a link's target: neither goes away here.
  old_directory.erase(old_directory.names.find(source.name));
  --node.links;
  source.parent->mtim = source.parent->ctim = now();
  attach(*target.parent, target.name, node);
  node.ctim = now();
  return Errno::kSuccess;
}

}  // namespace hotcell::wasi
