#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "docker/api/client.h"
#include "protocol/result_json.h"
#include "wasi/manifest.h"

namespace hotcell::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr double kDaemonSeconds = 10;

std::string fitness(const wasi::Manifest& manifest) {
  if (manifest.wasmtime != wasi::compiled_by()) return "built for Wasmtime " + manifest.wasmtime;
  if (manifest.settings != wasi::compiled_settings(false)) return "built for other engine settings";
  if (manifest.cpu != wasi::cpu_features()) return "built for another processor";
  return "ready";
}

fs::path images_folder(const Settings& settings) {
  return settings.wasi.images.empty() ? wasi::default_images_folder() : settings.wasi.images;
}

fs::path folder_of_executable() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

// The images of the WASI engine, and whether each is ready. Returns an exit status.
int list_wasi(const Settings& settings, bool verify, ordered_json& list) {
  const auto folder = images_folder(settings);
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_directory()) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  if (found.empty()) return complain({"image_missing", "there are no images in " + folder.string(), wasi::kMakeImages});
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
  return status;
}

// Those of the daemon that are ours, or that the settings name.
Expected<void> list_docker(const Settings& settings, ordered_json& list) {
  const auto until = docker::api::Until::seconds(kDaemonSeconds);
  auto endpoint = settings.docker.docker_host.empty() ? docker::api::Endpoint::from_environment()
                                                      : docker::api::Endpoint::parse(settings.docker.docker_host);
  if (!endpoint) return std::unexpected(endpoint.error());
  auto client = docker::api::Client::connect(*endpoint, until);
  if (!client) return std::unexpected(client.error());
  auto images = (*client)->list_images({"hotcell.content"}, until);
  if (!images) return std::unexpected(images.error());
  std::vector<std::string> named = settings.docker.allowed_images;
  named.push_back(settings.docker.image);
  for (const auto& name : named) {
    const auto known = std::any_of(images->begin(), images->end(), [&](const auto& image) {
      return image.id == name || std::find(image.tags.begin(), image.tags.end(), name) != image.tags.end();
    });
    if (known) continue;
    if (auto image = (*client)->inspect_image(name, until))
      images->push_back(std::move(*image));
    else
      list.push_back({{"name", name}, {"engine", "docker"}, {"state", "missing"}});
  }
  for (const auto& image : *images) {
    const auto content = image.labels.find("hotcell.content");
    list.push_back({{"name", image.tags.empty() ? image.id : image.tags.back()},
                    {"engine", "docker"},
                    {"state", "ready"},
                    {"id", image.id},
                    {"tags", image.tags},
                    {"size_bytes", image.size},
                    {"content", content == image.labels.end() ? ordered_json() : ordered_json(content->second)}});
  }
  return {};
}

std::string text_of(const ordered_json& image, const char* member) {
  return image.contains(member) && image[member].is_string() ? image[member].get<std::string>() : "";
}
unsigned long long number_of(const ordered_json& image, const char* member) {
  return image[member].get<std::uint64_t>();
}

void print(const ordered_json& image) {
  std::printf("%s %s: %s\n", text_of(image, "name").c_str(),
              image.contains("version") ? text_of(image, "version").c_str() : "(docker)",
              text_of(image, "state").c_str());
  if (image.contains("id"))
    std::printf("  %s, %llu MB\n", text_of(image, "id").c_str(), number_of(image, "size_bytes") / 1'000'000);
  if (!image.contains("memory_bytes")) return;
  std::printf("  memory %llu MiB (%llu KiB used), code %llu KiB, %s\n", number_of(image, "memory_bytes") >> 20,
              number_of(image, "used_bytes") >> 10, number_of(image, "code_bytes") >> 10,
              text_of(image, "engine").c_str());
  std::printf("  module sha256 %s\n  %s\n  built %s in %s\n", text_of(image, "wasm_sha256").c_str(),
              text_of(image, "proof").c_str(), text_of(image, "built_at").c_str(), text_of(image, "path").c_str());
}

int list_images(const Settings& settings, bool json, bool verify) {
  auto list = ordered_json::array();
  const int status = list_wasi(settings, verify, list);
  Expected<void> containers;
  if (settings.docker_enabled) containers = list_docker(settings, list);
  if (json) {
    put(1, protocol::dump(list) + "\n");
    return status;
  }
  for (const auto& image : list) print(image);
  if (!containers) std::printf("no container images: %s\n", containers.error().message.c_str());
  return status;
}

// The script that builds the container images: in an installed tree as in a build's.
int build_images(const std::vector<std::string>& words) {
  const auto script = (folder_of_executable().parent_path() / "share/hotcell/docker/scripts/docker-images").string();
  if (access(script.c_str(), X_OK) != 0)
    return complain({"internal", "the recipes of the container images are not there: " + script,
                     "install hotcell with them, or run scripts/docker-images of its sources"});
  std::vector<char*> argv{const_cast<char*>(script.c_str())};
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execv(script.c_str(), argv.data());
  return complain({"internal", "cannot run " + script + ": " + std::strerror(errno), ""});
}

