#include "protocol/json_reader.h"

#include <algorithm>
#include <cmath>

#include "protocol/base64.h"
#include "protocol/nearest.h"
#include "protocol/utf8.h"

namespace hotcell::protocol {

using Json = nlohmann::json;

namespace {

constexpr std::size_t kMostComplaints = 16;
constexpr std::size_t kLongestQuote = 64;  // of a stranger's own words in our answer

std::string in_quotes(std::string_view text) { return "'" + shortened(text, kLongestQuote) + "'"; }

// Builds the value that the parser reports piece by piece. Returning false stops the parser.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const JsonCaps& caps) : caps_(caps) {}

  Json& root() { return root_; }
  const std::optional<Problem>& problem() const { return problem_; }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(std::int64_t value) override { return put(value); }
  bool number_unsigned(std::uint64_t value) override { return put(value); }
  bool number_float(double value, const std::string&) override { return put(value); }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(Json::binary_t&) override { return false; }  // JSON text has none
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    auto& level = levels_.back();
    const auto [at, fresh] = level.node->get_ref<Json::object_t&>().try_emplace(name);
    level.key = std::move(name);
    level.slot = &at->second;
    return fresh || refuse("invalid_field", "the member " + in_quotes(level.key) + " appears twice", "send it once");
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error … - …; last read: '…'": without
    // the library's own number, and without what was read, which may be megabytes of a stranger's text.
    std::string_view what = error.what();
    if (const auto end = what.find("] "); end != what.npos) what.remove_prefix(end + 2);
    what = what.substr(0, what.find("; last read"));
    problem_ = make_problem("malformed", "the text is not valid JSON: " + shortened(what, 240),
                            "send one JSON object in UTF-8");
    return false;
  }

 private:
  struct Level {
    Json* node;
    std::string key;       // in an object: the member being read
    Json* slot = nullptr;  // and where its value goes
  };

  bool refuse(std::string code, std::string detail, std::string hint) {
    std::string pointer;
    for (const auto& level : levels_)
      pointer = level.node->is_object() ? pointer_to(pointer, level.key) : pointer_to(pointer, level.node->size() - 1);
    Complaints complaints;
    complaints.add(std::move(code), std::move(pointer), std::move(detail), std::move(hint));
    problem_ = complaints.to_problem();
    return false;
  }

  Json* place(Json&& value) {
    if (levels_.empty()) return &(root_ = std::move(value));
    auto& level = levels_.back();
    if (level.node->is_object()) return &(*level.slot = std::move(value));
    level.node->push_back(std::move(value));
    return &level.node->back();
  }

  bool put(Json&& value) {
    place(std::move(value));
    return ++values_ <= caps_.values ||
           refuse("invalid_field", "the document has more than " + std::to_string(caps_.values) + " values", "");
  }

