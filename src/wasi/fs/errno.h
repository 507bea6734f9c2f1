// Error numbers as WASI preview 1 counts them: what a guest sees. They are not the host's <cerrno>.
#pragma once
#include <cstdint>
#include <expected>

namespace hotcell::wasi {

enum class Errno : std::uint16_t {
  kSuccess = 0,
  kTooBig = 1,
  kAccess = 2,
  kAgain = 6,
  kBadf = 8,
  kBusy = 10,
  kExist = 20,
  kFault = 21,
  kFbig = 22,
  kIlseq = 25,
  kIntr = 27,
  kInval = 28,
  kIo = 29,
  kIsdir = 31,
  kLoop = 32,
  kMfile = 33,
  kMlink = 34,
  kNametoolong = 37,
  kNfile = 41,
  kNodev = 43,
  kNoent = 44,
  kNomem = 48,
  kNospc = 51,
  kNosys = 52,
  kNotdir = 54,
  kNotempty = 55,
  kNotsock = 57,
  kNotsup = 58,
  kOverflow = 61,
  kPerm = 63,
  kPipe = 64,
  kRange = 68,
  kRofs = 69,
  kSpipe = 70,
  kXdev = 75,
  kNotcapable = 76,
};

template <class T>
using Result = std::expected<T, Errno>;

inline std::unexpected<Errno> fail_with(Errno error) { return std::unexpected(error); }

}  // namespace hotcell::wasi
