// A language image, loaded: compiled code, the memory that every cell starts from, and the files that every cell sees.
//
// Loaded once in the zygote and shared by all workers that are forked from it. Nothing in it changes afterwards.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "base/error.h"
#include "base/file.h"
#include "wasi/fs/pack.h"
#include "wasi/manifest.h"
#include "wasi/worker/runtime.h"

namespace hotcell::wasi {

// A module together with the host functions it imports, ready to be instantiated. Imports other than preview 1's are an
// error that names them.
class Program {
 public:
  static Expected<Program> link(const Engine& engine, Module module);
  const wasmtime_instance_pre_t* get() const { return pre_.get(); }
  const Module& module() const { return module_; }

 private:
  explicit Program(Module module) : module_(std::move(module)) {}
  Module module_;
  std::unique_ptr<wasmtime_linker_t, Deleter<wasmtime_linker_delete>> linker_;
  std::unique_ptr<wasmtime_instance_pre_t, Deleter<wasmtime_instance_pre_delete>> pre_;
};

class Image {
 public:
  // Refuses what was built for another layout, Wasmtime or processor ("image_incompatible"), and folders that others
  // could have written to ("untrusted_path"). With `pin`, the memory is copied into a sealed memfd first: for services
  // that must not depend on the files staying as they are; without, the file itself is mapped, which starts faster.
  static Expected<std::unique_ptr<Image>> load(const Engine& engine, const std::filesystem::path& folder, bool pin);

  const Manifest& manifest() const { return manifest_; }
  const Program& program() const { return *program_; }
  const Pack* pack() const { return pack_ ? &*pack_ : nullptr; }
  int memory_fd() const { return pinned_ ? pinned_.get() : memory_.fd(); }
  // The memory as every cell must have it before a run.
  std::span<const std::uint8_t> pristine() const { return memory_.bytes(); }

 private:
  Image() = default;
  Manifest manifest_;
  std::optional<Program> program_;
  MappedFile memory_, pack_file_;
  Fd pinned_;
  std::optional<Pack> pack_;
};

}  // namespace hotcell::wasi
