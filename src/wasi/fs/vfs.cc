// The tree itself: nodes and their lives, walking paths, and what can be done to a node.
// changes.cc creates, removes and renames; layers.cc looks into packs and host directories.
#include "wasi/fs/vfs.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "wasi/fs/node.h"

namespace hotcell::wasi {

namespace {
constexpr std::uint32_t kMaxLinksOnPath = 40;
constexpr std::uint64_t kDirectorySize = 4096;  // what most file systems say
}  // namespace

NodeRef::NodeRef(Vfs& vfs, Node& node) : vfs_(&vfs), node_(&node), generation_(vfs.generation_) { ++node.opens; }

void NodeRef::reset() {
  if (!vfs_) return;
  Vfs& vfs = *std::exchange(vfs_, nullptr);
  if (generation_ != vfs.generation_) return;
  if (--node_->opens > 0) return;
  if (auto* file = std::get_if<HostFile>(&node_->body)) file->fd.reset();
  vfs.drop_if_unused(*node_);
}

Vfs::Vfs() : Vfs(Options{}) {}

Vfs::Vfs(const Options& options, std::uint64_t start_ns) { reset(options, start_ns); }

Vfs::~Vfs() { destroy_all(); }

void Vfs::reset(const Options& options, std::uint64_t start_ns) {
  destroy_all();
  ++generation_;
  options_ = options;
  start_ns_ = start_ns;
  clock_ = nullptr;
  ledger_ = {.max_bytes = options.max_bytes, .max_nodes = options.max_nodes};
  next_number_ = 1;
  layer_nodes_ = pack_count_ = host_count_ = 0;
  given_.clear();

  root_ = &create(FileType::kDirectory);
  root_->links = 1;
  root_->read_only = !options.writable_root;
  pin(*root_);
  for (const std::string_view name : {"workspace", "tmp"}) {
    Node& node = create(FileType::kDirectory);
    attach(*root_, name, node);
    node.pinned = true;
  }
}

Node& Vfs::create(FileType type) {
  Node* node = new Node;
  node->next = nodes_;
  if (nodes_) nodes_->previous = node;
  nodes_ = node;
  node->number = next_number_++;
  node->type = type;
  node->atim = node->mtim = node->ctim = now();
  if (type == FileType::kDirectory) node->body.emplace<Directory>();
  if (type == FileType::kSymlink) node->body.emplace<Symlink>();
  return *node;
}

void Vfs::destroy(Node& node) {
  if (Content* content = node.content()) content->clear(ledger_);
  if (const auto* link = std::get_if<Symlink>(&node.body); link && !node.layer) ledger_.give_bytes(link->target.size());
  if (node.previous) node.previous->next = node.next;
  if (node.next) node.next->previous = node.previous;
  if (nodes_ == &node) nodes_ = node.next;
  delete &node;
}

void Vfs::destroy_all() {
  while (nodes_) {
    Node* node = nodes_;
    nodes_ = node->next;
    delete node;
  }
  root_ = nullptr;
}

void Vfs::drop_if_unused(Node& node) {
  if (node.links == 0 && node.opens == 0) destroy(node);
}

void Vfs::attach(Node& parent, std::string_view name, Node& node) {
  Directory& directory = parent.directory();
  directory.insert(name, &node, directory.next_cookie++);
  ++node.links;
  if (node.is_directory()) node.parent = &parent;
  parent.mtim = parent.ctim = now();
}

void Vfs::detach(Node& parent, std::string_view name) {
  Directory& directory = parent.directory();
  const auto at = directory.names.find(name);
  if (at == directory.names.end()) return;
  Node& node = *at->second.node;
  directory.erase(at);
  ledger_.give_node();
  --node.links;
  // A removed directory that is still open must not point to a parent that may be freed before it.
  if (node.is_directory()) node.parent = nullptr;
  parent.mtim = parent.ctim = node.ctim = now();
  drop_if_unused(node);
}

void Vfs::pin(Node& node) {
  for (Node* at = &node; at && !at->pinned; at = at->parent) at->pinned = true;
}

Errno Vfs::may_change(const Node& node) const {
  return options_.read_only || node.read_only ? Errno::kRofs : Errno::kSuccess;
}

std::uint32_t Vfs::depth_of(const Node& directory) const {
  std::uint32_t depth = 0;
  for (const Node* at = directory.parent; at; at = at->parent) ++depth;
  return depth;
}

Result<Node*> Vfs::lookup(Node& directory, std::string_view name) {
  const Directory& body = directory.directory();
  if (const auto at = body.names.find(name); at != body.names.end()) return at->second.node;
  if (body.listed) return nullptr;
  return lookup_layers(directory, name);
}

// Component by component. A symbolic link pushes its target on a small stack of what is left to walk, so neither links
// nor depth cost native stack. Links that lead nowhere end at the place where their target would be, which is how
// opening one with O_CREAT creates the target.
Errno Vfs::walk(At at, std::string_view path, Follow follow, Found& found) {
  found = {};
  if (path.empty()) return Errno::kNoent;
  if (path.size() >= options_.max_path) return Errno::kNametoolong;
  if (path.find('\0') != path.npos) return Errno::kInval;
  if (path.front() == '/') return Errno::kPerm;

  std::array<std::string_view, kMaxLinksOnPath + 1> left;
  std::size_t levels = 0;
  left[levels++] = path;
  std::uint32_t links = 0;
  Node* current = at.directory;

  for (;;) {
    std::string_view& rest = left[levels - 1];
    rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
    if (rest.empty()) {
      if (--levels > 0) continue;
      found.parent = nullptr;
      found.node = current;
      return Errno::kSuccess;
    }
    const std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(name.size());
    if (name == ".") continue;
    if (name == "..") {
      if (current == at.top) {
        if (current == root_) continue;  // as everywhere: the parent of the root is the root
        return Errno::kPerm;
      }
      if (!current->parent) return Errno::kNoent;
      current = current->parent;
      continue;
    }
    if (name.size() > options_.max_name) return Errno::kNametoolong;

    bool last = true;
    bool slash = false;
    for (std::size_t i = 0; i < levels; ++i) {
      slash = slash || !left[i].empty();
      last = last && left[i].find_first_not_of('/') == left[i].npos;
    }
    const auto child = lookup(*current, name);
    if (!child) return child.error();
    Node* node = *child;

    if (node && node->is_symlink() && (!last || follow == Follow::kYes || (slash && follow == Follow::kNo))) {
      if (++links > kMaxLinksOnPath) return Errno::kLoop;
      const std::string_view target = std::get_if<Symlink>(&node->body)->target;
      if (target.front() == '/') {
        if (at.top != root_) return Errno::kPerm;
        current = root_;
      }
      // What is exhausted makes room; slashes still to come must be remembered, they demand a directory.
      while (levels > 0 && left[levels - 1].empty()) --levels;
      left[levels++] = target;
      continue;
    }
    if (last) {
      found = {.parent = current, .name = name, .node = node, .trailing_slash = slash};
      return Errno::kSuccess;
    }
    if (!node) return Errno::kNoent;
    if (!node->is_directory()) return Errno::kNotdir;
    current = node;
  }
}

Result<NodeRef> Vfs::find(std::string_view path) {
  if (!path.starts_with('/')) return fail_with(Errno::kInval);
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  Found found;
  const At at{root_, root_};
  if (const Errno error = walk(at, path.empty() ? "." : path, Follow::kYes, found); error != Errno::kSuccess)
    return fail_with(error);
  if (!found.node) return fail_with(Errno::kNoent);
  if (found.trailing_slash && !found.node->is_directory()) return fail_with(Errno::kNotdir);
  return NodeRef(*this, *found.node);
}

FileType Vfs::type(const Node& node) const { return node.type; }

std::uint64_t Vfs::size(const Node& node) const {
  if (const Content* content = node.content()) return content->size();
  if (const auto* file = std::get_if<HostFile>(&node.body)) return file->size;
  if (const auto* link = std::get_if<Symlink>(&node.body)) return link->target.size();
  return kDirectorySize;
}

FileStat Vfs::stat(const Node& node) const {
  FileStat out;
  out.number = node.number;
  out.type = node.type;
  out.links = node.is_directory() ? (node.links == 0 ? 0 : 2 + node.directory().subdirectories) : node.links;
  out.size = size(node);
  out.atim = node.atim;
  out.mtim = node.mtim;
  out.ctim = node.ctim;
  return out;
}

Result<FileStat> Vfs::stat(At at, std::string_view path, bool follow) {
  Found found;
  if (const Errno error = walk(at, path, follow ? Follow::kYes : Follow::kNo, found); error != Errno::kSuccess)
    return fail_with(error);
  if (!found.node) return fail_with(Errno::kNoent);
  if (found.trailing_slash && !found.node->is_directory()) return fail_with(Errno::kNotdir);
  return stat(*found.node);
}

Result<std::size_t> Vfs::read(Node& node, std::uint64_t offset, std::span<std::byte> out) {
  if (const Content* content = node.content()) return content->read(offset, out);
  auto* file = std::get_if<HostFile>(&node.body);
  if (!file) return fail_with(node.is_directory() ? Errno::kIsdir : Errno::kInval);
  if (const Errno error = open_host_file(node); error != Errno::kSuccess) return fail_with(error);
  if (offset > static_cast<std::uint64_t>(INT64_MAX)) return std::size_t{0};
  for (;;) {
    const ssize_t count = ::pread(file->fd.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return fail_with(errno_of_host(errno));
  }
}

Result<std::size_t> Vfs::write(Node& node, std::uint64_t offset, std::span<const std::byte> in) {
  Content* content = node.content();
  if (!content) return fail_with(node.is_directory() ? Errno::kIsdir : Errno::kRofs);
  if (const Errno error = may_change(node); error != Errno::kSuccess) return fail_with(error);
  if (in.empty()) return std::size_t{0};
  if (offset >= options_.max_file_size) return fail_with(Errno::kFbig);
  in = in.first(static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), options_.max_file_size - offset)));
  const auto written = content->write(offset, in, ledger_);
  if (!written) return written;
  node.modified = true;
  node.mtim = node.ctim = now();
  return written;
}

