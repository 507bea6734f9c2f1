// WASI preview 1 for one run: what a guest can ask of the world outside its memory.
//
// It knows nothing of the engine that runs the guest: it works on a span of guest memory, so that it can be tested and
// fuzzed alone. No host descriptor is reachable through it: files are those of a Vfs, the streams are spans and a sink.
// One Host serves one run after another (start … stop); between them nothing of the guest's remains.
// One thread at a time. No call allocates, except those that open or create something.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wasi/fs/vfs.h"
#include "wasi/p1/abi.h"
#include "wasi/p1/guest_memory.h"
#include "wasi/p1/random.h"

namespace hotcell::wasi {

// Receives what the guest writes to its streams.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  // stream: 1 or 2. All of `bytes` is taken, or an errno goes back to the guest (kPipe, kNospc, …).
  virtual Errno write(int stream, std::span<const std::byte> bytes) = 0;
};

// Waits on behalf of the guest.
class Sleeper {
 public:
  enum class Result { kElapsed, kStop };
  virtual ~Sleeper() = default;
  // Until CLOCK_MONOTONIC of the host reaches `monotonic_ns` (UINT64_MAX: for ever), or until the run must end: kStop.
  virtual Result sleep_until(std::uint64_t monotonic_ns) = 0;
};

// Standard input that arrives while the guest runs.
class InputSource {
 public:
  virtual ~InputSource() = default;
  // Waits for the next bytes, which stay valid until the next call; none at the end of input. nullopt: the run must
  // end.
  virtual std::optional<std::span<const std::byte>> more() = 0;
};

// What a guest may say that it wants and no cell has. Preview 1 has no words for it: an interpreter that knows says it
// with sock_shutdown on the descriptor kBeyond + what, which never is one.
enum class Beyond : std::uint8_t { kNothing = 0, kThreads = 1, kSockets = 2 };
inline constexpr std::uint32_t kBeyond = 0xffff'ff00;

class BeyondListener {
 public:
  virtual ~BeyondListener() = default;
  // True: the guest must not go on (Stop::kLeft), and may be run where there is such a thing.
  virtual bool asked_for(Beyond what) = 0;
};

struct Preopen {
  std::string_view name = "/";  // what the guest calls it
  std::string_view path = "/";  // where it is in the Vfs
};

// Everything is borrowed and must outlive the run.
struct HostConfig {
  std::span<const std::string> args;
  std::span<const std::string> env;  // "KEY=value"
  std::span<const std::byte> stdin_bytes;
  InputSource* more_input = nullptr;  // what comes after stdin_bytes; null: nothing
  OutputSink* output = nullptr;       // null: output is dropped
  BeyondListener* beyond = nullptr;   // null: nobody wants to know
  Vfs* fs = nullptr;                  // null: no files, no preopened directories
  std::span<const Preopen> preopens = kDefaultPreopens;
  std::uint32_t max_open_files = 256;  // streams and preopened directories included

  bool allow_clock = true;   // false: reading a clock is kPerm, file times stand still; relative sleeps still work
  bool allow_random = true;  // false: random_get is kPerm

  // Without a Sleeper time is virtual, as in deterministic mode.
  Sleeper* sleeper = nullptr;
  // What CLOCK_MONOTONIC shows at the start. A session should go on where its last run ended.
  std::uint64_t monotonic_start_ns = 1'000'000'000;

  // Deterministic mode: random numbers come from the seed, clocks start at fixed times and move by `clock_step_ns` with
  // each reading, sleeps move them at once. Equal inputs then see equal worlds.
  std::optional<std::uint64_t> seed;
  std::uint64_t realtime_start_ns = 1'767'225'600'000'000'000;  // 2026-01-01
  std::uint64_t clock_step_ns = 1000;
  // How much virtual time may pass; a sleep beyond it ends the run (Stop::kInterrupted).
  std::uint64_t virtual_time_limit_ns = UINT64_MAX;

  static constexpr Preopen kRootPreopen[1] = {};
  static constexpr std::span<const Preopen> kDefaultPreopens = kRootPreopen;
};

// Why the guest must not go on.
enum class Stop : std::uint8_t {
  kNone,
  kExit,         // proc_exit: code() is the exit code
  kSignal,       // proc_raise: code() is the WASI signal number
  kInterrupted,  // a sleep was cut short by the Sleeper or the virtual time limit
  kLeft,         // it asked for what no cell has, and its BeyondListener said so
};

