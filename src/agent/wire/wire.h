// What the engine and the agent in a cell say to each other: length-prefixed frames over the container's attached stdin
// and stdout.
//
// The two sides do not trust each other alike. The agent believes its host, but decodes defensively. The host believes
// nothing: the workload runs beside the agent under the same uid, and if it ever got at the agent it could send any
// bytes. It could then lie about its own run, but neither hold up the host nor make it use more memory than a few
// frames of kMaxFrame: every count and length is capped here, in decode(), on both sides.
//
// A conversation, host on the left. The agent says nothing until it has been spoken to: what a container prints before
// its attach stream is wired is lost. Everything that needs no answer may be sent in one write.
//
//   hello ->                                 once, first
//                          <- ready          what the agent sees of its cell: the proof
//   warm ->                                  start an interpreter ahead (any time between runs)
//                          <- warmed
//   prove ->                                 look again (between runs; after the limits were changed, say)
//                          <- ready
//   order, file…, input… ->                  a program and what it is given; input up to kInputWindow bytes
//   go ->                                    the clock starts
//                          <- output…        as the program writes, the first output_bytes of each stream
//                          <- want_input     so many more bytes of input may be sent
//   input… ->
//   stop ->                                  end it early; harmless when it has ended already
//                          <- tail…          the last bytes of a stream that wrote more than output_bytes
//                          <- report         how it ended; every process of the cell is dead by now
//                          <- file…          what it left
//                          <- end            the agent is idle again, without a warm interpreter
//   reset ->                                 kill and wipe everything, for the next run of the same tenant
//                          <- cleaned
//
// When the host hangs up, the agent kills every process and exits. When the host sends what cannot be, the agent sends
// `fault` with a sentence, kills every process and exits.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hotcell::agent {

inline constexpr std::uint32_t kWireVersion = 2;

enum class FrameType : std::uint8_t {
  // host -> agent
  hello = 1,  // Hello
  warm = 2,   // Warm
  prove = 3,  // nothing
  order = 4,  // Order
  file = 5,   // FileIn
  input = 6,  // Input
  go = 7,     // nothing
  stop = 8,   // Stop
  reset = 9,  // Reset
  // agent -> host
  ready = 65,       // Facts
  warmed = 66,      // Warmed
  output = 67,      // Output
  want_input = 68,  // WantInput
  tail = 69,        // Output
  report = 70,      // Report
  file_out = 71,    // FileOut
  end = 72,         // nothing
  cleaned = 73,     // Cleaned
  fault = 74,       // Fault
};

// Caps. A message that is above one of them does not decode.
inline constexpr std::size_t kMaxFrame = 1u << 20;       // payload of one frame
inline constexpr std::size_t kMaxChunk = 64u << 10;      // bytes of a file or stream in one frame
inline constexpr std::size_t kInputWindow = 256u << 10;  // input on its way: sent, and not yet taken by the program
inline constexpr std::size_t kMaxTail = 8u << 20;        // of one stream
inline constexpr std::size_t kMaxStrings = 4096;         // entries of args, of env, of modules, of collect
inline constexpr std::size_t kMaxString = 128u << 10;    // one of them: what Linux lets execve() pass
inline constexpr std::size_t kMaxPath = 4095;
inline constexpr std::size_t kMaxFilesIn = 16384;
inline constexpr std::size_t kMaxFilesOut = 65536;
inline constexpr std::size_t kMaxFacts = 1024;            // entries of each list of Facts
inline constexpr std::size_t kMaxErrorText = 256u << 10;  // each text of an uncaught exception

enum class Language : std::uint8_t {
  none,    // run args as they are: args[0] is looked up in PATH
  python,  // `program` is run as `python3 program args…`
  node,    // as `node program args…`
  bash,    // as `bash program args…`
};

// --- host -> agent ---

struct Hello {
  std::uint32_t version = kWireVersion;
  std::vector<std::string> probes =
      {};  // addresses: for which of them is there a way out of the cell? See Facts::reachable

  std::string encode() const;
  static std::optional<Hello> decode(std::string_view payload);
};

