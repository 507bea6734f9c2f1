// The agent's end of the conversation with its host: frames on stdin and stdout, neither of which ever blocks it.
//
// What is to be said waits in a queue. The queue grows only by what the agent itself decides to send: who reads a pipe
// or a file to send it on asks crowded() first, and so the host's pace becomes the program's.
#pragma once
#include <string>
#include <string_view>

#include "agent/wire/wire.h"

namespace hotcell::agent {

class Link {
 public:
  Link(int in, int out);

  // Reads what has come, once. False: the host has hung up.
  bool receive();
  std::optional<FrameReader::Frame> next() { return reader_.next(); }
  bool broken() const { return reader_.broken(); }

  void send(FrameType type, std::string_view payload = {});
  // Writes what the host takes now. False: it has hung up.
  bool flush();
  bool idle() const { return sent_ == queue_.size(); }
  bool crowded() const { return queue_.size() - sent_ >= kCrowded; }
  // Blocks until all is written, the host is gone, or the time is up: for the last words.
  void flush_for(int milliseconds);

  int in() const { return in_; }
  int out() const { return out_; }

 private:
  static constexpr std::size_t kCrowded = 256u << 10;

  int in_, out_;
  FrameReader reader_{Side::host};
  std::string queue_;
  std::size_t sent_ = 0;  // of queue_
};

}  // namespace hotcell::agent
