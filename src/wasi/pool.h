// The workers of one engine: started when a run would have to wait, kept warm, replaced when they are lost.
//
// Thread-safe. Every worker runs one program at a time and belongs to the run that leased it until it is given back; no
// program ever queues behind another one that sleeps or loops, up to max_workers.
//
// A worker whose cell grew is thrown away, and programs that grow seldom come alone. So once that has happened to an
// image, a thread keeps one spare worker of it, ready and warm: the next run finds a worker as if nothing had been.
#pragma once
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "wasi/wire.h"

namespace hotcell::wasi {

struct PoolOptions {
  std::filesystem::path worker;  // the hotcell-worker executable
  std::filesystem::path images;
  bool metered = false;     // code that counts fuel
  bool pin_images = false;  // see Image::load
  unsigned max_workers = 64;
  unsigned keep_idle = 2;  // more idle ones than this go after a while
};

// Killed when it is let go: one that guest code has taken over would not leave because its socket closes.
struct Worker {
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { kill(); }
  void kill() const;

  Channel channel;
  Fd process;  // a pidfd: signals reach this worker or nobody
  int pid = 0;

  // Lets the worker wake up on the caller's CPU. The caller is about to sleep until the worker answers, so that CPU is
  // free at once; waking another one takes longer than a small program runs. Once awake the worker goes where it likes.
  void come_here() const;

  std::string image;  // what it can run; empty: modules
  bool fresh = true;  // has not run anything yet
  Deadline::Clock::time_point idle_since{};
};

class Pool {
 public:
  // Starts the zygote.
  static Expected<std::unique_ptr<Pool>> start(PoolOptions options);
  ~Pool();

  // An idle worker for the image, or a new one. Errors: "at_capacity" at the deadline, and what the zygote says of an
  // image that cannot be loaded ("image_missing", "image_incompatible", …).
  Expected<std::unique_ptr<Worker>> acquire(const std::string& image, Deadline deadline);
  // Given back clean, to run again.
  void release(std::unique_ptr<Worker> worker);
  // Gone, or not to be trusted any more: killed, and its place is free.
  void discard(std::unique_ptr<Worker> worker);

  // Runs the empty program in it, so that the first run that counts is as fast as the others.
  Expected<void> warm_up(Worker& worker);

  // A new process for compiling one module; not counted as a worker.
  Expected<std::unique_ptr<Worker>> compiler(Deadline deadline);

  struct Counts {
    unsigned idle = 0, busy = 0;
    std::uint64_t started = 0, lost = 0;
  };
  Counts counts() const;
  // The most memory that an idle worker has for itself, as the kernel counts it: what is shared with the others, or can
  // be read again from a file, is not in it.
  std::optional<std::uint64_t> idle_bytes() const;

 private:
  explicit Pool(PoolOptions options) : options_(std::move(options)) {}
  Expected<void> start_zygote();
  Expected<std::unique_ptr<Worker>> spawn(const std::string& image, bool compiler, Deadline deadline);
  Expected<std::unique_ptr<Worker>> ask_zygote(const std::string& image, bool compiler, Deadline deadline);
  void keep_spares();             // the thread
  std::size_t places_taken() const { return busy_ + idle_.size() + (starting_.empty() ? 0 : 1); }
  std::string spare_due() const;  // of which image one has to be started; empty: of none

  const PoolOptions options_;

  std::mutex zygote_mutex_;  // held while the zygote is spoken to
  Channel zygote_;
  int zygote_pid_ = 0;
  std::uint32_t next_uid_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Worker>> idle_;  // the one used last is at the end
  unsigned busy_ = 0;
  std::uint64_t started_ = 0, lost_ = 0;

  std::set<std::string> spared_;  // images of which a spare is kept
  std::string starting_;          // the image of the spare that is being started; not among busy_
  Worker* warming_ = nullptr;     // that spare, once it is there
  bool stopping_ = false;
  std::condition_variable spare_wanted_;
  std::thread spare_thread_;
};

}  // namespace hotcell::wasi
