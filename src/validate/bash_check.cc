// Tells what a shell program does: its commands with their words as the shell would see them, where they are piped and
// redirected to, and the programs that it hands to interpreters.
#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>

#include "validate/bash_words.h"
#include "validate/matcher.h"

namespace hotcell::validate {
namespace {

using protocol::Language;

// Commands that run the command in their arguments, and the options of theirs that take a word.
struct Wrapper {
  std::string_view name, options_with_value;
  unsigned operands;  // that come before the command
};
constexpr Wrapper kWrappers[] = {
    {"sudo", "ugpCDhRT", 0}, {"doas", "uC", 0},   {"env", "uCS", 0},
    {"nohup", "", 0},        {"time", "fo", 0},   {"command", "", 0},
    {"builtin", "", 0},      {"exec", "a", 0},    {"nice", "n", 0},
    {"ionice", "cnp", 0},    {"setsid", "", 0},   {"stdbuf", "ioe", 0},
    {"timeout", "ks", 1},    {"busybox", "", 0},  {"unbuffer", "", 0},
    {"watch", "nd", 0},      {"strace", "eo", 0}, {"xargs", "IiLlnPsdEea", 0},
    {"parallel", "j", 0},    {"chroot", "", 1},   {"toybox", "", 0},
    {"su", "", 0},           {"if", "", 0},       {"unshare", "", 0},
    {"coproc", "", 0},       {"flock", "wE", 1},  {"taskset", "", 1},
};

constexpr std::string_view kShells[] = {"sh", "bash", "dash", "zsh", "ksh", "ash", "rbash"};

std::string_view base_name(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) return path;
  return path.substr(path.rfind('/') + 1);
}

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
bool is_shell(std::string_view name) { return is_one_of(name, kShells); }
bool is_python(std::string_view name) {
  return name == "python" || name.starts_with("python2") || name.starts_with("python3") || name == "pypy3";
}
bool is_node(std::string_view name) { return name == "node" || name == "nodejs" || name == "deno" || name == "bun"; }

// A command after its wrappers are taken off: "sudo -u x nice rm -rf /" holds three.
struct Effective {
  std::string name;
  std::vector<ShellWord> words;  // without the name
  std::uint32_t begin = 0;
};

class BashChecker {
 public:
  BashChecker(const Outline& outline, Matcher& matcher, const Nested& nested)
      : outline_(outline), matcher_(matcher), nested_(nested), words_(outline) {}

  void run() {
    for (NodeId id = 0; id < outline_.size() && matcher_.go_on(); ++id) {
      switch (outline_.kind(id)) {
        case Kind::command:
        case Kind::declaration_command:
          command(id);
          break;
        case Kind::compound_statement:
        case Kind::error:
          if (outline_.text(id).starts_with('{')) braces(id);
          break;
        case Kind::pipeline:
          pipeline(id);
          break;
        case Kind::file_redirect:
          redirect(id);
          break;
        case Kind::function_definition:
          function(id);
          break;
        case Kind::while_statement:
          loop(id);
          break;
        default:
          break;
      }
    }
  }

 private:
  // Cached: pipes ask for the commands inside them before their turn comes.
  const std::vector<Effective>& effective(NodeId id) {
    const auto [at, added] = effective_.try_emplace(id);
    if (!added) return at->second;
    auto& out = at->second;
    for (auto& words : words_.of_command(id)) unwrap(std::move(words), out);
    if (!out.empty()) out.front().begin = outline_[id].begin;
    return out;
  }

