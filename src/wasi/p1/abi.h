// The numbers and layouts of wasi_snapshot_preview1, as far as the host needs them.
#pragma once
#include <cstdint>

#include "wasi/fs/errno.h"
#include "wasi/fs/host_dir.h"  // FileType

namespace hotcell::wasi::abi {

namespace rights {
inline constexpr std::uint64_t kFdDatasync = 1u << 0;
inline constexpr std::uint64_t kFdRead = 1u << 1;
inline constexpr std::uint64_t kFdSeek = 1u << 2;
inline constexpr std::uint64_t kFdFdstatSetFlags = 1u << 3;
inline constexpr std::uint64_t kFdSync = 1u << 4;
inline constexpr std::uint64_t kFdTell = 1u << 5;
inline constexpr std::uint64_t kFdWrite = 1u << 6;
inline constexpr std::uint64_t kFdAdvise = 1u << 7;
inline constexpr std::uint64_t kFdAllocate = 1u << 8;
inline constexpr std::uint64_t kPathCreateDirectory = 1u << 9;
inline constexpr std::uint64_t kPathCreateFile = 1u << 10;
inline constexpr std::uint64_t kPathLinkSource = 1u << 11;
inline constexpr std::uint64_t kPathLinkTarget = 1u << 12;
inline constexpr std::uint64_t kPathOpen = 1u << 13;
inline constexpr std::uint64_t kFdReaddir = 1u << 14;
inline constexpr std::uint64_t kPathReadlink = 1u << 15;
inline constexpr std::uint64_t kPathRenameSource = 1u << 16;
inline constexpr std::uint64_t kPathRenameTarget = 1u << 17;
inline constexpr std::uint64_t kPathFilestatGet = 1u << 18;
inline constexpr std::uint64_t kPathFilestatSetSize = 1u << 19;
inline constexpr std::uint64_t kPathFilestatSetTimes = 1u << 20;
inline constexpr std::uint64_t kFdFilestatGet = 1u << 21;
inline constexpr std::uint64_t kFdFilestatSetSize = 1u << 22;
inline constexpr std::uint64_t kFdFilestatSetTimes = 1u << 23;
inline constexpr std::uint64_t kPathSymlink = 1u << 24;
inline constexpr std::uint64_t kPathRemoveDirectory = 1u << 25;
inline constexpr std::uint64_t kPathUnlinkFile = 1u << 26;
inline constexpr std::uint64_t kPollFdReadwrite = 1u << 27;
inline constexpr std::uint64_t kSockShutdown = 1u << 28;
inline constexpr std::uint64_t kSockAccept = 1u << 29;

inline constexpr std::uint64_t kAll = (1u << 30) - 1;
inline constexpr std::uint64_t kFile = kFdDatasync | kFdRead | kFdSeek | kFdFdstatSetFlags | kFdSync | kFdTell |
                                       kFdWrite | kFdAdvise | kFdAllocate | kFdFilestatGet | kFdFilestatSetSize |
                                       kFdFilestatSetTimes | kPollFdReadwrite;
// A directory can't be read, written or positioned: isatty() of wasi-libc and others look at these bits.
inline constexpr std::uint64_t kDirectory =
    kAll & ~(kFdRead | kFdSeek | kFdTell | kFdWrite | kFdAllocate | kFdFilestatSetSize | kSockShutdown | kSockAccept);
// Without FD_SEEK and FD_TELL: a stream.
inline constexpr std::uint64_t kStream = kFdFdstatSetFlags | kFdFilestatGet | kPollFdReadwrite | kFdSync | kFdDatasync;
}  // namespace rights

namespace fdflags {
inline constexpr std::uint16_t kAppend = 1, kDsync = 2, kNonblock = 4, kRsync = 8, kSync = 16, kAll = 31;
}
namespace oflags {
inline constexpr std::uint16_t kCreat = 1, kDirectory = 2, kExcl = 4, kTrunc = 8, kAll = 15;
}
namespace fstflags {
inline constexpr std::uint16_t kAtim = 1, kAtimNow = 2, kMtim = 4, kMtimNow = 8, kAll = 15;
}
inline constexpr std::uint32_t kSymlinkFollow = 1;

enum class Clock : std::uint32_t { kRealtime = 0, kMonotonic = 1, kProcessCpu = 2, kThreadCpu = 3 };
enum class Whence : std::uint8_t { kSet = 0, kCurrent = 1, kEnd = 2 };
enum class EventType : std::uint8_t { kClock = 0, kFdRead = 1, kFdWrite = 2 };
inline constexpr std::uint16_t kClockAbsolute = 1;
inline constexpr std::uint16_t kHangup = 1;
inline constexpr std::uint32_t kLastAdvice = 5;
inline constexpr std::uint32_t kLastSignal = 30;

struct Iovec {
  std::uint32_t buffer;
  std::uint32_t length;
};
static_assert(sizeof(Iovec) == 8);

struct Fdstat {
  std::uint8_t type;
  std::uint8_t padding0 = 0;
  std::uint16_t flags;
  std::uint32_t padding1 = 0;
  std::uint64_t rights_base;
  std::uint64_t rights_inheriting;
};
static_assert(sizeof(Fdstat) == 24);

struct Filestat {
  std::uint64_t device;
  std::uint64_t number;
  std::uint8_t type;
  std::uint8_t padding[7] = {};
  std::uint64_t links;
  std::uint64_t size;
  std::uint64_t atim, mtim, ctim;
};
static_assert(sizeof(Filestat) == 64);

struct Dirent {
  std::uint64_t next;
  std::uint64_t number;
  std::uint32_t name_length;
  std::uint8_t type;
  std::uint8_t padding[3] = {};
};
static_assert(sizeof(Dirent) == 24);

struct Prestat {
  std::uint8_t tag = 0;
  std::uint8_t padding[3] = {};
  std::uint32_t name_length;
};
static_assert(sizeof(Prestat) == 8);

struct SubscriptionClock {
  std::uint32_t id;
  std::uint32_t padding0;
  std::uint64_t timeout;
  std::uint64_t precision;
  std::uint16_t flags;
  std::uint16_t padding1[3];
};

struct Subscription {
  std::uint64_t userdata;
  std::uint8_t tag;
  std::uint8_t padding[7];
  union {
    SubscriptionClock clock;
    std::uint32_t fd;
  };
};
static_assert(sizeof(Subscription) == 48);

struct Event {
  std::uint64_t userdata;
  std::uint16_t error;
  std::uint8_t type;
  std::uint8_t padding0[5] = {};
  std::uint64_t nbytes;
  std::uint16_t flags;
  std::uint16_t padding1[3] = {};
};
static_assert(sizeof(Event) == 32);

}  // namespace hotcell::wasi::abi
