#include "deps/cache_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/bytes.h"
#include "base/file.h"
#include "deps/errors.h"
#include "deps/key.h"
#include "deps/tree.h"

namespace hotcell::deps {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormatWord = "hotcell-deps ";
constexpr int kFormat = 1;
constexpr std::uint64_t kSetupLock = 0, kAliveLock = 1;

// All that a cache of any format has had at its top, except the secret and the locks. What is not in here was never
// ours.
constexpr std::array<std::string_view, 12> kContent = {
    "format",       "format.tmp",           "index.db",         "index.db-wal",     "index.db-shm", "index.db-journal",
    "index.db.tmp", "index.db.tmp-journal", "index.db.tmp-wal", "index.db.tmp-shm", "shared",       "scoped"};
constexpr std::array<std::string_view, 6> kKept = {"secret",  "secret.tmp", "locks",
                                                   "staging", "downloads",  "lost+found"};

// A folder of the cache with exactly this mode, ours, on the same disk as the root.
Expected<Fd> own_folder(int parent, const std::string& name, unsigned mode, const std::string& shown) {
  Fd fd(openat(parent, name.c_str(), kOpenFolder));
  if (!fd && errno == ENOENT) {
    if (mkdirat(parent, name.c_str(), 0700) && errno != EEXIST) return cache_error("cannot create " + shown);
    fd.reset(openat(parent, name.c_str(), kOpenFolder));
  }
  if (!fd && (errno == ENOTDIR || errno == ELOOP))
    return fail("untrusted_path", shown + " is not a folder", "remove it; hotcell makes it again");
  if (!fd) return cache_error("cannot open " + shown);
  struct stat st{}, above{};
  if (fstat(fd.get(), &st) || fstat(parent, &above)) return cache_error("cannot look at " + shown);
  if (st.st_dev != above.st_dev) return cache_error("cannot use " + shown, EXDEV);
  if (st.st_uid != geteuid())
    return fail("untrusted_path", shown + " belongs to another user, and code would be loaded from it",
                "remove it, or run hotcell as its owner");
  if ((st.st_mode & 07777) != mode && fchmod(fd.get(), mode)) return cache_error("cannot protect " + shown);
  return fd;
}

std::string random_name() {
  std::array<std::uint8_t, 16> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  return hex(bytes);
}

Expected<void> replace_file(int folder, const std::string& name, std::string_view text, unsigned mode) {
  const std::string temporary = name + ".tmp";  // one writer at a time: the setup lock is held
  unlinkat(folder, temporary.c_str(), 0);
  if (auto done = write_new_file(folder, temporary.c_str(), text, mode); !done) return done;
  if (renameat(folder, temporary.c_str(), folder, name.c_str())) return cache_error("cannot write " + name);
  if (fsync(folder)) return cache_error("cannot write " + name);
  return {};
}

}  // namespace

Expected<std::vector<std::string>> names_in_folder(int folder) {
  const int fd = openat(folder, ".", kOpenFolder);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(fd < 0 ? nullptr : fdopendir(fd), closedir);
  if (!listing) return cache_error("cannot list the dependency cache");
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* item = readdir(listing.get());
    if (!item && errno) return cache_error("cannot list the dependency cache");
    if (!item) return names;
    const std::string_view name = item->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
}

bool is_entry_name(std::string_view name) {
  return name.size() == 2 * sizeof(Digest) && name.find_first_not_of("0123456789abcdef") == name.npos;
}

