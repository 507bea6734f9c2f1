#include "agent/agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/facts.h"
#include "agent/guard.h"
#include "agent/processes.h"

namespace hotcell::agent {
namespace {

using namespace std::chrono_literals;

constexpr auto kWarmTime = 30s;
// A program waits for these: where they do not do, an interpreter is started as if there were no stem.
constexpr auto kStemTime = 5s;
constexpr auto kCopyTime = 500ms;
// What a program may use is not to be taken up by a stem.
constexpr std::uint64_t kStemMemory = 64u << 20, kStemPids = 32;
constexpr int kLastWordsMs = 500;
constexpr std::uint64_t kMaxResetNs = 3'600'000'000'000;
constexpr const char* kWorkspace = "/workspace";

// Where a host is expected to put the program: a kernel is started for one path.
std::string main_file_of(Language language) {
  return std::string(kWorkspace) + (language == Language::python ? "/main.py" : "/main.js");
}

std::vector<std::string> own_env() {
  std::vector<std::string> out;
  for (char** entry = environ; entry && *entry; ++entry) out.emplace_back(*entry);
  return out;
}

// What an interpreter that is gone had to say about it.
std::string last_words(const Kernel& kernel) {
  char text[1024];
  fcntl(kernel.err.get(), F_SETFL, O_NONBLOCK);
  const ssize_t got = read(kernel.err.get(), text, sizeof text);
  return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : "it said nothing";
}

}  // namespace

Agent::Agent(Link link, Fd children)
    : link_(std::move(link)), children_(std::move(children)), cgroup_(Cgroup::find()), guarded_(guard_works()) {}

void Agent::serve() {
  for (;;) {
    if (!link_.flush()) return;
    wait();
    if (!take_frames()) return;
    reap_all();
    if (warming_) watch_warm();
    if (!run_) continue;
    run_->advance(link_);
    if (run_->phase() == Run::Phase::done) run_.reset();
  }
}

// Until something has happened that somebody here waits for.
void Agent::wait() {
  std::vector<pollfd> waits{{link_.in(), POLLIN, 0}, {children_.get(), POLLIN, 0}};
  if (!link_.idle()) waits.push_back({link_.out(), POLLOUT, 0});
  auto wake_at = Clock::time_point::max();
  if (run_) {
    for (const auto& watch : run_->watches(link_)) waits.push_back({watch.fd, watch.events, 0});
    wake_at = run_->wake_at();
    // What is left to be sent waits for the host alone.
    const bool sending = run_->phase() == Run::Phase::draining || run_->phase() == Run::Phase::sending;
    if (sending && !link_.crowded()) wake_at = Clock::now();
  }
  if (warming_) {
    if (kernel_ && kernel_->control() >= 0) {
      const short events = static_cast<short>(POLLIN | (kernel_->has_to_write() ? POLLOUT : 0));
      waits.push_back({kernel_->control(), events, 0});
    }
    wake_at = std::min(wake_at, warming_since_ + kWarmTime);
  }
  int timeout = -1;
  timespec left{};
  if (wake_at != Clock::time_point::max()) {
    const auto time = std::max<Clock::duration>(wake_at - Clock::now(), 0ns);
    left = {time / 1s, (time % 1s).count()};
    timeout = 0;
  }
  ppoll(waits.data(), waits.size(), timeout < 0 ? nullptr : &left, nullptr);
}

bool Agent::take_frames() {
  if (!link_.receive()) return false;
  while (const auto frame = link_.next())
    if (!take(*frame)) return false;
  return !link_.broken() || fault("a frame that cannot be");
}

bool Agent::fault(std::string_view sentence) {
  link_.send(FrameType::fault, Fault{std::string(sentence)}.encode());
  kill_all();
  link_.flush_for(kLastWordsMs);
  return false;
}

bool Agent::take(const FrameReader::Frame& frame) {
  if (!greeted_) return hello(frame);
  switch (frame.type) {
    case FrameType::warm:
    case FrameType::prove:
    case FrameType::order:
    case FrameType::reset:
      return run_ ? fault("a program is running already") : idle_frame(frame);
    case FrameType::file:
    case FrameType::input:
    case FrameType::go:
    case FrameType::stop:
      return run_frame(frame);
    default:
      return fault("a frame out of place");
  }
}

bool Agent::hello(const FrameReader::Frame& frame) {
  const auto hello = frame.type == FrameType::hello ? Hello::decode(frame.payload) : std::nullopt;
  if (!hello) return fault("a frame before hello");
  if (hello->version != kWireVersion)
    return fault("the agent speaks version " + std::to_string(kWireVersion) + " of the protocol, its host version " +
                 std::to_string(hello->version));
  greeted_ = true;
  probes_ = hello->probes;
  const auto facts = look();
  first_facts_ = what_stays(facts);
  wiper_.remember();
  link_.send(FrameType::ready, facts.encode());
  return true;
}

bool Agent::idle_frame(const FrameReader::Frame& frame) {
  if (frame.type == FrameType::prove) {
    link_.send(FrameType::ready, look().encode());
    return true;
  }
  if (const auto wish = frame.type == FrameType::warm ? Warm::decode(frame.payload) : std::nullopt) {
    warm(*wish);
    return true;
  }
  if (auto order = frame.type == FrameType::order ? Order::decode(frame.payload) : std::nullopt) {
    run_.emplace(std::move(*order), cgroup_);
    return true;
  }
  if (const auto wish = frame.type == FrameType::reset ? Reset::decode(frame.payload) : std::nullopt) {
    reset(*wish);
    return true;
  }
  return fault("a frame that does not decode");
}

bool Agent::run_frame(const FrameReader::Frame& frame) {
  const bool loading = run_ && run_->phase() == Run::Phase::loading;
  if (frame.type == FrameType::file) {
    const auto file = FileIn::decode(frame.payload);
    if (!file || !loading) return fault("a file out of place");
    run_->take(*file);
  } else if (frame.type == FrameType::input) {
    const auto input = Input::decode(frame.payload);
    if (!input) return fault("input that does not decode");
    if (run_ && !run_->take(*input, link_)) return fault("more input than was asked for");
  } else if (frame.type == FrameType::go) {
    if (!loading || !frame.payload.empty()) return fault("go without an order");
    go();
  } else {
    const auto stop = Stop::decode(frame.payload);
    if (!stop) return fault("a stop that does not decode");
    if (run_) run_->stop(stop->grace_ns);
  }
  return true;
}

void Agent::warm(const Warm& wish) {
  discard(kernel_);
  const bool as_before = std::exchange(modules_, wish.modules) == wish.modules;
  warming_since_ = Clock::now();
  warming_ = true;
  warmed_ = {};
  warmed_.language = wish.language;
  const auto env = own_env();
  if (wish.language == Language::none) return answer_warm(true, "");
  if (wish.language == Language::bash) {
    warmed_.interpreter = find_interpreter(wish.language, env);
    const bool there = !warmed_.interpreter.empty();
    return answer_warm(there, there ? "" : missing_interpreter(wish.language));
  }
  if (wish.language == Language::python && stem_ && as_before) copy_stem();
  if (kernel_) {
    warmed_.interpreter = kernel_->interpreter();
    return answer_warm(true, "");
  }
  auto started = Kernel::start({wish.language, main_file_of(wish.language), env,
                                access(kWorkspace, X_OK) == 0 ? kWorkspace : "/", true, wish.modules});
  if (!started) return answer_warm(false, started.error().message);
  kernel_ = std::move(*started);
  warmed_.interpreter = kernel_->interpreter();
}

void Agent::answer_warm(bool ready, std::string problem) {
  warming_ = false;
  warmed_.ready = ready;
  warmed_.problem = std::move(problem);
  if (kernel_) warmed_.version = kernel_->version();
  warmed_.took_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - warming_since_).count());
  link_.send(FrameType::warmed, warmed_.encode());
  if (!ready) discard(kernel_);
}

