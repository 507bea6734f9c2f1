#include "agent/text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace hotcell::agent {

std::string read_text(const char* path, std::size_t cap) {
  std::string out;
  const Fd file(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  while (file && out.size() < cap) {
    const auto before = out.size();
    out.resize(std::min(cap, before + 4096));
    ssize_t got = 0;
    do got = read(file.get(), out.data() + before, out.size() - before);
    while (got < 0 && errno == EINTR);
    out.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got <= 0) break;
  }
  return out;
}

std::string_view next_word(std::string_view& rest) {
  const auto begin = rest.find_first_not_of(" \t");
  rest.remove_prefix(begin == rest.npos ? rest.size() : begin);
  const auto end = rest.find_first_of(" \t");
  const auto word = rest.substr(0, end);
  rest.remove_prefix(word.size());
  return word;
}

std::optional<std::uint64_t> number_in(std::string_view text, int base) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> number_in_file(const std::string& path) { return number_in(read_text(path, 64)); }

LiveFile::LiveFile(const std::string& path) : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

std::string_view LiveFile::read(std::span<char> into) const {
  if (!file_) return {};
  ssize_t got = 0;
  do got = pread(file_.get(), into.data(), into.size(), 0);
  while (got < 0 && errno == EINTR);
  return {into.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

std::optional<std::uint64_t> LiveFile::number() const {
  char text[64];
  return number_in(read(text));
}

std::optional<std::uint64_t> LiveFile::value_of(std::string_view key) const {
  char text[4096];
  return number_in(agent::value_of(read(text), key));
}

std::string_view value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    auto line = next_line(text);
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    if (line.empty() || (line.front() != ':' && line.front() != ' ' && line.front() != '\t')) continue;
    const auto begin = line.find_first_not_of(": \t");
    return begin == line.npos ? std::string_view() : line.substr(begin);
  }
  return {};
}

bool write_text(const char* path, std::string_view text) {
  const Fd file(open(path, O_WRONLY | O_CLOEXEC));
  return file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace hotcell::agent
