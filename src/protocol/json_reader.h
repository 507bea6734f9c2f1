// Text from a stranger -> a JSON value, under caps that are enforced while it is read.
//
// nlohmann's own parse() would build whatever depth and number of values the text asks for and keep the last of two
// equal keys; afterwards it is too late to complain about either. So its SAX interface drives a builder of ours.
#pragma once
#include <cstddef>
#include <cstdint>
#include <expected>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/problem.h"

namespace hotcell::protocol {

struct JsonCaps {
  std::size_t bytes = 64u << 20;
  std::size_t depth = 32;
  std::size_t values = 1'000'000;  // a value costs far more memory than the two bytes of text it may have come from
};

// Problems: body_too_large; malformed (syntax, UTF-8, numbers past a double); invalid_field (a key twice, caps).
std::expected<nlohmann::json, Problem> parse_json(std::string_view text, const JsonCaps& caps = {});

// The one way JSON becomes text: compact, UTF-8 as it is, malformed UTF-8 replaced instead of thrown about.
std::string dump(const nlohmann::ordered_json& json);

// "/files/0/path": RFC 6901, `name` escaped. A name of a stranger is shortened.
std::string pointer_to(std::string_view parent, std::string_view name);
std::string pointer_to(std::string_view parent, std::size_t index);

// What is wrong with a document, in the order found. Reading goes on after a complaint, so that a caller (often a
// model) gets them all at once instead of one a round trip.
class Complaints {
 public:
  void add(std::string code, std::string pointer, std::string detail, std::string hint = {});
  bool empty() const { return list_.empty(); }
  Problem to_problem() const;  // the first complaint's code; every complaint under `errors`

 private:
  struct Complaint {
    std::string code, pointer, detail, hint;
  };
  std::vector<Complaint> list_;  // the first few
};

// Reads the members of one object. Asking for a member makes it known; finish() complains about all others. A member
// that is null counts as absent: clients with optional fields send those.
class ObjectReader {
 public:
  using Json = nlohmann::json;

  ObjectReader(Json& value, std::string pointer, Complaints& complaints);
  ~ObjectReader() = default;
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  Json* find(std::string_view name);  // nullptr: absent or null
  bool has(std::string_view name) { return find(name) != nullptr; }
  std::string at(std::string_view name) const { return pointer_to(pointer_, name); }
  const std::string& pointer() const { return pointer_; }

  std::optional<std::string> text(std::string_view name, std::size_t longest = SIZE_MAX);  // moved out of the document
  std::optional<std::string> text_without_nul(std::string_view name, std::size_t longest);
  std::optional<std::string> base64(std::string_view name);
  std::optional<bool> boolean(std::string_view name);
  // A finite number with low < n <= high, or low <= n when `closed`.
  std::optional<double> number(std::string_view name, double low, double high, bool closed = false);
  // 3, and 3.0 where a double is exact: JSON has only one kind of number, and some clients only write one.
  std::optional<std::uint64_t> integer(std::string_view name, std::uint64_t low, std::uint64_t high);
  std::optional<std::int64_t> signed_integer(std::string_view name);
  // nullptr: absent, null, no array, or more than `most` elements.
  Json* array(std::string_view name, std::size_t most);
  std::optional<std::vector<std::string>> texts(std::string_view name, std::size_t most, std::size_t longest);
  template <class Enum, std::size_t N>
  std::optional<Enum> choice(std::string_view name, const std::pair<std::string_view, Enum> (&choices)[N]);

  void complain(std::string_view name, std::string detail, std::string hint = {});
  void finish();  // every member that nobody asked for

 private:
  void complain_choice(std::string_view name, std::string_view given, std::span<const std::string_view> names);

  Json* object_;  // nullptr when it was none
  std::string pointer_;
  Complaints& complaints_;
  std::vector<std::string_view> known_;
};

template <class Enum, std::size_t N>
std::optional<Enum> ObjectReader::choice(std::string_view name, const std::pair<std::string_view, Enum> (&choices)[N]) {
  const auto given = text(name);
  if (!given) return std::nullopt;
  std::vector<std::string_view> names;
  for (const auto& [known, value] : choices) {
    if (known == *given) return value;
    names.push_back(known);
  }
  complain_choice(name, *given, names);
  return std::nullopt;
}

}  // namespace hotcell::protocol
