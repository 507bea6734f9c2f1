#include "wasi/worker/serve.h"

#include <sched.h>
#include <unistd.h>
#include <wasmtime.h>

#include <cstring>

#include "base/bytes.h"
#include "wasi/binary/inspect.h"
#include "wasi/worker/jail.h"
#include "wasi/worker/runner.h"

namespace hotcell::wasi {
namespace {

// What an engine learns from a worker that could not start: a report to the order that it will send.
[[noreturn]] void give_up(Channel& channel, const Error& error) {
  Report report;
  report.trap = error.message;
  report.recycle = true;
  (void)channel.send(FrameType::report, report.encode());
  _exit(1);
}

constexpr std::size_t kKeptOrder = 1u << 20;
constexpr std::chrono::milliseconds kUnneeded{500};  // a cell that waits longer gives back what it holds
constexpr std::uint64_t kCompilerMemory = 4ull << 30;
constexpr std::uint64_t kCompilerSeconds = 60;

Expected<std::vector<std::uint8_t>> compile(Engine& engine, std::string_view payload) {
  ByteReader in(payload);
  ModuleLimits limits;
  limits.memory_bytes = in.get<std::uint64_t>();
  limits.table_elements = in.get<std::uint32_t>();
  std::string_view text = in.get_bytes();
  if (!in.finished()) return fail("internal", "the compile order is damaged");

  wasm_byte_vec_t translated{};
  if (!text.starts_with(std::string_view("\0asm", 4)) && text.find('\0') == text.npos && text.find('(') != text.npos) {
    if (auto* error = wasmtime_wat2wasm(text.data(), text.size(), &translated))
      return fail("module_invalid", "the module's text form does not parse: " + take_message(error).substr(0, 2000));
    text = {translated.data, translated.size};
  }
  const std::span<const std::uint8_t> wasm(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  auto info = inspect_module(wasm);
  if (!info) return std::unexpected(info.error());
  std::vector<std::string_view> names;
  for (const auto& function : functions()) names.push_back(function.name);
  limits.host_functions = names;
  if (auto good = check_command(*info, limits); !good) return std::unexpected(good.error());
  auto module = Module::compile(engine, wasm);
  if (!module) return std::unexpected(module.error());
  return module->serialize();
}

}  // namespace

void serve_programs(Engine& engine, const Image* image, Channel channel, std::uint32_t uid) {
  cpu_set_t anywhere;
  if (sched_getaffinity(0, sizeof anywhere, &anywhere)) memset(&anywhere, 0xff, sizeof anywhere);
  auto clock = StopClock::install(engine);
  if (!clock) give_up(channel, clock.error());
  Runner runner(engine, image, *clock, channel);
  // The cell opens this process's pagemap, which the jail forbids.
  if (auto ready = runner.prepare(); !ready) give_up(channel, ready.error());
  std::vector<int> keep = {channel.fd()};
  if (runner.cell()) keep.push_back(runner.cell()->pagemap_fd());
  JailOptions jail;
  jail.keep = keep;
  jail.uid = uid;
  if (auto jailed = enter_jail(jail); !jailed) give_up(channel, jailed.error());

  // The order and the files in it outlive the frame: while it runs, the program's input comes over the same channel.
  std::string bytes;
  for (;;) {
    if (auto* cell = runner.cell(); cell && cell->holds_much() && !channel.wait(kUnneeded)) cell->rest();
    auto frame = channel.receive(std::nullopt);
    if (!frame) _exit(0);
    sched_setaffinity(0, sizeof anywhere, &anywhere);  // undoes Worker::come_here()
    if (bytes.capacity() > kKeptOrder) std::string().swap(bytes);
    bytes.assign(frame->payload);
    const auto order = frame->type == FrameType::order ? Order::decode(bytes) : std::nullopt;
    Report report;
    if (order) {
      report = runner.run(*order, frame->descriptors.empty() ? -1 : frame->descriptors.front().get());
    } else {
      report.trap = "the worker did not understand its order";
      report.recycle = true;
    }
    if (!channel.send(FrameType::report, report.encode())) _exit(0);
    if (report.recycle) _exit(0);
  }
}

void serve_compilation(Engine& engine, Channel channel, std::uint32_t uid) {
  const int keep[] = {channel.fd()};
  JailOptions jail;
  jail.kind = JailKind::compile;
  jail.keep = keep;
  jail.uid = uid;
  jail.memory_bytes = kCompilerMemory;
  jail.cpu_seconds = kCompilerSeconds;
  const auto answer = [&](const Expected<std::vector<std::uint8_t>>& result) {
    ByteWriter out;
    out.put<std::uint8_t>(result.has_value());
    if (result) {
      out.put_bytes({reinterpret_cast<const char*>(result->data()), result->size()});
    } else {
      out.put_bytes(result.error().code);
      out.put_bytes(result.error().message);
    }
    (void)channel.send(FrameType::compiled, out.bytes());
  };
  if (auto jailed = enter_jail(jail); !jailed) {
    answer(std::unexpected(jailed.error()));
    _exit(1);
  }
  auto frame = channel.receive(std::nullopt);
  if (frame && frame->type == FrameType::compile) answer(compile(engine, frame->payload));
  _exit(0);
}

}  // namespace hotcell::wasi