void Agent::watch_warm() {
  kernel_->talk();
  if (kernel_->control() >= 0) kernel_->listen();
  if (kernel_->ready()) return answer_warm(true, "");
  if (Clock::now() >= warming_since_ + kWarmTime) answer_warm(false, warmed_.interpreter + " took too long to start");
}

// It may be gone, or have to go: in any case nothing will come of it.
void Agent::discard(std::optional<Kernel>& kernel) {
  if (!kernel) return;
  discarded_.push_back(kernel->pid());
  kill(kernel->pid(), SIGKILL);
  kernel.reset();
}

// Where an interpreter would have to be started for every program, one is started to be copied. Only while no program
// runs: until it is ready, it could be looked into.
void Agent::copy_stem() {
  if (!used_again_ || stemless_ || !roomy_ || access(kWorkspace, X_OK) != 0) return;
  const KernelWish wish{Language::python, main_file_of(Language::python), own_env(), kWorkspace, true, modules_, true};
  if (run_ && !wish.suits(run_->order(), run_->env())) return;
  if (!stem_) {
    auto started = Kernel::start(wish);
    if (!started) return;
    stem_ = std::move(*started);
    const auto deadline = Deadline::after(kStemTime);
    while (!stem_->ready() && stem_->control() >= 0 && !deadline.passed()) {
      pollfd wait{stem_->control(), POLLIN, 0};
      poll(&wait, 1, deadline.poll_ms());
      stem_->listen();
    }
    stemless_ = !stem_->ready();  // what cannot be had once is not tried again
    stem_->in.reset(), stem_->out.reset(), stem_->err.reset();
  }
  auto copy = stemless_ ? fail("internal", "there is no stem") : stem_->copy(Deadline::after(kCopyTime));
  if (copy)
    kernel_ = std::move(*copy);
  else
    discard(stem_);
}