  void unwrap(std::vector<ShellWord> words, std::vector<Effective>& out) const {
    if (words.empty()) return;
    const auto begin = words[0].node == kNoNode ? 0 : outline_[words[0].node].begin;
    for (unsigned wrapped = 0; !words.empty() && wrapped < 8; ++wrapped) {
      // A name that may be several things is all of them.
      const auto before = out.size();
      for (const auto& text : words[0].texts)
        if (!words[0].prefix && !text.empty())
          out.push_back({std::string(base_name(text)), {words.begin() + 1, words.end()}, begin});
      if (out.size() == before) return;
      const auto wrapper = std::find_if(std::begin(kWrappers), std::end(kWrappers),
                                        [&](const Wrapper& one) { return one.name == out.back().name; });
      if (wrapper == std::end(kWrappers)) return;
      std::size_t next = 1;
      unsigned operands = wrapper->operands;
      for (; next < words.size(); ++next) {
        const auto text = words[next].text();
        if (text == "--") {
          ++next;
          break;
        }
        if (text.starts_with('-') && text.size() > 1) {
          if (text.size() == 2 && wrapper->options_with_value.find(text[1]) != std::string_view::npos) ++next;
          continue;
        }
        if (wrapper->name == "env" && text.find('=') != text.npos) continue;
        if (operands == 0) break;
        --operands;
      }
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(std::min(next, words.size())));
    }
  }

  static std::string shown(const Effective& one) {
    std::string out = one.name;
    for (const auto& word : one.words) {
      if (out.size() > 80) break;
      out += ' ';
      out += word.texts.empty() ? std::string("…") : word.texts[0] + (word.prefix ? "…" : "");
    }
    return out;
  }

  // By name, with its conditions.
  void match(const Effective& one) {
    if (const auto* hits = matcher_.rules().commands(one.name))
      for (const auto rule : *hits) {
        const auto& where = matcher_.rules().rules()[rule].where;
        if (std::all_of(where.begin(), where.end(), [&](const Condition& condition) { return holds(condition, one); }))
          matcher_.report(rule, shown(one), one.begin);
      }
  }

  // {rm,-rf,/}: the grammar takes it for the beginning of a block.
  void braces(NodeId id) {
    auto text = std::string(outline_.text(id));
    text.resize(std::min(text.find('}') + 1, text.size()));
    if (text.size() < 4 || text.size() > 4096 || text.find_first_of(" \t\n") != text.npos) return;
    std::vector<ShellWord> words;
    for (auto& piece : brace_expanded(text)) words.push_back({{std::move(piece)}, false, id});
    std::vector<Effective> all;
    if (words.size() > 1) unwrap(std::move(words), all);
    for (const auto& one : all) match(one);
  }

  // cd / && rm -rf *: where relative paths lead, up to the end of the subshell or function that changed it.
  void change_folder(NodeId id, const Effective& one) {
    if (one.name != "cd" && one.name != "pushd") return;
    folder_.clear();
    for (const auto& word : one.words) {
      if (word.text().starts_with('-')) continue;
      if (word.text().starts_with('/')) folder_ = word.text();
      break;
    }
    auto around = id;
    for (auto kind = outline_.kind(around);
         kind != Kind::subshell && kind != Kind::command_substitution && kind != Kind::process_substitution &&
         kind != Kind::function_definition && outline_.parent(around) != kNoNode;
         kind = outline_.kind(around))
      around = outline_.parent(around);
    folder_until_ = outline_[around].after;
  }

  // The path that a word means, where that is known to differ from it.
  std::optional<std::string> moved(std::string_view path) const {
    if (folder_.empty() || path.empty() || path.starts_with('/') || path.starts_with('~')) return std::nullopt;
    return folder_ + "/" + std::string(path);
  }

  void command(NodeId id) {
    if (id >= folder_until_) folder_.clear();
    for (const auto& one : effective(id)) {
      change_folder(id, one);
      match(one);
      interpreter(id, one);
    }
    // sh -c "$(curl …)", bash <(curl …), eval "$(curl …)"
    for (const auto rule : matcher_.rules().others()) {
      const auto& pipe = matcher_.rules().rules()[rule].pipe;
      if (!pipe || !names_one_of(id, pipe->to)) continue;
      auto whole = id;
      if (outline_.kind(outline_.parent(id)) == Kind::redirected_statement)
        whole = outline_.parent(id);  // sh <<< "$(curl …)"
      for (auto inner = whole + 1; inner < outline_[whole].after && matcher_.go_on(); ++inner)
        if ((outline_.kind(inner) == Kind::command_substitution ||
             outline_.kind(inner) == Kind::process_substitution) &&
            holds_command(inner, pipe->from)) {
          matcher_.report(rule, outline_.text(whole), outline_[id].begin);
          break;
        }
    }
  }

