#include "wasi/worker/runner.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/glob.h"
#include "wasi/worker/remote_directory.h"

namespace hotcell::wasi {
namespace {

constexpr std::size_t kModulesKept = 4, kPacksKept = 8;
constexpr std::string_view kWorkspace = "/workspace";

std::uint64_t now_ns(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// What hc_run() reads: docs/wasi.md describes the record.
void write_request(ByteWriter& out, const Order& order) {
  out.put<std::uint32_t>(order.seed ? 2 : 0);
  out.put<std::uint32_t>(0);
  out.put<std::uint64_t>(order.seed.value_or(0));
  out.put_bytes(order.code);
  out.put<std::uint32_t>(static_cast<std::uint32_t>(order.args.size()));
  for (const auto arg : order.args) out.put_bytes(arg);
  out.put<std::uint32_t>(static_cast<std::uint32_t>(order.env.size()));
  for (const auto variable : order.env) out.put_bytes(variable);
}

Fate fate_of(const CallOutcome& outcome, const Host& host, const StopClock& clock) {
  if (clock.strikes() > 0) {
    // Whatever the program did after it was asked to stop, the limit is what ended it.
    switch (clock.reason()) {
      case StopClock::Reason::deadline:
        return Fate::timed_out;
      case StopClock::Reason::cpu:
        return Fate::cpu_exceeded;
      case StopClock::Reason::cancelled:
        return Fate::cancelled;
      case StopClock::Reason::none:
        break;
    }
  }
  switch (outcome.kind) {
    case CallOutcome::Kind::returned:
      return Fate::exited;
    case CallOutcome::Kind::stack_overflow:
      return Fate::stack_overflow;
    case CallOutcome::Kind::out_of_fuel:
      return Fate::out_of_fuel;
    case CallOutcome::Kind::trapped:
      return Fate::trapped;
    case CallOutcome::Kind::stopped:
      break;
  }
  if (host.stop() == Stop::kExit) return Fate::exited;
  if (host.stop() == Stop::kLeft) return Fate::left;
  if (host.stop() == Stop::kInterrupted) return Fate::timed_out;  // slept past the end of virtual time
  return Fate::trapped;
}

// What a native program would have died of.
int signal_of(const CallOutcome& outcome, const Host& host) {
  if (host.stop() == Stop::kSignal) return static_cast<int>(host.code());
  if (!outcome.code) return SIGABRT;
  switch (*outcome.code) {
    case WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS:
      return SIGSEGV;
    case WASMTIME_TRAP_CODE_HEAP_MISALIGNED:
      return SIGBUS;
    case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW:
    case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO:
    case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER:
      return SIGFPE;
    case WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS:
    case WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL:
    case WASMTIME_TRAP_CODE_BAD_SIGNATURE:
      return SIGILL;
    default:
      return SIGABRT;  // unreachable: how abort() ends in WebAssembly
  }
}

Report failed(std::string why) {
  Report report;
  report.fate = Fate::host_failed;
  report.trap = std::move(why);
  return report;
}

Report not_begun(const Error& error) {
  auto report = failed(error.message);
  if (error.code == "invalid_field") report.fate = Fate::refused;
  return report;
}

}  // namespace

// A module has no soft stop: the first strike ends it.
class StopAtOnce final : public OnStrike {
 public:
  explicit StopAtOnce(const StopClock& clock) : clock_(clock) {}
  bool go_on() override { return clock_.strikes() == 0; }

