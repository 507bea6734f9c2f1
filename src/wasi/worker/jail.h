// Shuts a worker process in, before the first guest instruction.
//
// Guest code is confined by WebAssembly already; the jail is for the day when that fails. After enter(), even native
// code under an attacker's control can compute, use the memory it has, and talk to its engine over one socket: it can
// open no file, make no connection, start no process, signal and trace nobody, and no other worker shares its uid.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"

namespace hotcell::wasi {

enum class JailKind { run, compile };

struct JailOptions {
  JailKind kind = JailKind::run;
  std::span<const int> keep;       // the only descriptors that stay open
  std::uint32_t uid = 0;           // own uid and gid to change to; 0: stay who we are (not root)
  std::uint64_t memory_bytes = 0;  // RLIMIT_AS for the compiler; 0: none (a 4 GiB reservation is normal for guests)
  std::uint64_t cpu_seconds = 0;   // RLIMIT_CPU, for the compiler
};

// Every step must succeed, or the worker must not run anything. `landlocked` says whether the kernel has Landlock; the
// system call filter stands alone where it has not.
struct JailReport {
  bool landlocked = false;
};
Expected<JailReport> enter_jail(const JailOptions& options);

}  // namespace hotcell::wasi
