#include "deps/errors.h"

namespace hotcell::deps {

bool is_disk_full(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;  // EFBIG: RLIMIT_FSIZE
}

std::unexpected<Error> cache_error(std::string_view tried, int error_number) {
  auto out = fail_errno(tried, error_number);
  Error& error = out.error();
  if (is_disk_full(error_number)) {
    error.code = "cache_full";
    error.hint = "free space there, run `hotcell cache prune`, or set DEPENDENCY_CACHE_DIR to a larger disk";
  } else if (error_number == EROFS || error_number == EACCES || error_number == EPERM) {
    error.code = "cache_read_only";
    error.hint = "make it writable for the user that runs hotcell, or set DEPENDENCY_CACHE_DIR to a folder that is";
  } else if (error_number == EXDEV) {
    error.code = "cache_unusable";
    error.hint = "all folders of the cache must lie on one file system: unmount what is mounted inside it";
  } else if (error_number == ENOENT || error_number == ESTALE) {
    error.code = "cache_unusable";
    error.hint = "the cache seems to have been removed while it was in use: start hotcell again";
  } else {
    error.code = "cache_unusable";
    error.hint = "set DEPENDENCY_CACHE_DIR to a folder on a local disk";
  }
  return out;
}

}  // namespace hotcell::deps
