#include "cli/terminal.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace hotcell::cli {

int complain(const Error& error) {
  std::fprintf(stderr, "hotcell: %s\n", error.message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", error.hint.c_str());
  return kRefused;
}

protocol::StopToken& stop_on_signals() {
  static protocol::StopToken* token = new protocol::StopToken;  // a signal handler may use it until the very end
  struct sigaction action{};
  action.sa_handler = [](int) { token->stop(); };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return *token;
}

void put(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace hotcell::cli