  bool names_one_of(NodeId command, const std::vector<std::string>& names) {
    const auto& all = effective(command);
    return std::any_of(all.begin(), all.end(), [&](const Effective& one) {
      return std::find(names.begin(), names.end(), one.name) != names.end();
    });
  }
  bool holds_command(NodeId below, const std::vector<std::string>& names) {
    for (auto id = below; id < outline_[below].after && matcher_.go_on(); ++id)
      if (outline_.kind(id) == Kind::command && names_one_of(id, names)) return true;
    return false;
  }

  static bool has_flag(const Effective& command, const std::vector<std::string>& flags) {
    for (const auto& word : command.words) {
      for (const auto& text : word.texts) {
        if (text == "--") return false;
        if (!text.starts_with('-') || text.size() < 2) continue;
        for (const auto& flag : flags) {
          if (text == flag || (flag.starts_with("--") && (text.starts_with(flag + "=")))) return true;
          // Any beginning of a long option that is long enough to be one.
          if (flag.starts_with("--") && text.starts_with("--") && text.size() > 4 && flag.starts_with(text))
            return true;
          if (flag.size() == 2 && flag[1] != '-' && text[1] != '-' && text.find(flag[1], 1) != text.npos) return true;
        }
      }
    }
    return false;
  }

  bool holds(const Condition& condition, const Effective& command) const {
    if (condition.what == Condition::What::flag) return has_flag(command, condition.like);
    bool ended = false, any = false;
    for (const auto& word : command.words) {
      if (word.is("--") && !ended) {
        ended = true;
        continue;
      }
      const auto is_flag = [&](const std::string& text) { return !ended && text.size() > 1 && text.starts_with('-'); };
      if (condition.what == Condition::What::operand) {
        for (const auto& text : word.texts)
          for (const auto& pattern : condition.like)
            if ((!is_flag(text) || pattern.starts_with('-')) && like(pattern, text)) return true;
        continue;
      }
      if (!word.texts.empty() && std::all_of(word.texts.begin(), word.texts.end(), is_flag)) continue;
      any = true;
      switch (condition.is) {
        case Condition::Is::computed:
          if (word.computed()) return true;
          break;
        case Condition::Is::constant:
        case Condition::Is::text:
          if (!word.computed()) return true;
          break;
        case Condition::Is::present:
          return true;
        case Condition::Is::outside_workspace:
          for (const auto& text : word.texts)
            if (path_outside(moved(text).value_or(text), word.prefix, matcher_.options().allowed_paths)) return true;
          break;
        case Condition::Is::system_path:
          for (const auto& text : word.texts)
            if (!word.prefix && is_system_path(moved(text).value_or(text))) return true;
          break;
        case Condition::Is::like_one:
          for (const auto& text : word.texts)
            for (const auto& pattern : condition.like)
              if (like(pattern, text)) return true;
          break;
        default:
          break;
      }
    }
    return condition.is == Condition::Is::missing && !any;
  }

  // Programs inside the program.
  void interpreter(NodeId id, const Effective& one) {
    const auto hand_on = [&](Language language, std::string source) {
      if (!source.empty()) nested_(language, std::move(source), one.begin);
    };
    const auto after_flag = [&](std::string_view flags) -> std::string {
      for (std::size_t i = 0; i + 1 < one.words.size(); ++i) {
        const auto text = one.words[i].text();
        // -c, and also -lc, -ec: the last letter takes the word.
        if (text.size() >= 2 && text[0] == '-' && (text[1] != '-' || text == "--eval") &&
            (flags.find(text.back()) != flags.npos || text == "--eval"))
          return std::string(one.words[i + 1].text());
      }
      return {};
    };
    if (one.name == "eval" || one.name == "alias" || one.name == "trap") {
      std::string source;
      for (const auto& word : one.words) {
        auto text = word.text();
        if (one.name == "alias") text = text.substr(std::min(text.find('=') + 1, text.size()));
        source += std::string(text) + " ";
        if (one.name == "trap") break;
      }
      hand_on(Language::bash, std::move(source));
    } else if (is_shell(one.name) || one.name == "su") {
      hand_on(Language::bash, after_flag("c"));
      hand_on(Language::bash, standard_input(id));
    } else if (is_python(one.name)) {
      hand_on(Language::python, after_flag("c"));
      hand_on(Language::python, standard_input(id));
    } else if (is_node(one.name)) {
      hand_on(Language::javascript, after_flag("ep"));
      hand_on(Language::javascript, standard_input(id));
    }
  }

