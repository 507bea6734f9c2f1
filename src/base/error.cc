#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace hotcell {

std::unexpected<Error> fail_errno(std::string_view tried, int error_number, std::string hint) {
  std::string message(tried);
  message += ": ";
  message += strerrordesc_np(error_number) ? strerrordesc_np(error_number) : "unknown error";
  return fail("internal", std::move(message), std::move(hint));
}

std::unexpected<Error> fail_errno(std::string_view tried, std::string hint) {
  return fail_errno(tried, errno, std::move(hint));
}

}  // namespace hotcell
