#include "wasi/engine.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <list>
#include <map>
#include <mutex>

#include "base/bytes.h"
#include "base/hash.h"
#include "protocol/failures.h"
#include "wasi/binary/inspect.h"
#include "wasi/fs/host_dir.h"
#include "wasi/manifest.h"
#include "wasi/module_cache.h"
#include "wasi/outcome.h"
#include "wasi/packages.h"
#include "wasi/pool.h"

namespace hotcell::wasi {
namespace {

using namespace protocol;
namespace fs = std::filesystem;

// After a run's time is over its worker has this long to stop the program and to answer, or it is killed.
constexpr std::chrono::seconds kReportMargin{3};
// A worker that is well reads what it is sent at once; one that does not must not hold up its engine.
constexpr std::chrono::seconds kSendTime{5};
constexpr double kLongestRun = 86400;
// How long a request may wait for a worker beyond its own timeout, unless it says.
constexpr double kQueueAllowance = 30;
constexpr std::size_t kModulesInMemory = 16;
constexpr double kCompileSeconds = 90;

fs::path cache_folder() {
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg) return fs::path(xdg) / "hotcell";
  const char* home = std::getenv("HOME");
  return fs::path(home && *home ? home : "/tmp") / ".cache" / "hotcell";
}

fs::path worker_beside_us() {
  if (const char* set = std::getenv("HOTCELL_WORKER"); set && *set) return set;
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path() / "hotcell-worker";
}

std::unexpected<Error> unsupported(const std::string& field, const std::string& why, const std::string& hint = {}) {
  return fail("unsupported_by_engine", "the wasi engine cannot honour \"" + field + "\": " + why, hint);
}

// A field that this engine cannot honour is refused, never ignored.
Expected<void> check_supported(const Request& request) {
  const auto possible = [](double seconds) { return seconds > 0 && seconds <= kLongestRun; };  // no NaN either
  if (!possible(request.timeout_seconds))
    return fail("invalid_field", "timeout_seconds must be above 0 and at most 86400");
  if (request.limits.cpu_seconds && !possible(*request.limits.cpu_seconds))
    return fail("invalid_field", "limits.cpu_seconds must be above 0 and at most 86400");
  if (request.argv) return unsupported("argv", "it has no other programs to start", "use engine docker");
  if (request.session_id) return unsupported("session_id", "sessions are not there yet");
  if (request.network.mode != NetworkMode::none)
    return unsupported("network", "its programs have no network", "use engine docker, or network.mode none");
  if (!request.dependencies.packages.empty() && !request.packages)
    return unsupported("dependencies", "nobody installs packages here", "use engine docker");
  if (request.packages && request.language != Language::python)
    return unsupported("dependencies", "only Python programs are given packages", "use engine docker");
  if (request.image) return unsupported("image", "container images are the docker engine's");
  if (request.limits.cpus) return unsupported("limits.cpus", "a program runs on one CPU");
  if (request.limits.pids) return unsupported("limits.pids", "a program is one process");
  if (!request.inputs.empty()) return unsupported("inputs", "send one request for each input");
  if (request.mode == Mode::cell) return unsupported("mode", "cells belong to sessions, which are not there yet");
  if (request.cwd && *request.cwd != "." && *request.cwd != "/workspace")
    return unsupported("cwd", "programs start in /workspace");
  for (const auto& file : request.files)
    if (file.sha256) return unsupported("files", "uploads by hash are not there yet; send the content");
  return {};
}

using Amount = std::uint64_t;
Expected<Amount> effective(const char* field, std::optional<Amount> asked, Amount standard, Amount most) {
  if (!asked) return std::min(standard, most);
  if (*asked > most)
    return fail("limit_above_maximum", std::string("limits.") + field + " is " + std::to_string(*asked) +
                                           ", the most allowed is " + std::to_string(most));
  return *asked;
}

// True: there is input (or its end). False: look at the worker, or at the stop token, first.
bool wait_for_input(int input, int worker, int stop, Deadline deadline) {
  for (;;) {
    pollfd waits[3] = {{input, POLLIN, 0}, {worker, POLLIN, 0}, {stop, POLLIN, 0}};
    const int ready = poll(waits, 3, deadline.poll_ms());
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0 && waits[0].revents && !waits[1].revents && !waits[2].revents;
  }
}

}  // namespace