// What a host function returns to its caller: unless `stop`, the guest gets `error`.
struct CallResult {
  Errno error = Errno::kSuccess;
  bool stop = false;  // trap now; Host::stop() says why
};

class Host final : private FileClock {
 public:
  Host();
  ~Host() override;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Forgets the last run and begins one. Pins the preopened directories in the Vfs. A preopen whose path is not a
  // directory is an error; everything else can't fail.
  Expected<void> start(const HostConfig& config);
  // Closes all files (also done by start). Call it before the Vfs is reset or destroyed.
  void finish();

  Stop stop() const { return stop_; }
  std::uint32_t code() const { return code_; }
  // What CLOCK_MONOTONIC shows now, for the next run of a session.
  std::uint64_t monotonic_ns() const;
  // Counts asked-for things that this host can never do (sockets): routing looks at it.
  std::uint32_t socket_calls() const { return socket_calls_; }

  // ---- the 46 functions of wasi_snapshot_preview1, with the specification's names and arguments ----
  // uint32_t stands for i32, uint64_t for i64. Results go to guest memory through the trailing pointers.
  using Memory = GuestMemory;
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;
  Errno args_get(Memory, U32 argv, U32 argv_buf);
  Errno args_sizes_get(Memory, U32 count, U32 size);
  Errno environ_get(Memory, U32 environ, U32 environ_buf);
  Errno environ_sizes_get(Memory, U32 count, U32 size);
  Errno clock_res_get(Memory, U32 clock, U32 out);
  Errno clock_time_get(Memory, U32 clock, U64 precision, U32 out);
  Errno fd_advise(Memory, U32 fd, U64 offset, U64 length, U32 advice);
  Errno fd_allocate(Memory, U32 fd, U64 offset, U64 length);
  Errno fd_close(Memory, U32 fd);
  Errno fd_datasync(Memory, U32 fd);
  Errno fd_fdstat_get(Memory, U32 fd, U32 out);
  Errno fd_fdstat_set_flags(Memory, U32 fd, U32 flags);
  Errno fd_fdstat_set_rights(Memory, U32 fd, U64 base, U64 inheriting);
  Errno fd_filestat_get(Memory, U32 fd, U32 out);
  Errno fd_filestat_set_size(Memory, U32 fd, U64 size);
  Errno fd_filestat_set_times(Memory, U32 fd, U64 atim, U64 mtim, U32 flags);
  Errno fd_pread(Memory, U32 fd, U32 iovs, U32 count, U64 offset, U32 out);
  Errno fd_prestat_get(Memory, U32 fd, U32 out);
  Errno fd_prestat_dir_name(Memory, U32 fd, U32 path, U32 length);
  Errno fd_pwrite(Memory, U32 fd, U32 iovs, U32 count, U64 offset, U32 out);
  Errno fd_read(Memory, U32 fd, U32 iovs, U32 count, U32 out);
  Errno fd_readdir(Memory, U32 fd, U32 buffer, U32 length, U64 cookie, U32 out);
  Errno fd_renumber(Memory, U32 fd, U32 to);
  Errno fd_seek(Memory, U32 fd, U64 offset, U32 whence, U32 out);
  Errno fd_sync(Memory, U32 fd);
  Errno fd_tell(Memory, U32 fd, U32 out);
  Errno fd_write(Memory, U32 fd, U32 iovs, U32 count, U32 out);
  Errno path_create_directory(Memory, U32 fd, U32 path, U32 length);
  Errno path_filestat_get(Memory, U32 fd, U32 flags, U32 path, U32 length, U32 out);
  Errno path_filestat_set_times(Memory, U32 fd, U32 flags, U32 path, U32 length, U64 atim, U64 mtim, U32 times);
  Errno path_link(Memory, U32 old_fd, U32 flags, U32 old_path, U32 old_length, U32 new_fd, U32 new_path,
                  U32 new_length);
  Errno path_open(Memory, U32 fd, U32 lookup, U32 path, U32 length, U32 oflags, U64 base, U64 inheriting, U32 flags,
                  U32 out);
  Errno path_readlink(Memory, U32 fd, U32 path, U32 length, U32 buffer, U32 buffer_length, U32 out);
  Errno path_remove_directory(Memory, U32 fd, U32 path, U32 length);
  Errno path_rename(Memory, U32 fd, U32 old_path, U32 old_length, U32 new_fd, U32 new_path, U32 new_length);
  Errno path_symlink(Memory, U32 old_path, U32 old_length, U32 fd, U32 new_path, U32 new_length);
  Errno path_unlink_file(Memory, U32 fd, U32 path, U32 length);
  Errno poll_oneoff(Memory, U32 in, U32 out, U32 count, U32 events);
  void proc_exit(Memory, U32 code);
  Errno proc_raise(Memory, U32 signal);
  Errno random_get(Memory, U32 buffer, U32 length);
  Errno sched_yield(Memory);
  Errno sock_accept(Memory, U32 fd, U32 flags, U32 out);
  Errno sock_recv(Memory, U32 fd, U32 data, U32 count, U32 flags, U32 out_size, U32 out_flags);
  Errno sock_send(Memory, U32 fd, U32 data, U32 count, U32 flags, U32 out_size);
  Errno sock_shutdown(Memory, U32 fd, U32 how);

