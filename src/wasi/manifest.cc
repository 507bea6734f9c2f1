#include "wasi/manifest.h"

#include <cpuid.h>
#include <wasmtime.h>  // for its version number only

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace hotcell::wasi {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string Manifest::to_json() const {
  ordered_json out;
  out["layout"] = layout;
  out["name"] = name;
  out["language"] = language;
  out["version"] = version;
  out["wasmtime"] = wasmtime;
  out["settings"] = settings;
  out["cpu"] = cpu;
  out["wasm_sha256"] = wasm_sha256;
  out["memory_sha256"] = memory_sha256;
  out["proof"] = proof;
  out["built_at"] = built_at;
  out["memory_bytes"] = memory_bytes;
  out["used_bytes"] = used_bytes;
  out["globals"] = ordered_json::array();
  for (const auto& global : globals)
    out["globals"].push_back({{"name", global.name}, {"is_64", global.is_64}, {"value", global.value}});
  out["report_address"] = report_address;
  out["break_words"] = break_words;
  out["parts"] = parts;
  return out.dump(2) + "\n";
}

Expected<Manifest> Manifest::from_json(const std::string& text) {
  const auto in = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  try {
    if (in.is_discarded()) return fail("image_broken", "the image's manifest is not JSON");
    Manifest out;
    out.layout = in.at("layout").get<int>();
    if (out.layout != kImageLayout)
      return fail("image_incompatible",
                  "the image has layout " + std::to_string(out.layout) + ", this hotcell reads layout " +
                      std::to_string(kImageLayout),
                  kMakeImages);
    for (auto [field, key] : {std::pair(&out.name, "name"),
                              {&out.language, "language"},
                              {&out.version, "version"},
                              {&out.wasmtime, "wasmtime"},
                              {&out.settings, "settings"},
                              {&out.cpu, "cpu"},
                              {&out.wasm_sha256, "wasm_sha256"},
                              {&out.memory_sha256, "memory_sha256"},
                              {&out.proof, "proof"},
                              {&out.built_at, "built_at"}})
      *field = in.at(key).get<std::string>();
    out.memory_bytes = in.at("memory_bytes").get<std::uint64_t>();
    out.used_bytes = in.at("used_bytes").get<std::uint64_t>();
    for (const auto& global : in.at("globals"))
      out.globals.push_back({global.at("name").get<std::string>(), global.at("is_64").get<bool>(),
                             global.at("value").get<std::int64_t>()});
    out.report_address = in.at("report_address").get<std::uint32_t>();
    for (std::size_t i = 0; i < 4; ++i) out.break_words[i] = in.at("break_words").at(i).get<std::uint32_t>();
    out.parts = in.at("parts").get<std::map<std::string, std::string>>();
    return out;
  } catch (const nlohmann::json::exception& error) {
    return fail("image_broken", std::string("the image's manifest is damaged: ") + error.what());
  }
}

Expected<Manifest> Manifest::load(const fs::path& folder) {
  auto text = read_file(folder / "manifest.json", 1 << 20);
  if (!text)
    return fail("image_missing", "there is no image in " + folder.string() + " (" + text.error().message + ")",
                std::string(kMakeImages) + "; or set HOTCELL_IMAGES to where they are");
  return from_json(*text);
}

std::string compiled_by() { return WASMTIME_VERSION; }
std::string compiled_settings(bool fuel) { return std::string("epoch,stack16,opt-speed") + (fuel ? ",fuel" : ""); }

std::string cpu_features() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  std::string out = "x86_64";
  const auto add = [&](unsigned word, unsigned bit, const char* name) {
    if (word >> bit & 1) out += std::string(" ") + name;
  };
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    add(c, 0, "sse3"), add(c, 9, "ssse3"), add(c, 12, "fma"), add(c, 19, "sse41"), add(c, 20, "sse42");
    add(c, 23, "popcnt"), add(c, 28, "avx");
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    add(b, 3, "bmi1"), add(b, 5, "avx2"), add(b, 8, "bmi2"), add(b, 16, "avx512f"), add(b, 17, "avx512dq");
    add(b, 31, "avx512vl"), add(c, 1, "avx512vbmi"), add(c, 12, "avx512bitalg");
  }
  if (__get_cpuid(0x80000001u, &a, &b, &c, &d)) add(c, 5, "lzcnt");
  return out;
}

fs::path default_images_folder() {
  if (const char* set = std::getenv("HOTCELL_IMAGES"); set && *set) return set;
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path().parent_path() / "share" / "hotcell" / "images";
}

}  // namespace hotcell::wasi
