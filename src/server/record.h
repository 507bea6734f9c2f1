// What is kept of an execution: for those who ask for it by its id, while it runs and for a while after.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/problem.h"
#include "protocol/result.h"
#include "server/event_log.h"

namespace hotcell::server {

// Thread-safe.
class Record {
 public:
  enum class State { queued, running, finished };

  Record(std::string id, std::string tenant, std::shared_ptr<EventLog> log, std::string_view language = {})
      : id_(std::move(id)), tenant_(std::move(tenant)), language_(language), log_(std::move(log)) {}

  const std::string& id() const { return id_; }
  const std::string& tenant() const { return tenant_; }
  const std::string& language() const { return language_; }
  std::chrono::system_clock::time_point created_at() const { return created_at_; }
  const std::shared_ptr<EventLog>& log() const { return log_; }  // nullptr: nobody asked for events

  struct File {
    std::string path, content;
  };
  // How it ended: a result as it goes over the wire, or a problem if it never ran.
  struct Ending {
    std::shared_ptr<const std::string> body;
    std::optional<protocol::Problem> problem;
    protocol::Status status = protocol::Status::completed;
    std::vector<File> files;
  };
  State state() const;
  std::shared_ptr<const Ending> ending() const;  // nullptr: not yet
  std::size_t bytes() const;                     // about what it holds

  void running();
  void ended(Ending ending);

  // What cancel() calls; set by whoever runs it, and dropped at its end.
  void cancel_with(std::function<void()> action);
  bool cancel();  // false: it has ended already

 private:
  const std::string id_, tenant_, language_;
  const std::chrono::system_clock::time_point created_at_ = std::chrono::system_clock::now();
  const std::shared_ptr<EventLog> log_;
  mutable std::mutex mutex_;
  State state_ = State::queued;
  std::shared_ptr<const Ending> ending_;
  std::function<void()> cancel_;
};

}  // namespace hotcell::server
