#include "wasi/wire.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"

namespace hotcell::wasi {
namespace {

struct Header {
  std::uint32_t length;
  std::uint8_t type;
  std::uint8_t zero[3];
};

constexpr std::size_t kKeptBuffer = 64u << 10;
constexpr std::size_t kMostAtOnce = 1u << 20;

void put_list(ByteWriter& out, const std::vector<std::string_view>& list) {
  out.put<std::uint32_t>(static_cast<std::uint32_t>(list.size()));
  for (const auto item : list) out.put_bytes(item);
}

std::vector<std::string_view> get_list(ByteReader& in) {
  std::vector<std::string_view> out(in.get_count(4));
  for (auto& item : out) item = in.get_bytes();
  return out;
}

void put_stream(ByteWriter& out, const Report::Stream& stream) {
  out.put_bytes(stream.bytes);
  out.put(stream.total);
  out.put(stream.truncated);
}

Report::Stream get_stream(ByteReader& in) {
  Report::Stream out;
  out.bytes = in.get_bytes();
  out.total = in.get<std::uint64_t>();
  out.truncated = in.get<std::uint8_t>() != 0;
  return out;
}

}  // namespace

std::string Order::encode() const {
  ByteWriter out;
  out.put_bytes(image);
  out.put_bytes(module_key);
  for (const bool flag : {stream, fs_readonly, allow_clock, allow_random, collect_changed, live_input, leave,
                          seed.has_value(), start_time.has_value()})
    out.put<std::uint8_t>(flag);
  out.put(seed.value_or(0));
  out.put(start_time.value_or(0));
  for (const auto number :
       {timeout_ns, cpu_ns, memory_bytes, disk_bytes, output_bytes, result_bytes, files_bytes, inline_bytes, fuel})
    out.put(number);
  out.put(max_files);
  out.put(table_elements);
  out.put_bytes(code);
  out.put_bytes(stdin_bytes);
  put_list(out, args);
  put_list(out, env);
  out.put<std::uint32_t>(static_cast<std::uint32_t>(files.size()));
  for (const auto& file : files) {
    out.put_bytes(file.path);
    out.put_bytes(file.content);
    out.put(file.mode);
    out.put<std::uint8_t>(file.directory);
  }
  put_list(out, collect);
  put_list(out, host_dirs);
  out.put_bytes(packages_at);
  out.put_bytes(packages_key);
  return std::move(out.bytes());
}

std::optional<Order> Order::decode(std::string_view payload) {
  ByteReader in(payload);
  Order out;
  out.image = in.get_bytes();
  out.module_key = in.get_bytes();
  bool has_seed = false, has_start = false;
  for (bool* flag : {&out.stream, &out.fs_readonly, &out.allow_clock, &out.allow_random, &out.collect_changed,
                     &out.live_input, &out.leave, &has_seed, &has_start})
    *flag = in.get<std::uint8_t>() != 0;
  const auto seed = in.get<std::uint64_t>();
  const auto start = in.get<double>();
  if (has_seed) out.seed = seed;
  if (has_start) out.start_time = start;
  for (auto* number : {&out.timeout_ns, &out.cpu_ns, &out.memory_bytes, &out.disk_bytes, &out.output_bytes,
                       &out.result_bytes, &out.files_bytes, &out.inline_bytes, &out.fuel})
    *number = in.get<std::uint64_t>();
  out.max_files = in.get<std::uint32_t>();
  out.table_elements = in.get<std::uint32_t>();
  out.code = in.get_bytes();
  out.stdin_bytes = in.get_bytes();
  out.args = get_list(in);
  out.env = get_list(in);
  out.files.resize(in.get_count(13));
  for (auto& file : out.files) {
    file.path = in.get_bytes();
    file.content = in.get_bytes();
    file.mode = in.get<std::uint32_t>();
    file.directory = in.get<std::uint8_t>() != 0;
  }
  out.collect = get_list(in);
  out.host_dirs = get_list(in);
  out.packages_at = in.get_bytes();
  out.packages_key = in.get_bytes();
  if (!in.finished() || out.host_dirs.size() > kMaxHostDirectories) return std::nullopt;
  return out;
}

std::string Report::encode() const {
  ByteWriter bytes;
  bytes.put(fate);
  bytes.put(exit_code);
  bytes.put(signal);
  for (const bool flag : {growth_refused, disk_refused, result_cut, recycle, uncaught}) bytes.put<std::uint8_t>(flag);
  bytes.put(beyond);
  for (const auto* text : {&trap, &error_name, &error_message, &error_traceback}) bytes.put_bytes(*text);
  bytes.put(error_line);
  put_stream(bytes, out);
  put_stream(bytes, err);
  bytes.put<std::uint32_t>(static_cast<std::uint32_t>(files.size()));
  for (const auto& file : files) {
    bytes.put_bytes(file.path);
    bytes.put(file.change);
    bytes.put(file.size);
    bytes.put<std::uint8_t>(file.left_out);
    bytes.put_bytes(file.content);
  }
  for (const auto number : {wall_ns, cpu_ns, reset_ns, memory_peak, fuel_used}) bytes.put(number);
  bytes.put(dirty_pages);
  return std::move(bytes.bytes());
}

std::optional<Report> Report::decode(std::string_view payload) {
  ByteReader in(payload);
  Report report;
  report.fate = in.get<Fate>();
  report.exit_code = in.get<std::int32_t>();
  report.signal = in.get<std::int32_t>();
  for (bool* flag :
       {&report.growth_refused, &report.disk_refused, &report.result_cut, &report.recycle, &report.uncaught})
    *flag = in.get<std::uint8_t>() != 0;
  report.beyond = in.get<std::uint8_t>();
  for (auto* text : {&report.trap, &report.error_name, &report.error_message, &report.error_traceback})
    *text = in.get_bytes();
  report.error_line = in.get<std::uint32_t>();
  report.out = get_stream(in);
  report.err = get_stream(in);
  report.files.resize(in.get_count(18));
  for (auto& file : report.files) {
    file.path = in.get_bytes();
    file.change = in.get<std::uint8_t>();
    file.size = in.get<std::uint64_t>();
    file.left_out = in.get<std::uint8_t>() != 0;
    file.content = in.get_bytes();
    if (file.change > 2) return std::nullopt;
  }
  for (auto* number : {&report.wall_ns, &report.cpu_ns, &report.reset_ns, &report.memory_peak, &report.fuel_used})
    *number = in.get<std::uint64_t>();
  report.dirty_pages = in.get<std::uint32_t>();
  if (!in.finished() || report.fate > Fate::host_failed) return std::nullopt;
  return report;
}

std::string HostQuestion::encode() const {
  ByteWriter bytes;
  bytes.put(what);
  bytes.put(directory);
  bytes.put_bytes(path);
  return std::move(bytes.bytes());
}

std::optional<HostQuestion> HostQuestion::decode(std::string_view payload) {
  ByteReader in(payload);
  HostQuestion question;
  question.what = in.get<What>();
  question.directory = in.get<std::uint8_t>();
  question.path = in.get_bytes();
  if (!in.finished() || question.what > What::list || question.path.find('\0') != question.path.npos)
    return std::nullopt;
  return question;
}

std::string HostAnswer::encode() const {
  ByteWriter bytes;
  bytes.put(error);
  bytes.put(type);
  for (const auto number : {size, atim, mtim, ctim}) bytes.put(number);
  bytes.put_bytes(target);
  bytes.put<std::uint32_t>(static_cast<std::uint32_t>(names.size()));
  for (const auto& name : names) bytes.put_bytes(name);
  return std::move(bytes.bytes());
}

std::optional<HostAnswer> HostAnswer::decode(std::string_view payload) {
  ByteReader in(payload);
  HostAnswer answer;
  answer.error = in.get<std::uint16_t>();
  answer.type = in.get<std::uint8_t>();
  for (auto* number : {&answer.size, &answer.atim, &answer.mtim, &answer.ctim}) *number = in.get<std::uint64_t>();
  answer.target = in.get_bytes();
  answer.names.resize(in.get_count(4));
  for (auto& name : answer.names) name = in.get_bytes();
  return in.finished() ? std::optional(std::move(answer)) : std::nullopt;
}

Expected<std::pair<Channel, Channel>> Channel::pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return fail_errno("cannot make a socket pair");
  return std::pair(Channel(Fd(ends[0])), Channel(Fd(ends[1])));
}

