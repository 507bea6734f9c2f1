#include "server/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "protocol/json_reader.h"
#include "protocol/timestamp.h"

namespace hotcell::server {

namespace {

constexpr std::array kNames{"quiet", "error", "warn", "info", "debug"};
constexpr std::array kPriorities{"<7>", "<3>", "<4>", "<6>", "<7>"};  // syslog's
constexpr std::size_t kMostKept = 2000;
constexpr std::size_t kMostKeptBytes = 1u << 20;

}  // namespace

LogLevel level_from(std::string_view name) {
  const auto at = std::ranges::find(kNames, name, [](const char* one) { return std::string_view(one); });
  return at == kNames.end() ? LogLevel::info : static_cast<LogLevel>(at - kNames.begin());
}

LogForm form_for(int fd) {
  if (::isatty(fd)) return LogForm::text;
  struct stat at{};
  unsigned long device = 0, inode = 0;
  const char* journal = std::getenv("JOURNAL_STREAM");  // "device:inode" of what systemd has connected
  if (journal && std::sscanf(journal, "%lu:%lu", &device, &inode) == 2 && ::fstat(fd, &at) == 0 &&
      at.st_dev == device && at.st_ino == inode)
    return LogForm::journal;
  return LogForm::json;
}

void Log::line(LogLevel level, std::string_view message, Fields fields) {
  if (wants(level)) write(level, message, fields);
}

void Log::write(LogLevel level, std::string_view message, Fields fields) {
  const auto number = static_cast<std::size_t>(level);
  nlohmann::ordered_json json{{"time", protocol::to_timestamp(std::chrono::system_clock::now())},
                              {"level", kNames[number]},
                              {"message", message}};
  for (const auto& [name, value] : fields) json[name] = value;
  auto text = protocol::dump(json);
  switch (form_) {
    case LogForm::json:
      write_(text + "\n");
      break;
    case LogForm::journal:
      write_(kPriorities[number] + text + "\n");
      break;
    case LogForm::text:
      write_(log_line_as_text(text) + "\n");
      break;
  }
  const std::lock_guard lock(mutex_);
  ++count_;
  kept_bytes_ += text.size();
  kept_.push_back(std::move(text));
  while (kept_.size() > kMostKept || (kept_bytes_ > kMostKeptBytes && kept_.size() > 1)) {
    kept_bytes_ -= kept_.front().size();
    kept_.pop_front();
  }
}

Log::Recent Log::recent(std::uint64_t after, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  const auto first = count_ - kept_.size();  // lines that are gone
  const auto skip = std::min<std::uint64_t>(std::max(after, first) - first, kept_.size());
  const auto wanted = std::min<std::size_t>(most, kept_.size() - skip);
  return {{kept_.end() - static_cast<std::ptrdiff_t>(wanted), kept_.end()}, count_};
}

void Log::to_stderr(std::string_view line) {
  // One write, so that lines of several threads do not mix; a reader that is gone is no reason to stop serving.
  [[maybe_unused]] const auto written = ::write(2, line.data(), line.size());
}

std::string log_line_as_text(std::string_view line) {
  const auto json = nlohmann::ordered_json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("message")) return std::string(line);
  const auto time = json.value("time", std::string());  // "2026-11-27T12:30:01.250Z"
  auto level = json.value("level", std::string());
  level.resize(5, ' ');
  auto out = (time.size() > 12 ? time.substr(11, time.size() - 12) : time) + " " + level + " " +
             json.value("message", std::string());
  for (const auto& [name, value] : json.items()) {
    if (name == "time" || name == "level" || name == "message") continue;
    out += " " + name + "=";
    const bool plain =
        value.is_string() && value.get_ref<const std::string&>().find_first_of(" \"=\n\r\t\x1b") == std::string::npos;
    out += plain ? value.get<std::string>() : protocol::dump(value);
  }
  return out;
}

}  // namespace hotcell::server
