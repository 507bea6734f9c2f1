// Reading the kernel's small text files: capped, without allocation surprises, and never an error: what cannot be read
// is empty.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/text.h"

namespace hotcell::agent {

// At most `cap` bytes of it.
std::string read_text(const char* path, std::size_t cap = 64u << 10);
inline std::string read_text(const std::string& path, std::size_t cap = 64u << 10) {
  return read_text(path.c_str(), cap);
}

// The next word, separated by spaces and tabs.
std::string_view next_word(std::string_view& rest);

std::optional<std::uint64_t> number_in(std::string_view text, int base = 10);
// The first number in a file that holds one; "max" and what is not a number: nullopt.
std::optional<std::uint64_t> number_in_file(const std::string& path);
// A file that is read time and again. It stays open: opening one takes memory of the cell, and a program that has
// filled all of it must not be the end of the agent.
class LiveFile {
 public:
  LiveFile() = default;
  explicit LiveFile(const std::string& path);
  std::optional<std::uint64_t> number() const;
  std::optional<std::uint64_t> value_of(std::string_view key) const;

 private:
  std::string_view read(std::span<char> into) const;
  Fd file_;
};
// The value behind a key in lines of "key value" or "key:<tab>value".
std::string_view value_of(std::string_view text, std::string_view key);

bool write_text(const char* path, std::string_view text);

}  // namespace hotcell::agent