struct WasiEngine::State {
  EngineOptions options;
  std::unique_ptr<Pool> plain;
  std::mutex metered_mutex;
  std::unique_ptr<Pool> metered;                         // started when somebody asks for fuel
  std::vector<std::unique_ptr<LocalDirectory>> allowed;  // in the order of options.allowed_paths
  std::once_flag cache_opened;
  std::optional<ModuleCache> cache;  // opened at first use; none where the folder cannot be used

  struct KeptModule {
    std::string key;
    std::shared_ptr<Fd> code;
  };
  std::mutex modules_mutex;
  std::list<KeptModule> modules;  // used last, first

  PackageShelf packages;

  std::mutex image_ids_mutex;
  std::map<std::string, std::string, std::less<>> image_ids;

  Expected<Pool*> pool(bool fuel);
  std::string image_id(std::string_view name);
  Expected<protocol::Limits> limits_of(const Request& request) const;
  Expected<std::shared_ptr<Fd>> module_code(const Request& request, const protocol::Limits& limits, std::string& key,
                                            Deadline deadline);
  Expected<std::vector<std::uint8_t>> compile(const std::string& bytes, const protocol::Limits& limits, bool fuel,
                                              Deadline deadline);
  bool answer(Channel& channel, std::string_view question) const;
  Outcome execute(Pool& pool, std::unique_ptr<Worker> worker, const std::string& order,
                  const std::vector<int>& descriptors, const Request& request, const protocol::Limits& limits,
                  OutputSink* sink, const StopToken* stop, bool may_leave, bool& never_ran);
};

Expected<Pool*> WasiEngine::State::pool(bool fuel) {
  if (!fuel) return plain.get();
  const std::lock_guard lock(metered_mutex);
  if (!metered) {
    auto started =
        Pool::start({options.worker, options.images, true, options.pin_images, options.max_workers, options.keep_idle});
    if (!started) return std::unexpected(started.error());
    metered = std::move(*started);
  }
  return metered.get();
}

// By what it holds, as results name images: the same name may mean another interpreter tomorrow.
std::string WasiEngine::State::image_id(std::string_view name) {
  const std::lock_guard lock(image_ids_mutex);
  auto known = image_ids.find(name);
  if (known == image_ids.end()) {
    const auto manifest = Manifest::load(options.images / name);
    known = image_ids.emplace(name, manifest ? "sha256:" + manifest->wasm_sha256 : std::string(name)).first;
  }
  return known->second;
}

Expected<protocol::Limits> WasiEngine::State::limits_of(const Request& request) const {
  protocol::Limits out;
  const auto& asked = request.limits;
  auto memory = effective("memory_bytes", asked.memory_bytes, options.memory_bytes, options.max_memory_bytes);
  auto disk = effective("disk_bytes", asked.disk_bytes, options.disk_bytes, options.max_disk_bytes);
  auto output = effective("output_bytes", asked.output_bytes, options.output_bytes, options.max_output_bytes);
  auto result = effective("result_bytes", asked.result_bytes, options.result_bytes, options.max_result_bytes);
  auto files = effective("files_bytes", asked.files_bytes, options.files_bytes, options.files_bytes);
  for (const auto* one : {&memory, &disk, &output, &result, &files})
    if (!*one) return std::unexpected(one->error());
  out.memory_bytes = *memory;
  out.disk_bytes = *disk;
  out.output_bytes = *output;
  out.result_bytes = *result;
  out.files_bytes = *files;
  out.cpu_seconds = asked.cpu_seconds;
  if (asked.fuel || options.max_fuel) {
    auto fuel = effective("fuel", asked.fuel, options.max_fuel, options.max_fuel ? options.max_fuel : ~0ull >> 1);
    if (!fuel) return std::unexpected(fuel.error());
    out.fuel = *fuel;
  }
  return out;
}

