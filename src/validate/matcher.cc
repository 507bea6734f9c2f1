#include "validate/matcher.h"

#include <algorithm>

namespace hotcell::validate {

Matcher::Matcher(const LanguageRules& rules, const RuleSet& set, const CheckOptions& options, Deadline deadline)
    : rules_(rules), options_(options), deadline_(deadline) {
  for (const auto& rule : rules.rules()) effects_.push_back(set.effect(rule, options.policy));
}

void Matcher::report(std::uint32_t rule, std::string_view name, std::uint32_t begin) {
  if (effects_[rule] == Policy::Effect::ignore) return;
  if (!seen_.insert(std::uint64_t{rule} << 32 | begin).second) return;
  ++total_;
  // What refuses a program must not be pushed out by a flood of what does not.
  const bool refuses = effects_[rule] == Policy::Effect::refuse;
  auto& kept = refuses ? kept_refusing_ : kept_other_;
  if (kept >= options_.max_findings) return;
  ++kept;
  if (name.starts_with("builtins.")) name.remove_prefix(9);
  if (name.ends_with(".?")) name.remove_suffix(2);
  findings_.push_back({begin, rule, refuses, std::string(name.substr(0, 200))});
}

void Matcher::use(std::string_view symbol, std::uint32_t begin) {
  hits_.clear();
  rules_.uses(symbol, hits_);
  for (const auto& hit : hits_) report(hit.rule, hit.shown, begin);
}

bool Matcher::has_calls(std::string_view symbol) {
  hits_.clear();
  rules_.calls(symbol, hits_);
  return !hits_.empty();
}

void Matcher::call(std::string_view symbol, std::uint32_t begin, std::span<const Argument> arguments, bool spread) {
  hits_.clear();
  rules_.calls(symbol, hits_);
  for (const auto& hit : hits_) {
    const auto& where = rules_.rules()[hit.rule].where;
    if (std::all_of(where.begin(), where.end(), [&](const Condition& one) { return holds(one, arguments, spread); }))
      report(hit.rule, hit.shown, begin);
  }
}

void Matcher::member(std::string_view name, std::uint32_t begin) {
  if (const auto* hits = rules_.members(name))
    for (const auto rule : *hits) report(rule, name, begin);
}

bool Matcher::holds(const Condition& condition, std::span<const Argument> arguments, bool spread) const {
  const Argument* argument = nullptr;
  for (const auto& wanted : condition.arguments) {
    if (const auto* position = std::get_if<unsigned>(&wanted)) {
      unsigned at = 0;
      for (const auto& one : arguments)
        if (one.name.empty() && at++ == *position) argument = &one;
    } else {
      for (const auto& one : arguments)
        if (one.name == std::get<std::string>(wanted)) argument = &one;
    }
    if (argument) break;
  }
  using Is = Condition::Is;
  if (condition.is == Is::missing) return argument == nullptr && !spread;
  if (argument == nullptr) return false;
  switch (condition.is) {
    case Is::present:
      return true;
    case Is::constant:
      return argument->is_literal || std::any_of(argument->values.begin(), argument->values.end(),
                                                 [](const Value& one) { return one.type == Value::Type::text; });
    case Is::computed:
      return !argument->is_literal && std::none_of(argument->values.begin(), argument->values.end(),
                                                   [](const Value& one) { return one.type == Value::Type::text; });
    case Is::truth:
      return argument->is_true;
    case Is::text:
      return argument->is_text;
    case Is::outside_workspace:
      return outside_workspace(argument->values);
    case Is::system_path:
      return std::any_of(argument->values.begin(), argument->values.end(),
                         [](const Value& one) { return one.type == Value::Type::text && is_system_path(one.text); });
    default:
      return std::any_of(argument->values.begin(), argument->values.end(), [&](const Value& one) {
        return std::any_of(condition.like.begin(), condition.like.end(), [&](const std::string& pattern) {
          if (like(pattern, one.text)) return true;
          if (one.type != Value::Type::text || one.text.find('/') == one.text.npos) return false;
          return like(pattern, normal_path(one.text.starts_with('.') ? "/workspace/" + one.text : one.text));
        });
      });
  }
}

bool Matcher::outside_workspace(const Values& values) const {
  return std::any_of(values.begin(), values.end(), [&](const Value& one) {
    return one.type != Value::Type::symbol &&
           path_outside(one.text, one.type == Value::Type::prefix, options_.allowed_paths);
  });
}

std::string normal_path(std::string_view path) {
  std::vector<std::string_view> parts;
  const bool absolute = path.starts_with('/');
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    const auto part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..")
      parts.pop_back();
    else if (part != ".." || !absolute)
      parts.push_back(part);
  }
  std::string out;
  for (const auto part : parts) {
    if (absolute || !out.empty()) out += '/';
    out += part;
  }
  if (out.empty()) out = absolute ? "/" : ".";
  return out;
}

bool path_outside(std::string_view path, bool is_prefix, const std::vector<std::string>& allowed) {
  if (path.starts_with("file://")) path.remove_prefix(7);
  if (path.empty() || path.size() > 4096 || path.find('\0') != path.npos) return false;
  if (path == "~" || path.starts_with("~/")) return true;
  auto plain = normal_path(path);
  if (!path.starts_with('/')) {
    if (!plain.starts_with("../") && plain != "..") return false;
    plain = normal_path("/workspace/" + plain);
  }
  if (is_prefix && path.ends_with('/') && plain != "/") plain += '/';
  const auto below = [&](std::string_view folder) {
    while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
    if (folder == "/") return true;
    if (plain.starts_with(folder) && (plain.size() == folder.size() || plain[folder.size()] == '/')) return true;
    // "/works" + something may well become "/workspace".
    return is_prefix && folder.starts_with(plain);
  };
  for (const std::string_view folder :
       {"/workspace", "/tmp", "/var/tmp", "/dev/null", "/dev/zero", "/dev/stdin", "/dev/stdout", "/dev/stderr",
        "/dev/fd", "/dev/urandom", "/dev/random", "/dev/full", "/dev/tty", "/dev/shm", "/mnt/data"})
    if (below(folder)) return false;
  return std::none_of(allowed.begin(), allowed.end(), below);
}

bool is_system_path(std::string_view path) {
  if (path == "~" || path == "~/" || path == "~/*" || path.starts_with("~root")) return true;
  if (!path.starts_with('/')) return false;
  auto plain = normal_path(path);
  for (const std::string_view all : {"/*", "/.*", "/{*,.*}", "/**"})
    if (plain.ends_with(all)) {
      plain.resize(plain.size() - all.size());
      if (plain.empty()) plain = "/";
      break;
    }
  if (plain == "/") return true;
  for (const std::string_view folder : {"/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc",
                                        "/root", "/run", "/sbin", "/srv", "/sys", "/usr", "/var"})
    if (plain == folder || ((folder == "/boot" || folder == "/etc" || folder == "/usr" || folder == "/lib" ||
                             folder == "/bin" || folder == "/sbin" || folder == "/lib64") &&
                            plain.starts_with(folder) && plain[folder.size()] == '/'))
      return true;
  return plain.starts_with("/home/") && plain.find('/', 6) == plain.npos;
}

}  // namespace hotcell::validate
