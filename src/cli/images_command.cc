#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "protocol/result_json.h"
#include "wasi/manifest.h"

namespace hotcell::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string fitness(const wasi::Manifest& manifest) {
  if (manifest.wasmtime != wasi::compiled_by()) return "built for Wasmtime " + manifest.wasmtime;
  if (manifest.settings != wasi::compiled_settings(false)) return "built for other engine settings";
  if (manifest.cpu != wasi::cpu_features()) return "built for another processor";
  return "ready";
}

int list_images(const Settings& settings, bool json, bool verify) {
  const auto folder = settings.wasi.images.empty() ? wasi::default_images_folder() : settings.wasi.images;
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_directory()) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  if (found.empty())
    return complain(
        {"image_missing", "there are no images in " + folder.string(), "build them: scripts/build --images"});
  auto list = ordered_json::array();
  int status = 0;
  for (const auto& path : found) {
    auto manifest = wasi::Manifest::load(path);
    if (!manifest) {
      status = complain(manifest.error());
      continue;
    }
    auto state = fitness(*manifest);
    if (verify) {
      auto memory = MappedFile::open(path / "memory.bin");
      if (!memory || hex(sha256(memory->bytes())) != manifest->memory_sha256) state = "memory.bin is damaged";
    }
    if (state != "ready") status = kRefused;
    list.push_back({{"name", manifest->name},
                    {"language", manifest->language},
                    {"version", manifest->version},
                    {"state", state},
                    {"engine", "wasmtime " + manifest->wasmtime},
                    {"memory_bytes", manifest->memory_bytes},
                    {"used_bytes", manifest->used_bytes},
                    {"code_bytes", fs::file_size(path / "code.cwasm", error)},
                    {"wasm_sha256", manifest->wasm_sha256},
                    {"memory_sha256", manifest->memory_sha256},
                    {"proof", manifest->proof},
                    {"built_at", manifest->built_at},
                    {"path", path.string()}});
  }
  if (json) {
    put(1, protocol::dump(list) + "\n");
    return status;
  }
  for (const auto& image : list) {
    std::printf("%s %s: %s\n", image["name"].get<std::string>().c_str(), image["version"].get<std::string>().c_str(),
                image["state"].get<std::string>().c_str());
    std::printf("  memory %llu MiB (%llu KiB used), code %llu KiB, %s\n",
                static_cast<unsigned long long>(image["memory_bytes"].get<std::uint64_t>() >> 20),
                static_cast<unsigned long long>(image["used_bytes"].get<std::uint64_t>() >> 10),
                static_cast<unsigned long long>(image["code_bytes"].get<std::uint64_t>() >> 10),
                image["engine"].get<std::string>().c_str());
    std::printf("  module sha256 %s\n  %s\n  built %s in %s\n", image["wasm_sha256"].get<std::string>().c_str(),
                image["proof"].get<std::string>().c_str(), image["built_at"].get<std::string>().c_str(),
                image["path"].get<std::string>().c_str());
  }
  return status;
}

}  // namespace

void add_images(CLI::App& app, Commands& commands) {
  auto json = std::make_shared<bool>(false), verify = std::make_shared<bool>(false);
  auto* command =
      app.add_subcommand("images", "List the images that are built: versions, sizes, hashes, proof of resettability");
  command->add_flag("--json", *json, "as JSON");
  command->add_flag("--verify", *verify, "compare the files with their hashes too");
  command->callback([&commands, json, verify] {
    commands.action = [&commands, json, verify]() -> int {
      auto settings = commands.settings();
      return settings ? list_images(*settings, *json, *verify) : complain(settings.error());
    };
  });
}

}  // namespace hotcell::cli