Facts Agent::look() {
  auto facts = gather_facts(cgroup_, guarded_, probes_);
  roomy_ = facts.memory_limit >= kStemMemory && facts.pids_limit >= kStemPids;
  return facts;
}

bool Agent::only_stem_left() const { return stem_ && count_processes() == 1; }

void Agent::go() {
  if (kernel_ && !kernel_->wish().suits(run_->order(), run_->env())) discard(kernel_);
  // An order does not wait for a `warmed` that nobody needs any more.
  if (warming_) answer_warm(kernel_ && kernel_->ready(), kernel_ ? "it was needed before it was ready" : "not needed");
  if (!roomy_) discard(stem_);
  if (!kernel_) copy_stem();
  run_->go(std::exchange(kernel_, std::nullopt), link_);
}

void Agent::reap_all() {
  signalfd_siginfo ignored;
  while (read(children_.get(), &ignored, sizeof ignored) > 0) {
  }
  bool none_left = false;
  while (const auto process = reap(none_left)) {
    if (std::erase(discarded_, process->pid)) continue;
    if (stem_ && process->pid == stem_->pid()) {
      stem_.reset();
    } else if (kernel_ && process->pid == kernel_->pid()) {
      if (warming_) answer_warm(false, warmed_.interpreter + " ended before it was ready: " + last_words(*kernel_));
      kernel_.reset();
    } else if (run_) {
      run_->ended(*process);
    }
  }
  if (run_ && (none_left || (run_->ended_alone() && only_stem_left()))) run_->none_left();
}

void Agent::reset(const Reset& wish) {
  if (warming_) answer_warm(false, "the cell was reset");
  discard(kernel_);
  if (!only_stem_left()) discard(stem_);
  auto cleaned = wiper_.wipe(
      Deadline::after(std::chrono::nanoseconds(std::min<std::uint64_t>(wish.time_ns, kMaxResetNs))), stem_ ? 1 : 0);
  if (!stem_) discarded_.clear();
  if (cleaned.clean) {
    auto facts = look();
    if (stem_)
      std::erase_if(facts.descriptors,
                    [&](const auto& one) { return one.starts_with(std::to_string(stem_->control()) + " "); });
    if (what_stays(std::move(facts)) != first_facts_) {
      cleaned.clean = false;
      cleaned.problem = "the cell is not as it was at first";
    }
  }
  used_again_ = true;
  link_.send(FrameType::cleaned, cleaned.encode());
}

}  // namespace hotcell::agent
