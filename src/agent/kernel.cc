#include "agent/kernel.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/archive.h"
#include "agent/spawn.h"
#include "agent/text.h"
#include "base/bytes.h"

namespace hotcell::embedded {
std::string_view kernels_python_py();
std::string_view kernels_python_pyc();
std::string_view kernels_node_js();
}  // namespace hotcell::embedded

namespace hotcell::agent {
namespace {

constexpr int kControl = 3, kArchive = 4;
constexpr const char* kArchivePath = "/proc/self/fd/4";
// Three texts, two numbers and a little more.
constexpr std::size_t kMaxHeard = 3 * kMaxErrorText + 4096;

std::vector<const char*> names_of(Language language) {
  switch (language) {
    case Language::python:
      return {"python3", "python", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"};
    case Language::node:
      return {"node", "nodejs"};
    case Language::bash:
      return {"bash", "/bin/bash"};
    case Language::none:
      break;
  }
  return {};
}

// Names whose values an interpreter, or the C library, reads once, when it starts. All others a kernel can take over.
bool counts_at_start(Language language, std::string_view name) {
  constexpr std::string_view kForAll[] = {"LD_", "LC_", "MALLOC_", "GLIBC_"};
  constexpr std::string_view kForPython[] = {"PYTHON", "VIRTUAL_ENV"};
  constexpr std::string_view kForNode[] = {"NODE_", "UV_", "OPENSSL_", "SSL_"};
  const auto any = [name](const auto& list) {
    return std::ranges::any_of(list, [name](std::string_view prefix) { return name.starts_with(prefix); });
  };
  if (name == "LANG" || name == "LANGUAGE" || any(kForAll)) return true;
  return language == Language::python ? any(kForPython) && name != "PYTHONPATH" : any(kForNode) && name != "NODE_PATH";
}

// The archive goes before what the image and the order want in the path.
std::vector<std::string> with_archive(std::vector<std::string> env) {
  const char* set = value_in(env, "PYTHONPATH");
  const auto value = std::string("PYTHONPATH=") + kArchivePath + (set && *set ? ":" + std::string(set) : "");
  for (auto& entry : env)
    if (entry.starts_with("PYTHONPATH=")) {
      entry = value;
      return env;
    }
  env.push_back(value);
  return env;
}

// Compiled for one version, which spares it a tenth of its start; any other compiles the text. Made once: a tenant's
// cell starts many.
const std::string& python_archive() {
  static const std::string archive = zip_of(
      {{"sitecustomize.pyc", embedded::kernels_python_pyc()}, {"sitecustomize.py", embedded::kernels_python_py()}});
  return archive;
}

}  // namespace

std::string find_interpreter(Language language, const std::vector<std::string>& env) {
  for (const char* name : names_of(language)) {
    const auto found = find_program(name, env);
    if (!found.empty() && access(found.c_str(), X_OK) == 0) return found;
  }
  return {};
}

std::string missing_interpreter(Language language) {
  return std::string(kNoInterpreter) + std::string(names_of(language).front()) + " in its PATH";
}

Expected<std::array<Fd, 3>> Kernel::make_streams() {
  auto [in_read, in_write] = make_pipe();
  auto [out_read, out_write] = make_pipe();
  auto [err_read, err_write] = make_pipe();
  if (!err_write) return fail_errno("cannot make a pipe");
  in = std::move(in_write);
  out = std::move(out_read);
  err = std::move(err_read);
  return std::array{std::move(in_read), std::move(out_write), std::move(err_write)};
}

Expected<void> Kernel::launch(const std::string& path, std::vector<std::string> argv,
                              const std::vector<std::string>& env, const std::string& cwd, Fd control, Fd archive) {
  const auto theirs = make_streams();
  if (!theirs) return std::unexpected(theirs.error());
  Launch child{path, std::move(argv), env, cwd, {}, wish_.stem};
  for (int number = 0; number < 3; ++number)
    child.descriptors.emplace_back((*theirs)[static_cast<std::size_t>(number)].get(), number);
  if (control) child.descriptors.emplace_back(control.get(), kControl);
  if (archive) child.descriptors.emplace_back(archive.get(), kArchive);
  pid_ = spawn(child);
  if (pid_ < 0) return fail_errno("cannot start a process");
  interpreter_ = path;
  return {};
}

Expected<Kernel> Kernel::start(const KernelWish& wish) {
  Kernel out;
  out.wish_ = wish;
  const auto interpreter = find_interpreter(wish.language, wish.env);
  if (interpreter.empty()) return fail("no_interpreter", missing_interpreter(wish.language));
  auto [ours, theirs] = make_socket_pair();
  if (!ours) return fail_errno("cannot make a socket pair");
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  out.control_ = std::move(ours);

  // argv[0] is the name as a user would type it.
  const auto name = interpreter.substr(interpreter.rfind('/') + 1);
  Expected<void> launched;
  if (wish.language == Language::python) {
    auto archive = sealed_memory("kernel", python_archive());
    if (!archive) return fail_errno("cannot make a memory file");
    launched = out.launch(interpreter, {name, wish.program}, with_archive(wish.env), wish.cwd, std::move(theirs),
                          std::move(archive));
  } else {
    launched = out.launch(interpreter, {name, "--eval", std::string(embedded::kernels_node_js())}, wish.env, wish.cwd,
                          std::move(theirs), Fd());
  }
  if (!launched) return std::unexpected(launched.error());
  std::vector<std::string_view> message{wish.stem ? "2" : wish.usual_modules ? "1" : "0"};
  message.insert(message.end(), wish.modules.begin(), wish.modules.end());
  out.say(message);
  return out;
}

Expected<Kernel> Kernel::start_program(const std::string& path, std::vector<std::string> argv,
                                       const std::vector<std::string>& env, const std::string& cwd) {
  Kernel out;
  out.wish_.language = Language::none;
  if (auto launched = out.launch(path, std::move(argv), env, cwd, Fd(), Fd()); !launched)
    return std::unexpected(launched.error());
  return out;
}

void Kernel::say(const std::vector<std::string_view>& strings) {
  std::string body;
  for (const auto text : strings) body.append(text).push_back('\0');
  ByteWriter message;
  message.put_bytes(body);
  to_say_ += message.bytes();
  talk();
}

Expected<Kernel> Kernel::copy(Deadline deadline) {
  Kernel out;
  out.wish_ = wish_;
  out.wish_.stem = false;
  out.interpreter_ = interpreter_;
  out.version_ = version_;
  out.ready_ = true;
  auto streams = out.make_streams();
  if (!streams) return std::unexpected(streams.error());
  auto [ours, theirs] = make_socket_pair();
  if (!ours) return fail_errno("cannot make a socket pair");
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  out.control_ = std::move(ours);

  int given[4] = {(*streams)[0].get(), (*streams)[1].get(), (*streams)[2].get(), theirs.get()};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof given)] = {};
  char wish = 'c';
  iovec text{&wish, 1};
  msghdr message{};
  message.msg_iov = &text, message.msg_iovlen = 1;
  message.msg_control = space, message.msg_controllen = sizeof space;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof given);
  std::memcpy(CMSG_DATA(header), given, sizeof given);
  kill(pid_, SIGCONT);  // the last program may have stopped all that it could
  if (sendmsg(control_.get(), &message, MSG_NOSIGNAL) != 1) return fail_errno("cannot ask for a copy");

  std::string answer;
  while (answer.size() < sizeof(std::uint32_t)) {
    pollfd wait{control_.get(), POLLIN, 0};
    const int ready = poll(&wait, 1, deadline.poll_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail("internal", "no copy in time");
    char bytes[sizeof(std::uint32_t)];
    const ssize_t got = recv(control_.get(), bytes, sizeof bytes - answer.size(), 0);
    if (got <= 0) return fail("internal", "there is nothing to copy any more");
    answer.append(bytes, static_cast<std::size_t>(got));
  }
  out.pid_ = static_cast<pid_t>(ByteReader(answer).get<std::uint32_t>());
  if (out.pid_ <= 1) return fail("internal", "no copy could be made");
  return out;
}

