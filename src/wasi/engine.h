// The WASI engine's door: programs in WebAssembly cells, in jailed worker processes.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "protocol/engine.h"

namespace hotcell::wasi {

// What an operator may set; the `wasi:` section of the configuration.
struct EngineOptions {
  std::filesystem::path worker;        // empty: hotcell-worker beside this executable, or $HOTCELL_WORKER
  std::filesystem::path images;        // empty: see default_images_folder()
  std::filesystem::path module_cache;  // empty: ${XDG_CACHE_HOME:-~/.cache}/hotcell/modules
  bool pin_images = false;             // copy images into sealed memory: for services
  unsigned max_workers = 64;
  unsigned keep_idle = 2;

  // Defaults of a run, which a request may lower or raise up to the maximum.
  std::uint64_t memory_bytes = 256ull << 20, max_memory_bytes = 2048ull << 20;
  std::uint64_t disk_bytes = 100ull << 20, max_disk_bytes = 1024ull << 20;
  std::uint64_t output_bytes = 1ull << 20, max_output_bytes = 256ull << 20;
  std::uint64_t result_bytes = 256ull << 10, max_result_bytes = 16ull << 20;
  std::uint64_t files_bytes = 64ull << 20;
  std::uint32_t table_elements = 20000;
  std::uint64_t max_fuel = 0;                            // 0: not metered unless a request asks for it
  std::vector<std::pair<std::string, std::string>> env;  // given to every program

  // What programs may see and do (the seeds' security section).
  bool fs_readonly = false, allow_clock = true, allow_random = true;
  // Is there somebody who runs programs elsewhere that ask for what no cell here has (Outcome::left)? Only those whose
  // request leaves the choice of the engine open.
  bool may_leave = false;
  std::vector<std::pair<std::filesystem::path, std::string>>
      allowed_paths;  // host directory, where the program sees it
};

class WasiEngine final : public protocol::Engine {
 public:
  static Expected<std::unique_ptr<WasiEngine>> create(EngineOptions options);
  ~WasiEngine() override;

  std::string_view name() const override { return "wasi"; }
  Expected<protocol::Outcome> run(const protocol::Request& request, protocol::OutputSink* sink,
                                  const protocol::StopToken* stop) override;

  // Has this many workers of the image ready and warm, so that the first run is as fast as the others.
  Expected<void> warm(const std::string& image, unsigned workers);

  struct Counts {
    unsigned idle = 0, busy = 0;
    std::uint64_t workers_started = 0, workers_lost = 0;
  };
  Counts counts() const;
  // The most memory that a warm cell, idle now, has for itself; nullopt: there is none, or the system does not say.
  std::optional<std::uint64_t> idle_cell_bytes() const;

 private:
  struct State;
  explicit WasiEngine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hotcell::wasi
