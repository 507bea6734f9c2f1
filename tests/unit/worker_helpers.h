// A worker's insides in a test: the Python image, and runners on it, in this process and without a jail.
#pragma once
#include <gtest/gtest.h>
#include <signal.h>

#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "image_folder.h"
#include "wasi/worker/image.h"
#include "wasi/worker/runner.h"
#include "wasi/worker/stack.h"

namespace hotcell::wasi::testing {

// Guest code needs the large stack, and the clock's signals must reach the thread that runs it: a worker has only one.
inline void on_guest_thread(const std::function<void()>& body) {
  sigset_t ours, before;
  sigemptyset(&ours);
  for (const int signal : {SIGALRM, SIGVTALRM, SIGUSR1}) sigaddset(&ours, signal);
  pthread_sigmask(SIG_BLOCK, &ours, &before);
  std::string broken;
  const bool ran = on_large_stack([&] {
    pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
    try {
      body();
    } catch (const std::exception& error) {
      broken = error.what();
    }
    pthread_sigmask(SIG_BLOCK, &ours, nullptr);
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(ran);
  ASSERT_EQ(broken, "");
}

struct World {
  Engine engine{Metering::off};
  std::unique_ptr<Image> image;
  std::unique_ptr<StopClock> clock;
  std::pair<Channel, Channel> ends = Channel::pair().value();

  World() {
    auto loaded = Image::load(engine, hotcell::testing::images_folder() / "python", false);
    if (!loaded) throw std::runtime_error(loaded.error().message);
    image = std::move(*loaded);
    auto installed = StopClock::install(engine);
    if (!installed) throw std::runtime_error(installed.error().message);
    clock = std::make_unique<StopClock>(std::move(*installed));
  }
  std::unique_ptr<Runner> runner() {
    auto out = std::make_unique<Runner>(engine, image.get(), *clock, ends.first);
    if (auto ready = out->prepare(); !ready) throw std::runtime_error(ready.error().message);
    return out;
  }
};

inline Order order(std::string_view code, std::chrono::nanoseconds timeout = std::chrono::seconds(10)) {
  Order out;
  out.image = "python";
  out.code = code;
  out.timeout_ns = static_cast<std::uint64_t>(timeout.count());
  out.memory_bytes = 256u << 20;
  out.disk_bytes = 16u << 20;
  out.output_bytes = out.result_bytes = out.files_bytes = out.inline_bytes = 1u << 20;
  out.max_files = 64;
  out.table_elements = 20000;
  return out;
}

// The state that a reset promises to restore, compared byte for byte. Empty: all is as in the image.
inline std::string difference(const Image& image, Cell& cell) {
  const auto memory = cell.memory();
  const auto pristine = image.pristine();
  if (memory.size() != pristine.size()) return "the memory has another size";
  if (std::memcmp(memory.data(), pristine.data(), memory.size()) != 0)
    for (std::size_t i = 0; i < memory.size(); ++i)
      if (memory[i] != pristine[i]) return "memory differs at " + std::to_string(i);
  for (const auto& global : image.manifest().globals) {
    const auto found = cell.instance().global(global.name);
    if (!found) return "there is no global " + global.name;
    wasmtime_val_t value;
    wasmtime_global_get(cell.instance().context(), &*found, &value);
    const std::int64_t now = global.is_64 ? value.of.i64 : value.of.i32;
    if (value.kind != (global.is_64 ? WASMTIME_I64 : WASMTIME_I32) || now != global.value)
      return "global " + global.name + " differs";
  }
  return {};
}

}  // namespace hotcell::wasi::testing
