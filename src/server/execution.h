// One run of one program, from the queue to its result.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "protocol/engine.h"
#include "protocol/request.h"
#include "server/backend.h"
#include "server/job.h"
#include "server/record.h"
#include "server/records.h"

namespace hotcell::server {

class Execution final : public Job, public std::enable_shared_from_this<Execution> {
 public:
  struct Order {
    protocol::Request request;
    std::shared_ptr<Record> record;
    bool base64_events = false;
    // Told once how it ended, on whichever thread that happens; after that the record has its ending.
    std::function<void(const Record&, const Record::Ending&, const protocol::Result*)> ended;
  };

  Execution(std::shared_ptr<Tenant> tenant, Order order, Backend& backend, Records& records);

  void run() override;
  void give_up(const protocol::Problem& why) override;

  // Ends it where it stands. `withdrawn`: it has been taken out of the queue, and nobody else will end it.
  void cancel(bool withdrawn);

 private:
  void finish(protocol::Result result);
  void finish(protocol::Problem problem);
  void conclude(Record::Ending ending, const protocol::Result* result);
  protocol::Result cancelled() const;
  Record::Ending keep_files(protocol::Result& result) const;

  Order order_;
  Backend& backend_;
  Records& records_;
  const Clock::time_point admitted_ = Clock::now();
  const std::uint64_t inline_bytes_;  // as the caller asked
  double queue_seconds_ = 0;
  std::mutex mutex_;  // of the two below
  std::unique_ptr<protocol::StopToken> stop_;
  bool over_ = false;
};

}  // namespace hotcell::server
