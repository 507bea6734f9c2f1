#include "docker/owner.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/file.h"
#include "base/hash.h"

namespace hotcell::docker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytes = 8;  // 64 random bits; twice as many letters

Expected<std::string> random_name() {
  std::array<std::uint8_t, kNameBytes> random;
  while (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    if (errno != EINTR) return fail_errno("cannot get random bytes");
  return hex(random);
}

// A name comes back from the daemon, where anybody who may use it could have written it; it becomes part of a path.
bool is_name(std::string_view text) {
  return text.size() == 2 * kNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Expected<void> make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return fail("internal", "cannot create the state folder " + folder.string() + ": " + error.message(),
                "set HOTCELL_STATE to a folder that can be written");
  return {};
}

// Two processes may be the first ones at the same time: a link, unlike a rename, lets only one of them win.
Expected<void> name_home(const fs::path& state) {
  auto name = random_name();
  if (!name) return std::unexpected(name.error());
  const auto mine = state / ("home." + *name);
  *name += '\n';
  if (auto done = write_file_atomically(mine, {reinterpret_cast<const std::uint8_t*>(name->data()), name->size()});
      !done)
    return done;
  const int linked = link(mine.c_str(), (state / "home").c_str());
  const int error = errno;
  unlink(mine.c_str());
  if (linked != 0 && error != EEXIST) return fail_errno("cannot name the state folder " + state.string(), error);
  return {};
}

}  // namespace

fs::path default_state_folder() {
  if (const char* set = std::getenv("HOTCELL_STATE"); set && *set) return set;
  if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg && *xdg) return fs::path(xdg) / "hotcell";
  const char* home = std::getenv("HOME");
  return fs::path(home && *home ? home : "/tmp") / ".local" / "state" / "hotcell";
}

Expected<Home> Home::open(fs::path state) {
  if (auto made = make_folder(state / "owners"); !made) return std::unexpected(made.error());
  std::error_code ignored;
  if (!fs::exists(state / "home", ignored))
    if (auto named = name_home(state); !named) return std::unexpected(named.error());
  auto text = read_file(state / "home", 256);
  if (!text) return std::unexpected(text.error());
  while (!text->empty() && text->back() == '\n') text->pop_back();
  if (!is_name(*text))
    return fail("internal", (state / "home").string() + " does not hold the name of a hotcell home",
                "it is one line of 16 hexadecimal digits; delete the file, then look at docker ps for what is left");
  Home home;
  home.state_ = std::move(state);
  home.id_ = std::move(*text);
  return home;
}

bool Home::owner_lives(std::string_view owner) const {
  if (!is_name(owner)) return false;
  Fd file(::open((state_ / "owners" / owner).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return errno != ENOENT;  // what cannot be looked at is not proven dead
  // Shared: two who look at the same time must not take each other for the owner.
  return flock(file.get(), LOCK_SH | LOCK_NB) != 0;
}

void Home::forget_dead_owners() const {
  std::error_code ignored;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(state_ / "owners", ignored)) files.push_back(entry.path());
  for (const auto& path : files) {
    if (!is_name(path.filename().string())) continue;
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    // Held while the name goes: a process that has just made the file notices (see claim) and takes another.
    if (file && flock(file.get(), LOCK_EX | LOCK_NB) == 0) unlink(path.c_str());
  }
}

Expected<Owner> Owner::claim(const Home& home) {
  for (int tries = 0; tries < 100; ++tries) {
    auto name = random_name();
    if (!name) return std::unexpected(name.error());
    auto path = home.folder() / "owners" / *name;
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file && errno == EEXIST) continue;
    if (!file) return fail_errno("cannot create " + path.string(), "set HOTCELL_STATE to a folder that can be written");
    // Between creating and locking, somebody who sweeps may have taken it for a dead one's.
    struct stat ours{}, there{};
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0 || fstat(file.get(), &ours) != 0 || stat(path.c_str(), &there) != 0 ||
        ours.st_ino != there.st_ino || ours.st_dev != there.st_dev)
      continue;
    return Owner(std::move(*name), std::move(path), std::move(file));
  }
  return fail("internal", "cannot claim a name in " + (home.folder() / "owners").string());
}

Owner& Owner::operator=(Owner&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(file_, other.file_);
  std::swap(lock_, other.lock_);
  return *this;
}

Owner::~Owner() {
  if (lock_) unlink(file_.c_str());
}

}  // namespace hotcell::docker
