#include "agent_cell.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "places.h"

// GCC says it with a macro, clang with a feature.
#ifdef HOTCELL_SANITIZED
#define HOTCELL_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOTCELL_ADDRESS_SANITIZER 1
#endif
#endif

namespace hotcell::agent::testing {
namespace {

namespace fs = std::filesystem;

// The kernel counts processes by uid: that of tests which run at the same time must be another.
const uid_t kCellUid = 1'800'000'000 + static_cast<uid_t>(getpid() % 1'000'000);
constexpr const char* kGroups[] = {"memory", "pids", "cpuacct", "cpu"};

std::string agent_path() { return std::string(hotcell::testing::kBinFolder) + "/hotcell-agent"; }

// In the child, on the way into the cell: whoever fails says where, and is gone.
void need(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "no cell: %s: %s\n", what, std::strerror(errno));
  _exit(120);
}

void mount_at(const char* source, const std::string& target, const char* type, unsigned long flags,
              const std::string& options = {}) {
  mkdir(target.c_str(), 0755);
  need(mount(source, target.c_str(), type, flags, options.empty() ? nullptr : options.c_str()) == 0, target.c_str());
}

void bind_file(const std::string& from, const std::string& to) {
  close(open(to.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
  need(mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) == 0, to.c_str());
}

void bind_folder(const std::string& from, const std::string& to) {
  mount_at(from.c_str(), to, nullptr, MS_BIND | MS_REC);
}

// A root as a locked-down container has it.
void make_root(const CellOptions& options, uid_t uid) {
  need(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  const std::string root = "/mnt";
  need(mount("root", root.c_str(), "tmpfs", MS_NOSUID, "mode=755") == 0, "a root");
  bind_folder("/usr", root + "/usr");
  bind_folder("/etc", root + "/etc");
  for (const char* name : {"bin", "sbin", "lib", "lib64"})
    need(symlink((std::string("usr/") + name).c_str(), (root + "/" + name).c_str()) == 0, name);
  for (const auto& name : options.hidden)
    for (const auto& entry : fs::directory_iterator("/usr/bin")) {
      const auto file = entry.path().filename().string();
      if (file == name && !fs::is_symlink(entry.path())) bind_file("/dev/null", root + "/usr/bin/" + file);
    }
  mount_at("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mkdir((root + "/sys").c_str(), 0755);
  mkdir((root + "/sys/fs").c_str(), 0755);
  bind_folder("/sys/fs/cgroup", root + "/sys/fs/cgroup");
  mount_at("dev", root + "/dev", "tmpfs", MS_NOSUID, "mode=755");
  for (const char* name : {"null", "zero", "full", "random", "urandom"})
    bind_file(std::string("/dev/") + name, root + "/dev/" + name);
  need(symlink("/proc/self/fd", (root + "/dev/fd").c_str()) == 0, "/dev/fd");
  const auto owner = ",mode=0700,uid=" + std::to_string(uid) + ",gid=" + std::to_string(uid);
  mount_at("shm", root + "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=8m,mode=1777");
  mount_at("mqueue", root + "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mount_at("tmp", root + "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=" + options.disk_size + owner);
  mount_at("workspace", root + "/workspace", "tmpfs", MS_NOSUID | MS_NODEV, "size=" + options.disk_size + owner);
  mkdir((root + "/.hotcell").c_str(), 0755);
  bind_file(agent_path(), root + "/.hotcell/agent");
  if (!options.packages.empty()) {
    mkdir((root + "/opt").c_str(), 0755);
    bind_folder(options.packages, root + "/opt/packages");
  }
  const auto old = root + "/old";
  mkdir(old.c_str(), 0755);
  need(syscall(SYS_pivot_root, root.c_str(), old.c_str()) == 0 && chdir("/") == 0, "pivot_root");
  need(umount2("/old", MNT_DETACH) == 0 && rmdir("/old") == 0, "the old root");
  need(mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, nullptr) == 0, "a read-only root");
}

[[noreturn]] void become_agent(const CellOptions& options, int in, int out, bool root) {
  const uid_t uid = root ? kCellUid : 1000;
  make_root(options, uid);
  if (options.processes) {
    const rlimit limit{options.processes, options.processes};
    setrlimit(RLIMIT_NPROC, &limit);
  }
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  if (root) need(setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0, "uid");
  dup2(in, 0);
  dup2(out, 1);
  for (int fd = 3; fd < 256; ++fd) close(fd);
  std::vector<char*> env;
  for (const auto& entry : options.env) env.push_back(const_cast<char*>(entry.c_str()));
#ifdef HOTCELL_ADDRESS_SANITIZER
  // Looking for leaks needs to trace, and PID 1 cannot be; and its handlers would let signals through.
  static char sanitizer[] =
      "ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0";
  env.push_back(sanitizer);
#endif
  env.push_back(nullptr);
  char name[] = "/.hotcell/agent";
  char* argv[] = {name, nullptr};
  execve(name, argv, env.data());
  need(false, "the agent");
  _exit(120);
}

std::string group_folder(const char* controller, const std::string& name) {
  return std::string("/sys/fs/cgroup/") + controller + "/" + name;
}

}  // namespace

bool Cell::can_limit() {
  for (const char* controller : kGroups)
    if (access((std::string("/sys/fs/cgroup/") + controller + "/cgroup.procs").c_str(), W_OK) != 0) return false;
  return true;
}

bool Cell::possible() {
  try {
    Cell cell;
    cell.hello();
    return true;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return false;
  }
}

Cell::Cell(const CellOptions& options) {
  int in[2], out[2], gate[2];
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(gate, O_CLOEXEC)) throw std::runtime_error("no pipes");
  to_agent_ = Fd(in[1]);
  from_agent_ = Fd(out[0]);
  const bool root = geteuid() == 0;
  const Fd child_in(in[0]), child_out(out[1]), gate_read(gate[0]);
  Fd gate_write(gate[1]);
  const auto flags =
      CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS | SIGCHLD | (root ? 0 : CLONE_NEWUSER);
  pid_ = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (pid_ < 0) throw std::runtime_error(std::string("no namespaces: ") + std::strerror(errno));
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char byte;
    gate_write.reset();
    need(read(gate_read.get(), &byte, 1) == 1, "the test is gone");
    if (!root) need(syscall(SYS_setresuid, 1000, 1000, 1000) == 0, "uid");
    become_agent(options, child_in.get(), child_out.get(), root);
  }
  if (!root) {
    std::ofstream("/proc/" + std::to_string(pid_) + "/setgroups") << "deny";
    std::ofstream("/proc/" + std::to_string(pid_) + "/uid_map") << "1000 " << geteuid() << " 1";
    std::ofstream("/proc/" + std::to_string(pid_) + "/gid_map") << "1000 " << getegid() << " 1";
  }
  if (options.memory_bytes || options.pids) {
    group_ = "hotcell-test-" + std::to_string(pid_);
    for (const char* controller : kGroups) fs::create_directory(group_folder(controller, group_));
    if (options.memory_bytes) {
      std::ofstream(group_folder("memory", group_) + "/memory.limit_in_bytes") << options.memory_bytes;
      std::ofstream(group_folder("memory", group_) + "/memory.memsw.limit_in_bytes") << options.memory_bytes;
    }
    if (options.pids) std::ofstream(group_folder("pids", group_) + "/pids.max") << options.pids;
    for (const char* controller : kGroups) std::ofstream(group_folder(controller, group_) + "/cgroup.procs") << pid_;
  }
  if (::write(gate_write.get(), "g", 1) != 1) throw std::runtime_error("the cell's process is gone");
}

Cell::~Cell() {
  hang_up();
  if (!wait_status(std::chrono::seconds(2)) && pid_ > 0) {
    kill(pid_, SIGKILL);
    wait_status(std::chrono::seconds(5));
  }
  // A group can be removed when the last of its processes is quite gone, which is a moment after it was reaped.
  if (!group_.empty())
    for (const char* controller : kGroups) {
      const auto deadline = Deadline::after(std::chrono::seconds(2));
      while (rmdir(group_folder(controller, group_).c_str()) < 0 && errno == EBUSY && !deadline.passed()) sched_yield();
    }
}

void Cell::hang_up() {
  to_agent_.reset();
  from_agent_.reset();
}

std::optional<int> Cell::wait_status(std::chrono::milliseconds time) {
  if (pid_ <= 0) return std::nullopt;
  const Fd watch(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd wait{watch.get(), POLLIN, 0};
  poll(&wait, 1, static_cast<int>(time.count()));
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  return status;
}

void Cell::write(std::string_view bytes) {
  signal(SIGPIPE, SIG_IGN);
  while (to_agent_ && !bytes.empty()) {
    const ssize_t done = ::write(to_agent_.get(), bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}

std::optional<Said> Cell::receive(std::chrono::nanoseconds time) {
  const auto deadline = Deadline::after(time);
  for (;;) {
    if (const auto frame = reader_.next()) return Said{frame->type, std::string(frame->payload)};
    if (reader_.broken()) throw std::runtime_error("the agent said what cannot be");
    pollfd wait{from_agent_.get(), POLLIN, 0};
    if (poll(&wait, 1, deadline.poll_ms()) <= 0) {
      if (deadline.passed()) return std::nullopt;
      continue;
    }
    char bytes[64u << 10];
    const ssize_t got = read(from_agent_.get(), bytes, sizeof bytes);
    if (got <= 0) return std::nullopt;
    reader_.feed({bytes, static_cast<std::size_t>(got)});
  }
}

void Cell::throw_missing(FrameType type) {
  throw std::runtime_error("the agent does not say what it should: " + std::to_string(static_cast<int>(type)));
}

Facts Cell::hello() {
  send(FrameType::hello, Hello{});
  return expect<Facts>(FrameType::ready);
}

Warmed Cell::warm(Language language, std::vector<std::string> modules) {
  send(FrameType::warm, Warm{language, std::move(modules)});
  return expect<Warmed>(FrameType::warmed);
}

void Cell::start(Order order, std::string_view code, const std::vector<Given>& files, std::string_view input) {
  std::string all;
  append_frame(all, FrameType::order, order.encode());
  const auto add = [&all](const Given& file) {
    FileIn frame;
    frame.path = file.path;
    frame.mode = file.mode;
    frame.directory = file.directory;
    std::string_view rest = file.content;
    do {
      frame.bytes = rest.substr(0, kMaxChunk);
      rest.remove_prefix(frame.bytes.size());
      frame.last = rest.empty();
      append_frame(all, FrameType::file, frame.encode());
      frame.first = false;
    } while (!rest.empty());
  };
  if (order.language != Language::none) add({order.program, std::string(code)});
  for (const auto& file : files) add(file);
  if (!order.live_input) {
    do {
      const auto piece = input.substr(0, kMaxChunk);
      input.remove_prefix(piece.size());
      append_frame(all, FrameType::input, Input{input.empty(), piece}.encode());
    } while (!input.empty());
  }
  append_frame(all, FrameType::go);
  write(all);
}

Result Cell::finish() {
  Result out;
  for (;;) {
    const auto said = receive();
    if (!said) throw std::runtime_error("the run has no end");
    const auto take = [&said](std::string& to_out, std::string& to_err) {
      const auto output = Output::decode(said->payload);
      if (!output) throw std::runtime_error("output that does not decode");
      (output->stream == 1 ? to_out : to_err).append(output->bytes);
    };
    switch (said->type) {
      case FrameType::output:
        take(out.out, out.err);
        break;
      case FrameType::tail:
        take(out.out_tail, out.err_tail);
        break;
      case FrameType::want_input:
        out.input_asked += WantInput::decode(said->payload).value().bytes;
        break;
      case FrameType::report:
        out.report = Report::decode(said->payload).value();
        break;
      case FrameType::file_out: {
        auto file = FileOut::decode(said->payload).value();
        auto& got = out.files[file.path];
        got.content.append(file.bytes);
        file.bytes = {};
        got.about = file;
        break;
      }
      case FrameType::end:
        return out;
      case FrameType::fault:
        throw std::runtime_error("fault: " + Fault::decode(said->payload).value().sentence);
      default:
        throw std::runtime_error("a frame out of place");
    }
  }
}

unsigned Cell::processes() const {
  const auto ours = fs::read_symlink("/proc/" + std::to_string(pid_) + "/ns/pid");
  unsigned count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::error_code ignored;
    const auto theirs = fs::read_symlink(entry.path() / "ns/pid", ignored);
    count += !ignored && theirs == ours;
  }
  return count;
}

Order order_for(Language language) {
  Order out;
  out.language = language;
  out.timeout_ns = 20'000'000'000;
  out.output_bytes = 1u << 20;
  out.files_bytes = 64u << 20;
  out.inline_bytes = 1u << 20;
  out.max_files = 64;
  return out;
}
Order python() {
  auto out = order_for(Language::python);
  out.program = "/workspace/main.py";
  return out;
}
Order node() {
  auto out = order_for(Language::node);
  out.program = "/workspace/main.js";
  return out;
}
Order bash() {
  auto out = order_for(Language::bash);
  out.program = "/workspace/main.sh";
  return out;
}
Order command(std::vector<std::string> argv) {
  auto out = order_for(Language::none);
  out.args = std::move(argv);
  return out;
}

}  // namespace hotcell::agent::testing
