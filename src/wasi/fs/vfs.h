// The file system of one run: a small POSIX tree in memory, over read-only layers.
//
// Layers: a writable tree under quotas; packs (a standard library, mapped); host directories (read-only, beneath a
// descriptor); and the request's files, as views of the request's own bytes. Nothing here reaches the host except reads
// beneath a mounted host directory.
//
// Built for being thrown away: reset() with nothing written costs about a microsecond. Everything a guest can drive is
// O(log n) in the number of entries, bounded by the quotas, and free of recursion.
// One thread at a time. Names are bytes, not text: as on Linux, a guest may create names that are not UTF-8.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "wasi/fs/content.h"
#include "wasi/fs/errno.h"
#include "wasi/fs/host_dir.h"
#include "wasi/fs/pack.h"

namespace hotcell::wasi {

struct Node;
class Vfs;

// Where file times come from.
class FileClock {
 public:
  virtual ~FileClock() = default;
  virtual std::uint64_t file_time_ns() = 0;
};

// Keeps a node alive (an open file, also when it has been unlinked). After the file system's reset it is inert.
class NodeRef {
 public:
  NodeRef() = default;
  NodeRef(Vfs& vfs, Node& node);
  NodeRef(NodeRef&& other) noexcept
      : vfs_(std::exchange(other.vfs_, nullptr)), node_(other.node_), generation_(other.generation_) {}
  NodeRef& operator=(NodeRef&& other) noexcept {
    if (this != &other) {
      reset();
      vfs_ = std::exchange(other.vfs_, nullptr);
      node_ = other.node_;
      generation_ = other.generation_;
    }
    return *this;
  }
  ~NodeRef() { reset(); }
  void reset();

  explicit operator bool() const { return vfs_ != nullptr; }
  Node& operator*() const { return *node_; }
  Node* get() const { return vfs_ ? node_ : nullptr; }

 private:
  Vfs* vfs_ = nullptr;
  Node* node_ = nullptr;
  std::uint64_t generation_ = 0;
};

struct FileStat {
  std::uint64_t device = 1;
  std::uint64_t number = 0;
  FileType type = FileType::kUnknown;
  std::uint64_t links = 1;
  std::uint64_t size = 0;
  std::uint64_t atim = 0, mtim = 0, ctim = 0;
};

// Which times to set: a value, now, or leave.
struct FileTimes {
  enum class What : std::uint8_t { kKeep, kNow, kValue };
  What atim_what = What::kKeep, mtim_what = What::kKeep;
  std::uint64_t atim = 0, mtim = 0;
};

struct OpenFlags {
  bool create = false;
  bool exclusive = false;
  bool truncate = false;
  bool directory = false;  // must be one
  bool follow = false;     // a symbolic link in the last place
  bool write = false;      // will be written: refused where nothing may be
};

// Where a relative path starts, and the directory that ".." may not pass.
struct At {
  Node* directory = nullptr;
  Node* top = nullptr;
};

class Vfs {
 public:
  struct Options {
    std::uint64_t max_bytes = 100ull << 20;
    std::uint64_t max_nodes = 65536;            // files, directories, links
    std::uint64_t max_file_size = 16ull << 30;  // logical: holes are free, but sizes must stay sane
    std::uint32_t max_depth = 256;              // of directories
    std::uint32_t max_path = 4096;              // as PATH_MAX, in bytes
    std::uint32_t max_name = 255;
    std::uint32_t max_layer_nodes = 1u << 18;  // nodes that looking around in packs and host directories may create
    bool read_only = false;                    // `fs_readonly`: every change by the guest is kRofs
    bool writable_root = true;                 // false: only /workspace, /tmp and what the caller added
  };

  Vfs();
  explicit Vfs(const Options& options, std::uint64_t start_ns = 0);
  ~Vfs();
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;

  // A fresh tree: "/", "/workspace", "/tmp", all dated start_ns. Every NodeRef becomes inert.
  void reset(const Options& options, std::uint64_t start_ns);
  // Null: all times stay start_ns.
  void set_clock(FileClock* clock) { clock_ = clock; }

  // ---- for the caller, before the run: not bound by read_only; paths absolute; parents are created ----
  // Fail on malformed paths ("." and ".." too), on names that are taken, and on quotas (nodes only: borrowed bytes are
  // free).
  Expected<void> add_file(std::string_view path, std::span<const std::byte> bytes,
                          std::shared_ptr<const void> owner = nullptr);
  Expected<void> add_directory(std::string_view path);
  Expected<void> add_symlink(std::string_view path, std::string_view target);
  // Several packs may be mounted in one place; the first one that knows a name wins, directories are merged. Mount
  // packs before anything is added beneath them.
  Expected<void> mount_pack(std::string_view path, const Pack& pack);
  Expected<void> mount_host(std::string_view path, std::shared_ptr<const HostDirectory> directory);

  // ---- nodes ----
  Node& root() { return *root_; }
  // An absolute path, links followed.
  Result<NodeRef> find(std::string_view path);
  Result<NodeRef> open(At at, std::string_view path, const OpenFlags& flags);
  FileStat stat(const Node& node) const;
  FileType type(const Node& node) const;
  Result<std::size_t> read(Node& node, std::uint64_t offset, std::span<std::byte> out);
  Result<std::size_t> write(Node& node, std::uint64_t offset, std::span<const std::byte> in);
  std::uint64_t size(const Node& node) const;
  Errno resize(Node& node, std::uint64_t size);
  Errno reserve(Node& node, std::uint64_t offset, std::uint64_t length);
  Errno set_times(Node& node, const FileTimes& times);
  // Forbids moving or removing it (a preopened directory).
  void pin(Node& node);

