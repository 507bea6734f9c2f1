// A cell without Docker: the real hotcell-agent as PID 1 of namespaces of its own, with a read-only root made of this
// machine's /usr, private tmpfs folders, an unprivileged uid and no capabilities. What a test's host says to it goes
// through the real wire.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/wire/wire.h"
#include "base/deadline.h"
#include "base/fd.h"

namespace hotcell::agent::testing {

struct CellOptions {
  std::vector<std::string> env = {"PATH=/usr/bin:/bin", "HOME=/workspace", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"};
  std::string disk_size = "32m";    // of /workspace and of /tmp
  std::uint64_t memory_bytes = 0;   // of its own control group; 0: none
  std::uint64_t pids = 0;           // likewise
  std::uint64_t processes = 0;      // RLIMIT_NPROC; 0: as it is
  std::string packages;             // a folder that is bound at /opt/packages; empty: none
  std::vector<std::string> hidden;  // programs in /usr/bin that this image does not have
};

// One frame, with a payload of its own.
struct Said {
  FrameType type;
  std::string payload;
};

struct GotFile {
  FileOut about;  // of its last frame; `bytes` is not set
  std::string content;
};

struct Result {
  Report report;
  std::string out, err;            // what came while it ran
  std::string out_tail, err_tail;  // what came at the end
  std::map<std::string, GotFile> files;
  std::uint32_t input_asked = 0;  // sum of all want_input
};

class Cell {
 public:
  // Throws std::runtime_error where no cell can be made; possible() says beforehand.
  explicit Cell(const CellOptions& options = {});
  ~Cell();
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  static bool possible();
  // Control groups (version 1, as here) can be made, for memory_bytes and pids.
  static bool can_limit();

  // Bytes as they are, and frames. send() fails silently when the agent is gone: receive() tells.
  void write(std::string_view bytes);
  template <class Message>
  void send(FrameType type, const Message& message) {
    std::string frame;
    append_frame(frame, type, message.encode());
    write(frame);
  }
  void send(FrameType type) {
    std::string frame;
    append_frame(frame, type);
    write(frame);
  }

  // The next frame. nullopt: the agent has hung up, or the time is over.
  std::optional<Said> receive(std::chrono::nanoseconds time = std::chrono::seconds(20));
  // The next frame of this type, decoded; others are dropped. Throws when it does not come.
  template <class Message>
  Message expect(FrameType type) {
    for (;;) {
      const auto said = receive();
      if (!said) throw_missing(type);
      if (said->type != type) continue;
      auto message = Message::decode(said->payload);
      if (!message) throw_missing(type);
      return *message;
    }
  }

  Facts hello();
  Warmed warm(Language language, std::vector<std::string> modules = {});
  // order, its main file, more files, input and go, in one write.
  struct Given {
    std::string path, content;
    std::uint32_t mode = 0644;
    bool directory = false;
  };
  void start(Order order, std::string_view code, const std::vector<Given>& files = {}, std::string_view input = {});
  // Everything from now to `end`.
  Result finish();
  Result run(Order order, std::string_view code, const std::vector<Given>& files = {}, std::string_view input = {}) {
    start(std::move(order), code, files, input);
    return finish();
  }

  void hang_up();  // closes both pipes
  void close_input() { to_agent_.reset(); }
  pid_t pid() const { return pid_; }  // as the machine sees it
  // Waits for the agent's end, and says how it was. nullopt: it lives on.
  std::optional<int> wait_status(std::chrono::milliseconds time);
  // How many processes are in the cell, by the machine's /proc.
  unsigned processes() const;

 private:
  [[noreturn]] static void throw_missing(FrameType type);

  Fd to_agent_, from_agent_;
  FrameReader reader_{Side::agent};
  std::string group_;  // name of its control groups
  pid_t pid_ = -1;
};

// Orders with the limits of a usual request.
Order order_for(Language language);
Order python();
Order node();
Order bash();
Order command(std::vector<std::string> argv);

}  // namespace hotcell::agent::testing