Expected<void> write_new_file(int folder, const char* name, std::string_view text, unsigned mode) {
  const Fd file(openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  const std::string shown = "cannot write the file " + std::string(name) + " of the dependency cache";
  if (!file) return cache_error(shown);
  errno = 0;
  if (!write_all(file.get(), bytes_of(text)) || fchmod(file.get(), mode) || fsync(file.get()))
    return cache_error(shown);
  return {};
}

// Staging

Staging::Staging(int parent, std::string name, Fd lock, Fd folder)
    : parent_(parent), name_(std::move(name)), lock_(std::move(lock)), folder_(std::move(folder)) {}

Staging::Staging(Staging&& other) noexcept
    : parent_(other.parent_),
      name_(std::exchange(other.name_, {})),
      lock_(std::move(other.lock_)),
      folder_(std::move(other.folder_)) {}

Staging::~Staging() {
  if (!name_.empty()) (void)remove_tree(parent_, name_);  // what resists is found by the next sweep
}

// CacheRoot

Expected<CacheRoot> CacheRoot::open(const fs::path& path, Deadline deadline, StepObserver* observer) {
  CacheRoot out;
  std::error_code error;
  out.path_ = fs::absolute(path, error).lexically_normal();
  out.observer_ = observer;
  const std::string shown = "the dependency cache " + out.path_.string();
  if (out.path_.has_parent_path()) {
    fs::create_directories(out.path_.parent_path(), error);
    if (error) return cache_error("cannot create the folder of " + shown, error.value());
  }
  if (mkdir(out.path_.c_str(), 0700) && errno != EEXIST) return cache_error("cannot create " + shown);
  out.step("root made");
  const int opened = ::open(out.path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) {
    if (errno == ENOTDIR)
      return fail("cache_unusable", shown + " is not a folder", "set DEPENDENCY_CACHE_DIR to a folder");
    return cache_error("cannot open " + shown);
  }
  out.root_ = Fd(opened);

  // Looked at through the descriptor: from here on the path may be replaced without effect.
  struct stat st{};
  if (fstat(out.root_.get(), &st)) return cache_error("cannot look at " + shown);
  if (st.st_uid != geteuid())
    return fail("untrusted_path", shown + " belongs to another user, and code would be loaded from it",
                "set DEPENDENCY_CACHE_DIR to a folder of the user that runs hotcell");
  if (faccessat(out.root_.get(), "format", F_OK, AT_SYMLINK_NOFOLLOW)) {
    const auto names = names_in_folder(out.root_.get());
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names)
      if (std::ranges::find(kContent, name) == kContent.end() && std::ranges::find(kKept, name) == kKept.end())
        return fail("cache_unusable",
                    std::string(shown).append(" holds something else than a dependency cache: ") + name,
                    "set DEPENDENCY_CACHE_DIR to an empty or a new folder");
  }
  if (st.st_mode & (S_IWGRP | S_IWOTH))
    return fail("untrusted_path", shown + " is writable by others, and code would be loaded from it",
                "chmod go-w " + out.path_.string() + " (and look at what is in it), or choose another folder");
  if ((st.st_mode & 07777) != 0711 && fchmod(out.root_.get(), 0711)) return cache_error("cannot protect " + shown);
  if (auto done = out.set_up(deadline); !done) return std::unexpected(done.error());
  return out;
}

Expected<void> CacheRoot::set_up(Deadline deadline) {
  auto locks = own_folder(root_.get(), "locks", 0700, path_ / "locks");
  if (!locks) return std::unexpected(locks.error());
  step("locks made");
  for (auto& [name, into] :
       {std::pair{"setup", &setup_}, {"use", &use_}, {"install", &install_}, {"staging", &staging_locks_}}) {
    auto opened = ProcessLocks::open(locks->get(), name);
    if (!opened) return std::unexpected(opened.error());
    *into = std::move(*opened);
  }
  const auto alone = setup_->lock(kSetupLock, ProcessLocks::Kind::exclusive, deadline);
  if (!alone) return std::unexpected(alone.error());
  if (!*alone)
    return fail("cache_unusable", "another process has been setting up the dependency cache for too long",
                "look for a stopped hotcell process");

  auto staging = own_folder(root_.get(), "staging", 0700, path_ / "staging");
  if (!staging) return std::unexpected(staging.error());
  staging_ = std::move(*staging);
  step("staging made");
  if (auto done = check_format(); !done) return done;
  for (const char* name : {"shared", "scoped"}) {
    if (auto made = own_folder(root_.get(), name, 0711, path_ / name); !made) return std::unexpected(made.error());
    step("folder of entries made");
  }
  if (auto done = read_secret(); !done) return done;

  auto alive = setup_->lock(kAliveLock, ProcessLocks::Kind::shared, deadline);
  if (!alive) return std::unexpected(alive.error());
  if (!*alive) return fail("cache_unusable", "the dependency cache is being rebuilt by another process");
  alive_ = std::move(**alive);
  return {};
}

