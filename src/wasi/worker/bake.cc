#include "wasi/worker/bake.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "wasi/binary/prove.h"
#include "wasi/binary/strip.h"
#include "wasi/worker/cell.h"
#include "wasi/worker/stack.h"

namespace hotcell::wasi {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxInput = 256u << 20;
constexpr std::size_t kMaxMemory = 512u << 20;
constexpr std::chrono::minutes kInitTime{5};

void say(const std::string& text) { std::fprintf(stderr, "  %s\n", text.c_str()); }

class Terminal final : public OutputSink {
  Errno write(int, std::span<const std::byte> bytes) override {
    std::fwrite(bytes.data(), 1, bytes.size(), stderr);
    return Errno::kSuccess;
  }
};

class NeverStop final : public OnStrike {
  bool go_on() override { return false; }
};

struct Snapshot {
  std::vector<std::uint8_t> memory;
  std::vector<GlobalValue> globals;
  std::uint32_t report_address = 0;
  std::uint32_t break_words[4] = {};
};

// Runs the module's own initialisation and takes its memory.
Expected<Snapshot> initialise(Engine& engine, Module module, const ResetProof& proof, const Pack* pack) {
  auto program = Program::link(engine, std::move(module));
  if (!program) return std::unexpected(program.error());
  auto clock = StopClock::install(engine);
  if (!clock) return std::unexpected(clock.error());

  Vfs files;
  Vfs::Options quotas;
  files.reset(quotas, 1'767'225'600'000'000'000);
  if (pack)
    if (auto mounted = files.mount_pack("/", *pack); !mounted) return std::unexpected(mounted.error());
  Terminal terminal;
  Host host;
  HostConfig config;
  config.fs = &files;
  config.output = &terminal;
  config.seed = 1;
  if (auto started = host.start(config); !started) return std::unexpected(started.error());

  RunContext run;
  run.host = &host;
  NeverStop never;
  clock->arm(kInitTime, std::chrono::nanoseconds(0));
  auto instance = Instance::create(engine, *program, run, {kMaxMemory, 65536}, never);
  if (!instance) return std::unexpected(instance.error());
  const auto call = [&](const char* name, bool has_result) -> Expected<std::int32_t> {
    const auto function = (*instance)->function(name);
    if (!function) return fail("image_broken", std::string("the module does not export ") + name);
    const auto outcome = (*instance)->call(*function, {}, has_result);
    if (outcome.kind != CallOutcome::Kind::returned)
      return fail("image_broken", std::string(name) + " trapped: " + outcome.trap);
    return outcome.value;
  };
  if (auto done = call("_initialize", false); !done) return std::unexpected(done.error());
  auto status = call("hc_init", true);
  if (!status) return std::unexpected(status.error());
  if (*status != 0) return fail("image_broken", "hc_init failed with status " + std::to_string(*status));

  Snapshot out;
  auto report = call("hc_report", true);
  auto breaks = call("hc_break_info", true);
  if (!report || !breaks) return std::unexpected(report ? breaks.error() : report.error());
  clock->disarm();
  out.report_address = static_cast<std::uint32_t>(*report);
  const auto memory = (*instance)->memory();
  if (static_cast<std::size_t>(static_cast<std::uint32_t>(*breaks)) + sizeof out.break_words > memory.size())
    return fail("image_broken", "hc_break_info points outside of memory");
  std::memcpy(out.break_words, memory.data() + static_cast<std::uint32_t>(*breaks), sizeof out.break_words);
  out.memory.assign(memory.begin(), memory.end());
  for (const auto& global : proof.globals) {
    const auto found = (*instance)->global(global.export_name);
    wasmtime_val_t value;
    if (!found || (global.type != "i32" && global.type != "i64"))
      return fail("image_not_resettable", "the mutable global " + global.export_name + " has type " + global.type);
    wasmtime_global_get((*instance)->context(), &*found, &value);
    out.globals.push_back(
        {global.export_name, global.type == "i64", global.type == "i64" ? value.of.i64 : value.of.i32});
  }
  host.finish();
  return out;
}

// Zero pages become holes: an image is mostly free heap.
Expected<std::uint64_t> write_sparse(const fs::path& path, std::span<const std::uint8_t> data) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(data.size()))) return fail_errno("cannot write " + path.string());
  constexpr std::size_t kPage = 4096;
  static constexpr std::uint8_t kZero[kPage] = {};
  std::uint64_t used = 0;
  for (std::size_t at = 0; at < data.size(); at += kPage) {
    if (std::memcmp(data.data() + at, kZero, kPage) == 0) continue;
    used += kPage;
    if (pwrite(fd.get(), data.data() + at, kPage, static_cast<off_t>(at)) != kPage)
      return fail_errno("cannot write " + path.string());
  }
  if (fsync(fd.get())) return fail_errno("cannot sync " + path.string());
  return used;
}

Expected<void> compile_to(Metering metering, std::span<const std::uint8_t> wasm, const fs::path& path) {
  Engine engine(metering);
  auto module = Module::compile(engine, wasm);
  if (!module) return std::unexpected(module.error());
  auto code = module->serialize();
  if (!code) return std::unexpected(code.error());
  return write_file_atomically(path, *code);
}

