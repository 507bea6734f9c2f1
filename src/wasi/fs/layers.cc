// Looking into packs and host directories. A node is made for what is found, once; what isn't there costs nothing but
// the search. Inode numbers say where something lies, not when it was first looked at, so that they are the same in
// every run; all fit into 53 bits, for guests whose numbers are doubles.
#include <sys/stat.h>

#include <algorithm>
#include <ranges>

#include "wasi/fs/node.h"
#include "wasi/fs/vfs.h"

namespace hotcell::wasi {
namespace {

constexpr std::uint64_t kPackNumbers = std::uint64_t{1} << 50;
constexpr std::uint64_t kHostNumbers = std::uint64_t{1} << 52;

std::uint64_t pack_number(std::uint32_t ordinal, const Pack::Child& child) {
  return kPackNumbers | (std::uint64_t{ordinal} & 0xfff) << 37 | std::uint64_t{child.range.first} << 13 |
         std::uint64_t{child.range.prefix} << 1 | (child.is_directory ? 1u : 0u);
}

// FNV-1a of the mount and the path: the host's own inode numbers would differ from machine to machine.
std::uint64_t host_number(std::uint32_t ordinal, std::string_view path) {
  std::uint64_t hash = 0xcbf29ce484222325ull ^ ordinal;
  for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return kHostNumbers | ((hash ^ hash >> 52) & (kHostNumbers - 1));
}

}  // namespace

Result<Node*> Vfs::create_layer_node(Node& directory, std::string_view name, FileType type, std::uint64_t number) {
  constexpr auto kMostCookies =
      static_cast<std::uint32_t>(Directory::kFirstCreatedCookie - Directory::kFirstLayerCookie);
  if (layer_nodes_ >= std::min(options_.max_layer_nodes, kMostCookies)) return fail_with(Errno::kNomem);
  ++layer_nodes_;
  Node& node = create(type);
  --next_number_;  // it has a number of its own
  node.number = number;
  node.layer = node.read_only = true;
  node.links = 1;
  node.parent = &directory;
  node.atim = node.mtim = node.ctim = start_ns_;
  directory.directory().insert(name, &node, 0);
  return &node;
}

Result<Node*> Vfs::lookup_layers(Node& directory, std::string_view name) {
  if (!directory.directory().packs.empty()) {
    const auto node = lookup_packs(directory, name);
    if (!node || *node) return node;
  }
  if (directory.directory().host) return lookup_host(directory, name);
  return nullptr;
}

Result<Node*> Vfs::lookup_packs(Node& directory, std::string_view name) {
  Node* node = nullptr;
  const Directory& parent = directory.directory();
  for (const PackView& view : parent.packs) {
    const auto child = view.pack->find(view.range, name);
    if (!child) continue;
    if (!node) {
      const auto type = child->is_directory ? FileType::kDirectory : FileType::kRegular;
      const auto made = create_layer_node(directory, name, type, pack_number(view.ordinal, *child));
      if (!made) return made;
      node = *made;
      if (!child->is_directory) {
        node->content()->borrow(view.pack->data(child->range.first), nullptr);
        return node;
      }
      node->directory().listed = false;
    }
    if (child->is_directory) node->directory().packs.push_back({view.pack, view.ordinal, child->range});
  }
  return node;
}

// Relative to the mounted directory; empty for that itself.
std::string Vfs::host_path(const Node& node) const {
  std::vector<std::string_view> names;
  for (const Node* at = &node; at && !(at->is_directory() && at->directory().host_root); at = at->parent)
    names.push_back(at->name);
  std::string path;
  for (const std::string_view name : names | std::views::reverse) {
    if (!path.empty()) path += '/';
    path += name;
  }
  return path;
}

Result<Node*> Vfs::lookup_host(Node& directory, std::string_view name) {
  const Directory& parent = directory.directory();
  std::string path = host_path(directory);
  if (!path.empty()) path += '/';
  path += name;
  auto info = parent.host->look(path);
  if (!info) {
    if (info.error() == Errno::kNoent) return nullptr;
    return fail_with(info.error());
  }
  const auto made = create_layer_node(directory, name, info->type, host_number(parent.host_ordinal, path));
  if (!made) return made;
  Node& node = **made;
  node.name = name;
  node.atim = info->atim;
  node.mtim = info->mtim;
  node.ctim = info->ctim;
  if (node.is_directory()) {
    Directory& body = node.directory();
    body.host = parent.host;
    body.host_ordinal = parent.host_ordinal;
    body.listed = false;
  } else if (node.is_symlink()) {
    std::get_if<Symlink>(&node.body)->target = std::move(info->target);
  } else {
    node.body.emplace<HostFile>().size = info->size;
  }
  return &node;
}

Errno Vfs::open_host_file(Node& node) {
  auto& file = *std::get_if<HostFile>(&node.body);
  if (file.fd) return Errno::kSuccess;
  auto fd = node.parent->directory().host->open_file(host_path(node));
  if (!fd) return fd.error();
  struct stat st{};
  if (fstat(fd->get(), &st) == 0) file.size = static_cast<std::uint64_t>(st.st_size);
  file.fd = std::move(*fd);
  return Errno::kSuccess;
}

// Brings all names of the layers into `names` and numbers them. Afterwards the directory is complete.
Errno Vfs::list_layers(Node& node) {
  Directory& directory = node.directory();
  const auto number = [&](std::string_view name) {
    const auto at = directory.names.find(name);
    if (at != directory.names.end() && at->second.cookie == 0) directory.set_cookie(*at, directory.next_layer_cookie++);
  };
  for (const PackView view : std::vector(directory.packs)) {
    for (std::uint32_t index = view.range.first; index < view.range.last;) {
      const std::string_view name = view.pack->name_at(view.range, index);
      if (const auto child = lookup(node, name); !child) return child.error();
      number(name);
      index = view.pack->child_at(view.range, index).range.last;
    }
  }
  if (directory.host) {
    const auto names = directory.host->list(host_path(node));
    if (!names) return names.error();
    for (const std::string& name : *names) {
      const auto child = lookup(node, name);
      if (!child && child.error() == Errno::kNomem) return child.error();
      if (child && *child) number(name);  // what vanished or may not be looked at is left out
    }
  }
  // Names that were looked up and have vanished from the host since.
  for (auto& entry : directory.names) {
    if (entry.second.cookie == 0) directory.set_cookie(entry, directory.next_layer_cookie++);
  }
  directory.listed = true;
  return Errno::kSuccess;
}

}  // namespace hotcell::wasi
