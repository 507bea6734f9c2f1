// All functions with their WebAssembly signatures. A signature is derived from the C++ one, so the two can't differ.
#include <array>
#include <utility>

#include "wasi/p1/host.h"

namespace hotcell::wasi {
namespace {

template <auto Method>
struct Bound;

template <class R, class... Args, R (Host::*Method)(GuestMemory, Args...)>
struct Bound<Method> {
  static constexpr std::array<char, sizeof...(Args) + 1> kParams{(sizeof(Args) == 8 ? 'I' : 'i')..., '\0'};
  static constexpr std::string_view params{kParams.data(), sizeof...(Args)};

  template <std::size_t... I>
  static CallResult call_with(Host& host, GuestMemory memory, [[maybe_unused]] const std::uint64_t* args,
                              std::index_sequence<I...>) {
    CallResult result;
    if constexpr (std::is_void_v<R>) {
      (host.*Method)(memory, static_cast<Args>(args[I])...);
    } else {
      result.error = (host.*Method)(memory, static_cast<Args>(args[I])...);
    }
    result.stop = host.stop() != Stop::kNone;
    return result;
  }

  static CallResult call(Host& host, GuestMemory memory, const std::uint64_t* args) noexcept {
    // The only exceptions possible here are failed allocations: the guest's problem, not the worker's.
    try {
      return call_with(host, memory, args, std::index_sequence_for<Args...>{});
    } catch (...) {
      return {.error = Errno::kNomem, .stop = false};
    }
  }

  static constexpr Function named(std::string_view name) { return {name, params, !std::is_void_v<R>, &call}; }
};

#define HOTCELL_WASI_FUNCTION(name) Bound<&Host::name>::named(#name)
constexpr Function kFunctions[] = {
    HOTCELL_WASI_FUNCTION(args_get),
    HOTCELL_WASI_FUNCTION(args_sizes_get),
    HOTCELL_WASI_FUNCTION(clock_res_get),
    HOTCELL_WASI_FUNCTION(clock_time_get),
    HOTCELL_WASI_FUNCTION(environ_get),
    HOTCELL_WASI_FUNCTION(environ_sizes_get),
    HOTCELL_WASI_FUNCTION(fd_advise),
    HOTCELL_WASI_FUNCTION(fd_allocate),
    HOTCELL_WASI_FUNCTION(fd_close),
    HOTCELL_WASI_FUNCTION(fd_datasync),
    HOTCELL_WASI_FUNCTION(fd_fdstat_get),
    HOTCELL_WASI_FUNCTION(fd_fdstat_set_flags),
    HOTCELL_WASI_FUNCTION(fd_fdstat_set_rights),
    HOTCELL_WASI_FUNCTION(fd_filestat_get),
    HOTCELL_WASI_FUNCTION(fd_filestat_set_size),
    HOTCELL_WASI_FUNCTION(fd_filestat_set_times),
    HOTCELL_WASI_FUNCTION(fd_pread),
    HOTCELL_WASI_FUNCTION(fd_prestat_dir_name),
    HOTCELL_WASI_FUNCTION(fd_prestat_get),
    HOTCELL_WASI_FUNCTION(fd_pwrite),
    HOTCELL_WASI_FUNCTION(fd_read),
    HOTCELL_WASI_FUNCTION(fd_readdir),
    HOTCELL_WASI_FUNCTION(fd_renumber),
    HOTCELL_WASI_FUNCTION(fd_seek),
    HOTCELL_WASI_FUNCTION(fd_sync),
    HOTCELL_WASI_FUNCTION(fd_tell),
    HOTCELL_WASI_FUNCTION(fd_write),
    HOTCELL_WASI_FUNCTION(path_create_directory),
    HOTCELL_WASI_FUNCTION(path_filestat_get),
    HOTCELL_WASI_FUNCTION(path_filestat_set_times),
    HOTCELL_WASI_FUNCTION(path_link),
    HOTCELL_WASI_FUNCTION(path_open),
    HOTCELL_WASI_FUNCTION(path_readlink),
    HOTCELL_WASI_FUNCTION(path_remove_directory),
    HOTCELL_WASI_FUNCTION(path_rename),
    HOTCELL_WASI_FUNCTION(path_symlink),
    HOTCELL_WASI_FUNCTION(path_unlink_file),
    HOTCELL_WASI_FUNCTION(poll_oneoff),
    HOTCELL_WASI_FUNCTION(proc_exit),
    HOTCELL_WASI_FUNCTION(proc_raise),
    HOTCELL_WASI_FUNCTION(random_get),
    HOTCELL_WASI_FUNCTION(sched_yield),
    HOTCELL_WASI_FUNCTION(sock_accept),
    HOTCELL_WASI_FUNCTION(sock_recv),
    HOTCELL_WASI_FUNCTION(sock_send),
    HOTCELL_WASI_FUNCTION(sock_shutdown),
};
#undef HOTCELL_WASI_FUNCTION
static_assert(std::size(kFunctions) == 46);

}  // namespace

std::span<const Function> functions() { return kFunctions; }

}  // namespace hotcell::wasi
