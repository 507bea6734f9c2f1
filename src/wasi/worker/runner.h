// Does what an Order says, in this process, and says what became of it.
//
// A runner holds the cells of its images and the modules that were used last, and runs one program at a time. What it
// returns is complete: the cell is clean again (or the report says that this worker must be replaced).
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/output_buffer.h"
#include "wasi/fs/vfs.h"
#include "wasi/p1/host.h"
#include "wasi/wire.h"
#include "wasi/worker/cell.h"
#include "wasi/worker/image.h"
#include "wasi/worker/stop_clock.h"

namespace hotcell::wasi {

class Runner final : private OutputSink, private Sleeper, private InputSource, private BeyondListener {
 public:
  // `image` may be null: a worker for modules only. Output, questions and input go over the channel while a program
  // runs.
  Runner(Engine& engine, const Image* image, StopClock& clock, Channel& channel);

  // `given` is what came with the order: compiled code when it names no image, else the pack of its packages.
  Report run(const Order& order, int given);
  // Makes the cell before anybody waits for it.
  Expected<void> prepare();
  // Reset still owed by the last run; see Report::recycle.
  Cell* cell() { return cell_.get(); }

 private:
  Report run_language(const Order& order, int pack_fd);
  Report run_module(const Order& order, int module_fd);
  Expected<const Program*> module(const Order& order, int module_fd);
  // Maps and checks the pack, unless that was done for an earlier run.
  Expected<void> take_packages(const Order& order, int pack_fd);

  // Sets up files and host for the order. An error is ours or the request's fault.
  Expected<void> begin(const Order& order, std::vector<std::string> args, std::vector<std::string> env);
  void finish(const Order& order, const CallOutcome& outcome, Report& report);
  void collect(const Order& order, Report& report);

  Errno write(int stream, std::span<const std::byte> bytes) override;
  Result sleep_until(std::uint64_t monotonic_ns) override;
  std::optional<std::span<const std::byte>> more() override;
  bool asked_for(Beyond what) override;

  Engine& engine_;
  const Image* image_;
  StopClock& clock_;
  Channel& channel_;

  Host host_;
  Vfs files_;
  RunContext run_;
  std::unique_ptr<Cell> cell_;
  std::map<std::string, Program, std::less<>> modules_;
  struct MountedPack {
    MappedFile file;
    Pack pack;
  };
  std::map<std::string, MountedPack, std::less<>> packs_;

  // Of the current run; the host borrows them.
  std::vector<std::string> args_, env_;
  std::string request_;
  OutputBuffer out_{0}, err_{0};
  bool live_ = false;
  std::uint64_t live_left_[2] = {};
  int enough_strikes_ = 1;  // a language may tidy up after the first
  Beyond beyond_ = Beyond::kNothing;
  bool may_leave_ = false;  // nothing of this run has been shown yet, and nothing of the caller's taken
  std::string input_;
  bool input_owed_ = false;  // asked for, and not here when the run ended
};

}  // namespace hotcell::wasi
