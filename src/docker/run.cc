#include "docker/run.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/output_buffer.h"
#include "docker/order.h"
#include "docker/outcome.h"
#include "protocol/failures.h"

namespace hotcell::docker {
namespace {

using namespace protocol;
using agent::FrameType;

// An agent that is well takes what it is given as fast as it can be written.
constexpr double kSendSeconds = 60;
// After its time a program may tidy up, and then the agent kills, counts and answers.
constexpr double kReportSeconds = 4;
// From the report on, the files are read and sent.
constexpr double kFilesSeconds = 30;
// Who cancels does not wait for what the agent might still say.
constexpr double kCancelSeconds = 1;
constexpr std::size_t kErrEnd = 4096;

// One output stream as it comes in.
class Stream {
 public:
  Stream(protocol::Stream which, std::uint64_t limit, OutputSink* sink)
      : which_(which), limit_(limit), sink_(sink), kept_(limit) {}

  // False: the agent must not send so much.
  bool output(std::string_view bytes) {
    if (!everything_is_sent() && bytes.size() > limit_ - std::min(limit_, sent_)) return false;
    if (sink_ && sent_ < limit_) {
      const auto shown = bytes.substr(0, limit_ - sent_);
      sink_->output(which_, {shown.data(), shown.size()});
    }
    sent_ += bytes.size();
    kept_.write(bytes);
    remember(bytes);
    return true;
  }
  bool tail(std::string_view bytes) {
    if (everything_is_sent() || tail_.size() + bytes.size() > limit_ - limit_ / 2) return false;
    tail_ += bytes;
    remember(bytes);
    return true;
  }
  // The report says how much there was in all. False: that does not fit what has come.
  bool finish(const agent::Report::Stream& said) {
    if (said.sent != sent_ || said.tail != tail_.size() || said.total < sent_) return false;
    const auto beyond = said.total - sent_;
    if (beyond > 0 && (sent_ != limit_ || tail_.size() != std::min(beyond, limit_ - limit_ / 2))) return false;
    if (beyond == 0 && !tail_.empty()) return false;
    kept_.skip(beyond - tail_.size());
    kept_.write(tail_);
    return true;
  }
  Output take() {
    auto kept = kept_.take();
    return {std::move(kept.bytes), kept.total, kept.truncated};
  }
  const std::string& end() const { return end_; }

 private:
  bool everything_is_sent() const { return limit_ - limit_ / 2 > agent::kMaxTail; }
  void remember(std::string_view bytes) {
    end_ += bytes.substr(bytes.size() - std::min(bytes.size(), kErrEnd));
    if (end_.size() > kErrEnd) end_.erase(0, end_.size() - kErrEnd);
  }

  const protocol::Stream which_;
  const std::uint64_t limit_;
  OutputSink* const sink_;
  OutputBuffer kept_;
  std::uint64_t sent_ = 0;
  std::string tail_, end_;
};

// The files that a program left, as they come in.
class Files {
 public:
  explicit Files(const agent::Order& order)
      : most_files_(order.max_files),
        most_bytes_(order.files_bytes),
        most_names_(256ull * order.max_files + (1 << 20)) {}

  // False: too many, too large, or a name that leads elsewhere.
  bool add(const agent::FileOut& part) {
    if (!open_) {
      if (files_.size() >= most_files_ || part.path.size() > most_names_ || !stays_inside(part.path)) return false;
      most_names_ -= part.path.size();
      OutputFile file;
      file.path = part.path;
      file.change = part.change == agent::Change::modified  ? Change::modified
                    : part.change == agent::Change::deleted ? Change::deleted
                                                            : Change::created;
      file.size = part.size;
      file.content_left_out = part.left_out;
      files_.push_back(std::move(file));
    } else if (files_.back().path != part.path) {
      return false;
    }
    if (part.bytes.size() > most_bytes_) return false;
    most_bytes_ -= part.bytes.size();
    files_.back().content += part.bytes;
    open_ = !part.last;
    return true;
  }
  bool complete() const { return !open_; }
  std::vector<OutputFile> take() { return std::move(files_); }

