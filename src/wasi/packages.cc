#include "wasi/packages.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "wasi/module_cache.h"

namespace hotcell::wasi {
namespace {

// Pure packages are small; what is larger is data that a 256 MiB cell could hardly use.
constexpr std::uint64_t kMostBytes = 128u << 20;
constexpr std::uint64_t kMostBytesKept = 512u << 20;
constexpr std::size_t kMostFiles = 100'000;
constexpr std::size_t kMostDepth = 64;

struct Found {
  std::vector<std::string> files, folders;
};

Expected<Found> look_into(int folder, const std::string& shown) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(fcntl(folder, F_DUPFD_CLOEXEC, 0)), closedir);
  if (!stream) return fail_errno("cannot list the packages in " + shown);
  Found found;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (!entry && errno != 0) return fail_errno("cannot list the packages in " + shown);
    if (!entry) return found;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat about{};
    if (fstatat(folder, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno("cannot look at " + shown + "/" + name);
    if (S_ISREG(about.st_mode)) found.files.push_back(name);
    if (S_ISDIR(about.st_mode)) found.folders.push_back(name);
  }
}

class Reader {
 public:
  explicit Reader(std::uint64_t most_bytes) : left_(most_bytes) {}

  Expected<void> read(const Fd& folder, const std::string& shown, const std::string& prefix, std::size_t depth) {
    const auto found = look_into(folder.get(), shown + "/" + prefix);
    if (!found) return std::unexpected(found.error());
    for (const auto& name : found->files) {
      const Fd file(openat(folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (!file) return fail_errno("cannot open " + shown + "/" + prefix + name);
      auto content = read_all(file.get(), left_, prefix + name);
      if (!content || files.size() >= kMostFiles)
        return fail("packages_too_large",
                    "the packages are more than a WASI cell is given: " + std::to_string(kMostBytes >> 20) +
                        " MiB or " + std::to_string(kMostFiles) + " files",
                    "use engine docker");
      left_ -= content->size();
      files.emplace(prefix + name, std::move(*content));
    }
    for (const auto& name : found->folders) {
      if (depth >= kMostDepth) return fail("packages_too_large", "the packages' folders are nested too deeply");
      const Fd below(openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!below) return fail_errno("cannot open " + shown + "/" + prefix + name);
      if (auto done = read(below, shown, prefix + name + "/", depth + 1); !done) return done;
    }
    return {};
  }

  std::map<std::string, std::string> files;  // in the order of a pack

 private:
  std::uint64_t left_;
};

}  // namespace

Expected<std::string> pack_of(const std::string& folder, std::uint64_t most_bytes) {
  const Fd top(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top) return fail_errno("cannot open the packages in " + folder);
  Reader reader(most_bytes);
  if (auto done = reader.read(top, folder, "", 0); !done) return std::unexpected(done.error());
  constexpr std::uint64_t kHeader = 16, kEntry = 32;
  std::uint64_t paths_at = kHeader + kEntry * reader.files.size(), data_at = paths_at;
  for (const auto& [path, content] : reader.files) data_at += path.size();
  ByteWriter out;
  out.bytes() = "HCPACK1\n";
  out.put(static_cast<std::uint32_t>(reader.files.size()));
  out.put(std::uint32_t{0});
  for (const auto& [path, content] : reader.files) {
    out.put(paths_at);
    out.put(static_cast<std::uint32_t>(path.size()));
    out.put(std::uint32_t{0});
    out.put(data_at);
    out.put(static_cast<std::uint64_t>(content.size()));
    paths_at += path.size();
    data_at += content.size();
  }
  auto pack = std::move(out.bytes());
  pack.reserve(data_at);
  for (const auto& [path, content] : reader.files) pack += path;
  for (auto& [path, content] : reader.files) {
    pack += content;
    std::string().swap(content);
  }
  return pack;
}

std::shared_ptr<const Fd> PackageShelf::find(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& one) { return one.folder == folder; });
  if (at == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, at);
  return at->pack;
}

Expected<std::shared_ptr<const Fd>> PackageShelf::get(const std::string& folder) {
  if (auto known = find(folder)) return known;
  const std::lock_guard making(making_);
  if (auto known = find(folder)) return known;
  const auto pack = pack_of(folder, kMostBytes);
  if (!pack) return std::unexpected(pack.error());
  auto sealed = ModuleCache::seal({reinterpret_cast<const std::uint8_t*>(pack->data()), pack->size()});
  if (!sealed) return std::unexpected(sealed.error());
  auto shared = std::make_shared<const Fd>(std::move(*sealed));
  const std::lock_guard lock(mutex_);
  kept_.push_front({folder, shared, pack->size()});
  std::uint64_t bytes = 0;
  for (auto at = kept_.begin(); at != kept_.end();) {
    bytes += at->bytes;
    at = bytes > kMostBytesKept && at != kept_.begin() ? kept_.erase(at) : std::next(at);
  }
  return shared;
}

}  // namespace hotcell::wasi
