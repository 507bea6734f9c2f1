#include "wasi/pool.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/bytes.h"
#include "base/file.h"

namespace hotcell::wasi {
namespace {

constexpr std::chrono::seconds kIdleTime{10};
constexpr std::chrono::seconds kWarmTime{3};  // it takes milliseconds
constexpr std::chrono::milliseconds kSparePatience{250};
constexpr std::chrono::seconds kSpawnTime{20};  // the first spawn of an image loads it
constexpr int kControlFd = 3;                   // where hotcell-worker expects its socket

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
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (warming_) warming_->kill();  // nobody will need it: no reason to wait for it
  }
  spare_wanted_.notify_all();
  if (spare_thread_.joinable()) spare_thread_.join();
  idle_.clear();
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

void Worker::kill() const {
  if (process) syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

void Worker::come_here() const {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &here);
  sched_setaffinity(pid, sizeof here, &here);  // only a wish: no matter if it fails
}

Expected<std::unique_ptr<Worker>> Pool::acquire(const std::string& image, Deadline deadline) {
  {
    std::unique_lock lock(mutex_);
    std::optional<Deadline> patience;  // with a spare on its way
    for (;;) {
      for (std::size_t at = idle_.size(); at-- > 0;) {
        if (idle_[at]->image != image) continue;
        auto worker = std::move(idle_[at]);
        idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(at));
        if (!worker->channel.quiet()) {  // it died, or wants to answer before it is asked
          ++lost_;
          continue;
        }
        ++busy_;
        if (!spare_due().empty()) spare_wanted_.notify_one();
        return worker;
      }
      if (!image.empty() && starting_ == image) {  // it is here sooner than one that we would start now
        if (!patience) patience = deadline.sooner(Deadline::after(kSparePatience));
        if (!patience->passed()) {
          freed_.wait_until(lock, patience->at());
          continue;
        }
      }
      if (places_taken() < options_.max_workers) break;
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
  worker->channel.trim();
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
  const std::string image = worker->image;
  worker.reset();
  {
    const std::lock_guard lock(mutex_);
    --busy_;
    ++lost_;
    if (!image.empty()) spared_.insert(image);
    if (!spared_.empty() && !spare_thread_.joinable()) spare_thread_ = std::thread(&Pool::keep_spares, this);
  }
  freed_.notify_one();
  spare_wanted_.notify_one();
}

std::string Pool::spare_due() const {
  if (places_taken() >= options_.max_workers) return {};
  for (const auto& image : spared_)
    if (std::none_of(idle_.begin(), idle_.end(), [&](const auto& worker) { return worker->image == image; }))
      return image;
  return {};
}

void Pool::keep_spares() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    starting_ = spare_due();
    if (starting_.empty()) {
      spare_wanted_.wait(lock);
      continue;
    }
    ++started_;
    const std::string image = starting_;
    lock.unlock();
    auto worker = spawn(image, false, Deadline::after(kSpawnTime));
    lock.lock();
    bool good = worker && !stopping_;
    if (good) {
      warming_ = worker->get();
      lock.unlock();
      good = warm_up(**worker).has_value();
      lock.lock();
      warming_ = nullptr;
    }
    starting_.clear();
    if (good)
      idle_.push_back(std::move(*worker));
    else
      spared_.erase(image);  // whoever needs a worker next is told why there is none
    freed_.notify_all();
  }
}

Expected<void> Pool::warm_up(Worker& worker) {
  Order order;
  order.image = worker.image;
  order.timeout_ns = 10'000'000'000;
  order.memory_bytes = 256u << 20;
  order.disk_bytes = 1 << 20;
  order.output_bytes = order.result_bytes = 4096;
  const std::string bytes = order.encode();
  // Twice: the first run copies its pages, the second one finds them copied.
  for (int run = 0; run < 2; ++run) {
    auto sent = worker.channel.send(FrameType::order, bytes, {}, Deadline::after(kWarmTime));
    if (!sent) return sent;
    auto frame = worker.channel.receive(Deadline::after(kWarmTime));
    if (!frame) return std::unexpected(frame.error());
    auto report = Report::decode(frame->payload);
    if (frame->type != FrameType::report || !report || report->recycle)
      return fail("internal", "a worker could not be warmed up");
  }
  return {};
}

Expected<std::unique_ptr<Worker>> Pool::compiler(Deadline deadline) { return spawn("", true, deadline); }

std::optional<std::uint64_t> Pool::idle_bytes() const {
  const std::lock_guard lock(mutex_);
  std::optional<std::uint64_t> most;
  for (const auto& worker : idle_) {
    auto text = read_file("/proc/" + std::to_string(worker->pid) + "/smaps_rollup", 65536);
    if (!text) continue;
    std::uint64_t kib = 0;
    for (const std::string_view field : {"Private_Dirty:", "Swap:"})
      if (const auto at = text->find(field); at != text->npos)
        kib += std::strtoull(text->c_str() + at + field.size(), nullptr, 10);
    most = std::max(most.value_or(0), kib * 1024);
  }
  return most;
}

Pool::Counts Pool::counts() const {
  const std::lock_guard lock(mutex_);
  return {static_cast<unsigned>(idle_.size()), busy_, started_, lost_};
}

}  // namespace hotcell::wasi
