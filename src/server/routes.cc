#include "server/routes.h"

#include "protocol/percent.h"

namespace hotcell::server {

namespace {

enum class Fit { no, yes, bad_encoding };

Fit fits(std::string_view pattern, std::string_view path, std::vector<std::string>& parameters) {
  parameters.clear();
  while (!pattern.empty()) {
    if (pattern.front() != '{') {
      const auto literal = pattern.substr(0, pattern.find('{'));
      if (!path.starts_with(literal)) return Fit::no;
      path.remove_prefix(literal.size());
      pattern.remove_prefix(literal.size());
      continue;
    }
    const auto close = pattern.find('}');
    const bool rest = pattern[close - 1] == '*';
    const auto value = rest ? path : path.substr(0, path.find('/'));
    if (value.empty()) return Fit::no;
    auto decoded = protocol::percent_decoded(value);
    if (!decoded) return Fit::bad_encoding;
    parameters.push_back(std::move(*decoded));
    path.remove_prefix(value.size());
    pattern.remove_prefix(close + 1);
  }
  return path.empty() ? Fit::yes : Fit::no;
}

}  // namespace

Routes::Match Routes::find(std::string_view method, std::string_view path) const {
  Match match;
  std::vector<std::string> parameters;
  for (const auto& route : routes_) {
    const auto fit = fits(route.pattern, path, parameters);
    if (fit == Fit::bad_encoding) match.bad_encoding = true;
    if (fit != Fit::yes) continue;
    if (route.method == method || (method == "HEAD" && route.method == "GET")) {
      match.route = &route;
      match.parameters = std::move(parameters);
      return match;
    }
    match.allowed.push_back(route.method);
    if (route.method == "GET") match.allowed.emplace_back("HEAD");
  }
  return match;
}

}  // namespace hotcell::server