// Start this language's interpreter and let it wait for a program. Replaces one that waits already. For a language that
// has nothing to warm (none, bash) the answer still says whether its interpreter is there.
struct Warm {
  Language language = Language::python;
  std::vector<std::string> modules;  // import these too; one that cannot be imported is no error

  std::string encode() const;
  static std::optional<Warm> decode(std::string_view payload);
};

// A program to run. The files it is given, its own code among them, follow as `file` frames, then input, then `go`.
struct Order {
  Language language = Language::python;
  std::string program;               // absolute path of the main file; one of the `file` frames. Not for `none`
  std::vector<std::string> args;     // without the interpreter and the program; for `none` the whole argv
  std::vector<std::string> env;      // NAME=VALUE, over the container's own environment
  bool clear_env = false;            // begin with an empty environment instead
  std::vector<std::string> prepend;  // NAME=FOLDER: goes before the folders that the variable lists already
  std::vector<std::string> links;    // PATH=TARGET: a symbolic link, where nothing has that name
  std::string cwd;                   // empty: /workspace
  bool live_input = false;           // somebody may be typing: ask only for what the program has room for
  bool collect_changed = true;       // give back every file below /workspace that was created, changed or deleted
  std::vector<std::string> collect;  // globs below /workspace; what matches comes back, changed or not

  std::uint64_t timeout_ns = 0;    // since go; 0: none
  std::uint64_t cpu_ns = 0;        // of all processes together; 0: no limit
  std::uint64_t grace_ns = 0;      // between a soft stop and the kill, at either limit; 0: kill at once
  std::uint64_t output_bytes = 0;  // of each stream, sent as written. What is beyond is counted, and the end of it kept
  std::uint64_t files_bytes = 0, inline_bytes = 0;  // of content given back: in all, and of one file
  std::uint32_t max_files = 0;

  std::string encode() const;
  static std::optional<Order> decode(std::string_view payload);
};

// A file, a part of one, or a directory. A file comes in frames of at most kMaxChunk bytes, one after another, all with
// the same path; `first` truncates, `last` sets the mode. Missing parents are made. Nothing follows symbolic links.
// Where a file cannot be written, the order's report says so (Fate::refused), after go.
struct FileIn {
  std::string path;  // absolute, without "." and ".."
  std::uint32_t mode = 0644;
  bool directory = false, first = true, last = true;
  std::string_view bytes;  // points into the payload that was decoded

  std::string encode() const;
  static std::optional<FileIn> decode(std::string_view payload);
};

// Standard input. Before go at most kInputWindow bytes in all (with live_input: none), after it as many more as
// WantInput frames have allowed. Without an `eof` the program waits.
struct Input {
  bool eof = false;
  std::string_view bytes;  // at most kMaxChunk

  std::string encode() const;
  static std::optional<Input> decode(std::string_view payload);
};

// Before go it ends the order; no file and no go of it may follow. When nothing runs it means nothing.
struct Stop {
  std::uint64_t grace_ns = 0;  // ask first (SIGINT, or SIGTERM where no language is), then kill; 0: kill at once

  std::string encode() const;
  static std::optional<Stop> decode(std::string_view payload);
};

struct Reset {
  std::uint64_t time_ns = 0;  // how long it may take

  std::string encode() const;
  static std::optional<Reset> decode(std::string_view payload);
};

// --- agent -> host ---

// Everything that the agent can see of how its cell is locked down. "None" and "unlimited" are kUnlimited.
inline constexpr std::uint64_t kUnlimited = ~0ull;

struct Facts {
  std::uint32_t version = kWireVersion;
  std::uint32_t pid = 0;
  std::uint32_t uid[4] = {}, gid[4] = {};  // real, effective, saved, of the file system
  std::vector<std::uint32_t> groups;
  std::uint64_t cap_inheritable = 0, cap_permitted = 0, cap_effective = 0, cap_bounding = 0, cap_ambient = 0;
  bool no_new_privs = false;
  bool dumpable = false;              // the agent; must be false
  bool guarded = false;               // what it starts cannot change its limits, priority or scheduling
  std::uint8_t seccomp_mode = 0;      // 2: filtered
  std::uint32_t seccomp_filters = 0;  // how many; 0 where the kernel does not say
  std::string lsm_label;              // AppArmor's or SELinux's, "" where there is none
  std::string hostname, kernel;
  std::uint32_t cpus = 0;  // that the agent may run on
  std::int32_t oom_score_adj = 0, nice = 0;

