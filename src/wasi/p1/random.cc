#include "wasi/p1/random.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace hotcell::wasi {

void Random::start(std::optional<std::uint64_t> seed) {
  seeded_ = seed.has_value();
  std::uint64_t x = seed.value_or(0);
  for (std::uint64_t& word : state_) {
    // splitmix64: never gives four zero words in a row, which xoshiro could not leave again.
    std::uint64_t z = x += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    word = z ^ z >> 31;
  }
}

std::uint64_t Random::next() {
  auto& s = state_;
  const std::uint64_t result = std::rotl(s[1] * 5, 7) * 9;
  const std::uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = std::rotl(s[3], 45);
  return result;
}

bool Random::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    std::size_t count = 0;
    if (seeded_) {
      const std::uint64_t word = next();
      count = std::min(out.size(), sizeof word);
      std::memcpy(out.data(), &word, count);
    } else {
      const ssize_t got = getrandom(out.data(), out.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      count = static_cast<std::size_t>(got);
    }
    out = out.subspan(count);
  }
  return true;
}

}  // namespace hotcell::wasi
