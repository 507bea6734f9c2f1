#include "deps/key.h"

#include <algorithm>
#include <array>

namespace hotcell::deps {
namespace {

Digest digest_of(std::string_view domain, const Target& target, const std::string& set) {
  const std::array<std::string_view, 5> fields = {domain, name_of(target.ecosystem), target.interpreter,
                                                  target.platform, set};
  return sha256(length_prefixed(fields));
}

}  // namespace

Target container_target(Ecosystem ecosystem) {
  return {ecosystem, ecosystem == Ecosystem::pypi ? "cpython-3.11" : "node-24", "linux-x86_64-glibc"};
}

Target wasi_target() { return {Ecosystem::pypi, "cpython-3.11", "wasi"}; }

Expected<void> check_target(const Target& target) {
  for (const auto& word : {target.interpreter, target.platform}) {
    const bool plain = std::ranges::all_of(word, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
             c == '-';
    });
    if (word.empty() || word.size() > 64 || !plain)
      return fail("invalid_field", quoted(word) + " is not the name of an interpreter or a platform");
  }
  return {};
}

Digest entry_key(const Target& target, const Lock& lock) {
  return digest_of("hotcell dependency entry 1", target, lock.text());
}

Digest wish_key(const Target& target, std::span<const Requirement> requirements) {
  return digest_of("hotcell dependency wish 1", target, canonical_text(requirements));
}

std::string length_prefixed(std::span<const std::string_view> fields) {
  std::string out;
  for (const auto field : fields) {
    for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(field.size() >> shift & 255);
    out += field;
  }
  return out;
}

}  // namespace hotcell::deps
