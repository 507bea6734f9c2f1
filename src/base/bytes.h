// Little-endian records in a byte buffer. The reader never reads past the end: after the first bad read it stays failed
// and returns zeros, so a decoder checks once, at the end.
#pragma once
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace hotcell {

static_assert(std::endian::native == std::endian::little, "records are copied as they lie in memory");

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class ByteWriter {
 public:
  template <class T>
    requires std::is_trivially_copyable_v<T>
  void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_bytes(std::string_view bytes) {
    put<std::uint32_t>(static_cast<std::uint32_t>(bytes.size()));
    bytes_.append(bytes);
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
    requires std::is_trivially_copyable_v<T>
  T get() {
    T value{};
    if (rest_.size() < sizeof value) {
      ok_ = false;
      rest_ = {};
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  // A view into the buffer that was given.
  std::string_view get_bytes() {
    const auto size = get<std::uint32_t>();
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  // How many records follow, refused when even the smallest ones could not fit: a count never makes us reserve memory
  // that the buffer does not back.
  std::uint32_t get_count(std::size_t smallest_record) {
    const auto count = get<std::uint32_t>();
    if (count > rest_.size() / smallest_record) ok_ = false;
    return ok_ ? count : 0;
  }
  bool ok() const { return ok_; }
  bool finished() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace hotcell