  struct DirectoryEntry {
    std::string_view name;
    std::uint64_t next;  // the cookie that continues after this entry
    std::uint64_t number;
    FileType type;
  };
  // The entry after `cookie` (0: the first one, which is "."); false at the end. The name is valid until the next
  // change.
  Result<bool> next_entry(Node& directory, std::uint64_t cookie, DirectoryEntry& out);

  // ---- paths ----
  Result<FileStat> stat(At at, std::string_view path, bool follow);
  Errno set_times(At at, std::string_view path, bool follow, const FileTimes& times);
  Errno make_directory(At at, std::string_view path);
  Errno remove_directory(At at, std::string_view path);
  Errno unlink(At at, std::string_view path);
  Errno rename(At from, std::string_view old_path, At to, std::string_view new_path);
  Errno link(At from, std::string_view old_path, bool follow, At to, std::string_view new_path);
  Errno symlink(std::string_view target, At at, std::string_view path);
  // The target, valid until the next change.
  Result<std::string_view> read_link(At at, std::string_view path);

  // ---- afterwards ----
  struct Item {
    std::string path;  // absolute
    FileType type = FileType::kUnknown;
    std::uint64_t size = 0;   // logical: cap what you read
    std::string_view target;  // of a symbolic link
    Node* node = nullptr;     // for read(); null when deleted. Valid until the next change or reset
  };
  enum class Change { kCreated, kModified, kDeleted };
  struct Changed {
    Change change = Change::kCreated;
    Item item;
  };
  struct Changes {
    std::vector<Changed> list;
    bool complete = true;  // false: max_items was reached, or a path was longer than max_path
  };
  // Regular files below `top` that the guest created, modified or deleted, in path order (component by component; the
  // deleted ones last). Links are never followed. Layers are never changed, so they never appear.
  Changes changed(std::string_view top = "/workspace", std::size_t max_items = 65536);
  // Everything below `top` that is no layer, in the same order; `change` has no meaning here.
  Changes all(std::string_view top = "/", std::size_t max_items = 65536);

  const Ledger& ledger() const { return ledger_; }
  // The guest was refused something because of a quota.
  bool quota_hit() const { return ledger_.bytes_exhausted || ledger_.nodes_exhausted; }
  const Options& options() const { return options_; }

 private:
  friend class NodeRef;
  // Where a path leads.
  struct Found {
    Node* parent = nullptr;  // null when the path ends in ".", ".." or "/"
    std::string_view name;   // in parent; valid as long as the path and the links on it
    Node* node = nullptr;    // null when there is no such entry
    bool trailing_slash = false;
  };
  // A file of the caller's: identified by inode number, since a node's address may be used again.
  struct Given {
    std::string path;
    std::uint64_t number;
  };

  std::uint64_t now() { return clock_ ? clock_->file_time_ns() : start_ns_; }
  Node& create(FileType type);
  void destroy(Node& node);
  void destroy_all();
  void drop_if_unused(Node& node);
  void attach(Node& parent, std::string_view name, Node& node);
  void detach(Node& parent, std::string_view name);
  Errno may_change(const Node& node) const;
  Errno take_name(const Found& found);
  std::uint32_t depth_of(const Node& directory) const;
  std::uint32_t height_of(const Node& directory) const;
  Errno check_rename(const Found& from, const Found& to) const;

  // kNo still follows a link that is followed by a slash; kNever doesn't (remove, rename, create a name).
  enum class Follow : std::uint8_t { kYes, kNo, kNever };
  Errno walk(At at, std::string_view path, Follow follow, Found& found);
  Result<Node*> lookup(Node& directory, std::string_view name);

  // layers.cc
  Result<Node*> lookup_layers(Node& directory, std::string_view name);
  Result<Node*> lookup_host(Node& directory, std::string_view name);
  Result<Node*> lookup_packs(Node& directory, std::string_view name);
  Result<Node*> create_layer_node(Node& directory, std::string_view name, FileType type, std::uint64_t number);
  Errno list_layers(Node& directory);
  std::string host_path(const Node& node) const;
  Errno open_host_file(Node& node);

  // setup.cc, collect.cc
  Expected<Node*> make_parents(std::string_view path, std::string_view& last);
  Expected<Node*> make_entry(std::string_view path, FileType type);
  Expected<Node*> make_mount_point(std::string_view path);
  template <class Visit>
  bool visit(std::string_view top, Visit&& take);

  Options options_;
  Ledger ledger_;
  Node* root_ = nullptr;
  Node* nodes_ = nullptr;  // all of them
  std::uint64_t next_number_ = 1;
  std::uint64_t generation_ = 0;
  std::uint64_t start_ns_ = 0;
  std::uint32_t layer_nodes_ = 0;  // made by looking around
  std::uint32_t pack_count_ = 0;
  std::uint32_t host_count_ = 0;
  FileClock* clock_ = nullptr;
  std::vector<Given> given_;
};

}  // namespace hotcell::wasi
