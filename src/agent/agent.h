// The agent: one poll loop that serves one host.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "agent/cgroup.h"
#include "agent/kernel.h"
#include "agent/link.h"
#include "agent/run.h"
#include "agent/wipe.h"
#include "base/fd.h"

namespace hotcell::agent {

class Agent {
 public:
  // `children` becomes readable when a child has ended (harden_self()).
  Agent(Link link, Fd children);

  // Until the host hangs up or cannot be understood.
  void serve();

 private:
  using Clock = Run::Clock;

  void wait();
  bool take_frames();
  // False: nonsense; a fault has been sent.
  bool take(const FrameReader::Frame& frame);
  bool hello(const FrameReader::Frame& frame);
  bool idle_frame(const FrameReader::Frame& frame);
  bool run_frame(const FrameReader::Frame& frame);
  bool fault(std::string_view sentence);

  void warm(const Warm& wish);
  void watch_warm();
  void answer_warm(bool ready, std::string problem);
  void go();
  void reset(const Reset& wish);
  void reap_all();
  void discard(std::optional<Kernel>& kernel);
  Facts look();
  void copy_stem();
  // Nobody is left but the stem.
  bool only_stem_left() const;

  Link link_;
  Fd children_;
  Cgroup cgroup_;
  bool greeted_ = false, guarded_;
  std::vector<std::string> probes_;
  std::string first_facts_;
  Wiper wiper_;
  std::optional<Kernel> kernel_;      // waits, or is getting there
  std::optional<Kernel> stem_;        // what kernels are copied from, in a cell that is used again
  std::vector<std::string> modules_;  // that the host wants imported ahead
  bool used_again_ = false, roomy_ = false;
  bool stemless_ = false;         // the image cannot have one
  std::vector<pid_t> discarded_;  // kernels that were not wanted: their death is nobody's
  bool warming_ = false;          // `warmed_` is still to be sent
  Warmed warmed_;
  Clock::time_point warming_since_;
  std::optional<Run> run_;
};

}  // namespace hotcell::agent
