// What the caller puts into a file system before a program runs. Paths come from requests, so they are checked here
// too.
#include "wasi/fs/node.h"
#include "wasi/fs/vfs.h"

namespace hotcell::wasi {
namespace {

std::string quoted(std::string_view path) { return "'" + std::string(path) + "'"; }

}  // namespace

Expected<Node*> Vfs::make_parents(std::string_view path, std::string_view& last) {
  if (!path.starts_with('/') || path.size() < 2 || path.size() >= options_.max_path || path.find('\0') != path.npos)
    return fail("invalid_path", quoted(path) + " is not an absolute path of a file");
  Node* current = root_;
  std::uint32_t depth = 0;
  for (std::string_view rest = path.substr(1);; ++depth) {
    const std::string_view name = rest.substr(0, rest.find('/'));
    if (name.empty() || name == "." || name == ".." || name.size() > options_.max_name || depth >= options_.max_depth)
      return fail("invalid_path", quoted(path) + " is not a plain path", "leave out '.', '..' and doubled slashes");
    if (name.size() == rest.size()) {
      last = name;
      return current;
    }
    rest.remove_prefix(name.size() + 1);
    auto child = lookup(*current, name);
    if (child && !*child) {
      if (!ledger_.take_node()) return fail("disk_limit", "there are too many files for this run's quota");
      Node& directory = create(FileType::kDirectory);
      attach(*current, name, directory);
      child = &directory;
    }
    if (!child || !(*child)->is_directory())
      return fail("invalid_path", quoted(path) + " would lie below something that is not a directory");
    current = *child;
  }
}

Expected<Node*> Vfs::make_entry(std::string_view path, FileType type) {
  std::string_view last;
  const auto parent = make_parents(path, last);
  if (!parent) return parent;
  const auto child = lookup(**parent, last);
  if (!child || *child) return fail("invalid_path", quoted(path) + " exists already");
  if (!ledger_.take_node()) return fail("disk_limit", "there are too many files for this run's quota");
  Node& node = create(type);
  attach(**parent, last, node);
  return &node;
}

Expected<void> Vfs::add_file(std::string_view path, std::span<const std::byte> bytes,
                             std::shared_ptr<const void> owner) {
  if (bytes.size() > options_.max_file_size) return fail("disk_limit", quoted(path) + " is too large");
  const auto node = make_entry(path, FileType::kRegular);
  if (!node) return std::unexpected(node.error());
  (*node)->content()->borrow(bytes, std::move(owner));
  given_.push_back({std::string(path), (*node)->number});
  return {};
}

Expected<void> Vfs::add_directory(std::string_view path) {
  if (path == "/") return {};
  std::string_view last;
  const auto parent = make_parents(path, last);
  if (!parent) return std::unexpected(parent.error());
  if (const auto child = lookup(**parent, last); child && *child && (*child)->is_directory()) return {};
  const auto node = make_entry(path, FileType::kDirectory);
  if (!node) return std::unexpected(node.error());
  return {};
}

Expected<void> Vfs::add_symlink(std::string_view path, std::string_view target) {
  if (target.empty() || target.size() >= options_.max_path || target.find('\0') != target.npos)
    return fail("invalid_path", quoted(path) + " can't be a link to " + quoted(target));
  if (!ledger_.take_bytes(target.size())) return fail("disk_limit", "there is too much data for this run's quota");
  const auto node = make_entry(path, FileType::kSymlink);
  if (!node) {
    ledger_.give_bytes(target.size());
    return std::unexpected(node.error());
  }
  std::get_if<Symlink>(&(*node)->body)->target = target;
  return {};
}

Expected<Node*> Vfs::make_mount_point(std::string_view path) {
  if (path == "/") return root_;
  std::string_view last;
  const auto parent = make_parents(path, last);
  if (!parent) return parent;
  const auto child = lookup(**parent, last);
  if (child && *child) {
    if (!(*child)->is_directory()) return fail("invalid_path", quoted(path) + " is not a directory");
    pin(**child);
    return *child;
  }
  const auto made = make_entry(path, FileType::kDirectory);
  if (!made) return made;
  (*made)->read_only = true;
  pin(**made);
  return made;
}

Expected<void> Vfs::mount_pack(std::string_view path, const Pack& pack) {
  const auto node = make_mount_point(path);
  if (!node) return std::unexpected(node.error());
  if (pack_count_ >= 4096) return fail("internal", "too many packs are mounted");
  Directory& directory = (*node)->directory();
  directory.packs.push_back({&pack, pack_count_++, pack.root()});
  directory.listed = false;
  return {};
}

Expected<void> Vfs::mount_host(std::string_view path, std::shared_ptr<const HostDirectory> host) {
  const auto node = make_mount_point(path);
  if (!node) return std::unexpected(node.error());
  Directory& directory = (*node)->directory();
  if (*node == root_ || directory.host || !directory.packs.empty() || !directory.names.empty())
    return fail("invalid_path", quoted(path) + " is in use and can't show a host directory");
  (*node)->layer = (*node)->read_only = true;
  directory.host = std::move(host);
  directory.host_ordinal = host_count_++;
  directory.host_root = true;
  directory.listed = false;
  return {};
}

}  // namespace hotcell::wasi
