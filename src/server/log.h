// What the service tells its operator: an object a line on standard error, and the last of them for `hotcell logs`.
// Never a program's text, its output, or a token.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hotcell::server {

enum class LogLevel { quiet, error, warn, info, debug };
LogLevel level_from(std::string_view name);  // "quiet" … "debug"; info for anything else

enum class LogForm {
  json,
  journal,  // JSON after the priority that systemd's journal takes off a line's beginning
  text,     // for people: "12:30:01.250 info  ready"
};
// What suits the descriptor: text on a terminal, journal where systemd says that it reads there, else JSON.
LogForm form_for(int fd);

// Thread-safe, as `write` has to be: it gets whole lines.
class Log {
 public:
  explicit Log(LogLevel level, std::function<void(std::string_view)> write = to_stderr, LogForm form = LogForm::json)
      : level_(level), form_(form), write_(std::move(write)) {}

  bool wants(LogLevel level) const { return level <= level_ && level != LogLevel::quiet; }
  void set_level(LogLevel level) { level_ = level; }
  using Fields = std::initializer_list<std::pair<const char*, nlohmann::ordered_json>>;
  void line(LogLevel level, std::string_view message, Fields fields = {});
  void error(std::string_view message, Fields fields = {}) { line(LogLevel::error, message, fields); }
  void warn(std::string_view message, Fields fields = {}) { line(LogLevel::warn, message, fields); }
  void info(std::string_view message, Fields fields = {}) { line(LogLevel::info, message, fields); }
  // Written whatever the level is: who asked for such lines wants all of them.
  void always(std::string_view message, Fields fields) { write(LogLevel::info, message, fields); }

  // The last lines, as JSON: those after number `after`, at most `most`, the latest. `next`: the number of the last.
  struct Recent {
    std::vector<std::string> lines;
    std::uint64_t next = 0;
  };
  Recent recent(std::uint64_t after, std::size_t most) const;

  static void to_stderr(std::string_view line);

 private:
  void write(LogLevel level, std::string_view message, Fields fields);

  std::atomic<LogLevel> level_;
  const LogForm form_;
  const std::function<void(std::string_view)> write_;
  mutable std::mutex mutex_;  // of the three below
  std::deque<std::string> kept_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t count_ = 0;  // of all lines ever
};

// A line of JSON as a person reads it. What is no such line stays as it is.
std::string log_line_as_text(std::string_view json);

}  // namespace hotcell::server