// The image must do what it is for: a run, a reset, and be as before.
Expected<void> try_out(const fs::path& folder) {
  Engine engine(Metering::off);
  auto image = Image::load(engine, folder, false);
  if (!image) return std::unexpected(image.error());
  auto clock = StopClock::install(engine);
  if (!clock) return std::unexpected(clock.error());
  Host host;
  if (auto started = host.start({}); !started) return std::unexpected(started.error());
  RunContext run;
  run.host = &host;
  auto cell = Cell::create(engine, **image, run, *clock);
  if (!cell) return std::unexpected(cell.error());
  if (auto reset = (*cell)->reset(); !reset) return std::unexpected(reset.error());
  if (std::memcmp((*cell)->memory().data(), (*image)->pristine().data(), (*image)->pristine().size()) != 0)
    return fail("image_broken", "a new cell differs from its image");
  return {};
}

Expected<void> bake(const BakeOptions& options) {
  auto wasm = read_file(options.wasm, kMaxInput);
  if (!wasm) return std::unexpected(wasm.error());
  auto proof = prove_resettable(bytes_of(*wasm));
  if (!proof) return std::unexpected(proof.error());
  say("proven resettable: " + proof->text());

  std::optional<MappedFile> pack_file;
  std::optional<Pack> pack;
  if (!options.pack.empty()) {
    auto file = MappedFile::open(options.pack);
    if (!file) return std::unexpected(file.error());
    pack_file.emplace(std::move(*file));
    auto opened = Pack::open(std::as_bytes(pack_file->bytes()));
    if (!opened) return std::unexpected(opened.error());
    pack.emplace(*opened);
  }

  say("compiling and initialising the interpreter");
  Engine engine(Metering::off);
  auto module = Module::compile(engine, bytes_of(*wasm));
  if (!module) return std::unexpected(module.error());
  auto snapshot = initialise(engine, std::move(*module), *proof, pack ? &*pack : nullptr);
  if (!snapshot) return std::unexpected(snapshot.error());

  auto stripped = without_data(bytes_of(*wasm), snapshot->memory.size() / kWasmPage);
  if (!stripped) return std::unexpected(stripped.error());

  const fs::path making = options.out.string() + ".making";
  std::error_code error;
  fs::remove_all(making, error);
  if (!fs::create_directories(making, error)) return fail("internal", "cannot create " + making.string());
  auto used = write_sparse(making / "memory.bin", snapshot->memory);
  if (!used) return std::unexpected(used.error());
  say("compiling for ready memory, plain and metered");
  for (const auto& [metering, name] : {std::pair(Metering::off, "code.cwasm"), {Metering::fuel, "code-fuel.cwasm"}})
    if (auto done = compile_to(metering, *stripped, making / name); !done) return done;
  if (pack_file)
    if (auto done = write_file_atomically(making / "stdlib.pack", pack_file->bytes()); !done) return done;

  Manifest manifest;
  manifest.name = options.name;
  manifest.language = options.language;
  manifest.wasmtime = compiled_by();
  manifest.settings = compiled_settings(false);
  manifest.cpu = cpu_features();
  manifest.wasm_sha256 = hex(sha256(*wasm));
  manifest.memory_sha256 = hex(sha256(snapshot->memory));
  manifest.proof = proof->text();
  manifest.memory_bytes = snapshot->memory.size();
  manifest.used_bytes = *used;
  manifest.globals = snapshot->globals;
  manifest.report_address = snapshot->report_address;
  std::memcpy(manifest.break_words, snapshot->break_words, sizeof manifest.break_words);
  const std::time_t now = std::time(nullptr);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  manifest.built_at = date;
  if (!options.parts.empty()) {
    auto text = read_file(options.parts, 1 << 20);
    if (!text) return std::unexpected(text.error());
    const auto parts = nlohmann::json::parse(*text, nullptr, false);
    if (!parts.is_object()) return fail("image_broken", options.parts.string() + " is not a JSON object");
    for (const auto& [key, value] : parts.items())
      manifest.parts[key] = value.is_string() ? value.get<std::string>() : value.dump();
    manifest.version = manifest.parts.contains("version") ? manifest.parts["version"] : manifest.parts["cpython"];
  }
  if (auto done = write_file_atomically(making / "manifest.json", bytes_of(manifest.to_json())); !done) return done;
  if (auto good = try_out(making); !good) return good;

  fs::remove_all(options.out, error);
  fs::rename(making, options.out, error);
  if (error) return fail("internal", "cannot move the image to " + options.out.string() + ": " + error.message());
  say("image " + options.name + ": " + std::to_string(manifest.memory_bytes >> 20) + " MiB of memory, " +
      std::to_string(manifest.used_bytes >> 20) + " MiB of it used");
  return {};
}

}  // namespace

Expected<void> bake_image(const BakeOptions& options) {
  Expected<void> result = fail("internal", "the image builder could not start its thread");
  on_large_stack([&] { result = bake(options); });
  return result;
}

}  // namespace hotcell::wasi