Expected<std::vector<std::uint8_t>> WasiEngine::State::compile(const std::string& bytes, const protocol::Limits& limits,
                                                               bool fuel, Deadline deadline) {
  auto chosen = pool(fuel);
  if (!chosen) return std::unexpected(chosen.error());
  const auto end = deadline.sooner(Deadline::after_seconds(kCompileSeconds));
  auto worker = (*chosen)->compiler(end);
  if (!worker) return std::unexpected(worker.error());
  ByteWriter order;
  order.put<std::uint64_t>(*limits.memory_bytes);
  order.put<std::uint32_t>(options.table_elements);
  order.put_bytes(bytes);
  if (auto sent = (*worker)->channel.send(FrameType::compile, order.bytes()); !sent)
    return std::unexpected(sent.error());
  auto frame = (*worker)->channel.receive(end);
  if (!frame)
    return fail("module_invalid", frame.error().code == "deadline"
                                      ? "the module took too long to compile"
                                      : "the module could not be compiled within the compiler's memory and time");
  ByteReader in(frame->payload);
  const bool good = in.get<std::uint8_t>() != 0;
  const auto first = in.get_bytes();
  if (good && in.finished()) return std::vector<std::uint8_t>(first.begin(), first.end());
  const auto second = in.get_bytes();
  if (good || !in.finished()) return fail("internal", "the compiler's answer is damaged");
  return fail(std::string(first), std::string(second));
}

Expected<std::shared_ptr<Fd>> WasiEngine::State::module_code(const Request& request, const protocol::Limits& limits,
                                                             std::string& key_text, Deadline deadline) {
  const auto& bytes = request.wasm->bytes;
  if (bytes.size() > kMaxModuleBytes)
    return fail("module_too_large", "the module has " + std::to_string(bytes.size()) + " bytes, the most allowed is " +
                                        std::to_string(kMaxModuleBytes));
  const bool fuel = limits.fuel.has_value();
  const ModuleKey key{sha256(bytes), compiled_settings(fuel), compiled_by(), cpu_features()};
  key_text = hex(key.wasm) + (fuel ? "-fuel" : "");
  {
    const std::lock_guard lock(modules_mutex);
    for (auto at = modules.begin(); at != modules.end(); ++at)
      if (at->key == key_text) {
        modules.splice(modules.begin(), modules, at);
        return modules.front().code;
      }
  }
  std::call_once(cache_opened, [&] {
    std::error_code ignored;
    fs::create_directories(options.module_cache.parent_path(), ignored);
    if (auto opened = ModuleCache::open(options.module_cache)) cache.emplace(std::move(*opened));
  });
  std::shared_ptr<Fd> code;
  if (cache)
    if (auto found = cache->find(key); found && *found) code = std::make_shared<Fd>(std::move(**found));
  if (!code) {
    auto compiled = compile(bytes, limits, fuel, deadline);
    if (!compiled) return std::unexpected(compiled.error());
    auto stored = cache ? cache->store(key, *compiled) : ModuleCache::seal(*compiled);
    if (!stored) stored = ModuleCache::seal(*compiled);  // a full disk must not keep a program from running
    if (!stored) return std::unexpected(stored.error());
    code = std::make_shared<Fd>(std::move(*stored));
  }
  const std::lock_guard lock(modules_mutex);
  modules.push_front({key_text, code});
  if (modules.size() > kModulesInMemory) modules.pop_back();
  return code;
}

// What a program may see of the host, for a worker that cannot look itself. The question is hostile: the answer reaches
// nothing but what lies beneath an allowed directory. False: the worker is not to be trusted any more.
bool WasiEngine::State::answer(Channel& channel, std::string_view payload) const {
  const auto question = HostQuestion::decode(payload);
  if (!question || question->directory >= allowed.size()) return false;
  const auto& directory = *allowed[question->directory];
  const std::string path(question->path);
  HostAnswer out;
  Fd file;
  switch (question->what) {
    case HostQuestion::What::look:
      if (auto info = directory.look(path)) {
        out.type = static_cast<std::uint8_t>(info->type);
        out.size = info->size, out.atim = info->atim, out.mtim = info->mtim, out.ctim = info->ctim;
        out.target = info->target;
      } else {
        out.error = static_cast<std::uint16_t>(info.error());
      }
      break;
    case HostQuestion::What::open:
      if (auto opened = directory.open_file(path))
        file = std::move(*opened);
      else
        out.error = static_cast<std::uint16_t>(opened.error());
      break;
    case HostQuestion::What::list:
      if (auto names = directory.list(path))
        out.names = std::move(*names);
      else
        out.error = static_cast<std::uint16_t>(names.error());
      break;
  }
  return channel
      .send(FrameType::host_answer, out.encode(), file ? std::vector<int>{file.get()} : std::vector<int>{},
            Deadline::after(kSendTime))
      .has_value();
}

