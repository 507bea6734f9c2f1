#include "deps/pep508.h"

#include <algorithm>
#include <array>

#include "deps/pep440.h"

namespace hotcell::deps {
namespace {

using Wrong = std::unexpected<std::string>;

bool is_space(char c) { return c == ' ' || c == '\t'; }
bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  void skip_spaces() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }
  bool at_end() {
    skip_spaces();
    return rest_.empty();
  }
  char peek() {
    skip_spaces();
    return rest_.empty() ? '\0' : rest_.front();
  }
  bool take(std::string_view word) {
    skip_spaces();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::string_view take_name() {
    skip_spaces();
    std::size_t size = 0;
    while (size < rest_.size() && is_name_letter(rest_[size])) ++size;
    return cut(size);
  }
  std::string_view take_until(std::string_view ends) {
    skip_spaces();
    return cut(std::min(rest_.find_first_of(ends), rest_.size()));
  }
  std::string_view cut(std::size_t size) {
    const auto out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// Markers. The text is brought into one spelling: spaces, quotes, old names of variables, and the order and repetition
// of what stands between equal words ("and", "or"). It is not evaluated: that is the resolver's business, which knows
// the interpreter.
constexpr std::array<std::string_view, 12> kVariables = {"python_version",
                                                         "python_full_version",
                                                         "os_name",
                                                         "sys_platform",
                                                         "platform_release",
                                                         "platform_system",
                                                         "platform_version",
                                                         "platform_machine",
                                                         "implementation_name",
                                                         "implementation_version",
                                                         "platform_python_implementation",
                                                         "extra"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOldNames{
    {{"os.name", "os_name"},
     {"sys.platform", "sys_platform"},
     {"platform.version", "platform_version"},
     {"platform.machine", "platform_machine"},
     {"platform.python_implementation", "platform_python_implementation"},
     {"python_implementation", "platform_python_implementation"}}};

// One comparison, or several of one kind under "and" or "or".
struct Marker {
  enum Kind { comparison, all, any } kind = comparison;
  std::string text;
  std::vector<Marker> parts;
};
using MaybeMarker = std::expected<Marker, std::string>;

struct Operand {
  std::string text;
  bool variable;
};

std::expected<Operand, std::string> marker_operand(Reader& in) {
  const char quote = in.peek();
  if (quote == '"' || quote == '\'') {
    in.cut(1);
    const auto value = in.cut(std::min(in.rest().find(quote), in.rest().size()));
    if (in.rest().empty()) return Wrong("a quote in the marker does not end");
    in.cut(1);
    const char shown = value.find('"') == value.npos ? '"' : '\'';
    return Operand{shown + std::string(value) + shown, false};
  }
  const auto name = in.take_name();
  for (const auto& [old, now] : kOldNames)
    if (name == old) return Operand{std::string(now), true};
  if (std::ranges::find(kVariables, name) == kVariables.end())
    return Wrong(name.empty() ? "the marker after ';' is not complete"
                              : "'" + std::string(name) + "' is not a variable of markers");
  return Operand{std::string(name), true};
}

MaybeMarker marker_comparison(Reader& in) {
  const auto left = marker_operand(in);
  if (!left) return Wrong(left.error());
  std::string op;
  for (const std::string_view known : {"===", "==", "~=", "!=", "<=", ">=", "<", ">"})
    if (op.empty() && in.take(known)) op = known;
  if (op.empty()) {
    const auto word = in.take_name();
    if (word == "in") op = "in";
    if (word == "not" && in.take_name() == "in") op = "not in";
  }
  if (op.empty()) return Wrong("the marker needs a comparison after '" + left->text + "'");
  const auto right = marker_operand(in);
  if (!right) return Wrong(right.error());
  if (!left->variable && !right->variable) return Wrong("the marker compares two constants");
  return Marker{Marker::comparison, left->text + " " + op + " " + right->text, {}};
}

// Takes over the parts of parts of the same kind, so that parentheses which change nothing leave no trace.
Marker combined(Marker::Kind kind, std::vector<Marker> parts) {
  std::vector<Marker> flat;
  for (auto& part : parts) {
    if (part.kind == kind)
      for (auto& inner : part.parts) flat.push_back(std::move(inner));
    else
      flat.push_back(std::move(part));
  }
  std::ranges::sort(flat, {}, &Marker::text);
  flat.erase(std::ranges::unique(flat, {}, &Marker::text).begin(), flat.end());
  if (flat.size() == 1) return std::move(flat.front());
  Marker out{kind, {}, {}};
  for (const auto& part : flat) {
    if (!out.text.empty()) out.text += kind == Marker::all ? " and " : " or ";
    out.text += kind == Marker::all && part.kind == Marker::any ? "(" + part.text + ")" : part.text;
  }
  out.parts = std::move(flat);
  return out;
}

// A word, not the beginning of a longer one.
bool take_keyword(Reader& in, std::string_view word) {
  Reader probe = in;
  if (probe.take_name() != word) return false;
  in = probe;
  return true;
}

MaybeMarker marker_any(Reader& in, int depth);

MaybeMarker marker_atom(Reader& in, int depth) {
  if (!in.take("(")) return marker_comparison(in);
  if (depth > 20) return Wrong("the marker is nested too deeply");
  auto inside = marker_any(in, depth + 1);
  if (inside && !in.take(")")) return Wrong("a parenthesis in the marker does not end");
  return inside;
}

MaybeMarker marker_all(Reader& in, int depth) {
  std::vector<Marker> parts;
  do {
    auto part = marker_atom(in, depth);
    if (!part) return part;
    parts.push_back(std::move(*part));
  } while (take_keyword(in, "and"));
  return combined(Marker::all, std::move(parts));
}

MaybeMarker marker_any(Reader& in, int depth) {
  std::vector<Marker> parts;
  do {
    auto part = marker_all(in, depth);
    if (!part) return part;
    parts.push_back(std::move(*part));
  } while (take_keyword(in, "or"));
  return combined(Marker::any, std::move(parts));
}

}  // namespace

std::expected<Requirement, std::string> parse_pep508(std::string_view text) {
  Reader in(text);
  if (in.peek() == '-') return Wrong("options are not taken here, only names of packages");
  Requirement out;
  const auto name = in.take_name();
  if (name.empty()) return Wrong("it does not begin with the name of a package");
  const char after = in.rest().empty() ? '\0' : in.rest().front();
  if (after == '/' || after == ':' || after == '+' || name == "." || name == ".." || name.ends_with(".whl") ||
      name.ends_with(".zip") || name.ends_with(".gz"))
    return Wrong("only packages of the index are installed, not files, folders or URLs");
  if (!is_pypi_name(name)) return Wrong("'" + std::string(name) + "' is not the name of a package");
  out.name = normalize_pypi_name(name);

  if (in.take("[")) {
    do {
      const auto extra = in.take_name();
      if (extra.empty() && in.peek() == ']') break;  // "name[]" is allowed
      if (!is_pypi_name(extra)) return Wrong("'" + std::string(extra) + "' is not the name of an extra");
      out.extras.push_back(normalize_pypi_name(extra));
    } while (in.take(","));
    if (!in.take("]")) return Wrong("the list of extras does not end with ']'");
    std::ranges::sort(out.extras);
    out.extras.erase(std::ranges::unique(out.extras).begin(), out.extras.end());
  }
  if (in.peek() == '@')
    return Wrong("only packages of the index are installed, not URLs (for a version write " + out.name + "==…)");

  const bool parenthesis = in.take("(");
  if (const char next = in.peek(); next != '\0' && next != ';' && !(parenthesis && next == ')')) {
    if (is_name_letter(next))
      return Wrong("a version must follow one of == != <= >= < > ~=, as in " + out.name +
                   "==" + std::string(in.take_until(",;) ")));
    do {
      if (parenthesis ? in.peek() == ')' : in.peek() == ';' || in.peek() == '\0') {
        if (out.versions.empty()) return Wrong("there is no version before ','");
        break;  // a comma at the end is allowed by installers
      }
      auto specifier = normalize_pep440_specifier(in.take_until(parenthesis ? ",)" : ",;"));
      if (!specifier) return Wrong(specifier.error());
      out.versions.push_back(std::move(*specifier));
    } while (in.take(","));
    std::ranges::sort(out.versions);
    out.versions.erase(std::ranges::unique(out.versions).begin(), out.versions.end());
  }
  if (parenthesis && !in.take(")")) return Wrong("the parenthesis does not end");

  if (in.take(";")) {
    auto marker = marker_any(in, 0);
    if (!marker) return Wrong(marker.error());
    out.marker = std::move(marker->text);
  }
  if (!in.at_end()) return Wrong("'" + std::string(in.rest()) + "' is too much");
  return out;
}

}  // namespace hotcell::deps
