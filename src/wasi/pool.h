// The workers of one engine: started when a run would have to wait, kept warm, replaced when they are lost.
//
// Thread-safe. Every worker runs one program at a time and belongs to the run that leased it until it is given back; no
// program ever queues behind another one that sleeps or loops, up to max_workers.
#pragma once
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
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

struct Worker {
  Channel channel;
  Fd process;  // a pidfd: signals reach this worker or nobody
  int pid = 0;
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

  // A new process for compiling one module; not counted as a worker.
  Expected<std::unique_ptr<Worker>> compiler(Deadline deadline);

  struct Counts {
    unsigned idle = 0, busy = 0;
    std::uint64_t started = 0, lost = 0;
  };
  Counts counts() const;

 private:
  explicit Pool(PoolOptions options) : options_(std::move(options)) {}
  Expected<void> start_zygote();
  Expected<std::unique_ptr<Worker>> spawn(const std::string& image, bool compiler, Deadline deadline);
  Expected<std::unique_ptr<Worker>> ask_zygote(const std::string& image, bool compiler, Deadline deadline);

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
};

}  // namespace hotcell::wasi
