#include "protocol/result.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <span>
#include <stdexcept>

#include "base/hash.h"
#include "protocol/result_names.h"
#include "protocol/signals.h"

namespace hotcell::protocol {

std::string_view name_of(Status status) { return word_for(status, kStatuses); }

std::string new_execution_id() {
  std::array<std::uint8_t, 16> random;
  // Up to 256 bytes come whole or not at all once the kernel's pool is ready; only waiting for that can be interrupted.
  while (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    if (errno != EINTR) throw std::runtime_error("getrandom failed");  // an id must never be guessable
  return "exe_" + hex(random);
}

int exit_status_of(const Outcome& outcome) {
  switch (outcome.status) {
    case Status::timeout:
      return 124;
    case Status::cancelled:
      return 130;
    case Status::limit_exceeded:
      return 137;
    case Status::rejected:
    case Status::sandbox_error:
      return 125;
    case Status::completed:
    case Status::failed:
      break;
  }
  if (outcome.signal) {
    const auto number = signal_number(*outcome.signal);
    return number ? 128 + *number : 125;
  }
  const bool failed = outcome.status == Status::failed;
  // An exit status has eight bits and a WASI exit code 32: cut as the kernel cuts, but a failure never turns into 0.
  const int low = outcome.exit_code.value_or(failed ? 1 : 0) & 0xff;
  return failed && low == 0 ? 1 : low;
}

}  // namespace hotcell::protocol