Errno Vfs::resize(Node& node, std::uint64_t size) {
  Content* content = node.content();
  if (!content) return node.is_directory() ? Errno::kIsdir : Errno::kRofs;
  if (const Errno error = may_change(node); error != Errno::kSuccess) return error;
  if (size > options_.max_file_size) return Errno::kFbig;
  content->resize(size, ledger_);
  node.modified = true;
  node.mtim = node.ctim = now();
  return Errno::kSuccess;
}

Errno Vfs::reserve(Node& node, std::uint64_t offset, std::uint64_t length) {
  Content* content = node.content();
  if (!content) return node.is_directory() ? Errno::kIsdir : Errno::kRofs;
  if (const Errno error = may_change(node); error != Errno::kSuccess) return error;
  if (length == 0) return Errno::kInval;
  if (offset > options_.max_file_size || length > options_.max_file_size - offset) return Errno::kFbig;
  const Errno error = content->reserve(offset, length, ledger_);
  if (error == Errno::kSuccess) {
    node.modified = true;
    node.mtim = node.ctim = now();
  }
  return error;
}

Errno Vfs::set_times(Node& node, const FileTimes& times) {
  if (const Errno error = may_change(node); error != Errno::kSuccess) return error;
  const std::uint64_t current = now();
  const auto set = [current](std::uint64_t& time, FileTimes::What what, std::uint64_t value) {
    if (what == FileTimes::What::kNow) time = current;
    if (what == FileTimes::What::kValue) time = value;
  };
  set(node.atim, times.atim_what, times.atim);
  set(node.mtim, times.mtim_what, times.mtim);
  node.ctim = current;
  return Errno::kSuccess;
}

