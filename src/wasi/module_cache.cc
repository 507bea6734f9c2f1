#include "wasi/module_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <string_view>
#include <vector>

#include "base/file.h"

#ifndef MFD_NOEXEC_SEAL  // younger than Debian 12's headers
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace hotcell::wasi {
namespace {

namespace fs = std::filesystem;

// An entry is this header, then the content:
//   8 bytes   magic, the second last of them the format's version
//   8 bytes   length of the content, little-endian
//   32 bytes  HMAC over the key's fields, the length and the content
constexpr std::array<std::uint8_t, 8> kMagic = {'h', 'c', 'm', 'o', 'd', 0, 1, '\n'};
constexpr std::size_t kTagOffset = kMagic.size() + 8;
constexpr std::size_t kHeaderBytes = kTagOffset + sizeof(Digest);

constexpr char kKeyName[] = "key";
constexpr std::size_t kEntryNameLength = 2 * sizeof(Digest);
constexpr std::size_t kTemporarySuffix = 7;         // ".XXXXXX"
constexpr std::time_t kAbandonedSeconds = 15 * 60;  // no writer takes so long; one that does only compiles again

void put_u64(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

void put_text(std::vector<std::uint8_t>& out, std::string_view text) {
  put_u64(out, text.size());  // so that no two different lists of fields give the same bytes
  out.insert(out.end(), text.begin(), text.end());
}

// What is authenticated besides the content. The domain keeps the HMACs of names and of contents apart.
std::vector<std::uint8_t> key_fields(std::string_view domain, const ModuleKey& key) {
  std::vector<std::uint8_t> out;
  put_text(out, domain);
  out.insert(out.end(), key.wasm.begin(), key.wasm.end());
  put_text(out, key.flags);
  put_text(out, key.wasmtime_version);
  put_text(out, key.cpu);
  return out;
}

bool is_entry_name(std::string_view name) {
  return name.size() == kEntryNameLength && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_temporary_name(std::string_view name) {
  if (name.size() <= kTemporarySuffix || name[name.size() - kTemporarySuffix] != '.') return false;
  const auto target = name.substr(0, name.size() - kTemporarySuffix);
  return target == kKeyName || is_entry_name(target);
}

// Written to a temporary file and then given its name by link(2), which fails if the name is taken: of several
// processes that start at once one wins, and nobody ever sees a key that is half written.
Expected<void> create_key(int directory, const fs::path& pinned) {
  Digest key;
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    return fail_errno("cannot get randomness for the install key");
  std::string temporary = (pinned / kKeyName).string() + ".XXXXXX";
  Fd fd(mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!fd) return fail_errno("cannot create the install key of the module cache");
  auto done = [&]() -> Expected<void> {
    if (auto written = write_all(fd.get(), key); !written) return written;
    if (fsync(fd.get())) return fail_errno("cannot sync the install key");
    const std::string name = fs::path(temporary).filename();
    if (linkat(directory, name.c_str(), directory, kKeyName, 0) && errno != EEXIST)
      return fail_errno("cannot name the install key");
    return {};
  }();
  unlink(temporary.c_str());
  fsync(directory);
  return done;
}

Expected<Digest> read_key(int fd, const std::string& shown) {
  struct stat st{};
  if (fstat(fd, &st)) return fail_errno("cannot stat " + shown);
  if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
    return fail(
        "untrusted_path",
        shown +
            " can be read by others than the user that runs hotcell, and whoever has it can make native code be loaded",
        "remove it together with all files beside it; hotcell makes a new one");
  auto bytes = read_all(fd, sizeof(Digest), shown);
  Digest key;
  if (!bytes || bytes->size() != key.size())
    return fail("untrusted_path", shown + " is not a key of " + std::to_string(key.size()) + " bytes",
                "remove it; hotcell makes a new one and compiles modules again");
  std::memcpy(key.data(), bytes->data(), key.size());
  return key;
}

Expected<Fd> new_memfd() {
  // NOEXEC_SEAL is about running the file as a program; mapping it executable stays possible. Kernels before 6.3 don't
  // know it, and later ones may be configured to insist on it.
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  Fd fd(memfd_create("hotcell-module", kFlags | MFD_NOEXEC_SEAL));
  if (!fd && errno == EINVAL) fd.reset(memfd_create("hotcell-module", kFlags));
  if (!fd) return fail_errno("cannot create a memory file for a compiled module");
  return fd;
}

Expected<void> add_seals(int fd) {
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
    return fail_errno("cannot seal a compiled module");
  if (lseek(fd, 0, SEEK_SET) != 0) return fail_errno("cannot rewind a compiled module");
  return {};
}

// Copies inside the kernel. Short when the file ends early; the caller compares lengths.
Expected<std::uint64_t> copy_rest(int to, int from, std::uint64_t wanted) {
  std::uint64_t copied = 0;
  while (copied < wanted) {
    const ssize_t n =
        sendfile(to, from, nullptr, static_cast<std::size_t>(std::min<std::uint64_t>(wanted - copied, 1 << 30)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("cannot read an entry of the module cache");
    if (n == 0) break;
    copied += static_cast<std::uint64_t>(n);
  }
  return copied;
}

class Mapping {
 public:
  Mapping(int fd, std::size_t size)
      : size_(size), at_(size ? mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0) : nullptr) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (at_ && ok()) munmap(at_, size_);
  }
  bool ok() const { return at_ != MAP_FAILED; }
  std::span<const std::uint8_t> bytes() const { return {static_cast<const std::uint8_t*>(at_), size_}; }

 private:
  std::size_t size_;
  void* at_;
};

}  // namespace

fs::path ModuleCache::inside(const std::string& name) const {
  return "/proc/self/fd/" + std::to_string(directory_.get()) + "/" + name;
}

Expected<ModuleCache> ModuleCache::open(const fs::path& directory, ModuleCacheLimits limits) {
  std::error_code ignored;
  if (directory.has_parent_path()) fs::create_directories(directory.parent_path(), ignored);
  if (mkdir(directory.c_str(), 0700) && errno != EEXIST)
    return fail_errno("cannot create the module cache " + directory.string());

  ModuleCache cache;
  cache.shown_ = directory;
  cache.limits_ = limits;
  cache.directory_ = Fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cache.directory_) return fail_errno("cannot open the module cache " + directory.string());
  if (auto trusted = require_trusted(directory); !trusted) return std::unexpected(trusted.error());
  // Again on what was really opened: the path may have been replaced in between. From here on everything goes through
  // the descriptor ("/proc/self/fd/N/…"), so the path no longer matters.
  if (auto trusted = require_trusted(cache.inside("")); !trusted) return std::unexpected(trusted.error());

  const std::string shown = (directory / kKeyName).string();
  const auto open_key = [&] {
    return Fd(openat(cache.directory_.get(), kKeyName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  };
  Fd fd = open_key();
  if (!fd && errno == ENOENT) {
    if (auto created = create_key(cache.directory_.get(), cache.inside("")); !created)
      return std::unexpected(created.error());
    fd = open_key();
  }
  if (!fd) return fail_errno("cannot open " + shown);
  auto key = read_key(fd.get(), shown);
  if (!key) return std::unexpected(key.error());
  cache.key_ = *key;
  return cache;
}

std::string ModuleCache::file_name(const ModuleKey& key) const {
  // Keyed, so that the name tells nothing about which modules were run here.
  return hex(hmac_sha256(key_, key_fields("hotcell module cache: name", key)));
}

Digest ModuleCache::tag(const ModuleKey& key, std::span<const std::uint8_t> content) const {
  auto message = key_fields("hotcell module cache: content, format 1", key);
  put_u64(message, content.size());
  const Digest digest = sha256(content);  // instead of the content itself, to spare a copy of tens of megabytes
  message.insert(message.end(), digest.begin(), digest.end());
  return hmac_sha256(key_, message);
}

Expected<std::optional<Fd>> ModuleCache::find(const ModuleKey& key, std::string* refusal) const {
  if (refusal) refusal->clear();
  const std::string name = file_name(key);
  Fd file(openat(directory_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  const auto refuse = [&](const std::string& why) -> Expected<std::optional<Fd>> {
    unlinkat(directory_.get(), name.c_str(), 0);
    if (refusal) *refusal = "refused and deleted the compiled module " + (shown_ / name).string() + ": " + why;
    return std::nullopt;
  };
  if (!file)
    return errno == ELOOP ? refuse("it is a symbolic link") : fail_errno("cannot open an entry of the module cache");

  struct stat st{};
  if (fstat(file.get(), &st)) return fail_errno("cannot stat an entry of the module cache");
  if (!S_ISREG(st.st_mode)) return refuse("it is not a regular file");
  const auto size = static_cast<std::uint64_t>(st.st_size);
  std::array<std::uint8_t, kHeaderBytes> header;
  if (size < header.size() || ::read(file.get(), header.data(), header.size()) != static_cast<ssize_t>(header.size()))
    return refuse("it is cut off inside its header");
  if (!std::equal(kMagic.begin(), kMagic.end(), header.begin())) return refuse("it is not of this format");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::uint64_t{header[kMagic.size() + i]} << (8 * i);
  if (length > limits_.max_entry_bytes) return refuse("it claims to be larger than any entry");
  if (length != size - header.size()) return refuse("its length is not what it claims");

  // Copied and sealed first, verified afterwards: what was verified is then exactly what will run.
  auto copy = new_memfd();
  if (!copy) return std::unexpected(copy.error());
  const auto copied = copy_rest(copy->get(), file.get(), length);
  if (!copied) return std::unexpected(copied.error());
  if (*copied != length) return refuse("it became shorter while it was read");
  if (auto sealed = add_seals(copy->get()); !sealed) return std::unexpected(sealed.error());
  const Mapping mapping(copy->get(), length);
  if (!mapping.ok()) return fail_errno("cannot map a compiled module");
  if (!equal_in_constant_time(tag(key, mapping.bytes()), std::span(header).subspan(kTagOffset)))
    return refuse("it was altered, or belongs to another installation or another module");
  futimens(file.get(), nullptr);  // recently used
  return std::move(*copy);
}

Expected<Fd> ModuleCache::seal(std::span<const std::uint8_t> compiled) {
  auto fd = new_memfd();
  if (!fd) return fd;
  if (auto written = write_all(fd->get(), compiled); !written) return std::unexpected(written.error());
  if (auto sealed = add_seals(fd->get()); !sealed) return std::unexpected(sealed.error());
  return fd;
}

Expected<Fd> ModuleCache::store(const ModuleKey& key, std::span<const std::uint8_t> compiled) const {
  if (compiled.size() > limits_.max_entry_bytes)
    return fail("module_too_large", "the compiled module has " + std::to_string(compiled.size()) +
                                        " bytes; the cache takes at most " + std::to_string(limits_.max_entry_bytes));
  std::vector<std::uint8_t> entry;
  entry.reserve(kHeaderBytes + compiled.size());
  entry.insert(entry.end(), kMagic.begin(), kMagic.end());
  put_u64(entry, compiled.size());
  const Digest authentic = tag(key, compiled);
  entry.insert(entry.end(), authentic.begin(), authentic.end());
  entry.insert(entry.end(), compiled.begin(), compiled.end());
  if (auto written = write_file_atomically(inside(file_name(key)), entry, 0600); !written)
    return std::unexpected(written.error());
  (void)sweep();  // the entry is stored; a directory that cannot be listed now is swept next time
  return seal(compiled);
}

Expected<void> ModuleCache::sweep() const {
  struct Entry {
    std::string name;
    timespec used;
    std::uint64_t bytes;
  };
  // A description of its own: readdir's position is shared between duplicates, and sweeps may run at the same time.
  const int listed = openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(listed < 0 ? nullptr : fdopendir(listed), closedir);
  if (!listing) return fail_errno("cannot list the module cache " + shown_.string());

  std::vector<Entry> entries;
  std::uint64_t total = 0;
  const std::time_t now = std::time(nullptr);
  while (const dirent* item = readdir(listing.get())) {
    const std::string name = item->d_name;
    const bool temporary = is_temporary_name(name);
    if (!temporary && !is_entry_name(name)) continue;  // not ours to touch
    struct stat st{};
    if (fstatat(directory_.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW)) continue;  // another process was quicker
    if (temporary && st.st_mtim.tv_sec < now - kAbandonedSeconds) {
      unlinkat(directory_.get(), name.c_str(), 0);
      continue;
    }
    const auto bytes = static_cast<std::uint64_t>(st.st_size);
    total += bytes;
    if (!temporary) entries.push_back({name, st.st_mtim, bytes});
  }
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return a.used.tv_sec != b.used.tv_sec ? a.used.tv_sec < b.used.tv_sec : a.used.tv_nsec < b.used.tv_nsec;
  });
  for (const auto& entry : entries) {
    if (total <= limits_.max_total_bytes) break;
    unlinkat(directory_.get(), entry.name.c_str(), 0);  // whoever has it open keeps it
    total -= entry.bytes;
  }
  return {};
}

}  // namespace hotcell::wasi
