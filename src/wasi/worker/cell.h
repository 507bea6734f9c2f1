// One language cell: a live instance of an image that runs a program, and is then exactly as it was before.
//
// The reset finds the pages that the run made private, copies the image's bytes back over them, and restores the
// mutable globals. That this is all there is to restore was proven when the image was built (wasi/binary/prove.h).
// Copying keeps pages private, so the next run pays no page faults; but the private set would only ever grow, so after
// a run that touched much, everything is given back to the kernel at once instead. A memory that grew cannot shrink:
// such a cell is thrown away.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "wasi/worker/instance.h"
#include "wasi/worker/pages.h"

namespace hotcell::wasi {

// What the language says about how its program ended; every string is the guest's, capped.
struct GuestReport {
  bool uncaught = false;
  bool cut = false;  // something was longer than allowed
  std::uint32_t line = 0;
  std::string name, message, traceback;
};

class Cell final : private OnStrike {
 public:
  static Expected<std::unique_ptr<Cell>> create(Engine& engine, const Image& image, RunContext& run, StopClock& clock);

  // `request` is the guest's request record. Memory limits hold from here to the reset.
  CallOutcome run(std::string_view request, std::size_t memory_limit);
  GuestReport report(std::size_t cap) const;
  bool growth_refused() const { return engine_.memory_plan().refused; }

  struct Reset {
    std::size_t private_pages = 0;
  };
  // An Error means that the cell must not be used again.
  Expected<Reset> reset();
  // Copied pages stay with the cell, for the next run. A cell that nobody needs for a while gives them back.
  bool holds_much() const { return held_pages_ > kRestPages; }
  void rest();
  bool grown() const { return instance_->grown(); }
  std::size_t memory_bytes() const { return instance_->memory().size(); }

  int pagemap_fd() const { return pages_->fd(); }

  // For tests: the state that a reset must restore.
  std::span<const std::uint8_t> memory() const { return instance_->memory(); }
  Instance& instance() { return *instance_; }
  // For tests of the tests: leaves out one step, which a comparison must then notice.
  enum class Sabotage { none, skip_globals, skip_last_run };
  void sabotage(Sabotage what) { sabotage_ = what; }

 private:
  Cell(Engine& engine, const Image& image, StopClock& clock) : engine_(engine), image_(image), clock_(clock) {}
  bool go_on() override;
  bool stack_pointer_ran_out() const;

  static constexpr std::size_t kRestPages = 128;

  Engine& engine_;
  const Image& image_;
  StopClock& clock_;
  std::unique_ptr<Instance> instance_;
  std::optional<PrivatePages> pages_;
  wasmtime_func_t request_{}, run_{};
  std::vector<wasmtime_global_t> globals_;
  std::size_t held_pages_ = 0;  // private ones, after the last reset
  Sabotage sabotage_ = Sabotage::none;
};

// How long a program has, after it was asked to stop, before it is stopped.
inline constexpr std::chrono::milliseconds kGrace{200};

}  // namespace hotcell::wasi