Errno Vfs::set_times(At at, std::string_view path, bool follow, const FileTimes& times) {
  Found found;
  if (const Errno error = walk(at, path, follow ? Follow::kYes : Follow::kNo, found); error != Errno::kSuccess)
    return error;
  if (!found.node) return Errno::kNoent;
  if (found.trailing_slash && !found.node->is_directory()) return Errno::kNotdir;
  return set_times(*found.node, times);
}

Result<std::string_view> Vfs::read_link(At at, std::string_view path) {
  Found found;
  if (const Errno error = walk(at, path, Follow::kNo, found); error != Errno::kSuccess) return fail_with(error);
  if (!found.node) return fail_with(Errno::kNoent);
  const auto* link = std::get_if<Symlink>(&found.node->body);
  if (!link) return fail_with(found.trailing_slash && !found.node->is_directory() ? Errno::kNotdir : Errno::kInval);
  return std::string_view(link->target);
}

Result<bool> Vfs::next_entry(Node& node, std::uint64_t cookie, DirectoryEntry& out) {
  if (!node.is_directory()) return fail_with(Errno::kNotdir);
  if (cookie < 2) {
    const Node& shown = cookie == 1 && node.parent ? *node.parent : node;
    out = {.name = cookie == 0 ? "." : "..", .next = cookie + 1, .number = shown.number, .type = FileType::kDirectory};
    return true;
  }
  Directory& directory = node.directory();
  if (!directory.listed) {
    if (const Errno error = list_layers(node); error != Errno::kSuccess) return fail_with(error);
  }
  const auto at = directory.by_cookie.upper_bound(cookie);
  if (at == directory.by_cookie.end()) return false;
  const Node& child = *at->second->second.node;
  out = {.name = at->second->first, .next = at->first, .number = child.number, .type = child.type};
  return true;
}

}  // namespace hotcell::wasi
