#include "agent/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/spawn.h"
#include "agent/text.h"

namespace hotcell::agent {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 100ms;  // at memory and disk
constexpr auto kLookCloser = 10ms;  // where processes die of memory
constexpr auto kLookSoonest = 2ms;  // at CPU time, near its limit
constexpr auto kKillAgain = 10ms;   // a process may be in the middle of being made
constexpr auto kKillTime = 5s;      // for one that the kernel holds
constexpr const char* kDefaultCwd = "/workspace";

std::uint64_t ns(Run::Clock::duration time) {
  return static_cast<std::uint64_t>(std::max<long long>(0, std::chrono::nanoseconds(time).count()));
}

Run::Clock::time_point after(Run::Clock::time_point start, std::uint64_t nanoseconds) {
  const auto most = static_cast<std::uint64_t>((Run::Clock::time_point::max() - start).count());
  return nanoseconds >= most ? Run::Clock::time_point::max()
                             : start + std::chrono::nanoseconds(static_cast<long long>(nanoseconds));
}

std::vector<std::string> environment_for(const Order& order) {
  std::vector<std::string> out = order.env;
  for (char** entry = order.clear_env ? nullptr : environ; entry && *entry; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('='));
    if (!value_in(order.env, name)) out.emplace_back(text);
  }
  for (std::string_view entry : order.prepend) {
    const auto begin = std::string(next_part(entry, '=')) + "=";
    const auto known = std::ranges::find_if(out, [&](const auto& one) { return one.starts_with(begin); });
    if (known == out.end())
      out.push_back(begin + std::string(entry) + (begin == "PATH=" ? ":" + std::string(kDefaultPath) : ""));
    else
      known->insert(begin.size(), std::string(entry) + (known->size() > begin.size() ? ":" : ""));
  }
  return out;
}

}  // namespace

Run::Run(Order order, const Cgroup& cgroup)
    : order_(std::move(order)), env_(environment_for(order_)), usage_(cgroup), ordered_(Clock::now()) {
  if (order_.cwd.empty()) order_.cwd = kDefaultCwd;
}

bool Run::take(const Input& input, Link& link) {
  if (phase_ == Phase::loading && order_.live_input) return false;
  const bool allowed = input_.take(input);
  if (phase_ == Phase::running) input_.pump(link);
  return allowed;
}

