// What the tests of the dependency cache share: a folder, an installer without a network, children that die.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/file.h"
#include "deps/cache.h"

namespace hotcell::deps::testing {

namespace fs = std::filesystem;

inline Deadline soon() { return Deadline::after_seconds(30); }

inline const Target kPython{Ecosystem::pypi, "cpython-3.11", "linux-x86_64"};

inline Wish wish(const std::vector<std::string>& texts, std::string scope = "") {
  return {kPython, parse_requirements(Ecosystem::pypi, texts).value(), std::move(scope)};
}

// Packages are what their name and version say, so that a test can tell whether the right ones are there.
class FakeInstaller : public Installer {
 public:
  std::map<std::string, std::string> versions;                           // else 1.0
  std::function<std::optional<Error>(Deadline)> on_resolve, on_install;  // may wait, fail, die
  std::function<void(const fs::path&)> add;                              // more into the folder
  fs::path tally;                                                        // a byte is added for each install
  StepObserver* observer = nullptr;
  std::atomic<int> resolves = 0, installs = 0;

  Expected<Lock> resolve(const Target&, std::span<const Requirement> requirements, Deadline deadline) override {
    ++resolves;
    if (on_resolve)
      if (auto error = on_resolve(deadline)) return std::unexpected(*error);
    std::vector<LockedPackage> packages;
    for (const auto& requirement : requirements) packages.push_back(package(requirement.name));
    packages.push_back(package("needed-by-all"));
    return Lock::make(Ecosystem::pypi, std::move(packages));
  }

  Expected<void> install(const Target&, const Lock& lock, const fs::path& folder, Deadline deadline) override {
    ++installs;
    if (!tally.empty()) {
      const Fd fd(::open(tally.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
      if (::write(fd.get(), "x", 1) != 1) std::abort();
    }
    if (on_install)
      if (auto error = on_install(deadline)) return std::unexpected(*error);
    for (const auto& one : lock.packages()) {
      const auto home = folder / one.name;
      std::error_code failed;
      fs::create_directories(home / "inner", failed);
      if (auto done = write(home / "__init__.py", "version = '" + one.version + "'\n"); !done) return done;
      if (observer) observer->reached("package half installed");
      if (auto done = write(home / "inner" / "data.bin", std::string(3000, one.name[0])); !done) return done;
      if (auto done = write(home / "run.sh", "#!/bin/sh\n"); !done) return done;
      chmod((home / "run.sh").c_str(), 0777);
      fs::create_symlink("__init__.py", home / "alias.py", failed);
    }
    if (add) add(folder);
    return {};
  }

  static std::string what_is(const fs::path& content, const std::string& name) {
    return read_file(content / name / "__init__.py", 1000).value_or("nothing");
  }

 private:
  LockedPackage package(const std::string& name) const {
    const auto known = versions.find(name);
    const std::string version = known == versions.end() ? "1.0" : known->second;
    return {name, version, "", {"sha256:" + hex(sha256(name + version))}};
  }
  static Expected<void> write(const fs::path& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.flush();
    if (!out) return fail("dependency_failed", "cannot write " + path.filename().string());
    return {};
  }
};

class CacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hotcell-deps-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    scratch_ = pattern;
    root_ = scratch_ / "deps";
    installer_.tally = scratch_ / "tally";
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(scratch_, ignored);
  }

  CacheOptions options() {
    CacheOptions out;
    out.folder = root_;
    out.clock_ms = [this] { return now_ms_.load(); };
    return out;
  }
  std::unique_ptr<DependencyCache> open() { return open(options()); }
  static std::unique_ptr<DependencyCache> open(CacheOptions with) {
    auto cache = DependencyCache::open(std::move(with));
    if (!cache) throw std::runtime_error(cache.error().code + ": " + cache.error().message);
    return std::move(*cache);
  }
  Lease acquire(DependencyCache& cache, const Wish& wanted) {
    auto lease = cache.acquire(wanted, installer_, soon());
    if (!lease) throw std::runtime_error(lease.error().code + ": " + lease.error().message);
    return std::move(*lease);
  }
  // How often anything was installed, by any process.
  std::size_t installs() {
    std::error_code missing;
    const auto size = fs::file_size(scratch_ / "tally", missing);
    return missing ? 0 : size;
  }
  std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder)) out.push_back(entry.path().filename());
    std::ranges::sort(out);
    return out;
  }
  static unsigned mode_of(const fs::path& path) {
    struct stat st{};
    return lstat(path.c_str(), &st) ? 0 : st.st_mode & 07777u;
  }
  static void expect_undamaged(DependencyCache& cache) {
    const auto report = cache.verify(false, nullptr, soon());
    ASSERT_TRUE(report) << report.error().message;
    for (const auto& found : report->damaged)
      for (const auto& damage : found.damage)
        ADD_FAILURE() << found.place << "/" << found.name << " " << damage.path << ": " << damage.what;
  }

  fs::path scratch_, root_;
  FakeInstaller installer_;
  std::atomic<std::int64_t> now_ms_ = 1'700'000'000'000;
};

// A child that runs `work` and ends; killed with the test.
inline pid_t child(const std::function<void()>& work) {
  const pid_t pid = fork();
  if (pid == 0) {
    int status = 99;
    try {
      work();
      status = ::testing::Test::HasFailure() ? 98 : 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in a child: %s\n", error.what());
    }
    _exit(status);
  }
  return pid;
}
inline int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace hotcell::deps::testing
