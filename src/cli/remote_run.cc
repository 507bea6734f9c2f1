#include "cli/remote_run.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "cli/service_client.h"
#include "protocol/events.h"
#include "protocol/json_reader.h"
#include "protocol/request_json.h"
#include "protocol/result_json.h"
#include "protocol/utf8.h"

namespace hotcell::cli {

using namespace protocol;

namespace {

constexpr std::size_t kLargestInput = 16u << 20;
constexpr std::size_t kLargestRequest = 40u << 20;   // of what goes into it; as JSON it may be half as much again
constexpr std::size_t kLongestEvent = 400u << 20;    // the last one carries the files
constexpr std::chrono::milliseconds kConnect{1000};  // a service at a local socket, or nothing
constexpr double kAllowance = 120;                   // for the queue, packages, the cell, beside the program's own time

// The service's door takes files below /workspace, texts in UTF-8, and no empty folders.
bool can_travel(const Request& request) {
  std::size_t bytes = request.code.value_or("").size() + request.stdin_bytes.value_or("").size();
  if (request.wasm) bytes += request.wasm->bytes.size();
  std::vector<std::string_view> texts;
  if (request.code) texts.push_back(*request.code);
  for (const auto& word : request.args) texts.push_back(word);
  if (request.argv)
    for (const auto& word : *request.argv) texts.push_back(word);
  for (const auto& [name, value] : request.env) texts.insert(texts.end(), {name, value});
  for (const auto& file : request.files) {
    bytes += file.content.size();
    texts.push_back(file.path);
    if (file.path.starts_with('/') && !file.path.starts_with("/workspace/")) return false;
    const auto inside = [&](const InputFile& other) {
      return !other.directory && other.path.starts_with(file.path + "/");
    };
    if (file.directory && std::ranges::none_of(request.files, inside)) return false;
  }
  return bytes <= kLargestRequest && std::ranges::all_of(texts, is_valid_utf8);
}

std::string body_of(Request request) {
  std::erase_if(request.files, [](const InputFile& file) { return file.directory; });
  request.collect.inline_bytes = std::min(request.collect.inline_bytes, std::uint64_t{1} << 40);
  return dump(to_json(request));
}

// Cancels the execution at its service when the user asks for it; the result comes as it always does.
class Canceller {
 public:
  Canceller(const std::string& url, const StopToken& stop)
      : thread_([this, &url, &stop](std::stop_token over) { work(url, stop, over); }) {}
  void know(std::string id) {
    const std::lock_guard lock(mutex_);
    id_ = std::move(id);
  }

 private:
  void work(const std::string& url, const StopToken& stop, const std::stop_token& over) {
    constexpr int kLookMs = 50;
    bool sent = false;
    while (!over.stop_requested() && !sent) {
      pollfd wait{stop.fd(), POLLIN, 0};
      poll(&wait, 1, kLookMs);
      if (!stop.stopped()) continue;
      std::string id;
      {
        const std::lock_guard lock(mutex_);
        id = id_;
      }
      if (id.empty()) {  // not accepted yet
        poll(nullptr, 0, kLookMs);
        continue;
      }
      if (auto service = connect_service(url, Deadline::after(kConnect)))
        sent = ask(*service, "POST", "/v1/executions/" + id + "/cancel").has_value();
    }
  }

  std::mutex mutex_;
  std::string id_;
  std::jthread thread_;
};

// The events of one run, put together again.
class Listener {
 public:
  Listener(OutputSink& sink, Canceller& canceller) : sink_(sink), canceller_(canceller) {}

  // A piece of the stream; false ends it.
  bool take(std::string_view bytes) {
    buffer_ += bytes;
    std::size_t at = 0;
    for (auto stop = buffer_.find('\n', searched_); stop != buffer_.npos; stop = buffer_.find('\n', at)) {
      line(std::string_view(buffer_).substr(at, stop - at));
      at = stop + 1;
    }
    buffer_.erase(0, at);
    searched_ = buffer_.size();
    return buffer_.size() <= kLongestEvent;
  }

  std::optional<event::End> end;
  std::string out, err;

 private:
  void line(std::string_view text) {
    auto event = event_from_line(text);
    if (!event) return;  // of a later version
    if (auto* accepted = std::get_if<event::Accepted>(&event->what)) {
      canceller_.know(accepted->id);
    } else if (auto* started = std::get_if<event::Started>(&event->what)) {
      sink_.started(started->engine, started->start);
    } else if (auto* output = std::get_if<event::Output>(&event->what)) {
      (output->stream == Stream::out ? out : err) += output->bytes;
      sink_.output(output->stream, {output->bytes.data(), output->bytes.size()});
    } else if (auto* over = std::get_if<event::End>(&event->what)) {
      end = std::move(*over);
    }
  }

