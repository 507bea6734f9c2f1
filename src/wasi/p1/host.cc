// One run's state: its beginning and end, and the small functions about the process itself.
// files.cc works on descriptors, paths.cc on paths, clocks.cc and poll.cc on time; table.cc lists all for binding.
#include "wasi/p1/host.h"

#include <algorithm>

namespace hotcell::wasi {

namespace {
// A guest asks for kilobytes; filling more than this would keep a worker busy where no deadline reaches it.
constexpr std::uint32_t kMaxRandom = 16u << 20;
}  // namespace

Host::Host() = default;

Host::~Host() { finish(); }

void Host::finish() {
  descriptors_.clear();
  if (config_.fs) config_.fs->set_clock(nullptr);
  config_ = {};
}

Expected<void> Host::start(const HostConfig& config) {
  finish();
  config_ = config;
  stdin_position_ = 0;
  stop_ = Stop::kNone;
  code_ = 0;
  socket_calls_ = 0;
  random_.start(config.seed);
  start_clocks();

  using namespace abi::rights;
  descriptors_.resize(3);
  for (std::uint8_t stream = 0; stream < 3; ++stream) {
    descriptors_[stream].kind = stream == 0 ? Kind::kStdin : Kind::kOutput;
    descriptors_[stream].stream = stream;
    descriptors_[stream].rights_base = kStream | (stream == 0 ? kFdRead : kFdWrite);
  }
  if (!config.fs) return {};
  config.fs->set_clock(this);
  for (const Preopen& preopen : config.preopens) {
    auto node = config.fs->find(preopen.path);
    if (!node || config.fs->type(**node) != FileType::kDirectory)
      return fail("invalid_path",
                  "'" + std::string(preopen.path) + "' can't be opened for the program: not a directory");
    config.fs->pin(**node);
    Node* top = node->get();
    descriptors_.push_back({.kind = Kind::kDirectory,
                            .preopen = static_cast<std::int32_t>(&preopen - config.preopens.data()),
                            .rights_base = kDirectory,
                            .rights_inheriting = kAll,
                            .node = std::move(*node),
                            .top = top});
  }
  return {};
}

// ---- arguments and environment ----

Errno Host::put_sizes(const Memory& memory, std::span<const std::string> strings, U32 count, U32 size) const {
  std::uint64_t bytes = 0;
  for (const std::string& string : strings) bytes += string.size() + 1;
  if (bytes > UINT32_MAX || strings.size() > UINT32_MAX) return Errno::kTooBig;
  if (!memory.has(count, 4) || !memory.has(size, 4)) return Errno::kFault;
  memory.store(count, static_cast<U32>(strings.size()));
  memory.store(size, static_cast<U32>(bytes));
  return Errno::kSuccess;
}

Errno Host::put_strings(const Memory& memory, std::span<const std::string> strings, U32 pointers, U32 buffer) const {
  // In 64 bits, so that a string which ends exactly at 2^32 doesn't send the next one to address 0.
  std::uint64_t slot = pointers;
  std::uint64_t at = buffer;
  for (const std::string& string : strings) {
    const std::uint64_t size = string.size() + 1;
    if (at > UINT32_MAX || slot > UINT32_MAX || !memory.has(static_cast<U32>(at), size) ||
        !memory.store(static_cast<U32>(slot), static_cast<U32>(at)))
      return Errno::kFault;
    std::memcpy(memory.base + at, string.c_str(), static_cast<std::size_t>(size));
    at += size;
    slot += 4;
  }
  return Errno::kSuccess;
}

Errno Host::args_get(Memory memory, U32 argv, U32 argv_buf) {
  return put_strings(memory, config_.args, argv, argv_buf);
}

Errno Host::args_sizes_get(Memory memory, U32 count, U32 size) { return put_sizes(memory, config_.args, count, size); }

Errno Host::environ_get(Memory memory, U32 environ, U32 environ_buf) {
  return put_strings(memory, config_.env, environ, environ_buf);
}

Errno Host::environ_sizes_get(Memory memory, U32 count, U32 size) {
  return put_sizes(memory, config_.env, count, size);
}

// ---- the process ----

void Host::proc_exit(Memory, U32 code) {
  stop_ = Stop::kExit;
  code_ = code;
}

Errno Host::proc_raise(Memory, U32 signal) {
  if (signal > abi::kLastSignal) return Errno::kInval;
  if (signal == 0) return Errno::kSuccess;
  stop_ = Stop::kSignal;
  code_ = signal;
  return Errno::kSuccess;
}

Errno Host::sched_yield(Memory) { return Errno::kSuccess; }

Errno Host::random_get(Memory memory, U32 buffer, U32 length) {
  if (!config_.allow_random) return Errno::kPerm;
  const auto bytes = memory.bytes(buffer, length);
  if (!bytes) return bytes.error();
  if (length > kMaxRandom) return Errno::kInval;
  return random_.fill(*bytes) ? Errno::kSuccess : Errno::kIo;
}

// ---- sockets: there are none ----

Errno Host::socket_call(U32 fd) {
  ++socket_calls_;
  return find(fd) ? Errno::kNotsock : Errno::kBadf;
}

Errno Host::sock_accept(Memory, U32 fd, U32, U32) { return socket_call(fd); }
Errno Host::sock_recv(Memory, U32 fd, U32, U32, U32, U32, U32) { return socket_call(fd); }
Errno Host::sock_send(Memory, U32 fd, U32, U32, U32, U32) { return socket_call(fd); }
Errno Host::sock_shutdown(Memory, U32 fd, U32) {
  const auto what = static_cast<Beyond>(fd - kBeyond);
  if (fd <= kBeyond || what > Beyond::kSockets) return socket_call(fd);
  if (config_.beyond && config_.beyond->asked_for(what)) stop_ = Stop::kLeft;
  return Errno::kNotsup;
}

}  // namespace hotcell::wasi
