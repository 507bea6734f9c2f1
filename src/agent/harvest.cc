#include "agent/harvest.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "agent/beneath.h"
#include "agent/folder.h"
#include "base/glob.h"

namespace hotcell::agent {
namespace {

constexpr const char* kTop = "/workspace";
constexpr std::size_t kMaxSeen = 200'000;  // directory entries looked at
constexpr std::size_t kMaxDepth = 64;

std::string absolute(const std::string& path) { return std::string(kTop) + "/" + path; }

// The Node kernel gives main.js the name main.mjs where it is written as a module. That is no doing of the program's.
bool is_renamed_program(const std::string& path, const Identity& now, const Order& order, const FilesIn& given) {
  if (order.language != Language::node || !path.ends_with(".mjs")) return false;
  if (absolute(path.substr(0, path.size() - 4)) + ".js" != order.program) return false;
  const auto before = given.given().find(order.program);
  return before != given.given().end() && before->second.inode == now.inode && before->second.size == now.size &&
         before->second.modified_ns == now.modified_ns;
}

}  // namespace

Harvest::Harvest(const Order& order, const FilesIn& given)
    : top_(open(kTop, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      left_(order.files_bytes),
      inline_bytes_(order.inline_bytes) {
  if (!order.collect_changed && order.collect.empty()) return;
  walk(order, given);
  incomplete_ |= !top_;
  if (order.collect_changed && !incomplete_) add_deleted(given);
  std::ranges::sort(items_, {}, &Item::path);
  if (items_.size() > order.max_files) {
    items_.resize(order.max_files);
    incomplete_ = true;
  }
}

void Harvest::walk(const Order& order, const FilesIn& given) {
  struct Level {
    Folder folder;
    std::size_t path_size;
  };
  std::vector<Level> levels;
  std::string path;
  std::size_t seen = 0;
  if (auto top = top_ ? open_folder(top_.get(), ".") : nullptr) levels.push_back({std::move(top), 0});
  while (!levels.empty()) {
    const auto& level = levels.back();
    path.resize(level.path_size);
    const dirent* entry = next_entry(level.folder);
    if (!entry) {
      levels.pop_back();
      continue;
    }
    if (++seen > kMaxSeen || items_.size() >= kMaxFilesOut) {
      incomplete_ = true;
      return;
    }
    path.append(path.empty() ? "" : "/").append(entry->d_name);
    struct stat about;
    const int at = dirfd(level.folder.get());
    if (path.size() > kMaxPath || fstatat(at, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) < 0) {
      incomplete_ = true;
    } else if (S_ISREG(about.st_mode)) {
      look_at(path, about, order, given);
    } else if (S_ISDIR(about.st_mode)) {
      auto next = levels.size() < kMaxDepth ? open_folder(at, entry->d_name) : nullptr;
      incomplete_ |= !next;
      if (next) levels.push_back({std::move(next), path.size()});
    }
  }
}

void Harvest::look_at(const std::string& path, const struct stat& about, const Order& order, const FilesIn& given) {
  auto change = Change::created;
  const auto now = Identity::of(about);
  if (const auto before = given.given().find(absolute(path)); before != given.given().end()) {
    met_.push_back(before->first);
    change = before->second == now ? Change::unchanged : Change::modified;
  } else if (is_renamed_program(path, now, order, given)) {
    met_.push_back(order.program);
    return;
  }
  const bool wanted =
      (order.collect_changed && change != Change::unchanged && !(change == Change::created && is_bytecode(path))) ||
      std::ranges::any_of(order.collect, [&](const auto& glob) { return glob_matches(glob, path); });
  if (wanted) items_.push_back({path, change, about.st_mode & 07777u, static_cast<std::uint64_t>(about.st_size)});
}

void Harvest::add_deleted(const FilesIn& given) {
  std::ranges::sort(met_);
  const auto prefix = absolute("");
  for (const auto& [path, identity] : given.given())
    if (path.starts_with(prefix) && !std::ranges::binary_search(met_, path))
      items_.push_back({path.substr(prefix.size()), Change::deleted, 0, 0});
}

bool Harvest::send(Link& link) {
  while (next_ < items_.size()) {
    if (link.crowded() || !send_content(link, items_[next_])) return false;
  }
  return true;
}

// One frame of an item. Moves on to the next item behind its last one.
bool Harvest::send_content(Link& link, const Item& item) {
  FileOut out;
  out.path = item.path;
  out.change = item.change;
  out.mode = item.mode;
  out.size = item.size;
  if (!file_ && item.change != Change::deleted) {
    out.left_out = item.size > std::min(left_, inline_bytes_);
    if (!out.left_out) {
      struct stat about;
      file_ = open_beneath(top_.get(), item.path, O_RDONLY);
      if (file_ && (fstat(file_.get(), &about) < 0 || !S_ISREG(about.st_mode))) file_.reset();
      out.left_out = !file_;
      left_ -= file_ ? item.size : 0;
    }
  }
  char bytes[kMaxChunk];
  ssize_t got = 0;
  if (file_) {
    got = pread(file_.get(), bytes, std::min<std::uint64_t>(sizeof bytes, item.size - offset_),
                static_cast<off_t>(offset_));
    offset_ += static_cast<std::uint64_t>(std::max<ssize_t>(got, 0));
    out.bytes = {bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  out.last = got <= 0 || offset_ == item.size;
  link.send(FrameType::file_out, out.encode());
  if (out.last) {
    ++next_;
    offset_ = 0;
    file_.reset();
  }
  return true;
}

}  // namespace hotcell::agent