  struct Mount {
    std::string target, type, source;
    std::string options;                  // of the mount: "ro,nosuid,nodev"
    std::string super_options;            // of the file system: "rw,size=102400k"
    std::uint64_t bytes = 0, inodes = 0;  // its size, from statvfs; 0 where it has none
    bool writable = false;                // this uid may write at its root, and it is not read-only
    bool listable = false;                // this uid may read its root: the names in a folder
  };
  std::vector<Mount> mounts;

  std::uint8_t cgroup_version = 0;  // of the memory controller; 0: no cgroup is visible
  bool cgroup_private = false;      // nothing outside the cell is in it, so its counters are the cell's
  std::uint64_t memory_limit = kUnlimited;
  std::uint64_t memory_swap_limit = kUnlimited;  // memory and swap together, whatever the cgroup's version
  std::uint64_t pids_limit = kUnlimited;
  std::uint64_t cpu_quota_us = kUnlimited, cpu_period_us = 0;

  struct Interface {
    std::string name;
    bool up = false;
    std::vector<std::string> addresses;  // as text
  };
  std::vector<Interface> interfaces;
  std::vector<std::string> reachable;  // of Hello::probes. Nothing is sent to find out: the kernel knows its routes
  std::uint32_t routes = 0;            // IPv4 and IPv6, those of `lo` not counted

  struct Rlimit {
    std::uint8_t resource = 0;  // RLIMIT_…
    std::uint64_t soft = kUnlimited, hard = kUnlimited;
  };
  std::vector<Rlimit> rlimits;

  struct Device {
    std::string path;
    bool block = false;
    std::uint32_t major = 0, minor = 0;
  };
  std::vector<Device> devices;           // device nodes below /dev
  std::vector<std::string> namespaces;   // "pid:[4026531836]", one for each
  std::vector<std::string> env_names;    // of the agent, and so of every program
  std::vector<std::string> descriptors;  // "0 pipe:[123]": what the agent holds open
  std::uint32_t processes = 0;           // besides the agent

  std::string encode() const;
  static std::optional<Facts> decode(std::string_view payload);
};

struct Warmed {
  Language language = Language::none;
  bool ready = false;       // an interpreter waits (or, for bash and none: there is nothing to wait for)
  std::string interpreter;  // its path in the container; empty: the image has none
  std::string version;      // what it says of itself; may be empty
  std::string problem;      // why it is not ready: one sentence
  std::uint64_t took_ns = 0;

  std::string encode() const;
  static std::optional<Warmed> decode(std::string_view payload);
};

// Bytes that the program wrote (`output`), or the end of what was not sent while it ran (`tail`).
//
// With n = output_bytes the program's first n bytes come as output. If it wrote more, the tail frames hold the last
// min(total - n, n - n / 2) bytes, so that an OutputBuffer of cap n can show exactly what it would have kept had it
// seen everything. Where n - n / 2 is above kMaxTail, everything is sent as output and there is no tail.
struct Output {
  std::uint8_t stream = 1;  // 1: stdout, 2: stderr
  std::string_view bytes;   // at most kMaxChunk

  std::string encode() const;
  static std::optional<Output> decode(std::string_view payload);
};

struct WantInput {
  std::uint32_t bytes = 0;

  std::string encode() const;
  static std::optional<WantInput> decode(std::string_view payload);
};

// A program whose processes die of memory so often is ended. The daemon writes to its disk each time that the cell runs
// out: one that goes on like that keeps it busy for longer than it runs itself.
inline constexpr std::uint64_t kMostOomKills = 8;

enum class Fate : std::uint8_t {
  ended,         // by itself: exit_code or signal
  timed_out,     // timeout_ns passed
  cpu_exceeded,  // cpu_ns was used up
  starved,       // the kernel killed kMostOomKills of its processes for want of memory
  stopped,       // the host said so
  refused,       // it could not be started; `reason` says why: no interpreter, a file or directory that cannot be
  failed,        // the agent's own fault, or a process that could not be killed; `reason` says which
};