 private:
  enum class Kind : std::uint8_t { kFree, kStdin, kOutput, kFile, kDirectory };
  // There is no dup in preview 1, so an open file and its descriptor are one thing.
  struct Descriptor {
    Kind kind = Kind::kFree;
    std::uint8_t stream = 0;
    std::uint16_t flags = 0;
    std::int32_t preopen = -1;
    std::uint64_t rights_base = 0;
    std::uint64_t rights_inheriting = 0;
    std::uint64_t offset = 0;
    NodeRef node;
    Node* top = nullptr;  // of a directory: ".." stops here. Preopened, so pinned for the whole run
  };

  Descriptor* find(U32 fd);
  Result<U32> lowest_free();
  Result<Descriptor*> file(U32 fd);
  Result<At> directory(U32 fd);
  struct Place {
    At at;
    std::string_view path;
  };
  Result<Place> place(const Memory& memory, U32 fd, U32 path, U32 length);

  template <class Each>
  Errno transfer(const Memory& memory, U32 iovs, U32 count, U32 out, Each&& each);
  Errno read_at(const Memory& memory, Descriptor& from, U32 iovs, U32 count, U64& offset, U32 out);
  Errno write_at(const Memory& memory, Descriptor& to, U32 iovs, U32 count, U64& offset, U32 out);
  Errno sync(U32 fd);
  Errno put_strings(const Memory& memory, std::span<const std::string> strings, U32 pointers, U32 buffer) const;
  Errno put_sizes(const Memory& memory, std::span<const std::string> strings, U32 count, U32 size) const;
  static Errno put_stat(const Memory& memory, const FileStat& stat, U32 out);
  static Result<FileTimes> times(U64 atim, U64 mtim, U32 flags);
  Errno socket_call(U32 fd);
  Result<U64> due(const abi::Subscription& subscription, U64 monotonic) const;
  abi::Event descriptor_event(const abi::Subscription& subscription);

  void start_clocks();
  bool virtual_time() const { return config_.seed || !config_.sleeper; }
  Result<U64> read_clock(U32 clock);
  U64 peek_clock(abi::Clock clock) const;  // all but processor time in real time
  U64 processor_time();
  // Makes sure that there is standard input to read, unless it is at its end. False: the run must stop.
  bool fill_stdin();
  // False: the run must stop.
  bool sleep_until_monotonic(U64 guest_ns);
  std::uint64_t file_time_ns() override;

  HostConfig config_;
  std::vector<Descriptor> descriptors_;
  std::size_t stdin_position_ = 0;
  Random random_;
  U64 virtual_ns_ = 0;              // passed since the start, in virtual time
  U64 slept_ns_ = 0;                // in real or virtual time
  U64 host_monotonic_ns_ = 0;       // at the start
  std::optional<U64> host_cpu_ns_;  // what CLOCK_THREAD_CPUTIME_ID would have shown at the start
  Stop stop_ = Stop::kNone;
  std::uint32_t code_ = 0;
  std::uint32_t socket_calls_ = 0;
};

// For binding: each function with its exact WebAssembly signature, in alphabetical order.
struct Function {
  std::string_view name;
  std::string_view params;  // 'i': i32, 'I': i64
  bool has_result;          // an i32 errno; only proc_exit has none
  // args: params.size() values, an i32 in the low half. Never throws.
  CallResult (*call)(Host& host, GuestMemory memory, const std::uint64_t* args) noexcept;
};
inline constexpr std::string_view kModuleName = "wasi_snapshot_preview1";
std::span<const Function> functions();

}  // namespace hotcell::wasi
