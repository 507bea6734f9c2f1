// hotcell status, logs and drain: looking after a service that runs.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/service_client.h"
#include "cli/terminal.h"
#include "protocol/json_reader.h"
#include "server/log.h"

namespace hotcell::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kConnect{5};
constexpr int kEveryMs = 1000;
constexpr double kToRemoveContainers = 180;  // beyond the time that it drains

struct OperateFlags {
  std::string url;
  bool json = false, watch = false, follow = false, no_wait = false;
  unsigned lines = 100;
};

// Text that others had a hand in, for a terminal: no control characters.
std::string tame(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

std::string text_of(const Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_string() ? tame(at->get<std::string>()) : std::string();
}
double number_of(const Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_number() ? at->get<double>() : 0;
}
const Json& member(const Json& json, const char* name) {
  static const Json none = Json::object();
  const auto at = json.find(name);
  return at != json.end() && (at->is_object() || at->is_array()) ? *at : none;
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

std::string time_text(double seconds) {
  if (seconds < 0.001) return format("%.0f us", seconds * 1e6);
  if (seconds < 1) return format("%.1f ms", seconds * 1e3);
  if (seconds < 120) return format("%.1f s", seconds);
  if (seconds < 7200) return format("%.0f min", seconds / 60);
  if (seconds < 48 * 3600) return format("%.0f h", seconds / 3600);
  return format("%.0f days", seconds / 86400);
}

// "12:30:01" of a timestamp.
std::string clock_text(const std::string& timestamp) {
  return timestamp.size() > 19 ? timestamp.substr(11, 8) : timestamp;
}

std::string engine_text(const Json& engine) {
  const auto& at = engine.find("ready");
  const bool ready = at != engine.end() && at->is_boolean() && at->get<bool>();
  auto out = format("  %-8s%-9s", text_of(engine, "name").c_str(), ready ? "ready" : "DOWN");
  if (!ready) return out + text_of(engine, "why_not") + "\n";
  std::string cells;
  for (const auto& [name, count] : member(engine, "cells").items())
    if (count.is_number_unsigned() && (count.get<std::uint64_t>() > 0 || name == "ready"))
      cells += (cells.empty() ? "" : ", ") + std::to_string(count.get<std::uint64_t>()) + " " + name;
  out += format("%-40s", cells.c_str());
  const auto& lately = member(engine, "last_minute");
  if (number_of(lately, "runs") > 0)
    out +=
        format("  p50 %s, p95 %s, p99 %s, longest %s", time_text(number_of(lately, "p50_seconds")).c_str(),
               time_text(number_of(lately, "p95_seconds")).c_str(), time_text(number_of(lately, "p99_seconds")).c_str(),
               time_text(number_of(lately, "longest_seconds")).c_str());
  return out + "\n";
}

std::string status_text(const Json& status) {
  const auto& queue = member(status, "queue");
  const auto& programs = member(status, "programs");
  const auto& minute = member(programs, "last_minute");
  auto out = format("hotcell %s  %s  pid %.0f  up %s  %.0f connections  %.0f MiB\n\n",
                    text_of(status, "version").c_str(), text_of(status, "phase").c_str(), number_of(status, "pid"),
                    time_text(number_of(status, "uptime_seconds")).c_str(), number_of(status, "connections"),
                    number_of(member(status, "memory"), "resident_bytes") / 1048576);
  out += "engines\n";
  for (const auto& engine : member(status, "engines")) out += engine_text(engine);
  out += format("\nqueue     %.0f of %.0f running, %.0f of %.0f waiting\n", number_of(queue, "running"),
                number_of(queue, "max_running"), number_of(queue, "waiting"), number_of(queue, "max_waiting"));
  out += format("programs  %.1f a second; last minute %.0f, %.0f failed, %.0f refused; in all %.0f, %.0f, %.0f\n",
                number_of(programs, "runs_per_second"), number_of(minute, "runs"), number_of(minute, "failed"),
                number_of(minute, "refused"), number_of(programs, "runs"), number_of(programs, "failed"),
                number_of(programs, "refused"));
  constexpr std::size_t kMostTenants = 8, kMostFailures = 10;
  const auto& tenants = member(status, "tenants");
  if (!tenants.empty())
    out += format("\n%-20s  %10s  %8s  %12s  %s\n", "tenant", "runs", "refused", "cpu seconds", "last use");
  std::size_t shown = 0;
  for (const auto& one : tenants) {
    if (shown++ == kMostTenants) break;
    out +=
        format("%-20s  %10.0f  %8.0f  %12.1f  %s\n", text_of(one, "name").c_str(), number_of(one, "runs"),
               number_of(one, "refused"), number_of(one, "cpu_seconds"), clock_text(text_of(one, "last_use")).c_str());
  }
  const auto& failures = member(status, "failures");
  if (!failures.empty()) out += "\nlast failures\n";
  shown = 0;
  for (const auto& one : failures) {
    if (shown++ == kMostFailures) break;
    out += format("  %s  %-16s  %-10s  %-6s  %-14s  %s\n", clock_text(text_of(one, "at")).c_str(),
                  text_of(one, "tenant").c_str(), text_of(one, "language").c_str(), text_of(one, "engine").c_str(),
                  text_of(one, "code").c_str(), text_of(one, "message").c_str());
  }
  return out;
}

// As much of it as the terminal has room for, over what was there.
std::string as_screen(const std::string& text) {
  winsize size{};
  if (ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) size.ws_row = 24, size.ws_col = 80;
  std::string out = "\x1b[H";
  std::string_view rest = text;
  for (unsigned row = 1; row < size.ws_row && !rest.empty(); ++row) {
    const auto end = std::min(rest.find('\n'), rest.size());
    out += rest.substr(0, std::min<std::size_t>(end, size.ws_col));
    out += "\x1b[K\r\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out + "\x1b[J";
}

Expected<Json> fetch(const OperateFlags& flags, std::string_view method, std::string_view path) {
  auto service = connect_service(flags.url, Deadline::after(kConnect));
  if (!service) return std::unexpected(service.error());
  return ask(*service, method, path);
}

bool wait_a_second(const protocol::StopToken& stop) {
  pollfd wait{stop.fd(), POLLIN, 0};
  poll(&wait, 1, kEveryMs);
  return !stop.stopped();
}

int show_status(const OperateFlags& flags) {
  auto status = fetch(flags, "GET", "/v1/service");
  if (!status) return complain(status.error());
  if (flags.json) {
    put(1, protocol::dump(*status) + "\n");
    return 0;
  }
  if (!flags.watch || !isatty(1)) {
    put(1, status_text(*status));
    return 0;
  }
  const auto& stop = stop_on_signals();
  put(1, "\x1b[?1049h\x1b[?25l");  // a screen of its own, without a cursor
  do {
    put(1, as_screen(status ? status_text(*status) : "hotcell: " + tame(status.error().message) + "\n"));
    status = fetch(flags, "GET", "/v1/service");
  } while (wait_a_second(stop));
  put(1, "\x1b[?25h\x1b[?1049l");
  return 0;
}

int show_logs(const OperateFlags& flags) {
  const auto& stop = stop_on_signals();
  std::uint64_t after = 0;
  auto lines = flags.lines;
  do {
    const auto answer =
        fetch(flags, "GET", "/v1/logs?after=" + std::to_string(after) + "&limit=" + std::to_string(lines));
    if (!answer) return complain(answer.error());
    for (const auto& line : member(*answer, "lines")) {
      const auto text = protocol::dump(line);
      put(1, (flags.json ? text : tame(server::log_line_as_text(text))) + "\n");
    }
    after = static_cast<std::uint64_t>(number_of(*answer, "next"));
    lines = 2000;
  } while (flags.follow && wait_a_second(stop));
  return 0;
}

// Waits until a process of this machine is gone. False: it was not waited for.
bool wait_for_process(pid_t pid, Deadline deadline, const protocol::StopToken& stop) {
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return errno == ESRCH;
  pollfd wait[] = {{process.get(), POLLIN, 0}, {stop.fd(), POLLIN, 0}};
  while (poll(wait, 2, deadline.poll_ms()) < 0 && errno == EINTR) continue;
  return wait[0].revents != 0;
}

int drain(const OperateFlags& flags) {
  const auto& stop = stop_on_signals();
  const auto answer = fetch(flags, "POST", "/v1/drain");
  if (!answer) return complain(answer.error());
  const auto seconds = number_of(*answer, "drain_seconds");
  const bool here = flags.url.empty() || flags.url.starts_with("unix:") || flags.url.starts_with("/");
  if (flags.no_wait || !here) {
    std::printf("draining: it ends when its programs have, after %.0f seconds at the latest\n", seconds);
    return 0;
  }
  const auto deadline = Deadline::after_seconds(seconds + kToRemoveContainers);
  if (!wait_for_process(static_cast<pid_t>(number_of(*answer, "pid")), deadline, stop))
    return complain({"cancelled", "the service is still draining", "it goes on by itself"});
  std::printf("drained: the service has ended\n");
  return 0;
}

}  // namespace

void add_operate(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<OperateFlags>();
  const auto add = [&](const char* name, const char* help, int (*run)(const OperateFlags&)) {
    auto* command = app.add_subcommand(name, help);
    add_url_option(*command, flags->url);
    command->callback([&commands, flags, run] { commands.action = [flags, run] { return run(*flags); }; });
    return command;
  };
  auto* status = add("status", "Show how a service is: engines, queue, rates, latencies, last failures", show_status);
  status->add_flag("--json", flags->json, "as JSON");
  status->add_flag("-w,--watch", flags->watch, "again every second, on a terminal");
  auto* logs = add("logs", "Show the last lines of a service's log", show_logs);
  logs->add_option("-n,--lines", flags->lines, "how many")->check(CLI::Range(1, 2000));
  logs->add_flag("-f,--follow", flags->follow, "and those that come");
  logs->add_flag("--json", flags->json, "as they were written");
  auto* draining = add("drain", "Let a service finish what it runs, take nothing new, and end", drain);
  draining->add_flag("--no-wait", flags->no_wait, "do not wait for the end");
}

}  // namespace hotcell::cli