Expected<void> Channel::send(FrameType type, std::string_view payload, std::vector<int> descriptors,
                             std::optional<Deadline> deadline) {
  Header header{static_cast<std::uint32_t>(payload.size()), static_cast<std::uint8_t>(type), {}};
  iovec parts[2] = {{&header, sizeof header}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
  if (!descriptors.empty()) {
    if (descriptors.size() > kMaxDescriptors) return fail("internal", "too many descriptors for one frame");
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(head), descriptors.data(), descriptors.size() * sizeof(int));
  }
  while (message.msg_iovlen > 0) {
    ssize_t sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | (deadline ? MSG_DONTWAIT : 0));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN && deadline) {
      pollfd wait{socket_.get(), POLLOUT, 0};
      if (deadline->passed()) return fail("deadline", "the other side does not read");
      poll(&wait, 1, deadline->poll_ms());
      continue;
    }
    if (sent < 0) return fail("peer_lost", std::string("the other side is gone: ") + strerrordesc_np(errno));
    message.msg_control = nullptr;  // the descriptors went with the first byte
    message.msg_controllen = 0;
    while (message.msg_iovlen > 0 && static_cast<std::size_t>(sent) >= message.msg_iov->iov_len) {
      sent -= static_cast<ssize_t>(message.msg_iov->iov_len);
      ++message.msg_iov;
      --message.msg_iovlen;
    }
    if (message.msg_iovlen > 0) {
      message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + sent;
      message.msg_iov->iov_len -= static_cast<std::size_t>(sent);
    }
  }
  return {};
}

