#include "wasi/worker/image.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cstring>

#include "wasi/worker/bind.h"

namespace hotcell::wasi {
namespace {

// Holes stay holes: most of an image is free heap that nobody has touched.
Expected<Fd> seal_copy(std::span<const std::uint8_t> bytes) {
  Fd fd(memfd_create("hotcell-image", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(bytes.size()))) return fail_errno("cannot make a memory file");
  static constexpr std::uint8_t kZero[4096] = {};
  for (std::size_t at = 0; at < bytes.size(); at += sizeof kZero) {
    const std::size_t length = std::min(sizeof kZero, bytes.size() - at);
    if (std::memcmp(bytes.data() + at, kZero, length) == 0) continue;
    if (pwrite(fd.get(), bytes.data() + at, length, static_cast<off_t>(at)) != static_cast<ssize_t>(length))
      return fail_errno("cannot fill a memory file");
  }
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
    return fail_errno("cannot seal a memory file");
  return fd;
}

Expected<void> check_fits(const Manifest& manifest, const Engine& engine) {
  const auto wrong = [&](const char* what, const std::string& has, const std::string& wants) {
    return fail(
        "image_incompatible",
        "the image \"" + manifest.name + "\" was built for " + what + " \"" + has + "\", this is \"" + wants + "\"",
        kMakeImages);
  };
  if (manifest.wasmtime != compiled_by()) return wrong("Wasmtime", manifest.wasmtime, compiled_by());
  if (manifest.settings != compiled_settings(false))
    return wrong("engine settings", manifest.settings, compiled_settings(false));
  if (engine.get() && manifest.cpu != cpu_features()) return wrong("a processor with", manifest.cpu, cpu_features());
  return {};
}

}  // namespace

Expected<Program> Program::link(const Engine& engine, Module module) {
  Program out(std::move(module));
  out.linker_.reset(wasmtime_linker_new(engine.get()));
  if (auto bound = bind_preview1(out.linker_.get()); !bound) return std::unexpected(bound.error());
  wasmtime_instance_pre_t* pre = nullptr;
  if (auto* error = wasmtime_linker_instantiate_pre(out.linker_.get(), out.module_.get(), &pre))
    return fail("module_unsupported", "the module cannot be linked: " + take_message(error),
                "only imports from wasi_snapshot_preview1 are provided");
  out.pre_.reset(pre);
  return out;
}

Expected<std::unique_ptr<Image>> Image::load(const Engine& engine, const std::filesystem::path& folder, bool pin) {
  std::unique_ptr<Image> out(new Image);
  for (const auto& path : {folder, folder / "manifest.json"})
    if (auto trusted = require_trusted(path); !trusted) {
      if (trusted.error().code == "untrusted_path") return std::unexpected(trusted.error());
      return fail("image_missing", "there is no image in " + folder.string(),
                  std::string(kMakeImages) + "; or set HOTCELL_IMAGES to where they are");
    }
  auto manifest = Manifest::load(folder);
  if (!manifest) return std::unexpected(manifest.error());
  out->manifest_ = std::move(*manifest);
  if (auto fits = check_fits(out->manifest_, engine); !fits) return std::unexpected(fits.error());

  const auto code = folder / (engine.metering() == Metering::fuel ? "code-fuel.cwasm" : "code.cwasm");
  for (const auto& path : {code, folder / "memory.bin"})
    if (auto trusted = require_trusted(path); !trusted) return std::unexpected(trusted.error());
  auto module = Module::load_file(engine, code);
  if (!module) return std::unexpected(module.error());
  auto program = Program::link(engine, std::move(*module));
  if (!program) return std::unexpected(program.error());
  out->program_.emplace(std::move(*program));

  auto memory = MappedFile::open(folder / "memory.bin");
  if (!memory) return std::unexpected(memory.error());
  out->memory_ = std::move(*memory);
  if (out->pristine().size() != out->manifest_.memory_bytes || out->pristine().size() % kWasmPage)
    return fail("image_broken", "memory.bin of the image \"" + out->manifest_.name + "\" has the wrong size",
                kMakeImages);
  if (pin) {
    auto sealed = seal_copy(out->pristine());
    if (!sealed) return std::unexpected(sealed.error());
    out->pinned_ = std::move(*sealed);
    // Compare and restore from the same bytes that cells are made of, not from a file that could change.
    auto mapped = MappedFile::open("/proc/self/fd/" + std::to_string(out->pinned_.get()));
    if (!mapped) return std::unexpected(mapped.error());
    out->memory_ = std::move(*mapped);
  }
  if (std::filesystem::exists(folder / "stdlib.pack")) {
    if (auto trusted = require_trusted(folder / "stdlib.pack"); !trusted) return std::unexpected(trusted.error());
    auto file = MappedFile::open(folder / "stdlib.pack");
    if (!file) return std::unexpected(file.error());
    out->pack_file_ = std::move(*file);
    auto pack = Pack::open(std::as_bytes(out->pack_file_.bytes()));
    if (!pack) return std::unexpected(pack.error());
    out->pack_.emplace(*pack);
  }
  return out;
}

}  // namespace hotcell::wasi
