// Looking into JSON that nobody vouches for: a field that is missing, or of another type, is an empty one.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "docker/api/types.h"

namespace hotcell::docker::api {

using Json = nlohmann::json;

inline std::optional<Json> parse_json(std::string_view text) {
  auto out = Json::parse(text, nullptr, false);
  if (out.is_discarded()) return std::nullopt;
  return out;
}

// What goes out. Error "docker_bad_request": a string in it is not UTF-8.
inline Expected<std::string> to_text(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::type_error&) {
    return fail("docker_bad_request", "a text in the request to the Docker daemon is not UTF-8");
  }
}

// The `filters` of a list. What is no UTF-8 in them will match nothing, and that is right.
inline std::string filters_text(const Json& filters) {
  return filters.dump(-1, ' ', false, Json::error_handler_t::replace);
}
inline std::string label_filters(const std::vector<std::string>& with_labels) {
  return filters_text({{"label", with_labels}});
}

// The field, or null.
inline const Json& field(const Json& object, const char* name) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(name);
  return found == object.end() ? null : *found;
}
inline std::string text(const Json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }
inline std::string text(const Json& object, const char* name) { return text(field(object, name)); }
inline std::int64_t number(const Json& object, const char* name) {
  const Json& value = field(object, name);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}
inline bool flag(const Json& object, const char* name) {
  const Json& value = field(object, name);
  return value.is_boolean() && value.get<bool>();
}
// Of an array; anything else has none.
inline const Json::array_t& elements(const Json& value) {
  static const Json::array_t none;
  return value.is_array() ? value.get_ref<const Json::array_t&>() : none;
}
inline std::vector<std::string> texts(const Json& object, const char* name) {
  std::vector<std::string> out;
  for (const Json& item : elements(field(object, name)))
    if (item.is_string()) out.push_back(text(item));
  return out;
}
inline Labels labels(const Json& object, const char* name) {
  Labels out;
  const Json& value = field(object, name);
  if (value.is_object())
    for (const auto& [key, item] : value.items())
      if (item.is_string()) out.emplace(key, text(item));
  return out;
}

}  // namespace hotcell::docker::api