 private:
  const StopClock& clock_;
};

Runner::Runner(Engine& engine, const Image* image, StopClock& clock, Channel& channel)
    : engine_(engine), image_(image), clock_(clock), channel_(channel) {
  run_.host = &host_;
}

Expected<void> Runner::prepare() {
  if (cell_ || !image_) return {};
  auto cell = Cell::create(engine_, *image_, run_, clock_);
  if (!cell) return std::unexpected(cell.error());
  cell_ = std::move(*cell);
  return {};
}

Report Runner::run(const Order& order, int given) {
  return order.image.empty() ? run_module(order, given) : run_language(order, given);
}

Expected<void> Runner::begin(const Order& order, std::vector<std::string> args, std::vector<std::string> env) {
  const bool language = !order.image.empty();
  Vfs::Options options;
  options.max_bytes = order.disk_bytes;
  options.read_only = order.fs_readonly;
  options.writable_root = !language;
  HostConfig config;
  // Where nothing may differ from run to run, not even a file's date may.
  const auto start_ns = order.start_time ? static_cast<std::uint64_t>(*order.start_time * 1e9)
                        : order.seed     ? config.realtime_start_ns
                                         : now_ns(CLOCK_REALTIME);
  files_.reset(options, start_ns);
  if (image_ && language && image_->pack())
    if (auto mounted = files_.mount_pack("/", *image_->pack()); !mounted) return mounted;
  if (!order.packages_at.empty())
    if (auto mounted = files_.mount_pack(order.packages_at, packs_.find(order.packages_key)->second.pack); !mounted)
      return mounted;
  for (const auto& file : order.files) {
    auto added = file.directory ? files_.add_directory(file.path) : files_.add_file(file.path, as_bytes(file.content));
    if (!added)
      return fail("invalid_field", "cannot give the program " + std::string(file.path) + ": " + added.error().message);
  }
  for (std::size_t i = 0; i < order.host_dirs.size(); ++i)
    if (auto mounted = files_.mount_host(order.host_dirs[i],
                                         std::make_shared<RemoteDirectory>(channel_, static_cast<std::uint8_t>(i)));
        !mounted)
      return mounted;
  if (language)
    if (auto added = files_.add_file("/workspace/main.py", as_bytes(order.code)); !added)
      return fail("invalid_field", "the program itself is /workspace/main.py: no other file can have this name");

  args_ = std::move(args);
  env_ = std::move(env);
  out_.clear(order.output_bytes);
  err_.clear(order.output_bytes);
  live_ = order.stream;
  live_left_[0] = live_left_[1] = order.output_bytes;
  enough_strikes_ = language ? 2 : 1;
  input_owed_ = false;
  beyond_ = Beyond::kNothing;
  may_leave_ = order.leave;

  config.args = args_;
  config.env = env_;
  config.stdin_bytes = as_bytes(order.stdin_bytes);
  if (order.live_input) config.more_input = this;
  config.output = this;
  config.beyond = this;
  config.fs = &files_;
  config.allow_clock = order.allow_clock;
  config.allow_random = order.allow_random;
  config.sleeper = order.seed ? nullptr : this;
  config.seed = order.seed;
  if (order.start_time) config.realtime_start_ns = start_ns;
  if (order.timeout_ns) config.virtual_time_limit_ns = order.timeout_ns;
  return host_.start(config);
}

Report Runner::run_language(const Order& order, int pack_fd) {
  if (!image_ || image_->manifest().name != order.image)
    return failed("this worker has no image " + std::string(order.image));
  if (auto ready = prepare(); !ready) return failed(ready.error().message);
  const auto wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  if (auto taken = take_packages(order, pack_fd); !taken) return failed(taken.error().message);
  if (auto begun = begin(order, {}, {}); !begun) return not_begun(begun.error());
  if (engine_.metering() == Metering::fuel)
    if (auto filled = cell_->instance().set_fuel(order.fuel ? order.fuel : ~0ull >> 1); !filled)
      return failed(filled.error().message);

  ByteWriter request;
  request.bytes().swap(request_);  // keeps its capacity from run to run
  request.bytes().clear();
  write_request(request, order);
  clock_.arm(std::chrono::nanoseconds(order.timeout_ns), std::chrono::nanoseconds(order.cpu_ns));
  const auto outcome = cell_->run(request.bytes(), order.memory_bytes);
  clock_.disarm();
  request_.swap(request.bytes());
  if (request_.capacity() > (1u << 20)) std::string().swap(request_);

  Report report;
  report.growth_refused = cell_->growth_refused();
  if (outcome.kind == CallOutcome::Kind::returned) report.exit_code = outcome.value & 0xff;
  auto said = cell_->report(order.result_bytes);
  report.uncaught = said.uncaught;
  report.result_cut = said.cut;
  report.error_line = said.line;
  report.error_name = std::move(said.name);
  report.error_message = std::move(said.message);
  report.error_traceback = std::move(said.traceback);
  if (engine_.metering() == Metering::fuel && order.fuel)
    report.fuel_used = order.fuel - std::min(order.fuel, cell_->instance().fuel_left());
  finish(order, outcome, report);
  const auto ran = now_ns(CLOCK_MONOTONIC);
  report.wall_ns = ran - wall;
  report.cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;

  if (cell_->grown()) {
    report.memory_peak = cell_->memory_bytes();
    report.recycle = true;  // a memory cannot shrink: the process goes, and the kernel takes everything back
    return report;
  }
  auto reset = cell_->reset();
  if (!reset) {
    report.recycle = true;
    return report;
  }
  report.dirty_pages = static_cast<std::uint32_t>(reset->private_pages);
  report.memory_peak = image_->manifest().used_bytes + reset->private_pages * 4096;
  report.reset_ns = now_ns(CLOCK_MONOTONIC) - ran;
  return report;
}

Expected<void> Runner::take_packages(const Order& order, int pack_fd) {
  if (order.packages_at.empty() || packs_.contains(order.packages_key)) return {};
  const off_t end = pack_fd < 0 ? -1 : lseek(pack_fd, 0, SEEK_END);  // fstat() is more than the jail allows
  if (end <= 0) return fail("internal", "the order brings no packages");
  auto file = MappedFile::map(pack_fd, static_cast<std::size_t>(end), "the packages");
  if (!file) return std::unexpected(file.error());
  auto pack = Pack::open(std::as_bytes(file->bytes()));
  if (!pack) return std::unexpected(pack.error());
  if (packs_.size() >= kPacksKept) packs_.clear();
  packs_.emplace(std::string(order.packages_key), MountedPack{std::move(*file), *pack});
  return {};
}

Expected<const Program*> Runner::module(const Order& order, int module_fd) {
  if (const auto found = modules_.find(order.module_key); found != modules_.end()) return &found->second;
  const off_t end = module_fd < 0 ? -1 : lseek(module_fd, 0, SEEK_END);
  if (end <= 0) return fail("internal", "the order brings no module");
  const auto size = static_cast<std::size_t>(end);
  void* at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, module_fd, 0);
  if (at == MAP_FAILED) return fail_errno("cannot map the compiled module");
  auto loaded = Module::load(engine_, {static_cast<const std::uint8_t*>(at), size});
  munmap(at, size);
  if (!loaded) return std::unexpected(loaded.error());
  auto program = Program::link(engine_, std::move(*loaded));
  if (!program) return std::unexpected(program.error());
  if (modules_.size() >= kModulesKept) modules_.clear();
  return &modules_.emplace(std::string(order.module_key), std::move(*program)).first->second;
}

Report Runner::run_module(const Order& order, int module_fd) {
  auto program = module(order, module_fd);
  if (!program) {
    Report report;
    report.fate = Fate::not_started;
    report.trap = program.error().message;
    return report;
  }
  const auto wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  if (auto begun = begin(order, {order.args.begin(), order.args.end()}, {order.env.begin(), order.env.end()}); !begun)
    return not_begun(begun.error());
  StopAtOnce on_strike(clock_);
  Instance::Limits limits{order.memory_bytes, order.table_elements};
  Report report;
  clock_.arm(std::chrono::nanoseconds(order.timeout_ns), std::chrono::nanoseconds(order.cpu_ns));
  {
    // The start function runs under the same clock.
    auto instance = Instance::create(engine_, **program, run_, limits, on_strike);
    CallOutcome outcome;
    bool started = false;
    if (!instance) {
      outcome.kind = instance.error().code == "stopped" ? CallOutcome::Kind::stopped : CallOutcome::Kind::trapped;
      outcome.trap = instance.error().message;
      outcome.code = run_.trap_code;
    } else if (const auto start = (*instance)->command("_start")) {
      if (engine_.metering() == Metering::fuel && order.fuel)
        if (auto filled = (*instance)->set_fuel(order.fuel); !filled) return failed(filled.error().message);
      started = true;
      outcome = (*instance)->call(*start, {}, false);
      report.memory_peak = (*instance)->memory().size();
      if (engine_.metering() == Metering::fuel && order.fuel)
        report.fuel_used = order.fuel - std::min(order.fuel, (*instance)->fuel_left());
    } else {
      outcome.kind = CallOutcome::Kind::trapped;
      outcome.trap = "the module exports no function _start without parameters and results";
    }
    clock_.disarm();
    report.growth_refused = engine_.memory_plan().refused;
    finish(order, outcome, report);
    // Without a trap code it was not the module's start function that failed, but a limit.
    if (!started && report.fate == Fate::trapped && !outcome.code) report.fate = Fate::not_started;
  }
  report.wall_ns = now_ns(CLOCK_MONOTONIC) - wall;
  report.cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  return report;
}

void Runner::finish(const Order& order, const CallOutcome& outcome, Report& report) {
  report.fate = fate_of(outcome, host_, clock_);
  report.trap = outcome.trap;
  if (report.fate == Fate::trapped) report.signal = signal_of(outcome, host_);
  if (report.fate == Fate::exited && host_.stop() == Stop::kExit) {
    // A language's exit status is what a process can have; a module's may be any number, and is told as it is.
    report.exit_code = static_cast<int>(order.image.empty() ? host_.code() : host_.code() & 0xff);
  }
  report.disk_refused = files_.quota_hit();
  report.beyond = static_cast<std::uint8_t>(beyond_);
  const auto keep = [](OutputBuffer& from, Report::Stream& to) {
    auto kept = from.take();
    to = {std::move(kept.bytes), kept.total, kept.truncated};
  };
  keep(out_, report.out);
  keep(err_, report.err);
  if (order.collect_changed || !order.collect.empty()) collect(order, report);
  if (input_owed_) report.recycle = true;  // the answer may still come, and must not meet the next order
  host_.finish();
}

void Runner::collect(const Order& order, Report& report) {
  const bool language = !order.image.empty();
  const std::string_view top = language ? kWorkspace : "/";
  std::uint64_t left = order.files_bytes;
  const auto shown = [&](const std::string& path) -> std::string {
    return path.starts_with("/workspace/") ? path.substr(kWorkspace.size() + 1) : path;
  };
  const auto add = [&](const Vfs::Item& item, std::uint8_t change) {
    if (report.files.size() >= order.max_files) return;
    Report::File file;
    file.path = shown(item.path);
    file.change = change;
    file.size = item.size;
    if (item.node) {
      file.left_out = item.size > std::min(left, order.inline_bytes);
      if (!file.left_out) {
        file.content.resize(item.size);
        const auto got = files_.read(*item.node, 0, std::as_writable_bytes(std::span(file.content)));
        file.content.resize(got ? *got : 0);
        left -= file.content.size();
      }
    }
    report.files.push_back(std::move(file));
  };
  std::vector<std::string> taken;
  if (order.collect_changed)
    for (const auto& changed : files_.changed(top, order.max_files + 1).list) {
      if (!language && changed.item.path.starts_with("/tmp/")) continue;
      if (changed.change == Vfs::Change::kCreated && is_bytecode(changed.item.path)) continue;
      taken.push_back(changed.item.path);
      add(changed.item, static_cast<std::uint8_t>(changed.change));
    }
  if (order.collect.empty()) return;
  for (const auto& found : files_.all(kWorkspace).list) {
    const auto name = shown(found.item.path);
    if (found.item.type != FileType::kRegular || std::find(taken.begin(), taken.end(), found.item.path) != taken.end())
      continue;
    for (const auto pattern : order.collect)
      if (glob_matches(pattern, name)) {
        add(found.item, static_cast<std::uint8_t>(Vfs::Change::kModified));
        break;
      }
  }
}

Errno Runner::write(int stream, std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  (stream == 1 ? out_ : err_).write(text);
  if (live_) {
    auto& left = live_left_[stream - 1];
    const auto now = text.substr(0, left);
    left -= now.size();
    if (!now.empty()) {
      may_leave_ = false;
      std::string frame(1, static_cast<char>(stream));
      frame += now;
      (void)channel_.send(FrameType::output, frame);  // an engine that is gone is noticed by the next receive()
    }
  }
  return Errno::kSuccess;
}

Sleeper::Result Runner::sleep_until(std::uint64_t monotonic_ns) {
  // A language that was asked to stop must get back to its own code to notice: its sleeps are over.
  if (clock_.strikes() == 0) clock_.sleep_until(monotonic_ns);
  return clock_.strikes() >= enough_strikes_ ? Result::kStop : Result::kElapsed;
}

bool Runner::asked_for(Beyond what) {
  beyond_ = what;
  return may_leave_;
}

std::optional<std::span<const std::byte>> Runner::more() {
  may_leave_ = false;
  if (!input_owed_ && !channel_.send(FrameType::want_input, "")) return std::nullopt;
  input_owed_ = true;
  while (!clock_.wait_readable(channel_.fd()))
    if (clock_.strikes() >= enough_strikes_)
      return std::nullopt;
    else if (clock_.strikes() > 0)
      return std::span<const std::byte>();  // back to its own code, to notice
  auto frame = channel_.receive(Deadline::after(kAnswerTime));
  if (!frame || frame->type != FrameType::input) return std::nullopt;
  input_owed_ = false;
  input_ = frame->payload;
  return as_bytes(input_);
}

}  // namespace hotcell::wasi
