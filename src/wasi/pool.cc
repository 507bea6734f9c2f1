#include "wasi/pool.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"

namespace hotcell::wasi {
namespace {

constexpr std::chrono::seconds kIdleTime{10};
constexpr std::chrono::seconds kSpawnTime{20};       // the first spawn of an image loads it
constexpr std::chrono::microseconds kPatience{150};  // about what a small program takes
constexpr int kControlFd = 3;                        // where hotcell-worker expects its socket

void kill_worker(const Worker& worker) {
  if (worker.process) syscall(SYS_pidfd_send_signal, worker.process.get(), SIGKILL, nullptr, 0);
}

}  // namespace

Expected<std::unique_ptr<Pool>> Pool::start(PoolOptions options) {
  std::unique_ptr<Pool> pool(new Pool(std::move(options)));
  // Above the ranges that distributions and container managers hand out; engines side by side start at different
  // places.
  pool->next_uid_ = static_cast<std::uint32_t>(getpid() % 1000) * 100'000;
  if (auto started = pool->start_zygote(); !started) return std::unexpected(started.error());
  return pool;
}

Pool::~Pool() {
  idle_.clear();  // a worker whose socket closes leaves
  zygote_ = Channel();
  if (zygote_pid_ > 0) waitpid(zygote_pid_, nullptr, 0);
}

Expected<void> Pool::start_zygote() {
  auto ends = Channel::pair();
  if (!ends) return std::unexpected(ends.error());
  const std::string images = options_.images.string(), program = options_.worker.string();
  std::vector<const char*> argv = {program.c_str(), "zygote", "--images", images.c_str()};
  if (options_.metered) argv.push_back("--fuel");
  if (options_.pin_images) argv.push_back("--pin");
  argv.push_back(nullptr);
  char* no_environment[] = {nullptr};  // nothing of ours is worth taking into a process that runs guest code

  // dup2 onto itself would keep CLOEXEC: the child's end must not be descriptor 3 already.
  Fd theirs(fcntl(ends->second.fd(), F_DUPFD_CLOEXEC, kControlFd + 1));
  if (!theirs) return fail_errno("cannot duplicate a socket");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), kControlFd);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // Out of our process group: Ctrl-C in a terminal is for us to handle, not for workers to die of.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, program.c_str(), &actions, &attributes, const_cast<char**>(argv.data()), no_environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error)
    return fail_errno("cannot start " + program, error,
                      "hotcell-worker belongs beside the hotcell executable; or set HOTCELL_WORKER");
  if (zygote_pid_ > 0) waitpid(zygote_pid_, nullptr, WNOHANG);
  zygote_ = std::move(ends->first);
  zygote_pid_ = pid;
  return {};
}

Expected<std::unique_ptr<Worker>> Pool::ask_zygote(const std::string& image, bool compiler, Deadline deadline) {
  auto ends = Channel::pair();
  if (!ends) return std::unexpected(ends.error());
  ByteWriter order;
  order.put<std::uint32_t>(geteuid() == 0 ? 1'900'000'000 + next_uid_ : 0);
  next_uid_ = (next_uid_ + 1) % 100'000'000;
  order.put<std::uint8_t>(compiler);
  order.put_bytes(image);
  if (auto sent = zygote_.send(FrameType::spawn, order.bytes(), {ends->second.fd()}); !sent)
    return std::unexpected(sent.error());
  auto frame = zygote_.receive(deadline);
  if (!frame) return std::unexpected(frame.error());
  ByteReader in(frame->payload);
  auto worker = std::make_unique<Worker>();
  worker->pid = in.get<std::int32_t>();
  if (worker->pid <= 0) {
    Error error;
    error.code = in.get_bytes();
    error.message = in.get_bytes();
    error.hint = in.get_bytes();
    if (!in.ok()) return fail("peer_lost", "the zygote sent nonsense");
    return std::unexpected(error);
  }
  if (!frame->descriptors.empty()) worker->process = std::move(frame->descriptors.front());
  worker->channel = std::move(ends->first);
  worker->channel.set_patience(kPatience);
  worker->image = image;
  return worker;
}

Expected<std::unique_ptr<Worker>> Pool::spawn(const std::string& image, bool compiler, Deadline deadline) {
  const std::lock_guard lock(zygote_mutex_);
  const auto limit = deadline.sooner(Deadline::after(kSpawnTime));
  auto worker = ask_zygote(image, compiler, limit);
  const auto broken = [](const Error& error) {
    return error.code == "peer_lost" || error.code == "deadline" || error.code == "protocol";
  };
  if (!worker && broken(worker.error())) {
    // It was killed, or is stuck: its workers are gone or going. Once more, with a new one.
    if (zygote_pid_ > 0) kill(zygote_pid_, SIGKILL);
    if (zygote_pid_ > 0) waitpid(zygote_pid_, nullptr, 0);
    zygote_pid_ = 0;
    if (auto started = start_zygote(); !started) return std::unexpected(started.error());
    worker = ask_zygote(image, compiler, limit);
    if (!worker && broken(worker.error()))
      return fail("internal", "hotcell-worker does not start: " + worker.error().message,
                  "run `" + options_.worker.string() + "` by hand to see why");
  }
  return worker;
}

Expected<std::unique_ptr<Worker>> Pool::acquire(const std::string& image, Deadline deadline) {
  {
    std::unique_lock lock(mutex_);
    for (;;) {
      for (std::size_t at = idle_.size(); at-- > 0;) {
        if (idle_[at]->image != image) continue;
        auto worker = std::move(idle_[at]);
        idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(at));
        if (!worker->channel.quiet()) {  // it died, or wants to answer before it is asked
          kill_worker(*worker);
          ++lost_;
          continue;
        }
        ++busy_;
        return worker;
      }
      if (busy_ + idle_.size() < options_.max_workers) break;
      if (!idle_.empty()) {  // of other images: the oldest makes room
        idle_.erase(idle_.begin());
        break;
      }
      if (freed_.wait_until(lock, deadline.at()) == std::cv_status::timeout && deadline.passed())
        return fail("at_capacity", "all " + std::to_string(options_.max_workers) + " workers are busy",
                    "try again, or raise wasi.max_workers");
    }
    ++busy_;
    ++started_;
  }
  auto worker = spawn(image, false, deadline);
  if (!worker) {
    const std::lock_guard lock(mutex_);
    --busy_;
    freed_.notify_one();
  }
  return worker;
}

void Pool::release(std::unique_ptr<Worker> worker) {
  std::unique_ptr<Worker> surplus;  // closed outside the lock
  const auto now = Deadline::Clock::now();
  {
    const std::lock_guard lock(mutex_);
    worker->idle_since = now;
    worker->fresh = false;
    idle_.push_back(std::move(worker));
    --busy_;
    if (idle_.size() > options_.keep_idle && now - idle_.front()->idle_since > kIdleTime) {
      surplus = std::move(idle_.front());
      idle_.erase(idle_.begin());
    }
  }
  freed_.notify_one();
}

void Pool::discard(std::unique_ptr<Worker> worker) {
  kill_worker(*worker);
  {
    const std::lock_guard lock(mutex_);
    --busy_;
    ++lost_;
  }
  freed_.notify_one();
}

Expected<std::unique_ptr<Worker>> Pool::compiler(Deadline deadline) { return spawn("", true, deadline); }

Pool::Counts Pool::counts() const {
  const std::lock_guard lock(mutex_);
  return {static_cast<unsigned>(idle_.size()), busy_, started_, lost_};
}

}  // namespace hotcell::wasi
