// An engine with real workers, programs that say when they are running, and processes as /proc shows them.
#pragma once
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "image_folder.h"
#include "places.h"
#include "wasi/engine.h"

namespace hotcell::wasi::testing {

using namespace protocol;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline EngineOptions options(unsigned max_workers = 8) {
  EngineOptions out;
  out.worker = std::filesystem::path(hotcell::testing::kBinFolder) / "hotcell-worker";
  out.images = hotcell::testing::images_folder();
  out.max_workers = max_workers;
  return out;
}

inline std::unique_ptr<WasiEngine> engine(EngineOptions with = options()) {
  auto made = WasiEngine::create(std::move(with));
  if (!made) throw std::runtime_error(made.error().message);
  return std::move(*made);
}

inline Request python(std::string code, double timeout = 20) {
  Request out;
  out.code = std::move(code);
  out.timeout_seconds = timeout;
  return out;
}

// Runs and expects an outcome, not an error.
inline Outcome outcome(WasiEngine& engine, const Request& request, OutputSink* sink = nullptr,
                       const StopToken* stop = nullptr) {
  auto done = engine.run(request, sink, stop);
  if (done) return std::move(*done);
  ADD_FAILURE() << "refused: " << done.error().code << ": " << done.error().message;
  return {};
}
inline std::string code_of(const Outcome& outcome) { return outcome.failure ? outcome.failure->code : ""; }

inline ::testing::AssertionResult works(WasiEngine& engine) {
  const auto done = engine.run(python("print(2+2)"), nullptr, nullptr);
  if (!done) return ::testing::AssertionFailure() << done.error().code << ": " << done.error().message;
  if (done->status == Status::completed && done->out.bytes == "4\n") return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << name_of(done->status) << " " << (done->failure ? done->failure->message : "")
                                       << " " << done->out.bytes << done->err.bytes;
}

// Tells when a program has begun to print.
struct Watch : OutputSink {
  void output(Stream, std::span<const char> bytes) override {
    const std::lock_guard lock(mutex);
    text.append(bytes.begin(), bytes.end());
    changed.notify_all();
  }
  bool wait_for(std::string_view wanted, seconds limit = seconds(20)) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, limit, [&] { return text.find(wanted) != text.npos; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::string text;
};

// pid -> parent, of all processes that live.
inline std::map<int, int> processes() {
  std::map<int, int> out;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    std::getline(file, line);
    const auto end = line.rfind(") ");
    if (end == line.npos || line[end + 2] == 'Z') continue;
    out[std::stoi(name)] = std::stoi(line.substr(end + 4));
  }
  return out;
}
inline std::vector<int> children(int parent) {
  std::vector<int> out;
  for (const auto& [pid, of] : processes())
    if (of == parent) out.push_back(pid);
  return out;
}
// Zygotes first, then their workers.
inline std::vector<int> descendants(int parent) {
  auto out = children(parent);
  for (std::size_t i = 0; i < out.size(); ++i)
    for (const int child : children(out[i])) out.push_back(child);
  return out;
}

// Holds on to processes, so that their end can be waited for even after their pids are free again.
class Held {
 public:
  explicit Held(const std::vector<int>& pids) {
    for (const int pid : pids) fds_.emplace_back(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  }
  std::size_t count() const { return fds_.size(); }
  bool all_gone(seconds limit = seconds(10)) const {
    const auto deadline = Deadline::after(limit);
    for (const auto& fd : fds_) {
      if (!fd) continue;  // gone before it could be held
      pollfd wait{fd.get(), POLLIN, 0};
      if (poll(&wait, 1, deadline.poll_ms()) != 1) return false;
    }
    return true;
  }
  void kill_all() const {
    for (const auto& fd : fds_) syscall(SYS_pidfd_send_signal, fd.get(), SIGKILL, nullptr, 0);
  }

 private:
  std::vector<Fd> fds_;
};

}  // namespace hotcell::wasi::testing