  // What a here-document, a here-string or an echo in front of the pipe gives it.
  std::string standard_input(NodeId id) {
    const auto around = outline_.parent(id);
    for (const auto whole : {id, outline_.kind(around) == Kind::redirected_statement ? around : kNoNode}) {
      if (whole == kNoNode) continue;
      for (auto one = outline_.first(whole); one != kNoNode; one = outline_.next(one)) {
        if (outline_.kind(one) == Kind::herestring_redirect) {
          const auto values = words_.value(outline_.inner(one));
          return values.text() ? *values.text() : std::string();
        }
        if (outline_.kind(one) == Kind::heredoc_redirect)
          for (auto part = outline_.first(one); part != kNoNode; part = outline_.next(part))
            if (outline_.kind(part) == Kind::heredoc_body) return std::string(outline_.text(part));
      }
    }
    auto stage = outline_.kind(around) == Kind::redirected_statement ? around : id;
    const auto pipe = outline_.parent(stage);
    if (outline_.kind(pipe) != Kind::pipeline) return {};
    const auto first = outline_.inner(pipe);
    if (first == stage || first == kNoNode) {
      // cat <<EOF | sh: the grammar hangs the pipe below the here-document.
      const auto document = outline_.parent(pipe);
      if (outline_.kind(document) == Kind::heredoc_redirect)
        for (auto part = outline_.first(document); part != kNoNode; part = outline_.next(part))
          if (outline_.kind(part) == Kind::heredoc_body) return std::string(outline_.text(part));
      return {};
    }
    if (outline_.kind(first) != Kind::command) return {};
    std::string source;
    for (const auto& one : effective(first)) {
      if (one.name != "echo" && one.name != "printf") continue;
      for (const auto& word : one.words)
        if (!word.text().starts_with("-") && !word.text().starts_with("%")) source += std::string(word.text()) + " ";
    }
    return source;
  }

  void pipeline(NodeId id) {
    std::vector<NodeId> stages;
    if (outline_.kind(outline_.parent(id)) == Kind::heredoc_redirect)  // cat <<EOF | sh
      if (const auto statement = outline_.parent(outline_.parent(id));
          outline_.child(statement, Field::body) != kNoNode)
        stages.push_back(outline_.child(statement, Field::body));
    for (auto one = outline_.first(id); one != kNoNode && stages.size() < 64; one = outline_.next(one))
      if (outline_.kind(one) != Kind::operator_token && outline_.kind(one) != Kind::ampersand) stages.push_back(one);
    for (const auto rule : matcher_.rules().others()) {
      const auto& pipe = matcher_.rules().rules()[rule].pipe;
      if (!pipe) continue;
      bool source = false;
      for (const auto stage : stages) {
        if (source && runs_input(stage, pipe->to)) {
          matcher_.report(rule, outline_.text(id), outline_[stages[0]].begin);
          break;
        }
        source = source || holds_command(stage, pipe->from);
      }
    }
  }