 private:
  static bool stays_inside(std::string_view path) {
    if (path.empty() || path.front() == '/' || path.find('\0') != path.npos) return false;
    while (!path.empty()) {
      const auto name = path.substr(0, path.find('/'));
      if (name.empty() || name == "." || name == "..") return false;
      path.remove_prefix(std::min(path.size(), name.size() + 1));
    }
    return true;
  }

  std::size_t most_files_;
  std::uint64_t most_bytes_, most_names_;
  std::vector<OutputFile> files_;
  bool open_ = false;
};

// Standard input: bytes that came with the request, or a descriptor that is read as the program reads. Never more than
// the agent has room for.
class Feed {
 public:
  Feed(const Request& request, int live)
      : rest_(request.stdin_bytes ? std::string_view(*request.stdin_bytes) : std::string_view()), live_(live) {}

  // What may be sent before the program starts.
  std::string before_go() {
    credit_ = agent::kInputWindow;
    std::string out;
    if (live_ < 0) append(out);
    if (live_ >= 0) credit_ = 0;
    return out;
  }
  void allow(std::uint64_t bytes) { credit_ = std::min<std::uint64_t>(credit_ + bytes, 1u << 30); }
  // The descriptor to wait for, or -1.
  int wants() const { return live_ >= 0 && !ended_ && credit_ > 0 ? live_ : -1; }
  // What may be sent now; the descriptor is readable.
  void append_live(std::string& out) {
    char bytes[agent::kMaxChunk];
    const ssize_t got = read(live_, bytes, std::min<std::uint64_t>(sizeof bytes, credit_));
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    agent::Input input;
    input.eof = got <= 0;
    input.bytes = {bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    credit_ -= input.bytes.size();
    ended_ = input.eof;
    append_frame(out, FrameType::input, input.encode());
  }
  // The same for bytes that are here.
  void append(std::string& out) {
    if (live_ >= 0 || ended_) return;
    while (credit_ > 0 && !rest_.empty()) {
      agent::Input input;
      input.bytes = rest_.substr(0, std::min<std::uint64_t>(agent::kMaxChunk, credit_));
      rest_.remove_prefix(input.bytes.size());
      credit_ -= input.bytes.size();
      append_frame(out, FrameType::input, input.encode());
    }
    if (!rest_.empty()) return;
    agent::Input end;
    end.eof = ended_ = true;
    append_frame(out, FrameType::input, end.encode());
  }

 private:
  std::string_view rest_;
  const int live_;
  std::uint64_t credit_ = 0;
  bool ended_ = false;
};

class Conversation {
 public:
  Conversation(Cell& cell, const agent::Order& order, const Request& request, const Limits& limits, OutputSink* sink,
               const StopToken* stop)
      : cell_(cell),
        order_(order),
        request_(request),
        limits_(limits),
        stop_(stop),
        out_(protocol::Stream::out, *limits.output_bytes, sink),
        err_(protocol::Stream::err, *limits.output_bytes, sink),
        files_(order),
        feed_(request, order.live_input && sink ? sink->input_fd() : -1) {}

  Ran hold() {
    Ran ran;
    const int stop_fd = stop_ ? stop_->fd() : -1;
    const api::Until sending = api::Until::seconds(kSendSeconds, stop_fd);
    auto sent = send_order(cell_.channel(), order_, request_, sending);
    if (sent) {
      auto frames = feed_.before_go();
      agent::append_frame(frames, FrameType::go);
      sent = cell_.channel().send(frames, sending);
    }
    if (!sent) {
      ran.never_ran = sent.error().code == "cell_ended";
      ran.outcome = sent.error().code == "stopped" ? cancelled(limits_) : lost("cell", sent.error().message, limits_);
      return ran;
    }
    deadline_ = Deadline::after_seconds(request_.timeout_seconds + kReportSeconds);
    auto talked = talk(stop_fd);
    if (!talked) {
      ran.cell_ended = !stopping_ && talked.error().code == "cell_ended";
      ran.outcome = stopping_ ? cancelled(limits_) : lost("cell", talked.error().message, limits_);
    } else {
      ran.outcome = outcome_of(std::move(report_), request_, limits_, err_.end());
      ran.outcome.files = files_.take();
      ran.cell_is_well = ran.outcome.status != Status::sandbox_error && !stopping_;
    }
    ran.outcome.out = out_.take();
    ran.outcome.err = err_.take();
    return ran;
  }

