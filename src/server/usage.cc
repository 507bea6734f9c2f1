#include "server/usage.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "protocol/json_reader.h"
#include "protocol/timestamp.h"

namespace hotcell::server {

namespace {

constexpr std::size_t kLargestFile = 8u << 20;
constexpr std::size_t kMostNames = 20'000;  // users of the unix socket come and go; beyond, they share one line
constexpr std::string_view kOthers = "others";

}  // namespace

std::shared_ptr<Usage> UsageBook::of(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (all_.size() >= kMostNames && !all_.contains(name)) name = kOthers;
  auto found = all_.find(name);
  if (found == all_.end()) found = all_.emplace(std::string(name), std::make_shared<Usage>()).first;
  return found->second;
}

Expected<void> UsageBook::load(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  auto text = read_file(file, kLargestFile);
  if (!text) return std::unexpected(text.error());
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object()) return fail("usage_damaged", file.string() + " is no JSON object: usage is counted from zero");
  for (const auto& [name, one] : json.items()) {
    if (!one.is_object()) continue;
    auto usage = of(name);
    const auto number = [&](const char* member) -> std::uint64_t {
      const auto at = one.find(member);
      return at != one.end() && at->is_number_unsigned() ? at->get<std::uint64_t>() : 0;
    };
    usage->runs = number("runs"), usage->refused = number("refused");
    usage->cpu_microseconds = number("cpu_microseconds"), usage->wall_microseconds = number("wall_microseconds");
    usage->last_use = static_cast<std::int64_t>(number("last_use"));
    const std::lock_guard lock(mutex_);
    saved_ += usage->runs + usage->refused;
  }
  return {};
}

Expected<void> UsageBook::save(const std::filesystem::path& file) {
  auto json = nlohmann::ordered_json::object();
  std::uint64_t happened = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, one] : all_) {
      happened += one->runs + one->refused;
      json[name] = {{"runs", one->runs.load()},
                    {"refused", one->refused.load()},
                    {"cpu_microseconds", one->cpu_microseconds.load()},
                    {"wall_microseconds", one->wall_microseconds.load()},
                    {"last_use", one->last_use.load()}};
    }
    if (happened == saved_) return {};
    saved_ = happened;
  }
  const auto text = protocol::dump(json) + "\n";
  return write_file_atomically(file, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, 0600);
}

std::vector<UsageBook::Line> UsageBook::lines() const {
  std::vector<Line> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, one] : all_) {
    const auto seconds = one->last_use.load();
    out.push_back({name, one->runs, one->refused, static_cast<double>(one->cpu_microseconds) / 1e6,
                   static_cast<double>(one->wall_microseconds) / 1e6,
                   seconds ? protocol::to_timestamp(std::chrono::system_clock::from_time_t(seconds)) : ""});
  }
  return out;
}

}  // namespace hotcell::server
