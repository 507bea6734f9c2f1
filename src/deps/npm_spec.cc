#include "deps/npm_spec.h"

#include <algorithm>

namespace hotcell::deps {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// One dot-separated list of identifiers, as pre-releases and builds are.
bool take_identifiers(std::string_view& rest, std::string& out, bool numbers_without_zeros) {
  for (;;) {
    std::size_t size = 0;
    while (size < rest.size() && (is_digit(rest[size]) || is_letter(rest[size]) || rest[size] == '-')) ++size;
    const auto part = rest.substr(0, size);
    if (part.empty()) return false;
    if (numbers_without_zeros && part.size() > 1 && part[0] == '0' && std::ranges::all_of(part, is_digit)) return false;
    out += part;
    rest.remove_prefix(size);
    if (!rest.starts_with('.')) return true;
    out += '.';
    rest.remove_prefix(1);
  }
}

// "1", "1.2", "1.x", "1.2.3-rc.1": numbers up to the first that is left open. Nothing left: any version at all.
struct Partial {
  std::string text;
  int numbers = 0;
};

std::optional<Partial> take_partial(std::string_view& rest) {
  if (rest.starts_with('v') || rest.starts_with('V')) rest.remove_prefix(1);
  Partial out;
  bool open = false;
  for (int place = 0; place < 3; ++place) {
    if (place > 0) {
      if (!rest.starts_with('.')) break;
      rest.remove_prefix(1);
    }
    if (rest.starts_with('x') || rest.starts_with('X') || rest.starts_with('*')) {
      rest.remove_prefix(1);
      open = true;
      continue;
    }
    std::size_t size = 0;
    while (size < rest.size() && is_digit(rest[size])) ++size;
    if (size == 0 || size > 15 || (size > 1 && rest[0] == '0')) return std::nullopt;
    if (!open) {
      out.text += (place ? "." : "") + std::string(rest.substr(0, size));
      ++out.numbers;
    }
    rest.remove_prefix(size);
  }
  std::string pre, build;
  if (rest.starts_with('-')) {
    rest.remove_prefix(1);
    if (!take_identifiers(rest, pre, true)) return std::nullopt;
    if (out.numbers == 3) out.text += "-" + pre;
  }
  if (rest.starts_with('+')) {  // says nothing about order or equality
    rest.remove_prefix(1);
    if (!take_identifiers(rest, build, false)) return std::nullopt;
  }
  if (!rest.empty() && rest.front() != ' ' && rest.front() != '\t') return std::nullopt;
  return out;
}

// A row of comparisons that must all hold.
std::optional<std::string> comparators(std::string_view text) {
  std::vector<std::string> parts;
  text = trimmed(text);
  while (!text.empty()) {
    std::string_view op;
    for (const std::string_view known : {">=", "<=", "~>", ">", "<", "=", "~", "^"})
      if (op.empty() && text.starts_with(known)) op = known;
    text = trimmed(text.substr(op.size()));
    auto from = take_partial(text);
    if (!from) return std::nullopt;
    text = trimmed(text);
    if (text.starts_with("- ") && op.empty()) {  // "1.2 - 2.3"
      text = trimmed(text.substr(1));
      const auto to = take_partial(text);
      if (!to) return std::nullopt;
      text = trimmed(text);
      if (from->numbers) parts.push_back(">=" + from->text);
      if (to->numbers) parts.push_back("<=" + to->text);
      continue;
    }
    if (op == "=") op = "";
    if (op == "~>") op = "~";
    if (from->numbers == 0) {
      if (op == "<" || op == ">") return std::nullopt;  // less than anything
      continue;
    }
    parts.push_back(std::string(op) + from->text);
  }
  if (parts.empty()) return "*";
  std::ranges::sort(parts);
  parts.erase(std::ranges::unique(parts).begin(), parts.end());
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : " ") + part;
  return out;
}

std::optional<std::string> range(std::string_view text) {
  std::vector<std::string> ways;
  for (;;) {
    const auto bar = text.find("||");
    const auto way = comparators(text.substr(0, bar));
    if (!way) return std::nullopt;
    ways.push_back(*way);
    if (bar == text.npos) break;
    text.remove_prefix(bar + 2);
  }
  std::ranges::sort(ways);
  ways.erase(std::ranges::unique(ways).begin(), ways.end());
  std::string out;
  for (const auto& way : ways) out += (out.empty() ? "" : " || ") + way;
  return out;
}

bool is_tag(std::string_view text) {
  return !text.empty() && is_letter(text[0]) && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || is_letter(c) || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace

std::optional<std::string> normalize_npm_version(std::string_view version) {
  if (version.size() > 256) return std::nullopt;
  auto rest = version;
  const auto partial = take_partial(rest);
  if (!partial || partial->numbers != 3 || !rest.empty()) return std::nullopt;
  return partial->text;
}

std::expected<Requirement, std::string> parse_npm_spec(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('-')) return std::unexpected("options are not taken here, only names of packages");
  const auto at = text.empty() ? text.npos : text.find('@', 1);  // the first may begin a scope
  const auto name = trimmed(text.substr(0, at));
  if (name.empty()) return std::unexpected("it does not begin with the name of a package");
  if (name.find(':') != name.npos || name.starts_with('.') || name.starts_with('/') ||
      (!name.starts_with('@') && name.find('/') != name.npos))
    return std::unexpected("only packages of the registry are installed, not files, folders, repositories or URLs");
  if (name.find_first_of("<>=~^ ") != name.npos)
    return std::unexpected("name and version are joined by '@', as in " +
                           std::string(name.substr(0, name.find_first_of("<>=~^ "))) + "@^1.2");
  if (!is_npm_name(name)) return std::unexpected("'" + std::string(name) + "' is not the name of a package");
  Requirement out;
  out.ecosystem = Ecosystem::npm;
  out.name = name;
  if (at == text.npos) {
    out.versions = {"latest"};  // what npm takes when it is told nothing
    return out;
  }
  const auto wanted = trimmed(text.substr(at + 1));
  if (wanted.empty()) return std::unexpected("there is no version after '@'");
  if (wanted.find_first_of(":/") != wanted.npos)
    return std::unexpected("only packages of the registry are installed, not files, folders, repositories or URLs");
  if (auto versions = range(wanted))
    out.versions = {std::move(*versions)};
  else if (is_tag(wanted))
    out.versions = {std::string(wanted)};
  else
    return std::unexpected("'" + std::string(wanted) + "' is not a version, a range or a tag");
  return out;
}

}  // namespace hotcell::deps