// What an interpreter said of an exception that nobody caught. Advisory: a program can forge it, for its own run.
struct Uncaught {
  std::string name, message, traceback;
  std::uint32_t line = 0;         // in the program's main file; 0: unknown
  std::int32_t error_number = 0;  // errno of an OSError or a Node system error
  bool cut = false;               // a text was longer than kMaxErrorText
};

// How the reason begins when the image lacks the language: "the image has no python3 in its PATH".
inline constexpr std::string_view kNoInterpreter = "the image has no ";

struct Report {
  Fate fate = Fate::failed;
  std::string reason;  // for refused and failed: one sentence

  // How the main process ended, exactly as wait4() told the agent, whatever the fate. Neither: it did not start. A
  // command that cannot be run or found exits with 126 or 127, as in a shell.
  std::optional<std::int32_t> exit_code, signal;
  bool warm = false;              // an interpreter had been waiting
  std::uint32_t left_behind = 0;  // processes that were still there when the main one had ended

  std::uint64_t oom_kills = 0;     // in this run, as the cell's cgroup counts
  std::uint64_t pids_refused = 0;  // forks refused by the cgroup's limit
  bool disk_full = false;          // a writable file system was seen full, or the exception said so

  std::optional<Uncaught> uncaught;

  struct Stream {
    std::uint64_t total = 0;  // bytes written
    std::uint64_t sent = 0;   // of them, in output frames
    std::uint64_t tail = 0;   // of them, in tail frames
  } out, err;

  std::uint64_t setup_ns = 0;  // from order to the program's start
  std::uint64_t wall_ns = 0;   // from go to the main process's end
  std::uint64_t kill_ns = 0;   // from there until no process was left
  std::uint64_t cpu_ns = 0;    // of all processes
  std::uint64_t memory_peak = 0;
  bool files_incomplete = false;  // there were more files, or they lay deeper, than the agent looks

  std::string encode() const;
  static std::optional<Report> decode(std::string_view payload);
};

enum class Change : std::uint8_t { created, modified, deleted, unchanged };  // unchanged: only by a glob

// A regular file that is given back, in frames of at most kMaxChunk bytes, one after another, all with the same path;
// the one with `last` ends it.
struct FileOut {
  std::string path;  // relative to /workspace; any bytes but NUL, never with "." or ".." as a component
  Change change = Change::created;
  std::uint32_t mode = 0;
  std::uint64_t size = 0;
  bool left_out = false;  // too large, or not readable: no content
  bool last = true;
  std::string_view bytes;

  std::string encode() const;
  static std::optional<FileOut> decode(std::string_view payload);
};

struct Cleaned {
  bool clean = false;   // every process gone, every writable mount empty, no IPC object left, the facts as at hello
  std::string problem;  // what is not, or could not be verified
  std::uint32_t killed = 0;
  std::uint64_t removed = 0;  // directory entries and IPC objects
  std::uint64_t took_ns = 0;

  std::string encode() const;
  static std::optional<Cleaned> decode(std::string_view payload);
};

struct Fault {
  std::string sentence;

  std::string encode() const;
  static std::optional<Fault> decode(std::string_view payload);
};

// --- framing ---

// u32 length of the payload, u8 type, three zero bytes, payload.
inline constexpr std::size_t kFrameHeader = 8;

// Appends a whole frame.
void append_frame(std::string& to, FrameType type, std::string_view payload = {});

enum class Side : std::uint8_t { host, agent };

// Cuts a byte stream into frames. Give it what came from `sender`; it hands out whole frames.
class FrameReader {
 public:
  explicit FrameReader(Side sender) : sender_(sender) {}

  struct Frame {
    FrameType type;
    std::string_view payload;  // until the next feed()
  };
  void feed(std::string_view bytes);
  // nullopt: no whole frame yet, or broken.
  std::optional<Frame> next();
  // A header that cannot be: a type that the sender does not send, a length above kMaxFrame, bytes that are not zero.
  // Nothing comes out any more.
  bool broken() const { return broken_; }

 private:
  Side sender_;
  bool broken_ = false;
  std::string buffer_;
  std::size_t consumed_ = 0;  // of buffer_: given out
};

}  // namespace hotcell::agent
