// One output stream of the program. Its first bytes go to the host as they come; what is beyond the cap is counted, and
// the last of it kept: a flood costs nothing outside the cell, and the end of it, where errors stand, is not lost.
#pragma once
#include <cstdint>
#include <string>

#include "agent/link.h"
#include "agent/wire/wire.h"
#include "base/fd.h"

namespace hotcell::agent {

class OutputStream {
 public:
  OutputStream() = default;
  OutputStream(std::uint8_t number, Fd pipe, std::uint64_t cap);

  // -1 when it has ended, and while the host cannot take more of what must be sent.
  int wants(const Link& link) const;
  // Reads what is there, up to a fair share.
  void pump(Link& link);
  // All writers are gone: the last of it. Stops early, to be called again, while the host cannot take more.
  void drain(Link& link);
  bool ended() const { return !pipe_; }

  // The tail, piece by piece as the host takes it. False: there is more of it.
  bool send_tail(Link& link);
  Report::Stream summary() const { return {total_, sent_, ring_.size()}; }

 private:
  // Whether something was read, and more may follow at once.
  bool read_some(Link& link);
  void keep(std::string_view bytes);

  std::uint8_t number_ = 1;
  Fd pipe_;
  std::uint64_t total_ = 0, sent_ = 0, left_ = 0;  // left_: may still be sent as it comes
  std::size_t ring_size_ = 0;
  std::string ring_;  // the last bytes beyond sent_; once full, the oldest is at `oldest_`
  std::size_t oldest_ = 0, tail_sent_ = 0;
};

}  // namespace hotcell::agent