Outcome WasiEngine::State::execute(Pool& pool, std::unique_ptr<Worker> worker, const std::string& order,
                                   const std::vector<int>& descriptors, const Request& request,
                                   const protocol::Limits& limits, OutputSink* sink, const StopToken* stop,
                                   bool may_leave, bool& never_ran) {
  never_ran = false;
  worker->come_here();
  if (auto sent = worker->channel.send(FrameType::order, order, descriptors, Deadline::after(kSendTime)); !sent) {
    never_ran = true;  // it died while it was idle, or does not listen: nothing has happened yet
    pool.discard(std::move(worker));
    return lost("worker", "it was gone before the program started");
  }
  auto deadline =
      Deadline::after(std::chrono::nanoseconds(static_cast<long long>(request.timeout_seconds * 1e9)) + kReportMargin);
  int stop_fd = stop ? stop->fd() : -1;
  bool cancelled = false;
  bool wants_input = false;
  const std::uint64_t most_output = *limits.output_bytes;
  std::uint64_t shown[2] = {};  // of each stream
  // All that a report may hold, with room for paths: a worker cannot make us keep more.
  const auto cap = std::min<std::uint64_t>(kMaxFrame, 2 * most_output + 3 * *limits.result_bytes + *limits.files_bytes +
                                                          (request.collect.max_files + 16ull) * (64u << 10));
  for (;;) {
    may_leave &= !wants_input && shown[0] + shown[1] == 0;
    if (wants_input && wait_for_input(sink->input_fd(), worker->channel.fd(), stop_fd, deadline)) {
      char bytes[65536];
      const ssize_t got = read(sink->input_fd(), bytes, sizeof bytes);
      wants_input = false;
      (void)worker->channel.send(FrameType::input, {bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0))}, {},
                                 Deadline::after(kSendTime));
    }
    auto frame = worker->channel.receive(deadline, stop_fd, cap);
    if (frame && frame->type != FrameType::report && deadline.passed()) frame = fail("deadline", "it sends for ever");
    if (frame && frame->type == FrameType::want_input && sink && !wants_input) {
      wants_input = true;
      continue;
    }
    if (frame && frame->type == FrameType::look_host && answer(worker->channel, frame->payload)) continue;
    if (!frame && frame.error().code == "stopped") {
      // The worker says what there is to say; after this it is thrown away, because the signal may still be on its way.
      if (worker->process) syscall(SYS_pidfd_send_signal, worker->process.get(), SIGUSR1, nullptr, 0);
      cancelled = true;
      stop_fd = -1;
      deadline = Deadline::after(std::chrono::seconds(1));
      continue;
    }
    if (frame && frame->type == FrameType::output && frame->payload.size() > 1) {
      const auto bytes = frame->payload.substr(1);
      const bool is_out = frame->payload[0] == 1;
      shown[is_out ? 0 : 1] += bytes.size();
      if (sink && shown[is_out ? 0 : 1] <= most_output)
        sink->output(is_out ? Stream::out : Stream::err, {bytes.data(), bytes.size()});
      continue;
    }
    std::optional<Report> report;
    if (frame && frame->type == FrameType::report) report = Report::decode(frame->payload);
    if (report && report->fate == Fate::left && !may_leave) report.reset();
    if (!report) {
      const std::string how = frame || frame.error().code == "protocol" ? "it sent what it must not send"
                              : frame.error().code == "deadline"        ? "it did not answer in time"
                                                                        : "it ended";
      pool.discard(std::move(worker));
      if (cancelled) {
        report.emplace();
        report->fate = Fate::cancelled;
        return outcome_of(std::move(*report), request, limits);
      }
      return lost("worker", how);
    }
    if (report->recycle || cancelled)
      pool.discard(std::move(worker));
    else
      pool.release(std::move(worker));
    return outcome_of(std::move(*report), request, limits);
  }
}