  // A shell that is given a program (bash -c …, python x.py) does not run its input.
  bool runs_input(NodeId stage, const std::vector<std::string>& names) {
    for (auto id = stage; id < outline_[stage].after && matcher_.go_on(); ++id) {
      if (outline_.kind(id) != Kind::command) continue;
      for (const auto& one : effective(id)) {
        if (std::find(names.begin(), names.end(), one.name) == names.end()) continue;
        const bool reads = std::all_of(one.words.begin(), one.words.end(), [](const ShellWord& word) {
          return word.is("-") || word.is("/dev/stdin") ||
                 (word.text().starts_with('-') && !word.is("-c") && !word.is("-e") && !word.is("-m"));
        });
        const bool takes_arguments = has_flag(one, {"-s"});
        if (reads || takes_arguments || outline_.text(id).starts_with("xargs") ||
            outline_.text(id).find("xargs ") != std::string_view::npos)
          return true;
      }
    }
    return false;
  }

  void redirect(NodeId id) {
    const auto target = outline_.child(id, Field::destination);
    if (target == kNoNode) return;
    const auto operation = outline_.text(id).substr(0, outline_[target].begin - outline_[id].begin);
    const bool writes = operation.find('>') != operation.npos;
    const auto values = words_.value(target);
    for (const auto& value : values) {
      if (value.type == Value::Type::symbol) continue;
      for (const auto rule : matcher_.rules().others())
        for (std::string_view pattern : matcher_.rules().rules()[rule].redirects) {
          if (pattern.starts_with('>')) {
            if (!writes) continue;
            pattern.remove_prefix(1);
          }
          const bool hit =
              pattern == "outside_workspace" ? matcher_.outside_workspace(Values(value)) : like(pattern, value.text);
          if (hit) matcher_.report(rule, value.text, outline_[id].begin);
        }
    }
  }

  void shape(std::string_view name, NodeId id) {
    for (const auto rule : matcher_.rules().others()) {
      const auto& shapes = matcher_.rules().rules()[rule].shapes;
      if (std::find(shapes.begin(), shapes.end(), name) != shapes.end())
        matcher_.report(rule, outline_.text(id), outline_[id].begin);
    }
  }

  // :(){ :|:& };: and its kin: a function that starts itself twice, at least one of them beside itself.
  void function(NodeId id) {
    const auto name = outline_.child(id, Field::name), body = outline_.child(id, Field::body);
    if (name == kNoNode || body == kNoNode) return;
    const std::string own(outline_.text(name));
    unsigned calls = 0, piped = 0;
    bool background = false;
    for (auto one = body; one < outline_[body].after && matcher_.go_on(); ++one) {
      const auto kind = outline_.kind(one);
      if (kind == Kind::ampersand) background = true;
      if (kind != Kind::command || !names_one_of(one, {own})) continue;
      ++calls;
      if (outline_.kind(outline_.parent(one)) == Kind::pipeline) ++piped;
    }
    if (piped >= 2 || (background && calls >= 2)) shape("fork_bomb", id);
  }

  // while true; do x & done, without anything in it that waits or ends.
  void loop(NodeId id) {
    const auto condition = outline_.child(id, Field::condition), body = outline_.child(id, Field::body);
    if (condition == kNoNode || body == kNoNode || outline_.kind(condition) != Kind::command) return;
    const auto text = outline_.text(condition);
    if (text != "true" && text != ":" && text != "/bin/true" && !text.starts_with("[ 1 ")) return;
    bool background = false;
    for (auto one = body; one < outline_[body].after && matcher_.go_on(); ++one) {
      if (outline_.kind(one) == Kind::ampersand) background = true;
      if (outline_.kind(one) == Kind::command &&
          names_one_of(one, {"wait", "sleep", "read", "break", "exit", "return"}))
        return;
    }
    if (background) shape("fork_bomb", id);
  }

  const Outline& outline_;
  Matcher& matcher_;
  const Nested& nested_;
  ShellWords words_;
  std::string folder_;  // empty: the one that the program began in, or unknown
  NodeId folder_until_ = 0;
  std::unordered_map<NodeId, std::vector<Effective>> effective_;
};

}  // namespace

void check_bash(const Outline& outline, Matcher& matcher, const Nested& nested) {
  BashChecker(outline, matcher, nested).run();
}

}  // namespace hotcell::validate
