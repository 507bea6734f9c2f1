// Random bytes: from the kernel, or from a seed (xoshiro256**, seeded by splitmix64), where equal seeds must give equal
// programs. The seeded generator is for reproducibility only; nothing secret may depend on it.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace hotcell::wasi {

class Random {
 public:
  void start(std::optional<std::uint64_t> seed);
  // False when the kernel refuses.
  bool fill(std::span<std::byte> out);

 private:
  std::uint64_t next();

  bool seeded_ = false;
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace hotcell::wasi