Expected<void> Channel::fill(std::size_t want, std::optional<Deadline> deadline, int stop_fd,
                             std::vector<Fd>& descriptors) {
  bool late = false;
  while (buffer_.size() - consumed_ < want) {
    if (deadline || stop_fd >= 0) {
      pollfd waits[2] = {{socket_.get(), POLLIN, 0}, {stop_fd, POLLIN, 0}};
      const int ready = poll(waits, stop_fd >= 0 ? 2 : 1, deadline ? deadline->poll_ms() : -1);
      if (ready < 0 && errno == EINTR) continue;
      if (ready < 0) return fail_errno("poll failed");
      // What has come in time is read even if we look too late; a peer that never stops sending gets no more than that.
      const bool passed = deadline && deadline->passed();
      if (passed && (ready == 0 || late)) return fail("deadline", "no answer in time");
      late = passed;
      if (waits[1].revents) return fail("stopped", "told to stop");
      if (waits[0].revents == 0) continue;
    }
    trim();
    if (consumed_ > kMostAtOnce) {  // a stream of frames never ends exactly where a read ends
      buffer_.erase(0, consumed_);
      consumed_ = 0;
    }
    const std::size_t old = buffer_.size();
    const std::size_t room = std::max<std::size_t>(4096, std::min(want - (old - consumed_), kMostAtOnce));
    buffer_.resize(old + room);
    iovec part{buffer_.data() + old, room};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    buffer_.resize(old + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail("peer_lost", "the other side closed the connection");
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
      if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof fd);
        Fd taken(fd);  // closes what nobody asked for: a frame that comes in many parts may bring some with each
        if (descriptors.size() < kMaxDescriptors) descriptors.push_back(std::move(taken));
      }
    }
  }
  return {};
}

void Channel::trim() {
  if (consumed_ != buffer_.size()) return;
  buffer_.clear();
  if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
  consumed_ = 0;
}

bool Channel::quiet() const {
  pollfd wait{socket_.get(), POLLIN | POLLRDHUP, 0};
  return consumed_ == buffer_.size() && poll(&wait, 1, 0) == 0;
}

bool Channel::wait(std::chrono::milliseconds time) const {
  pollfd wait{socket_.get(), POLLIN | POLLRDHUP, 0};
  return consumed_ != buffer_.size() || poll(&wait, 1, static_cast<int>(time.count())) != 0;
}

Expected<Channel::Frame> Channel::receive(std::optional<Deadline> deadline, int stop_fd, std::size_t cap) {
  Frame frame{};
  if (auto got = fill(sizeof(Header), deadline, stop_fd, frame.descriptors); !got) return std::unexpected(got.error());
  Header header;
  std::memcpy(&header, buffer_.data() + consumed_, sizeof header);
  if (header.length > cap) return fail("protocol", "a frame is longer than allowed");
  // From here on the frame is on its way: a stop request must not tear it apart.
  if (auto got = fill(sizeof header + header.length, deadline, -1, frame.descriptors); !got)
    return std::unexpected(got.error());
  frame.type = static_cast<FrameType>(header.type);
  frame.payload = std::string_view(buffer_).substr(consumed_ + sizeof header, header.length);
  consumed_ += sizeof header + header.length;
  return frame;
}

}  // namespace hotcell::wasi
