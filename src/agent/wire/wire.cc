#include "agent/wire/wire.h"

#include <algorithm>

#include "agent/wire/fields.h"

namespace hotcell::agent {
namespace {

constexpr std::size_t kMaxSentence = 4096;
constexpr std::size_t kMaxName = 1024;  // of what Facts lists
constexpr std::size_t kMaxOptions = 8192;

// A message to be written is const, one to be read is not.
template <class T, class Message>
concept Of = std::is_same_v<std::remove_const_t<T>, Message>;

template <class Archive>
void strings(Archive& a, auto& list, std::size_t count, std::size_t each) {
  a.list(list, count, 4, [&](auto& item) { a.text(item, each); });
}

template <class Archive>
void fields(Archive& a, Of<Hello> auto& m) {
  a.number(m.version);
  strings(a, m.probes, kMaxFacts, kMaxName);
}

template <class Archive>
void fields(Archive& a, Of<Warm> auto& m) {
  a.choice(m.language, Language::bash);
  strings(a, m.modules, kMaxStrings, kMaxName);
}

template <class Archive>
void fields(Archive& a, Of<Order> auto& m) {
  a.choice(m.language, Language::bash);
  a.text(m.program, kMaxPath);
  strings(a, m.args, kMaxStrings, kMaxString);
  strings(a, m.env, kMaxStrings, kMaxString);
  a.flag(m.clear_env);
  strings(a, m.prepend, kMaxStrings, kMaxString);
  strings(a, m.links, kMaxStrings, kMaxString);
  a.text(m.cwd, kMaxPath);
  a.flag(m.live_input);
  a.flag(m.collect_changed);
  strings(a, m.collect, kMaxStrings, kMaxPath);
  for (auto* number : {&m.timeout_ns, &m.cpu_ns, &m.grace_ns, &m.output_bytes, &m.files_bytes, &m.inline_bytes})
    a.number(*number);
  a.number(m.max_files);
}

template <class Archive>
void fields(Archive& a, Of<FileIn> auto& m) {
  a.text(m.path, kMaxPath);
  a.number(m.mode);
  for (auto* flag : {&m.directory, &m.first, &m.last}) a.flag(*flag);
  a.text(m.bytes, kMaxChunk);
}

template <class Archive>
void fields(Archive& a, Of<Input> auto& m) {
  a.flag(m.eof);
  a.text(m.bytes, kMaxChunk);
}

template <class Archive>
void fields(Archive& a, Of<Stop> auto& m) {
  a.number(m.grace_ns);
}

template <class Archive>
void fields(Archive& a, Of<Reset> auto& m) {
  a.number(m.time_ns);
}

template <class Archive>
void fields(Archive& a, Of<Facts> auto& m) {
  a.number(m.version);
  a.number(m.pid);
  for (auto& id : m.uid) a.number(id);
  for (auto& id : m.gid) a.number(id);
  a.list(m.groups, kMaxFacts, 4, [&](auto& group) { a.number(group); });
  for (auto* set : {&m.cap_inheritable, &m.cap_permitted, &m.cap_effective, &m.cap_bounding, &m.cap_ambient})
    a.number(*set);
  a.flag(m.no_new_privs);
  a.flag(m.dumpable);
  a.flag(m.guarded);
  a.number(m.seccomp_mode);
  a.number(m.seccomp_filters);
  for (auto* text : {&m.lsm_label, &m.hostname, &m.kernel}) a.text(*text, kMaxName);
  a.number(m.cpus);
  a.number(m.oom_score_adj);
  a.number(m.nice);
  a.list(m.mounts, kMaxFacts, 38, [&](auto& mount) {
    for (auto* text : {&mount.target, &mount.type, &mount.source}) a.text(*text, kMaxPath);
    for (auto* text : {&mount.options, &mount.super_options}) a.text(*text, kMaxOptions);
    a.number(mount.bytes);
    a.number(mount.inodes);
    a.flag(mount.writable);
    a.flag(mount.listable);
  });
  a.number(m.cgroup_version);
  a.flag(m.cgroup_private);
  for (auto* limit : {&m.memory_limit, &m.memory_swap_limit, &m.pids_limit, &m.cpu_quota_us, &m.cpu_period_us})
    a.number(*limit);
  a.list(m.interfaces, kMaxFacts, 9, [&](auto& interface) {
    a.text(interface.name, kMaxName);
    a.flag(interface.up);
    strings(a, interface.addresses, kMaxFacts, kMaxName);
  });
  strings(a, m.reachable, kMaxFacts, kMaxName);
  a.number(m.routes);
  a.list(m.rlimits, kMaxFacts, 17, [&](auto& limit) {
    a.number(limit.resource);
    a.number(limit.soft);
    a.number(limit.hard);
  });
  a.list(m.devices, kMaxFacts, 13, [&](auto& device) {
    a.text(device.path, kMaxPath);
    a.flag(device.block);
    a.number(device.major);
    a.number(device.minor);
  });
  for (auto* list : {&m.namespaces, &m.env_names, &m.descriptors}) strings(a, *list, kMaxFacts, kMaxPath);
  a.number(m.processes);
}

template <class Archive>
void fields(Archive& a, Of<Warmed> auto& m) {
  a.choice(m.language, Language::bash);
  a.flag(m.ready);
  a.text(m.interpreter, kMaxPath);
  a.text(m.version, kMaxName);
  a.text(m.problem, kMaxSentence);
  a.number(m.took_ns);
}

template <class Archive>
void fields(Archive& a, Of<Output> auto& m) {
  a.number(m.stream);
  a.text(m.bytes, kMaxChunk);
}

template <class Archive>
void fields(Archive& a, Of<WantInput> auto& m) {
  a.number(m.bytes);
}

template <class Archive>
void fields(Archive& a, Of<Report> auto& m) {
  a.choice(m.fate, Fate::failed);
  a.text(m.reason, kMaxSentence);
  for (auto* number : {&m.exit_code, &m.signal}) a.maybe(*number, [&](auto& value) { a.number(value); });
  a.flag(m.warm);
  a.number(m.left_behind);
  a.number(m.oom_kills);
  a.number(m.pids_refused);
  a.flag(m.disk_full);
  a.maybe(m.uncaught, [&](auto& uncaught) {
    for (auto* text : {&uncaught.name, &uncaught.message, &uncaught.traceback}) a.text(*text, kMaxErrorText);
    a.number(uncaught.line);
    a.number(uncaught.error_number);
    a.flag(uncaught.cut);
  });
  for (auto* stream : {&m.out, &m.err})
    for (auto* number : {&stream->total, &stream->sent, &stream->tail}) a.number(*number);
  for (auto* number : {&m.setup_ns, &m.wall_ns, &m.kill_ns, &m.cpu_ns, &m.memory_peak}) a.number(*number);
  a.flag(m.files_incomplete);
}

template <class Archive>
void fields(Archive& a, Of<FileOut> auto& m) {
  a.text(m.path, kMaxPath);
  a.choice(m.change, Change::unchanged);
  a.number(m.mode);
  a.number(m.size);
  a.flag(m.left_out);
  a.flag(m.last);
  a.text(m.bytes, kMaxChunk);
}

template <class Archive>
void fields(Archive& a, Of<Cleaned> auto& m) {
  a.flag(m.clean);
  a.text(m.problem, kMaxSentence);
  a.number(m.killed);
  a.number(m.removed);
  a.number(m.took_ns);
}

template <class Archive>
void fields(Archive& a, Of<Fault> auto& m) {
  a.text(m.sentence, kMaxSentence);
}

bool is_path_without_tricks(std::string_view path) {
  for (;;) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}
bool has_nul(std::string_view text) { return text.find('\0') != text.npos; }
bool is_absolute(std::string_view path) { return path.starts_with('/') && is_path_without_tricks(path.substr(1)); }

// What a field's own cap does not say.
template <class Message>
bool makes_sense(const Message&) {
  return true;
}
bool makes_sense(const Order& order) {
  const bool paths =
      order.language == Language::none ? order.program.empty() && !order.args.empty() : is_absolute(order.program);
  const auto plain = [](const auto& list) { return std::ranges::none_of(list, has_nul); };
  const bool names = std::ranges::all_of(order.env, [](std::string_view e) { return e.find('=') - 1 < e.size(); });
  return paths && names && !has_nul(order.program) && !has_nul(order.cwd) && plain(order.args) && plain(order.env) &&
         order.max_files <= kMaxFilesOut;
}
bool makes_sense(const Warm& warm) { return std::ranges::none_of(warm.modules, has_nul); }
bool makes_sense(const FileIn& file) {
  return is_absolute(file.path) && !has_nul(file.path) && (!file.directory || file.bytes.empty()) && file.mode <= 07777;
}
bool makes_sense(const Output& output) { return output.stream == 1 || output.stream == 2; }
bool makes_sense(const FileOut& file) {
  return is_path_without_tricks(file.path) && !has_nul(file.path) && (!file.left_out || file.bytes.empty());
}

template <class Message>
std::string pack(const Message& message) {
  Packer out;
  fields(out, message);
  return out.take();
}

template <class Message>
std::optional<Message> unpack(std::string_view payload) {
  if (payload.size() > kMaxFrame) return std::nullopt;
  Unpacker in(payload);
  Message out;
  fields(in, out);
  if (!in.finished() || !makes_sense(out)) return std::nullopt;
  return out;
}

bool may_send(Side side, FrameType type) {
  return side == Side::host ? FrameType::hello <= type && type <= FrameType::reset
                            : FrameType::ready <= type && type <= FrameType::fault;
}

}  // namespace

std::string Hello::encode() const { return pack(*this); }
std::string Warm::encode() const { return pack(*this); }
std::string Order::encode() const { return pack(*this); }
std::string FileIn::encode() const { return pack(*this); }
std::string Input::encode() const { return pack(*this); }
std::string Stop::encode() const { return pack(*this); }
std::string Reset::encode() const { return pack(*this); }
std::string Facts::encode() const { return pack(*this); }
std::string Warmed::encode() const { return pack(*this); }
std::string Output::encode() const { return pack(*this); }
std::string WantInput::encode() const { return pack(*this); }
std::string Report::encode() const { return pack(*this); }
std::string FileOut::encode() const { return pack(*this); }
std::string Cleaned::encode() const { return pack(*this); }
std::string Fault::encode() const { return pack(*this); }

std::optional<Hello> Hello::decode(std::string_view payload) { return unpack<Hello>(payload); }
std::optional<Warm> Warm::decode(std::string_view payload) { return unpack<Warm>(payload); }
std::optional<Order> Order::decode(std::string_view payload) { return unpack<Order>(payload); }
std::optional<FileIn> FileIn::decode(std::string_view payload) { return unpack<FileIn>(payload); }
std::optional<Input> Input::decode(std::string_view payload) { return unpack<Input>(payload); }
std::optional<Stop> Stop::decode(std::string_view payload) { return unpack<Stop>(payload); }
std::optional<Reset> Reset::decode(std::string_view payload) { return unpack<Reset>(payload); }
std::optional<Facts> Facts::decode(std::string_view payload) { return unpack<Facts>(payload); }
std::optional<Warmed> Warmed::decode(std::string_view payload) { return unpack<Warmed>(payload); }
std::optional<Output> Output::decode(std::string_view payload) { return unpack<Output>(payload); }
std::optional<WantInput> WantInput::decode(std::string_view payload) { return unpack<WantInput>(payload); }
std::optional<Report> Report::decode(std::string_view payload) { return unpack<Report>(payload); }
std::optional<FileOut> FileOut::decode(std::string_view payload) { return unpack<FileOut>(payload); }
std::optional<Cleaned> Cleaned::decode(std::string_view payload) { return unpack<Cleaned>(payload); }
std::optional<Fault> Fault::decode(std::string_view payload) { return unpack<Fault>(payload); }

void append_frame(std::string& to, FrameType type, std::string_view payload) {
  const auto size = static_cast<std::uint32_t>(payload.size());
  to.append(reinterpret_cast<const char*>(&size), sizeof size);
  to += static_cast<char>(type);
  to.append(3, '\0');
  to.append(payload);
}

void FrameReader::feed(std::string_view bytes) {
  if (broken_) return;
  if (consumed_ > 0) {
    buffer_.erase(0, consumed_);
    consumed_ = 0;
    // One large frame must not keep its memory for the rest of a life of small ones.
    if (buffer_.empty() && buffer_.capacity() > 4 * kMaxChunk) std::string().swap(buffer_);
  }
  buffer_.append(bytes);
}

std::optional<FrameReader::Frame> FrameReader::next() {
  const auto rest = std::string_view(buffer_).substr(consumed_);
  if (broken_ || rest.size() < kFrameHeader) return std::nullopt;
  std::uint32_t size = 0;
  std::memcpy(&size, rest.data(), sizeof size);
  const auto type = static_cast<FrameType>(rest[4]);
  if (size > kMaxFrame || !may_send(sender_, type) || rest[5] || rest[6] || rest[7]) {
    broken_ = true;
    return std::nullopt;
  }
  if (rest.size() < kFrameHeader + size) return std::nullopt;
  consumed_ += kFrameHeader + size;
  return Frame{type, rest.substr(kFrameHeader, size)};
}

}  // namespace hotcell::agent
