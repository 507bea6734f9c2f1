#include "protocol/signals.h"

#include <array>
#include <charconv>
#include <csignal>

namespace hotcell::protocol {

namespace {

struct Signal {
  std::string_view name;
  int number;
};

#define HOTCELL_SIGNAL(name) \
  Signal { #name, name }
constexpr std::array kSignals{
    HOTCELL_SIGNAL(SIGHUP),  HOTCELL_SIGNAL(SIGINT),    HOTCELL_SIGNAL(SIGQUIT), HOTCELL_SIGNAL(SIGILL),
    HOTCELL_SIGNAL(SIGTRAP), HOTCELL_SIGNAL(SIGABRT),   HOTCELL_SIGNAL(SIGBUS),  HOTCELL_SIGNAL(SIGFPE),
    HOTCELL_SIGNAL(SIGKILL), HOTCELL_SIGNAL(SIGUSR1),   HOTCELL_SIGNAL(SIGSEGV), HOTCELL_SIGNAL(SIGUSR2),
    HOTCELL_SIGNAL(SIGPIPE), HOTCELL_SIGNAL(SIGALRM),   HOTCELL_SIGNAL(SIGTERM), HOTCELL_SIGNAL(SIGSTKFLT),
    HOTCELL_SIGNAL(SIGCHLD), HOTCELL_SIGNAL(SIGCONT),   HOTCELL_SIGNAL(SIGSTOP), HOTCELL_SIGNAL(SIGTSTP),
    HOTCELL_SIGNAL(SIGTTIN), HOTCELL_SIGNAL(SIGTTOU),   HOTCELL_SIGNAL(SIGURG),  HOTCELL_SIGNAL(SIGXCPU),
    HOTCELL_SIGNAL(SIGXFSZ), HOTCELL_SIGNAL(SIGVTALRM), HOTCELL_SIGNAL(SIGPROF), HOTCELL_SIGNAL(SIGWINCH),
    HOTCELL_SIGNAL(SIGIO),   HOTCELL_SIGNAL(SIGPWR),    HOTCELL_SIGNAL(SIGSYS),
};
#undef HOTCELL_SIGNAL

bool is_real_time(int number) { return number >= 32 && number <= 64; }

}  // namespace

std::optional<int> signal_number(std::string_view name) {
  for (const auto& signal : kSignals)
    if (signal.name == name) return signal.number;
  int number = 0;  // a real-time signal has no name of its own
  if (name.starts_with("SIG") &&
      std::from_chars(name.data() + 3, name.data() + name.size(), number).ptr == name.data() + name.size() &&
      is_real_time(number))
    return number;
  return std::nullopt;
}

std::string signal_name(int number) {
  for (const auto& signal : kSignals)
    if (signal.number == number) return std::string(signal.name);
  return is_real_time(number) ? "SIG" + std::to_string(number) : "";
}

}  // namespace hotcell::protocol
