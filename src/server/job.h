// Work that waits for its turn.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>

#include "protocol/problem.h"
#include "server/tenant.h"

namespace hotcell::server {

class Job {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Job(std::shared_ptr<Tenant> whose) : tenant(std::move(whose)) {}
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // On one of the pool's threads, once.
  virtual void run() = 0;
  // Instead of run(): its deadline passed while it waited, or everything is coming to an end.
  virtual void give_up(const protocol::Problem& why) = 0;

  // A job that is made of many hands them out one by one, in turn with its tenant's others. nullptr: none now; it
  // leaves the queue until it is submitted again. Called with the queue locked: quick, and it must not call back.
  virtual bool is_series() const { return false; }
  virtual std::shared_ptr<Job> next_of_series() { return nullptr; }

  const std::shared_ptr<Tenant> tenant;
  Clock::time_point deadline = Clock::time_point::max();  // must have begun by then
  std::uint64_t memory_bytes = 0;                         // what it may take
  double cost = 1;                                        // in runs, against the tenant's rate
  // Rather waits than being refused: for clients that take a refusal for an answer. Its deadline holds all the same.
  bool patient = false;
  Clock::time_point not_before{};  // of a patient one: its tenant's rate
};

}  // namespace hotcell::server
