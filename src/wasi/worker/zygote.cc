#include "wasi/worker/zygote.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>

#include "base/bytes.h"
#include "wasi/worker/serve.h"
#include "wasi/worker/stack.h"

namespace hotcell::wasi {
namespace {

sigset_t children_end() {
  sigset_t out;
  sigemptyset(&out);
  sigaddset(&out, SIGCHLD);
  return out;
}
Fd watch_children() {
  const auto set = children_end();
  return Fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

class Zygote {
 public:
  Zygote(const ZygoteOptions& options, Channel control)
      : options_(options), engine_(options.metering), control_(std::move(control)), ended_(watch_children()) {}

  int run() {
    for (;;) {
      auto frame = control_.receive(std::nullopt, ended_.get());
      reap();
      if (!frame && frame.error().code == "stopped") continue;
      if (!frame) break;
      if (frame->type != FrameType::spawn || frame->descriptors.empty()) continue;
      ByteReader in(frame->payload);
      const auto uid = in.get<std::uint32_t>();
      const bool compiler = in.get<std::uint8_t>() != 0;
      const std::string name(in.get_bytes());
      spawn(name, compiler, uid, std::move(frame->descriptors.front()));
    }
    for (const pid_t child : children_) kill(child, SIGKILL);
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    return 0;
  }

 private:
  Expected<const Image*> image(const std::string& name) {
    if (name.empty()) return nullptr;
    if (const auto found = images_.find(name); found != images_.end()) return found->second.get();
    if (name.find('/') != name.npos || name.starts_with('.'))
      return fail("image_missing", "not an image name: " + name);
    auto loaded = Image::load(engine_, options_.images / name, options_.pin);
    if (!loaded) return std::unexpected(loaded.error());
    return images_.emplace(name, std::move(*loaded)).first->second.get();
  }

  void spawn(const std::string& name, bool compiler, std::uint32_t uid, Fd socket) {
    const auto refuse = [&](const Error& error) {
      ByteWriter out;
      out.put<std::int32_t>(-1);
      out.put_bytes(error.code);
      out.put_bytes(error.message);
      out.put_bytes(error.hint);
      (void)control_.send(FrameType::spawned, out.bytes());
    };
    auto loaded = image(name);
    if (!loaded) return refuse(loaded.error());
    const pid_t child = fork();
    if (child < 0)
      return refuse(Error{"internal", "cannot fork a worker", "raise the process limit (TasksMax, ulimit -u)"});
    if (child == 0) {
      control_ = Channel();  // closes our end: the engine must see the zygote's death, not ours
      ended_.reset();
      const auto set = children_end();
      sigprocmask(SIG_UNBLOCK, &set, nullptr);
      Channel channel{Fd(socket.release())};
      if (compiler) serve_compilation(engine_, std::move(channel), uid);
      serve_programs(engine_, *loaded, std::move(channel), uid);
    }
    children_.insert(child);
    Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
    ByteWriter out;
    out.put<std::int32_t>(child);
    (void)control_.send(FrameType::spawned, out.bytes(), pidfd ? std::vector<int>{pidfd.get()} : std::vector<int>{});
  }

  void reap() {
    signalfd_siginfo which;
    while (read(ended_.get(), &which, sizeof which) > 0) {
    }
    for (pid_t gone; (gone = waitpid(-1, nullptr, WNOHANG)) > 0;) children_.erase(gone);
  }

  ZygoteOptions options_;
  Engine engine_;
  Channel control_;
  Fd ended_;  // readable when children have
  std::map<std::string, std::unique_ptr<Image>> images_;
  std::set<pid_t> children_;
};

}  // namespace

int run_zygote(const ZygoteOptions& options, Channel control) {
  // Before there is any other thread, which would take the signal.
  const auto set = children_end();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  int status = 1;
  on_large_stack([&] {
    Zygote zygote(options, std::move(control));
    status = zygote.run();
    _exit(status);  // nothing here is worth the time of taking it apart
  });
  return status;
}

}  // namespace hotcell::wasi
