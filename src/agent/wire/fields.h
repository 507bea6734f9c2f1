// One description of each message serves both directions: `fields(archive, message)` names the fields in their order,
// and a Packer writes them or an Unpacker reads them. So the two cannot drift apart.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/bytes.h"

namespace hotcell::agent {

class Packer {
 public:
  template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void number(const T& value) {
    out_.put(value);
  }
  void flag(const bool& value) { out_.put<std::uint8_t>(value); }
  template <class E>
  void choice(const E& value, E) {
    out_.put(value);
  }
  template <class Text>
  void text(const Text& value, std::size_t) {
    out_.put_bytes(value);
  }
  template <class List, class Each>
  void list(const List& items, std::size_t, std::size_t, Each each) {
    out_.put<std::uint32_t>(static_cast<std::uint32_t>(items.size()));
    for (const auto& item : items) each(item);
  }
  template <class T, class Each>
  void maybe(const std::optional<T>& value, Each each) {
    flag(value.has_value());
    if (value) each(*value);
  }
  std::string take() { return std::move(out_.bytes()); }

 private:
  ByteWriter out_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : in_(bytes) {}

  template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void number(T& value) {
    value = in_.get<T>();
  }
  void flag(bool& value) {
    const auto byte = in_.get<std::uint8_t>();
    value = byte == 1;
    good_ &= byte <= 1;
  }
  template <class E>
  void choice(E& value, E last) {
    using Number = std::underlying_type_t<E>;
    const auto number = in_.get<Number>();
    good_ &= number <= static_cast<Number>(last);
    if (good_) value = static_cast<E>(number);
  }
  template <class Text>
  void text(Text& value, std::size_t cap) {
    const auto bytes = in_.get_bytes();
    good_ &= bytes.size() <= cap;
    if (good_) value = bytes;
  }
  // `smallest` is what one item takes at least: a count never reserves memory that the bytes do not back.
  template <class List, class Each>
  void list(List& items, std::size_t cap, std::size_t smallest, Each each) {
    const auto count = in_.get_count(smallest);
    good_ &= count <= cap;
    if (!good_) return;
    items.resize(count);
    for (auto& item : items) each(item);
  }
  template <class T, class Each>
  void maybe(std::optional<T>& value, Each each) {
    bool present = false;
    flag(present);
    if (present) each(value.emplace());
  }
  void refuse_unless(bool condition) { good_ &= condition; }
  bool finished() const { return good_ && in_.finished(); }

 private:
  ByteReader in_;
  bool good_ = true;
};

}  // namespace hotcell::agent
