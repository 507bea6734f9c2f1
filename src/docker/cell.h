// A place where one program runs: a container with our agent as its first process, locked down, proven, and waiting.
//
// A Cell belongs to one thread at a time. Destroying it ends the container: the connection closes, with it the agent's
// input, and the agent takes everything with it; the remover makes sure, at once where the agent may not be well.
#pragma once
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/wire/wire.h"
#include "base/deadline.h"
#include "docker/channel.h"
#include "docker/lockdown.h"
#include "docker/remover.h"

namespace hotcell::docker {

// What cannot be changed any more once a cell has been created. Cells of one class can stand in for each other.
struct CellClass {
  std::string image;                                 // id
  agent::Language language = agent::Language::none;  // which interpreter waits in it
  std::string network;                               // empty: none
  std::uint64_t disk_bytes = 0;
  std::string packages = {};  // the folder of installed packages; empty: none
  auto operator<=>(const CellClass&) const = default;
};

// What can be, until the program enters.
struct CellLimits {
  std::uint64_t memory_bytes = 0;
  double cpus = 0;
  std::uint64_t pids = 0;
  bool operator==(const CellLimits&) const = default;
};

class Cell {
 public:
  Cell(CellClass kind, CellSpec spec, std::string name, Channel channel, Remover& remover)
      : kind_(std::move(kind)),
        spec_(std::move(spec)),
        name_(std::move(name)),
        channel_(std::make_unique<Channel>(std::move(channel))),
        remover_(remover) {}
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;
  ~Cell() {
    const bool patient = well && channel_->quiet();
    channel_.reset();
    remover_.remove(name_, patient ? kTimeToEnd : std::chrono::milliseconds(0));
  }

  const CellClass& kind() const { return kind_; }
  const std::string& name() const { return name_; }
  Channel& channel() { return *channel_; }
  CellSpec& spec() { return spec_; }
  CellLimits limits() const { return {spec_.memory_bytes, spec_.cpus, spec_.pids}; }

  std::vector<Finding> findings;  // of the latest proof
  std::string tenant;             // whose programs have been in it; empty: nobody's
  bool well = false;              // its agent did what it was last told: it will end when the connection closes, too
  std::uint64_t runs = 0;
  Deadline::Clock::time_point made_at = Deadline::Clock::now();
  Deadline::Clock::time_point proven_at{};

 private:
  static constexpr std::chrono::milliseconds kTimeToEnd{1000};

  CellClass kind_;
  CellSpec spec_;
  std::string name_;
  std::unique_ptr<Channel> channel_;
  Remover& remover_;
};

}  // namespace hotcell::docker