  OutputSink& sink_;
  Canceller& canceller_;
  std::string buffer_;
  std::size_t searched_ = 0;
};

// The stream carries the output up to its limit; of more than that the beginning and the end are kept in the result.
void fill_output(HttpClient& service, Result& result, Listener& heard) {
  auto& outcome = result.outcome;
  outcome.out.bytes = std::move(heard.out);
  outcome.err.bytes = std::move(heard.err);
  if (!outcome.out.truncated && !outcome.err.truncated) return;
  service.accept.clear();
  const auto answer = service.send("GET", "/v1/executions/" + result.id, "", Deadline::after(std::chrono::seconds(30)));
  if (!answer || answer->status != 200) return;
  auto whole = result_from_json(answer->body);
  if (!whole) return;
  if (outcome.out.truncated) outcome.out.bytes = std::move(whole->outcome.out.bytes);
  if (outcome.err.truncated) outcome.err.bytes = std::move(whole->outcome.err.bytes);
}

// A service that is ending, or that does not want us, is none: the run goes on here.
bool is_no_service(const Error& problem) {
  return problem.code == "draining" || problem.code == "unauthenticated" || problem.code == "forbidden";
}

}  // namespace

std::optional<std::string> finished_input(int fd) {
  struct stat at{};
  if (::fstat(fd, &at) != 0) return std::string();  // closed
  if (S_ISCHR(at.st_mode) && at.st_rdev == makedev(1, 3)) return std::string();
  if (S_ISREG(at.st_mode)) {
    if (::lseek(fd, 0, SEEK_CUR) != 0 || static_cast<std::size_t>(at.st_size) > kLargestInput) return std::nullopt;
  } else if (S_ISFIFO(at.st_mode)) {
    pollfd look{fd, POLLIN, 0};
    if (::poll(&look, 1, 0) < 0 || !(look.revents & POLLHUP)) return std::nullopt;
  } else {
    return std::nullopt;
  }
  auto all = read_all(fd, kLargestInput, "standard input");
  return all ? std::optional(std::move(*all)) : std::nullopt;
}

std::optional<Expected<Result>> run_remotely(Request& request, const std::string& url, OutputSink& sink,
                                             const StopToken& stop) {
  auto service = connect_service(url, Deadline::after(kConnect));
  if (!service) {
    if (service.error().code == "no_service") return std::nullopt;
    return std::unexpected(service.error());
  }
  const bool must = !url.empty();
  if (!can_travel(request))
    return must ? std::optional<Expected<Result>>(fail("unsupported_by_engine", "this run does not fit a request",
                                                       "text that is not UTF-8, empty folders, files outside "
                                                       "/workspace, or too much of them: run it with --embedded"))
                : std::nullopt;
  if (const int fd = sink.input_fd(); !request.stdin_bytes && fd >= 0) {
    auto input = finished_input(fd);
    if (!input && !must) return std::nullopt;
    if (!input) {
      auto all = read_all(fd, kLargestInput, "standard input");
      if (!all) return std::unexpected(all.error());
      input = std::move(*all);
    }
    request.stdin_bytes = std::move(*input);
  }
  Canceller canceller(url, stop);
  Listener heard(sink, canceller);
  service->accept = "application/x-ndjson";
  const auto deadline = Deadline::after_seconds(request.timeout_seconds + kAllowance);
  const auto answer = service->send("POST", "/v1/execute?output=base64", body_of(request), deadline,
                                    [&](std::string_view piece) { return heard.take(piece); });
  if (!answer) return std::unexpected(answer.error());
  if (answer->status / 100 != 2) {
    auto problem = error_of(*answer);
    if (is_no_service(problem) && !must) return std::nullopt;
    return std::unexpected(std::move(problem));
  }
  if (!heard.end) return fail("service_lost", "the service ended the answer before the result", "see its log");
  if (auto* problem = std::get_if<Problem>(&heard.end->how)) return std::unexpected(error_from(*problem));
  auto result = std::get<Result>(std::move(heard.end->how));
  for (auto& file : result.outcome.files) {  // what only a service has, since it keeps them
    file.url.clear();
    if (file.content_left_out) file.sha256.clear();
  }
  fill_output(*service, result, heard);
  return result;
}

}  // namespace hotcell::cli
