// What the tree of a Vfs is made of. Private to src/wasi/fs; others hold nodes through NodeRef.
//
// One node type for all layers: a node of a pack or of a host directory comes into being when somebody looks it up, and
// from then on is an ordinary node that happens to be read-only. All nodes of a file system hang on one list, so that
// resetting it is a loop and never a recursion as deep as the guest's directories.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "wasi/fs/content.h"
#include "wasi/fs/host_dir.h"
#include "wasi/fs/pack.h"

namespace hotcell::wasi {

struct Node;

struct Entry {
  Node* node = nullptr;
  std::uint64_t cookie = 0;
};

// A position in a mounted pack.
struct PackView {
  const Pack* pack = nullptr;
  std::uint32_t ordinal = 0;  // which of the mounted packs: part of inode numbers
  Pack::Range range;
};

struct Directory {
  using Names = std::map<std::string, Entry, std::less<>>;

  // Cookies are what readdir continues from. They grow with each insertion and are never reused, so that a listing that
  // goes on after entries were removed neither skips nor repeats one. 1 and 2 are "." and ".."; the layers' entries
  // come next, numbered when they are listed (until then 0); created ones last. They stay small: telldir() of a 32-bit
  // guest squeezes them into a long.
  static constexpr std::uint64_t kFirstLayerCookie = 3;
  static constexpr std::uint64_t kFirstCreatedCookie = std::uint64_t{1} << 20;

  Names names;
  std::map<std::uint64_t, const Names::value_type*> by_cookie;
  std::uint64_t next_cookie = kFirstCreatedCookie;
  std::uint64_t next_layer_cookie = kFirstLayerCookie;
  std::uint32_t subdirectories = 0;
  bool listed = true;  // the layers' entries are all in `names`
  std::vector<PackView> packs;
  std::shared_ptr<const HostDirectory> host;
  std::uint32_t host_ordinal = 0;
  bool host_root = false;

  void insert(std::string_view name, Node* node, std::uint64_t cookie);
  void set_cookie(Names::value_type& entry, std::uint64_t cookie);
  void erase(Names::iterator at);
};

// A regular file of a host directory. Open on the host only while the guest has it open.
struct HostFile {
  std::uint64_t size = 0;
  Fd fd;
};

struct Symlink {
  std::string target;
};

struct Node {
  std::uint64_t number = 0;  // inode
  FileType type = FileType::kUnknown;
  bool layer = false;      // comes from a pack or a host directory
  bool read_only = false;  // neither its content nor its entries may be changed by the guest
  bool pinned = false;     // a mount point, a preopened directory or an ancestor of one: may not be moved or removed
  bool modified = false;   // its content was written or resized by the guest
  std::uint32_t links = 0;
  std::uint32_t opens = 0;
  std::uint64_t atim = 0, mtim = 0, ctim = 0;
  Node* parent = nullptr;  // of directories and host nodes; null when removed
  std::string name;        // of host nodes: their name in the parent
  Node* previous = nullptr;
  Node* next = nullptr;
  std::variant<Content, Directory, Symlink, HostFile> body;

  bool is_directory() const { return type == FileType::kDirectory; }
  bool is_symlink() const { return type == FileType::kSymlink; }
  Directory& directory() { return *std::get_if<Directory>(&body); }
  const Directory& directory() const { return *std::get_if<Directory>(&body); }
  Content* content() { return std::get_if<Content>(&body); }
  const Content* content() const { return std::get_if<Content>(&body); }
};

}  // namespace hotcell::wasi