Expected<void> CacheRoot::check_format() {
  Fd file(openat(root_.get(), "format", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  int found = 0;
  if (file) {
    const auto text = read_all(file.get(), 64, "format");
    if (!text || std::sscanf(text->c_str(), "hotcell-deps %d", &found) != 1)
      return fail("cache_unusable", (path_ / "format").string() + " is not what a dependency cache has there",
                  "set DEPENDENCY_CACHE_DIR to an empty or a new folder, or remove this one");
    if (found == kFormat) return {};
  } else if (errno != ENOENT) {
    return cache_error("cannot read the format of the dependency cache");
  }
  if (found > kFormat)
    return fail("cache_unusable",
                "the dependency cache " + path_.string() + " was made by a newer hotcell (format " +
                    std::to_string(found) + ", this one knows " + std::to_string(kFormat) + ")",
                "set DEPENDENCY_CACHE_DIR to another folder, or remove this one");

  // Nothing of another format is kept: all of it can be installed again.
  const auto nobody_else = setup_->try_lock(kAliveLock, ProcessLocks::Kind::exclusive);
  if (!nobody_else) return std::unexpected(nobody_else.error());
  if (!*nobody_else)
    return fail("cache_unusable", "the dependency cache has the format of an older hotcell, which is still running",
                "stop it, then start this one again");
  const auto names = names_in_folder(root_.get());
  if (!names) return std::unexpected(names.error());
  for (const auto& name : *names) {
    if (std::ranges::find(kContent, name) == kContent.end()) continue;
    if (name.starts_with("shared") || name.starts_with("scoped")) emptied_ = true;
    if (auto done = remove_tree(root_.get(), name); !done) return done;
    step("old format removed");
  }
  if (auto done = replace_file(root_.get(), "format", std::string(kFormatWord) + std::to_string(kFormat) + "\n", 0644);
      !done)
    return done;
  step("format written");
  return {};
}

Expected<void> CacheRoot::read_secret() {
  const std::string shown = (path_ / "secret").string();
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Fd file(openat(root_.get(), "secret", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file && errno != ENOENT) return cache_error("cannot open " + shown);
    if (file) {
      struct stat st{};
      if (fstat(file.get(), &st)) return cache_error("cannot look at " + shown);
      if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return fail("untrusted_path",
                    shown + " can be read by others, and whoever has it can guess which packages others use",
                    "remove " + path_.string() + "; hotcell makes it again");
      const auto bytes = read_all(file.get(), secret_.size(), shown);
      if (bytes && bytes->size() == secret_.size()) {
        std::memcpy(secret_.data(), bytes->data(), secret_.size());
        return {};
      }
    }
    // Missing or damaged. What was named and signed with it is lost anyway.
    Digest fresh;
    if (getrandom(fresh.data(), fresh.size(), 0) != static_cast<ssize_t>(fresh.size()))
      return fail_errno("cannot get randomness for the secret of the dependency cache");
    if (auto done =
            replace_file(root_.get(), "secret", {reinterpret_cast<const char*>(fresh.data()), fresh.size()}, 0600);
        !done)
      return done;
    emptied_ = true;
    step("secret written");
  }
  return fail("cache_unusable", "the secret of the dependency cache cannot be read back: " + shown);
}

std::string CacheRoot::private_id(std::string_view kind, std::string_view scope, const Digest& key) const {
  const std::array<std::string_view, 3> fields = {kind, scope, {reinterpret_cast<const char*>(key.data()), key.size()}};
  return hex(hmac_sha256(secret_, bytes_of(length_prefixed(fields))));
}

std::string CacheRoot::entry_name(std::string_view scope, const Digest& key) const {
  return private_id("hotcell dependency cache: entry", scope, key);
}

std::string CacheRoot::place(std::string_view scope) const {
  if (scope.empty()) return "shared";
  return "scoped/" + private_id("hotcell dependency cache: scope", scope, Digest{});
}

Expected<Fd> CacheRoot::open_place(const std::string& place) const {
  const auto slash = place.find('/');
  auto top = own_folder(root_.get(), place.substr(0, slash), 0711, path_ / place.substr(0, slash));
  if (!top || slash == place.npos) return top;
  return own_folder(top->get(), place.substr(slash + 1), 0711, path_ / place);
}

Expected<std::vector<std::string>> CacheRoot::places() const {
  std::vector<std::string> out = {"shared"};
  auto scopes = names_in("scoped");
  if (!scopes) return scopes;
  for (const auto& name : *scopes)
    if (is_entry_name(name)) out.push_back("scoped/" + name);
  return out;
}

Expected<std::vector<std::string>> CacheRoot::names_in(const std::string& place) const {
  const auto folder = open_place(place);
  if (!folder) return std::unexpected(folder.error());
  return names_in_folder(folder->get());
}

Expected<Staging> CacheRoot::new_staging() const {
  const auto name = random_name();
  if (name.empty()) return fail("internal", "cannot get randomness for a name");
  // Locked before it exists: a sweep that sees it finds its owner alive.
  auto lock = staging_locks_->try_lock(lock_number(name), ProcessLocks::Kind::exclusive);
  if (!lock) return std::unexpected(lock.error());
  if (!*lock) return fail("internal", "two folders of the dependency cache got one random name");
  if (mkdirat(staging_.get(), name.c_str(), 0755)) return cache_error("cannot create a folder in the dependency cache");
  Fd folder(openat(staging_.get(), name.c_str(), kOpenFolder));
  Staging out(staging_.get(), name, std::move(**lock), std::move(folder));
  if (!out.folder_ || fchmod(out.fd(), 0755)) return cache_error("cannot open a folder of the dependency cache");
  step("staging folder made");
  return out;
}

Expected<std::optional<Staging>> CacheRoot::take_out(const std::string& place, const std::string& name) const {
  const auto folder = open_place(place);
  if (!folder) return std::unexpected(folder.error());
  auto staging = new_staging();
  if (!staging) return std::unexpected(staging.error());
  // Into the new folder, not over it: what was there may be a file.
  const auto move = [&] { return renameat(folder->get(), name.c_str(), staging->fd(), "removed"); };
  if (move() && (errno != EACCES || fchmodat(folder->get(), name.c_str(), 0700, 0) || move())) {
    if (errno == ENOENT) return std::optional<Staging>();
    return cache_error("cannot take an entry out of the dependency cache");
  }
  step("entry taken out");
  return std::optional<Staging>(std::move(*staging));
}

Expected<void> CacheRoot::put_in(const Staging& staging, const std::string& place, const std::string& name) const {
  const auto folder = open_place(place);
  if (!folder) return std::unexpected(folder.error());
  const char* from = staging.name().c_str();
  if (renameat2(staging_.get(), from, folder->get(), name.c_str(), RENAME_NOREPLACE)) {
    // A damaged entry is in the way, and programs may be using it. They find the new one at the same path.
    if (errno != EEXIST || renameat2(staging_.get(), from, folder->get(), name.c_str(), RENAME_EXCHANGE))
      return cache_error("cannot put an entry into the dependency cache");
  }
  step("entry put in");
  if (fsync(folder->get()) || fsync(staging_.get())) return cache_error("cannot write the dependency cache to disk");
  step("entry durable");
  return {};
}

Expected<std::size_t> CacheRoot::sweep() const {
  const auto names = names_in_folder(staging_.get());
  if (!names) return std::unexpected(names.error());
  std::size_t removed = 0;
  for (const auto& name : *names) {
    const auto owner = staging_locks_->try_lock(lock_number(name), ProcessLocks::Kind::exclusive);
    if (!owner) return std::unexpected(owner.error());
    if (!*owner) continue;  // at work
    if (auto done = remove_tree(staging_.get(), name); !done) return std::unexpected(done.error());
    step("rubbish swept");
    ++removed;
  }
  return removed;
}

}  // namespace hotcell::deps
