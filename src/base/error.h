// What went wrong on our side, and what the caller can do about it.
//
// An Error never says what became of a program: that is protocol::Outcome. A function of ours that can fail returns
// Expected<T>; exceptions are for broken promises (std::bad_alloc, a bug), not for bad input.
#pragma once
#include <expected>
#include <string>
#include <utility>

namespace hotcell {

struct Error {
  std::string code;     // stable, snake_case, from api.md B7 and design.md section 1: "invalid_field", "internal", …
  std::string message;  // one plain sentence: what was tried, on what, and why it failed
  std::string hint;     // what to do about it; may be empty
};

template <class T>
using Expected = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string code, std::string message, std::string hint = {}) {
  return std::unexpected(Error{std::move(code), std::move(message), std::move(hint)});
}

// "cannot open /x: Permission denied": the sentence for a failed system call. Reads errno unless it is given.
std::unexpected<Error> fail_errno(std::string_view tried, std::string hint = {});
std::unexpected<Error> fail_errno(std::string_view tried, int error_number, std::string hint = {});

}  // namespace hotcell