bool KernelWish::suits(const Order& order, const std::vector<std::string>& program_env) const {
  if (order.language != language) return false;
  if (order.language == Language::python && order.program != program) return false;  // it is in its argv
  // Every entry of one that matters must be in the other.
  const auto covers = [&](const auto& larger, const auto& smaller) {
    return std::ranges::all_of(smaller, [&](const std::string& entry) {
      return !counts_at_start(order.language, entry.substr(0, entry.find('='))) ||
             std::ranges::find(larger, entry) != larger.end();
    });
  };
  return covers(program_env, env) && covers(env, program_env);
}

void Kernel::give(const Order& order, const std::vector<std::string>& env, const std::string& cwd) {
  const auto count = std::to_string(order.args.size());
  std::vector<std::string_view> message{order.program, cwd, count};
  message.insert(message.end(), order.args.begin(), order.args.end());
  message.insert(message.end(), env.begin(), env.end());
  say(message);
}

void Kernel::talk() {
  while (control_ && has_to_write()) {
    const ssize_t done = send(control_.get(), to_say_.data() + written_, to_say_.size() - written_, MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) return;
    if (done <= 0) {
      to_say_.clear();
      written_ = 0;
      return;
    }
    written_ += static_cast<std::size_t>(done);
  }
  to_say_.clear();
  written_ = 0;
}

bool Kernel::listen() {
  char bytes[16u << 10];
  if (!control_) return false;
  const ssize_t got = recv(control_.get(), bytes, sizeof bytes, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    control_.reset();
    return false;
  }
  // What is too much is read all the same: nobody must wait for us.
  heard_.append(bytes, std::min(static_cast<std::size_t>(got), kMaxHeard - heard_.size()));
  if (ready_ || heard_.front() != 'w') return true;
  if (const auto end = heard_.find('\0'); end != heard_.npos) {
    ready_ = true;
    version_ = heard_.substr(1, std::min<std::size_t>(end - 1, 64));
    heard_.erase(0, end + 1);
  }
  return true;
}

std::optional<Uncaught> Kernel::uncaught() const {
  ByteReader record(heard_);
  if (record.get<char>() != 'e') return std::nullopt;
  auto rest = record.get_bytes();
  if (!record.ok()) return std::nullopt;
  Uncaught told;
  for (auto* text : {&told.name, &told.message, &told.traceback})
    *text = next_part(rest, '\0').substr(0, kMaxErrorText);
  told.line = static_cast<std::uint32_t>(number_in(next_part(rest, '\0')).value_or(0));
  told.error_number = static_cast<std::int32_t>(number_in(next_part(rest, '\0')).value_or(0));
  told.cut = next_part(rest, '\0') == "1";
  return told;
}

std::optional<int> Kernel::farewell() {
  for (;;) {
    ByteReader words(std::string_view(heard_).substr(passed_));
    switch (words.get<char>()) {
      case 'e': {
        const auto size = words.get_bytes().size();
        if (!words.ok()) return std::nullopt;
        passed_ += sizeof(char) + sizeof(std::uint32_t) + size;
        break;
      }
      case 'x': {
        const auto code = words.get<std::uint8_t>();
        return words.ok() ? std::optional<int>(code) : std::nullopt;
      }
      default:
        return std::nullopt;
    }
  }
}

}  // namespace hotcell::agent