// A WASI image holds compiled code, which fits one kind of processor; so it cannot be part of a package. The package
// has the interpreters that images are made of: share/hotcell/interpreters/NAME with NAME.wasm and, where an
// interpreter has them, stdlib.pack and versions.json.

// The image is of this very interpreter, and can be used here.
bool is_made(const fs::path& interpreter, const fs::path& image) {
  const auto manifest = wasi::Manifest::load(image);
  const auto wasm = MappedFile::open(interpreter / (interpreter.filename().string() + ".wasm"));
  if (!manifest || !wasm || fitness(*manifest) != "ready" || hex(sha256(wasm->bytes())) != manifest->wasm_sha256)
    return false;
  const auto given = MappedFile::open(interpreter / "stdlib.pack"), has = MappedFile::open(image / "stdlib.pack");
  return given.has_value() == has.has_value() && (!given || std::ranges::equal(given->bytes(), has->bytes()));
}

// Returns an exit status.
int bake(const fs::path& interpreter, const fs::path& image) {
  const auto name = interpreter.filename().string();
  std::vector<std::string> words = {folder_of_executable() / "hotcell-worker",
                                    "bake",
                                    "--name",
                                    name,
                                    "--language",
                                    name,
                                    "--wasm",
                                    interpreter / (name + ".wasm"),
                                    "--out",
                                    image};
  for (const auto& [flag, file] : {std::pair("--pack", "stdlib.pack"), {"--parts", "versions.json"}})
    if (fs::exists(interpreter / file)) words.insert(words.end(), {flag, interpreter / file});
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  int status = 0;
  if (const int error = posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ))
    return complain({"internal", "cannot run " + words[0] + ": " + std::strerror(error), ""});
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  return complain({"image_broken", "the image " + name + " was not made",
                   WIFEXITED(status) ? "" : "hotcell-worker died of signal " + std::to_string(WTERMSIG(status))});
}

int bake_images(const Settings& settings, bool force) {
  const auto interpreters = folder_of_executable().parent_path() / "share/hotcell/interpreters";
  const auto images = images_folder(settings);
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(interpreters, error)) found.push_back(entry.path());
  if (found.empty())
    return complain({"image_missing", "there are no interpreters in " + interpreters.string(),
                     "a package of hotcell has them; in its sources scripts/build --images makes the images"});
  std::sort(found.begin(), found.end());
  umask(022);  // images are for every user of this machine
  fs::create_directories(images, error);
  // Whoever else is making them: what they make is ours, too.
  const Fd folder(open(images.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || flock(folder.get(), LOCK_EX) != 0)
    return complain({"internal", "cannot use " + images.string() + ": " + std::strerror(errno),
                     "run it as the user that the folder belongs to"});
  for (const auto& interpreter : found) {
    const auto image = images / interpreter.filename();
    if (!force && is_made(interpreter, image)) continue;
    std::fprintf(stderr, "making the image %s (about a minute)\n", interpreter.filename().c_str());
    if (const int status = bake(interpreter, image)) return status;
  }
  return 0;
}

}  // namespace

void add_images(CLI::App& app, Commands& commands) {
  struct Flags {
    bool json = false, verify = false, rebuild = false, force = false;
    std::vector<std::string> names;
  };
  auto flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("images", "The images of both engines: list them, or make them");
  const auto list = [&commands, flags] {
    commands.action = [&commands, flags]() -> int {
      auto settings = commands.settings();
      return settings ? list_images(*settings, flags->json, flags->verify) : complain(settings.error());
    };
  };
  const auto add_flags = [flags](CLI::App* to) {
    to->add_flag("--json", flags->json, "as JSON");
    to->add_flag("--verify", flags->verify, "compare the files of WASI images with their hashes too");
  };
  add_flags(command);
  command->callback([command, list] {
    if (command->get_subcommands().empty()) list();
  });
  auto* ls = command->add_subcommand("ls", "List them: versions, sizes, hashes, proof of resettability");
  add_flags(ls);
  ls->callback(list);
  auto* baking =
      command->add_subcommand("bake", "Make the WASI images for this machine's processor, where they are missing");
  baking->add_flag("--force", flags->force, "even if they are there");
  baking->callback([&commands, flags] {
    commands.action = [&commands, flags]() -> int {
      auto settings = commands.settings();
      return settings ? bake_images(*settings, flags->force) : complain(settings.error());
    };
  });
  auto* build = command->add_subcommand("build", "Build the images for containers, and put them into the daemon");
  build->add_flag("--rebuild", flags->rebuild, "even if they are there");
  build->add_option("names", flags->names, "runtime, builder; both when none is named")
      ->check(CLI::IsMember({"runtime", "builder"}));
  build->callback([&commands, flags] {
    commands.action = [flags]() -> int {
      auto words = flags->names;
      if (flags->rebuild) words.insert(words.begin(), "--rebuild");
      return build_images(words);
    };
  });
}

}  // namespace hotcell::cli