 private:
  // Until `end`.
  Expected<void> talk(int stop_fd) {
    for (;;) {
      auto frame = cell_.channel().receive_now();
      if (!frame) return std::unexpected(frame.error());
      if (*frame) {
        if ((*frame)->type == FrameType::end && reported_ && files_.complete()) return {};
        if (auto heard = hear(**frame); !heard) return heard;
        if (deadline_.passed()) return fail("deadline", "it sends for ever");
        if (!(stop_fd >= 0 && stop_ && stop_->stopped())) continue;
      }
      if (!to_send_.empty()) {
        const auto sent = cell_.channel().send_some(to_send_);
        if (!sent) return std::unexpected(sent.error());
        to_send_.erase(0, *sent);
      }
      const int input = to_send_.empty() && !reported_ ? feed_.wants() : -1;
      pollfd waits[3] = {{cell_.channel().fd(), static_cast<short>(POLLIN | (to_send_.empty() ? 0 : POLLOUT)), 0},
                         {stop_fd, POLLIN, 0},
                         {input, POLLIN, 0}};
      if (poll(waits, 3, deadline_.poll_ms()) < 0 && errno != EINTR) return fail_errno("cannot wait for a cell");
      if (waits[1].revents) {
        stopping_ = true;
        stop_fd = -1;
        deadline_ = Deadline::after_seconds(kCancelSeconds);
        agent::append_frame(to_send_, FrameType::stop, agent::Stop{}.encode());
      } else if (waits[2].revents) {
        feed_.append_live(to_send_);
      } else if (!waits[0].revents && deadline_.passed()) {
        return fail("deadline", "it did not answer in time");
      }
    }
  }

  std::unexpected<Error> nonsense() { return fail("protocol", "it sent what it must not send"); }

  Expected<void> hear(const Channel::Frame& frame) {
    switch (frame.type) {
      case FrameType::output:
      case FrameType::tail: {
        const auto piece = agent::Output::decode(frame.payload);
        if (!piece || reported_ || (piece->stream != 1 && piece->stream != 2)) return nonsense();
        auto& stream = piece->stream == 1 ? out_ : err_;
        const bool fits = frame.type == FrameType::output ? stream.output(piece->bytes) : stream.tail(piece->bytes);
        return fits ? Expected<void>{} : nonsense();
      }
      case FrameType::want_input: {
        const auto more = agent::WantInput::decode(frame.payload);
        if (!more) return nonsense();
        feed_.allow(more->bytes);
        feed_.append(to_send_);
        return {};
      }
      case FrameType::report: {
        auto report = agent::Report::decode(frame.payload);
        if (!report || reported_ || !out_.finish(report->out) || !err_.finish(report->err)) return nonsense();
        report_ = std::move(*report);
        reported_ = true;
        if (!stopping_) deadline_ = Deadline::after_seconds(kFilesSeconds);
        return {};
      }
      case FrameType::file_out: {
        const auto part = agent::FileOut::decode(frame.payload);
        return part && reported_ && files_.add(*part) ? Expected<void>{} : nonsense();
      }
      case FrameType::fault: {
        const auto fault = agent::Fault::decode(frame.payload);
        return fault ? fail("protocol", "its agent could not go on: " + fault->sentence) : nonsense();
      }
      default:
        return nonsense();
    }
  }

  Cell& cell_;
  const agent::Order& order_;
  const Request& request_;
  const Limits& limits_;
  const StopToken* const stop_;
  Stream out_, err_;
  Files files_;
  Feed feed_;
  std::string to_send_;
  agent::Report report_;
  bool reported_ = false, stopping_ = false;
  Deadline deadline_ = Deadline::after_seconds(0);
};

}  // namespace

Ran run_in(Cell& cell, const agent::Order& order, const Request& request, const Limits& limits, OutputSink* sink,
           const StopToken* stop) {
  ++cell.runs;
  return Conversation(cell, order, request, limits, sink, stop).hold();
}

}  // namespace hotcell::docker