WasiEngine::WasiEngine(std::unique_ptr<State> state) : state_(std::move(state)) {}
WasiEngine::~WasiEngine() = default;

Expected<std::unique_ptr<WasiEngine>> WasiEngine::create(EngineOptions options) {
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  auto& given = state->options;
  if (given.worker.empty()) given.worker = worker_beside_us();
  if (given.images.empty()) given.images = default_images_folder();
  if (given.module_cache.empty()) given.module_cache = cache_folder() / "modules";
  if (given.allowed_paths.size() > kMaxHostDirectories)
    return fail("invalid_config",
                "wasi.allowed_paths may name at most " + std::to_string(kMaxHostDirectories) + " folders");
  for (const auto& [host, guest] : given.allowed_paths) {
    Fd folder(open(host.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return fail_errno("cannot open the allowed folder " + host.string());
    state->allowed.push_back(std::make_unique<LocalDirectory>(std::move(folder)));
  }
  auto pool = Pool::start({given.worker, given.images, false, given.pin_images, given.max_workers, given.keep_idle});
  if (!pool) return std::unexpected(pool.error());
  state->plain = std::move(*pool);
  return std::unique_ptr<WasiEngine>(new WasiEngine(std::move(state)));
}

Expected<Outcome> WasiEngine::run(const Request& request, OutputSink* sink, const StopToken* stop) {
  if (auto supported = check_supported(request); !supported) return std::unexpected(supported.error());
  auto limits = state_->limits_of(request);
  if (!limits) return std::unexpected(limits.error());
  const auto begun = Deadline::Clock::now();
  const auto deadline =
      Deadline::after_seconds(request.deadline_seconds.value_or(request.timeout_seconds + kQueueAllowance));
  const auto& options = state_->options;

  Order order;
  std::string module_key;
  std::shared_ptr<Fd> code;
  if (request.language == Language::wasm) {
    if (!request.wasm) return fail("invalid_field", "there is no module in the request");
    if (request.wasm->blob || request.wasm->name)
      return unsupported("wasm", "send the module itself; stored modules are not there yet");
    auto found = state_->module_code(request, *limits, module_key, deadline);
    if (!found) {
      const auto& code_of = found.error().code;
      if (code_of.starts_with("module_") || code_of == "memory_limit" || code_of == "table_limit") {
        auto outcome = refused(found.error());
        outcome.limits = *limits;
        return outcome;
      }
      return std::unexpected(found.error());
    }
    code = std::move(*found);
    order.module_key = module_key;
  } else {
    if (!request.code) return fail("invalid_field", "there is no program in the request");
    order.image = name_of(request.language);
    order.code = *request.code;
  }

  std::shared_ptr<const Fd> packages;
  std::string packages_key;
  if (request.packages) {
    packages_key = request.packages->folder + "/" + request.packages->entry + "/content";
    auto pack = state_->packages.get(packages_key);
    if (!pack && pack.error().code == "packages_too_large") {
      auto outcome = refused({"dependency_failed", pack.error().message, pack.error().hint});
      outcome.failure->kind = "dependency";
      outcome.limits = *limits;
      return outcome;
    }
    if (!pack) return std::unexpected(pack.error());
    packages = std::move(*pack);
    order.packages_at = kPackagesForPython;
    order.packages_key = packages_key;
  }

  order.stream = sink != nullptr;
  order.leave = options.may_leave && request.engine == EngineWish::any && request.language != Language::wasm &&
                !request.deterministic && !request.limits.fuel;
  order.fs_readonly = options.fs_readonly;
  order.allow_clock = options.allow_clock;
  order.allow_random = options.allow_random;
  order.collect_changed = request.collect.changed;
  for (const auto& pattern : request.collect.paths) order.collect.push_back(pattern);
  if (request.deterministic) {
    order.seed = request.deterministic->seed.value_or(0);
    order.start_time = request.deterministic->time;
  }
  order.timeout_ns = static_cast<std::uint64_t>(request.timeout_seconds * 1e9);
  if (limits->cpu_seconds) order.cpu_ns = static_cast<std::uint64_t>(*limits->cpu_seconds * 1e9);
  order.memory_bytes = *limits->memory_bytes;
  order.disk_bytes = *limits->disk_bytes;
  order.output_bytes = *limits->output_bytes;
  order.result_bytes = *limits->result_bytes;
  order.files_bytes = *limits->files_bytes;
  order.inline_bytes = request.collect.inline_bytes;
  order.max_files = request.collect.max_files;
  order.fuel = limits->fuel.value_or(0);
  order.table_elements = options.table_elements;
  if (request.stdin_bytes) order.stdin_bytes = *request.stdin_bytes;
  order.live_input = !request.stdin_bytes && sink && sink->input_fd() >= 0;
  for (const auto& [host, guest] : options.allowed_paths) order.host_dirs.push_back(guest);
  for (const auto& arg : request.args) order.args.push_back(arg);
  std::vector<std::string> environment;
  for (const auto* list : {&options.env, &request.env})
    for (const auto& [name, value] : *list) {
      const auto beginning = name + "=";
      std::erase_if(environment, [&](const std::string& one) { return one.starts_with(beginning); });
      environment.push_back(beginning + value);
    }
  order.env.assign(environment.begin(), environment.end());
  std::vector<std::string> paths;
  paths.reserve(request.files.size());
  for (const auto& file : request.files) {
    paths.push_back(file.path.starts_with('/') ? file.path : "/workspace/" + file.path);
    order.files.push_back({paths.back(), file.content, file.mode.value_or(0644), file.directory});
  }

  auto pool = state_->pool(limits->fuel.has_value());
  if (!pool) return std::unexpected(pool.error());
  const std::string bytes = order.encode();
  for (int tries = 0;; ++tries) {
    auto worker = (*pool)->acquire(std::string(order.image), deadline);
    if (!worker) {
      // A language without an image is no fault of ours: no engine here can run it.
      if (worker.error().code == "image_missing" && request.language != Language::python) {
        auto outcome = refused({"engine_unavailable",
                                "there is no " + std::string(name_of(request.language)) + " image for the wasi engine",
                                "use another language, or an engine that has it"});
        outcome.limits = *limits;
        return outcome;
      }
      return std::unexpected(worker.error());
    }
    const bool fresh = (*worker)->fresh;
    const auto queued = std::chrono::duration<double>(Deadline::Clock::now() - begun).count();
    bool never_ran = false;
    std::vector<int> descriptors;
    if (code) descriptors.push_back(code->get());
    if (packages) descriptors.push_back(packages->get());
    auto outcome = state_->execute(**pool, std::move(*worker), bytes, descriptors, request, *limits, sink, stop,
                                   order.leave, never_ran);
    if (never_ran && tries < 3) continue;
    outcome.usage.queue_seconds = queued;
    outcome.engine.name = "wasi";
    outcome.engine.version = std::string("wasmtime ") + compiled_by();
    outcome.engine.image = order.image.empty() ? "sha256:" + module_key.substr(0, 64) : state_->image_id(order.image);
    outcome.engine.start = fresh ? "cold" : "warm";
    outcome.engine.chosen_because = request.engine == EngineWish::wasi ? "requested" : "the only engine";
    return outcome;
  }
}

Expected<void> WasiEngine::warm(const std::string& image, unsigned workers) {
  auto& pool = *state_->plain;
  std::vector<std::unique_ptr<Worker>> ready;
  Expected<void> result;
  for (unsigned i = 0; i < workers && result; ++i) {
    auto worker = pool.acquire(image, Deadline::after_seconds(30));
    if (!worker) {
      result = std::unexpected(worker.error());
    } else if (result = pool.warm_up(**worker); result) {
      ready.push_back(std::move(*worker));
    } else {
      pool.discard(std::move(*worker));
    }
  }
  for (auto& worker : ready) pool.release(std::move(worker));
  return result;
}

std::optional<std::uint64_t> WasiEngine::idle_cell_bytes() const { return state_->plain->idle_bytes(); }

WasiEngine::Counts WasiEngine::counts() const {
  const auto counts = state_->plain->counts();
  return {counts.idle, counts.busy, counts.started, counts.lost};
}

}  // namespace hotcell::wasi