std::string Run::refusal() const {
  if (!files_.problem().empty()) return files_.problem();
  if (!Fd(open(order_.cwd.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) || access(order_.cwd.c_str(), X_OK) < 0)
    return "cannot enter " + order_.cwd + ": " + std::strerror(errno);
  if (order_.language != Language::none && find_interpreter(order_.language, env_).empty())
    return missing_interpreter(order_.language);
  return {};
}

Expected<Kernel> Run::start_cold() {
  switch (order_.language) {
    case Language::none:
      return Kernel::start_program(order_.args.front(), order_.args, env_, order_.cwd);
    case Language::bash: {
      std::vector<std::string> argv{"bash", order_.program};
      argv.insert(argv.end(), order_.args.begin(), order_.args.end());
      return Kernel::start_program(find_interpreter(Language::bash, env_), std::move(argv), env_, order_.cwd);
    }
    case Language::python:
    case Language::node:
      break;
  }
  // Nobody waits ahead: what the program imports it imports for itself.
  return Kernel::start({order_.language, order_.program, env_, order_.cwd, false, {}});
}

void Run::go(std::optional<Kernel> warm, Link& link) {
  files_.finish();
  for (std::string_view link : order_.links) {
    const std::string path(next_part(link, '='));
    (void)!symlink(std::string(link).c_str(), path.c_str());  // what the request brings of that name is meant to be
  }
  went_ = next_look_ = Clock::now();
  if (auto reason = refusal(); !reason.empty()) return refuse(Fate::refused, std::move(reason));
  usage_.begin();
  report_.warm = warm && warm->ready();
  auto kernel = warm ? std::move(*warm) : start_cold();
  if (!kernel) return refuse(Fate::failed, kernel.error().message);
  kernel_ = std::move(*kernel);
  if (kernel_->wish().language != Language::none) kernel_->give(order_, env_, order_.cwd);
  out_ = OutputStream(1, std::move(kernel_->out), order_.output_bytes);
  err_ = OutputStream(2, std::move(kernel_->err), order_.output_bytes);
  report_.fate = Fate::ended;
  report_.setup_ns = ns(Clock::now() - ordered_);
  phase_ = Phase::running;
  input_.start(std::move(kernel_->in), order_.live_input, link);
}

void Run::refuse(Fate fate, std::string reason) {
  report_.fate = fate;
  report_.reason = std::move(reason);
  phase_ = Phase::sending;
}

void Run::stop(std::uint64_t grace_ns) {
  if (phase_ == Phase::running) return strike(Fate::stopped, grace_ns);
  if (phase_ == Phase::loading) refuse(Fate::stopped, "");
}

// The first one says why; a later one can only make the end come sooner.
void Run::strike(Fate fate, std::uint64_t grace_ns) {
  if (!struck_) report_.fate = fate;
  if (grace_ns > 0 && !struck_) {
    const bool language = order_.language == Language::python || order_.language == Language::node;
    kill(-kernel_->pid(), language ? SIGINT : SIGTERM);
    kill(-kernel_->pid(), SIGCONT);
    kill_at_ = after(Clock::now(), grace_ns);
  } else {
    kill_at_ = std::min(kill_at_.value_or(Clock::time_point::max()), after(Clock::now(), grace_ns));
  }
  struck_ = true;
}

void Run::ended(const Ended& process) {
  usage_.add(process.usage);
  if (kernel_ && process.pid == kernel_->pid() && phase_ == Phase::running) return main_ended(process);
  const bool by_us = WIFSIGNALED(process.status) && WTERMSIG(process.status) == SIGKILL;
  const bool left = phase_ == Phase::killing && (!kernel_ || process.pid != kernel_->pid());
  if (left && by_us && !struck_) ++report_.left_behind;
}

void Run::main_ended(const Ended& process) {
  if (WIFEXITED(process.status)) report_.exit_code = WEXITSTATUS(process.status);
  if (WIFSIGNALED(process.status)) report_.signal = WTERMSIG(process.status);
  program_is_over();
}

// The kernel takes longer to give back what an interpreter had mapped than most programs run. Nobody waits for that,
// where it is the only process: once it is killed, it does nothing more.
void Run::main_leaves(int exit_code) {
  report_.exit_code = exit_code;
  program_is_over();
  kill_all();
  if (count_processes() == 1) none_left();
}

void Run::program_is_over() {
  main_ended_ = Clock::now();
  report_.wall_ns = ns(main_ended_ - went_);
  usage_.sample();
  input_.stop();
  phase_ = Phase::killing;
  kill_until_ = main_ended_ + kKillTime;
  kill_at_.reset();
}

void Run::none_left() {
  if (phase_ != Phase::killing) return;
  report_.kill_ns = ns(Clock::now() - main_ended_);
  phase_ = Phase::draining;
}

std::vector<Run::Watch> Run::watches(const Link& link) const {
  std::vector<Watch> out;
  const auto add = [&out](int fd, short events) {
    if (fd >= 0 && events) out.push_back({fd, events});
  };
  if (phase_ != Phase::running) return out;
  add(out_.wants(link), POLLIN);
  add(err_.wants(link), POLLIN);
  add(input_.wants(), POLLOUT);
  add(kernel_->control(), static_cast<short>(POLLIN | (kernel_->has_to_write() ? POLLOUT : 0)));
  return out;
}

Run::Clock::time_point Run::wake_at() const {
  auto at = Clock::time_point::max();
  if (phase_ != Phase::running && phase_ != Phase::killing) return at;
  if (kill_at_) at = std::min(at, *kill_at_);
  if (phase_ == Phase::killing) return std::min(at, kill_until_);
  if (order_.timeout_ns && !struck_) at = std::min(at, after(went_, order_.timeout_ns));
  return std::min(at, next_look_);
}

void Run::check_limits() {
  const auto now = Clock::now();
  if (phase_ == Phase::running && !struck_ && order_.timeout_ns && now >= after(went_, order_.timeout_ns))
    strike(Fate::timed_out, order_.grace_ns);
  if (phase_ == Phase::running && now >= next_look_) {
    usage_.sample();
    const auto oom_kills = usage_.oom_kills();
    if (oom_kills >= kMostOomKills && !struck_) strike(Fate::starved, 0);
    next_look_ = now + (oom_kills ? kLookCloser : kLookEvery);
    if (order_.cpu_ns) {
      const auto used = usage_.cpu_ns();
      if (used >= order_.cpu_ns && !struck_) strike(Fate::cpu_exceeded, order_.grace_ns);
      const auto cpus = std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));
      const auto left = (order_.cpu_ns - std::min(used, order_.cpu_ns)) / static_cast<std::uint64_t>(cpus);
      next_look_ = std::min(
          next_look_, now + std::clamp<Clock::duration>(std::chrono::nanoseconds(left), kLookSoonest, kLookEvery));
    }
  }
  const bool kill_now = phase_ == Phase::killing ? !kill_at_ || now >= *kill_at_ : kill_at_ && now >= *kill_at_;
  if (kill_now && (phase_ == Phase::running || phase_ == Phase::killing)) {
    kill_all();
    killed_ = true;
    kill_at_ = now + kKillAgain;
  }
  if (phase_ == Phase::killing && now >= kill_until_) {
    report_.fate = Fate::failed;
    report_.reason = "a process of the program could not be killed";
    none_left();
  }
}

void Run::advance(Link& link) {
  check_limits();
  // While it is killed its output waits in the pipes: to pass it on takes memory, which it may have left none of, and
  // as long as it is not quite gone the agent would have to die for that.
  if (phase_ == Phase::running) {
    out_.pump(link);
    err_.pump(link);
    if (input_.wants() >= 0) input_.pump(link);
    if (kernel_->control() >= 0) kernel_->listen();
    if (kernel_->has_to_write()) kernel_->talk();
    if (const auto exit_code = kernel_->farewell()) main_leaves(*exit_code);
  }
  if (phase_ == Phase::draining) {
    out_.drain(link);
    err_.drain(link);
    if (out_.ended() && err_.ended()) enter_sending();
  }
  if (phase_ == Phase::sending) send_rest(link);
}

void Run::enter_sending() {
  for (int turn = 0; turn < 64 && kernel_->listen(); ++turn) {
  }
  report_.uncaught = kernel_->uncaught();
  report_.out = out_.summary();
  report_.err = err_.summary();
  usage_.report(report_);
  const int error = report_.uncaught ? report_.uncaught->error_number : 0;
  report_.disk_full |= error == ENOSPC || error == EDQUOT;
  harvest_.emplace(order_, files_);
  report_.files_incomplete = harvest_->incomplete();
  phase_ = Phase::sending;
}

void Run::send_rest(Link& link) {
  if (!report_sent_) {
    if (!out_.send_tail(link) || !err_.send_tail(link)) return;
    link.send(FrameType::report, report_.encode());
    report_sent_ = true;
  }
  if (harvest_ && !harvest_->send(link)) return;
  link.send(FrameType::end);
  phase_ = Phase::done;
}

}  // namespace hotcell::agent
