// The program's standard input: what the host has sent waits here until the program takes it, and the host is told when
// there is room for more.
#pragma once
#include <cstdint>
#include <string>

#include "agent/link.h"
#include "agent/wire/wire.h"
#include "base/fd.h"

namespace hotcell::agent {

class InputStream {
 public:
  // False: the host has sent more than it may.
  bool take(const Input& input);
  // The program starts. With `live`, somebody may be typing: so little is asked for ahead that what the program never
  // reads stays where it is, and more with everything that it takes.
  void start(Fd pipe, bool live, Link& link);

  int wants() const;  // -1: there is nothing to wait for
  void pump(Link& link);
  void stop();

 private:
  void ask(Link& link);

  Fd pipe_;
  std::string waiting_;
  std::size_t written_ = 0;             // of waiting_
  std::size_t allowed_ = kInputWindow;  // what the host may still send
  std::size_t window_ = kInputWindow;
  bool eof_ = false, live_ = false, gone_ = false;
};

}  // namespace hotcell::agent