  bool open(Json&& container) {
    Json* node = place(std::move(container));
    if (levels_.size() >= caps_.depth)
      return refuse("invalid_field", "the document is nested deeper than " + std::to_string(caps_.depth) + " levels",
                    "");
    if (++values_ > caps_.values)
      return refuse("invalid_field", "the document has more than " + std::to_string(caps_.values) + " values", "");
    // The pointer stays good: the container that holds this node does not change before this one is closed.
    levels_.push_back({node, {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  const JsonCaps& caps_;
  Json root_;
  std::vector<Level> levels_;
  std::size_t values_ = 0;
  std::optional<Problem> problem_;
};

std::string_view type_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::object:
      return "an object";
    default:
      return "a number";
  }
}

std::string wrong_type(std::string_view wanted, const Json& value) {
  return "must be " + std::string(wanted) + ", not " + std::string(type_of(value));
}

std::string plain(double number) { return Json(number).dump(); }

}  // namespace

std::expected<Json, Problem> parse_json(std::string_view text, const JsonCaps& caps) {
  if (text.size() > caps.bytes)
    return std::unexpected(
        make_problem("body_too_large", "the text is larger than " + std::to_string(caps.bytes) + " bytes"));
  Builder builder(caps);
  if (Json::sax_parse(text.data(), text.data() + text.size(), &builder)) return std::move(builder.root());
  return std::unexpected(builder.problem().value_or(make_problem("malformed", "the text is not valid JSON")));
}

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string pointer_to(std::string_view parent, std::string_view name) {
  std::string out(parent);
  out += '/';
  for (const char c : shortened(name, 4 * kLongestQuote)) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

std::string pointer_to(std::string_view parent, std::size_t index) {
  return std::string(parent) + "/" + std::to_string(index);
}

void Complaints::add(std::string code, std::string pointer, std::string detail, std::string hint) {
  if (list_.size() < kMostComplaints)
    list_.push_back({std::move(code), std::move(pointer), std::move(detail), std::move(hint)});
}

Problem Complaints::to_problem() const {
  if (list_.empty()) return make_problem("internal", "nothing is wrong");
  const auto& first = list_.front();
  std::string detail = (first.pointer.empty() ? std::string("the request") : first.pointer) + ": " + first.detail;
  if (list_.size() > 1) detail += " (and " + std::to_string(list_.size() - 1) + " more)";
  Problem problem = make_problem(first.code, std::move(detail), first.hint);
  for (const auto& complaint : list_)
    problem.errors.emplace_back(complaint.pointer,
                                complaint.detail + (complaint.hint.empty() ? "" : "; " + complaint.hint));
  return problem;
}

ObjectReader::ObjectReader(Json& value, std::string pointer, Complaints& complaints)
    : object_(value.is_object() ? &value : nullptr), pointer_(std::move(pointer)), complaints_(complaints) {
  if (!object_) complaints_.add("invalid_field", pointer_, wrong_type("an object", value));
}

void ObjectReader::complain(std::string_view name, std::string detail, std::string hint) {
  complaints_.add("invalid_field", at(name), std::move(detail), std::move(hint));
}

void ObjectReader::complain_choice(std::string_view name, std::string_view given,
                                   std::span<const std::string_view> names) {
  complain(name, in_quotes(given) + " is not known", suggestion(given, names));
}

Json* ObjectReader::find(std::string_view name) {
  if (std::ranges::find(known_, name) == known_.end()) known_.push_back(name);
  if (!object_) return nullptr;
  const auto member = object_->find(name);
  return member == object_->end() || member->is_null() ? nullptr : &*member;
}

void ObjectReader::finish() {
  if (!object_) return;
  for (const auto& [name, value] : object_->items())
    if (std::ranges::find(known_, name) == known_.end())
      complain(name, "the member " + in_quotes(name) + " is not known", suggestion(name, known_));
}

std::optional<std::string> ObjectReader::text(std::string_view name, std::size_t longest) {
  Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) return complain(name, wrong_type("a string", *value)), std::nullopt;
  auto& text = value->get_ref<std::string&>();
  if (text.size() > longest)
    return complain(name, "must not be longer than " + std::to_string(longest) + " bytes"), std::nullopt;
  return std::move(text);
}

std::optional<std::string> ObjectReader::text_without_nul(std::string_view name, std::size_t longest) {
  auto out = text(name, longest);
  if (out && out->find('\0') != out->npos) return complain(name, "must not contain a NUL character"), std::nullopt;
  return out;
}

std::optional<std::string> ObjectReader::base64(std::string_view name) {
  const auto encoded = text(name);
  if (!encoded) return std::nullopt;
  auto bytes = base64_decode(*encoded);
  if (!bytes) complain(name, "is not base64", "the standard alphabet with padding, no spaces or line breaks");
  return bytes;
}

std::optional<bool> ObjectReader::boolean(std::string_view name) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) return complain(name, wrong_type("true or false", *value)), std::nullopt;
  return value->get<bool>();
}

std::optional<double> ObjectReader::number(std::string_view name, double low, double high, bool closed) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_number()) return complain(name, wrong_type("a number", *value)), std::nullopt;
  const double number = value->get<double>();
  if (std::isfinite(number) && (closed ? number >= low : number > low) && number <= high) return number;
  complain(name, std::string("must be ") + (closed ? "at least " : "more than ") + plain(low) + " and at most " +
                     plain(high));
  return std::nullopt;
}

std::optional<std::uint64_t> ObjectReader::integer(std::string_view name, std::uint64_t low, std::uint64_t high) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_number()) return complain(name, wrong_type("an integer", *value)), std::nullopt;
  std::optional<std::uint64_t> number;
  if (value->is_number_unsigned())
    number = value->get<std::uint64_t>();
  else if (value->is_number_float() && value->get<double>() >= 0 && value->get<double>() <= kExact &&
           std::trunc(value->get<double>()) == value->get<double>())
    number = static_cast<std::uint64_t>(value->get<double>());
  if (number && *number >= low && *number <= high) return number;
  complain(name, "must be an integer from " + std::to_string(low) + " to " + std::to_string(high));
  return std::nullopt;
}

std::optional<std::int64_t> ObjectReader::signed_integer(std::string_view name) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t{INT64_MAX});
  if (!fits) return complain(name, "must be an integer of 64 bits"), std::nullopt;
  return value->get<std::int64_t>();
}

Json* ObjectReader::array(std::string_view name, std::size_t most) {
  Json* value = find(name);
  if (!value) return nullptr;
  if (!value->is_array()) return complain(name, wrong_type("an array", *value)), nullptr;
  if (value->size() > most)
    return complain(name, "must not have more than " + std::to_string(most) + " elements"), nullptr;
  return value;
}

std::optional<std::vector<std::string>> ObjectReader::texts(std::string_view name, std::size_t most,
                                                            std::size_t longest) {
  Json* list = array(name, most);
  if (!list) return std::nullopt;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Json& element = (*list)[i];
    const auto pointer = [&] { return pointer_to(at(name), i); };
    if (!element.is_string()) {
      complaints_.add("invalid_field", pointer(), wrong_type("a string", element));
      continue;
    }
    auto& text = element.get_ref<std::string&>();
    if (text.size() > longest)
      complaints_.add("invalid_field", pointer(), "must not be longer than " + std::to_string(longest) + " bytes");
    else if (text.find('\0') != text.npos)
      complaints_.add("invalid_field", pointer(), "must not contain a NUL character");
    else
      out.push_back(std::move(text));
  }
  return out;
}

}  // namespace hotcell::protocol
