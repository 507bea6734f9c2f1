// What the engine and its workers say to each other: length-prefixed frames over a socket pair.
//
// The two sides do not trust each other alike. A worker believes its engine (but still decodes defensively); the engine
// believes nothing: a worker that guest code has taken over may send any bytes. It can then answer wrongly, for its own
// run and for later ones that it is given, but it can neither hold up the engine nor make it use more memory than the
// run's limits allow: a Report is capped and checked, and every wait has a deadline.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"

namespace hotcell::wasi {

enum class FrameType : std::uint8_t {
  order = 1,         // engine -> worker: run this
  report = 2,        // worker -> engine: what became of it; the cell is clean again
  output = 3,        // worker -> engine: u8 stream, bytes
  spawn = 4,         // engine -> zygote: fork a worker around the descriptor that comes with it
  spawned = 5,       // zygote -> engine: i32 pid, or minus errno; with a pidfd
  compile = 6,       // engine -> worker: compile this module (the descriptor that comes with it)
  compiled = 7,      // worker -> engine: u8 ok, then the code or the reason
  want_input = 8,    // worker -> engine: the program waits for standard input
  input = 9,         // engine -> worker: the next bytes of it; none: the end
  look_host = 10,    // worker -> engine: a HostQuestion about an allowed directory
  host_answer = 11,  // engine -> worker: a HostAnswer; an opened file comes as descriptor
};

inline constexpr std::size_t kMaxFrame = 512u << 20;
inline constexpr std::size_t kMaxDescriptors = 8;
inline constexpr std::size_t kMaxHostDirectories = 32;

// What a worker is asked to run. Views point into the frame that it was decoded from.
struct Order {
  std::string_view image;  // a language image by name, or empty: a module, whose compiled code comes as descriptor 0
  std::string_view module_key;  // names that module, so that a worker may keep it loaded

  bool stream = false;  // send output frames while it runs
  bool fs_readonly = false;
  bool allow_clock = true;
  bool allow_random = true;
  bool collect_changed = true;
  bool live_input = false;  // after stdin_bytes, more may be asked for
  bool leave = false;       // end the run (Fate::left) where it asks for what no cell has and nothing of it was shown
  std::optional<std::uint64_t> seed;
  std::optional<double> start_time;

  std::uint64_t timeout_ns = 0, cpu_ns = 0;  // 0: no limit
  std::uint64_t memory_bytes = 0, disk_bytes = 0, output_bytes = 0, result_bytes = 0, files_bytes = 0, inline_bytes = 0;
  std::uint64_t fuel = 0;  // 0: not metered
  std::uint32_t max_files = 0, table_elements = 0;

  std::string_view code, stdin_bytes;
  std::vector<std::string_view> args, env;  // args without argv[0] for images, with it for modules; env as K=V
  struct File {
    std::string_view path, content;  // absolute in the cell
    std::uint32_t mode = 0;
    bool directory = false;
  };
  std::vector<File> files;
  std::vector<std::string_view> collect;    // globs below /workspace
  std::vector<std::string_view> host_dirs;  // where the program sees the engine's allowed directories, in its order
  // Where it sees installed packages, the pack that comes as descriptor; and what that is called, so that a worker may
  // keep it mapped. Empty: none. Not for modules, whose descriptor is their code.
  std::string_view packages_at, packages_key;

  std::string encode() const;
  static std::optional<Order> decode(std::string_view payload);
};

enum class Fate : std::uint8_t {
  exited,
  timed_out,
  cpu_exceeded,
  cancelled,
  out_of_fuel,
  stack_overflow,
  trapped,      // any other trap; `trap` says which
  not_started,  // the module could not be instantiated; `trap` says why
  left,         // it asked for what no cell has: Report::beyond
  refused,      // the request brings what cannot be given to a program; `trap` says what
  host_failed,  // our own fault; `trap` says what
};

struct Report {
  Fate fate = Fate::host_failed;
  std::int32_t exit_code = 0;
  std::int32_t signal = 0;      // for `trapped`: the Linux signal that a native program would have died of
  bool growth_refused = false;  // the guest asked for memory above its limit
  bool disk_refused = false;    // a write met the quota
  bool result_cut = false;      // error text above result_bytes
  bool recycle = false;         // the worker is about to go: give it nothing more
  std::uint8_t beyond = 0;      // what the guest asked for and no cell has: p1's Beyond; also when it went on
  std::string trap;
  bool uncaught = false;  // the language reported an uncaught exception, as below
  std::string error_name, error_message, error_traceback;
  std::uint32_t error_line = 0;
  struct Stream {
    std::string bytes;
    std::uint64_t total = 0;
    bool truncated = false;
  } out, err;
  struct File {
    std::string path;
    std::uint8_t change = 0;
    std::uint64_t size = 0;
    bool left_out = false;
    std::string content;
  };
  std::vector<File> files;
  std::uint64_t wall_ns = 0, cpu_ns = 0, reset_ns = 0, memory_peak = 0, fuel_used = 0;
  std::uint32_t dirty_pages = 0;

  std::string encode() const;
  static std::optional<Report> decode(std::string_view payload);
};

// A worker has no file system. What a program may read of the host (`allowed_paths`) its engine looks up for it.
struct HostQuestion {
  enum class What : std::uint8_t { look, open, list };
  What what = What::look;
  std::uint8_t directory = 0;
  std::string_view path;

  std::string encode() const;
  static std::optional<HostQuestion> decode(std::string_view payload);
};
struct HostAnswer {
  std::uint16_t error = 0;  // a WASI errno
  std::uint8_t type = 0;
  std::uint64_t size = 0, atim = 0, mtim = 0, ctim = 0;
  std::string target;
  std::vector<std::string> names;

  std::string encode() const;
  static std::optional<HostAnswer> decode(std::string_view payload);
};

// One end of the socket pair.
class Channel {
 public:
  Channel() = default;
  explicit Channel(Fd socket) : socket_(std::move(socket)) {}
  static Expected<std::pair<Channel, Channel>> pair();

  struct Frame {
    FrameType type;
    std::string_view payload;  // until the next receive()
    std::vector<Fd> descriptors;
  };
  // Blocks while the peer's buffer is full, or until the deadline: an engine must not wait for a worker that does not
  // read. Errors: "peer_lost", "deadline" (a part of the frame may be gone: the channel is of no more use).
  Expected<void> send(FrameType type, std::string_view payload, std::vector<int> descriptors = {},
                      std::optional<Deadline> deadline = std::nullopt);
  // Waits for a whole frame; without a deadline (a worker, whose engine may be silent for days) for as long as it
  // takes. Errors: "peer_lost", "deadline", "protocol" (a frame that cannot be), "stopped" (`stop_fd` became readable
  // first).
  Expected<Frame> receive(std::optional<Deadline> deadline, int stop_fd = -1, std::size_t cap = kMaxFrame);

  // The peer is there and has said nothing that was not received. What an idle worker says, nobody asked it.
  bool quiet() const;
  // One large frame must not keep its memory for ever. Ends the last one's payload.
  void trim();
  // Until something has come, or the other side is gone. False: neither, in this time.
  bool wait(std::chrono::milliseconds time) const;

  int fd() const { return socket_.get(); }
  int release() { return socket_.release(); }

 private:
  Expected<void> fill(std::size_t want, std::optional<Deadline> deadline, int stop_fd, std::vector<Fd>& descriptors);

  Fd socket_;
  std::string buffer_;  // received and not yet given out
  std::size_t consumed_ = 0;
};

}  // namespace hotcell::wasi
