#include "validate/bash_words.h"

#include <algorithm>

#include "validate/text_ops.h"

namespace hotcell::validate {
namespace {

constexpr int kMaxDepth = 24;
constexpr std::size_t kMaxWords = 256;

// A backslash makes the next character itself; before a line's end both vanish.
std::string unquoted(std::string_view text, bool inside_quotes) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    const char next = text[i + 1];
    if (inside_quotes && next != '"' && next != '\\' && next != '$' && next != '`' && next != '\n') {
      out += text[i];
      continue;
    }
    ++i;
    if (next != '\n') out += next;
  }
  return out;
}

// One that ends a command: not after a backslash.
bool has_line_end(std::string_view gap) {
  for (std::size_t i = 0; i < gap.size(); ++i)
    if (gap[i] == '\n' && (i == 0 || gap[i - 1] != '\\')) return true;
  return false;
}

}  // namespace

std::vector<std::string> brace_expanded(const std::string& text) {
  const auto open = text.find('{');
  const auto close = open == text.npos ? text.npos : text.find('}', open);
  const auto comma = open == text.npos ? text.npos : text.find(',', open);
  if (close == text.npos || comma == text.npos || comma > close || text.find('{', open + 1) < close) return {text};
  std::vector<std::string> out;
  std::string_view inside = std::string_view(text).substr(open + 1, close - open - 1);
  while (out.size() < 32) {
    const auto end = std::min(inside.find(','), inside.size());
    out.push_back(text.substr(0, open) + std::string(inside.substr(0, end)) + text.substr(close + 1));
    if (end == inside.size()) break;
    inside.remove_prefix(end + 1);
  }
  return out;
}

bool ShellWord::is(std::string_view text) const {
  return !prefix && std::find(texts.begin(), texts.end(), text) != texts.end();
}

ShellWords::ShellWords(const Outline& outline) : outline_(outline) {
  for (NodeId id = 0; id < outline.size(); ++id) {
    if (outline.kind(id) == Kind::variable_assignment) {
      const auto name = outline.child(id, Field::name);
      if (outline.kind(name) != Kind::variable_name) continue;
      auto& values = assigned_[outline.text(name)];
      if (values.size() < 8) values.push_back(id);
    } else if (outline.kind(id) == Kind::for_statement) {
      const auto name = outline.child(id, Field::variable);
      if (name == kNoNode) continue;
      auto& values = assigned_[outline.text(name)];
      for (auto one = outline.first(id); one != kNoNode && values.size() < 8; one = outline.next(one))
        if (outline[one].field == Field::value) values.push_back(one);
    } else if (outline.kind(id) == Kind::command) {
      // read x, printf -v x: set to something that we don't know.
      auto word = outline.first(id);
      if (outline.kind(word) != Kind::command_name || outline.text(word) != "read") continue;
      for (word = outline.next(word); word != kNoNode; word = outline.next(word))
        if (outline.kind(word) == Kind::word) assigned_[outline.text(word)].push_back(kNoNode);
    }
  }
}

bool ShellWords::is_split(NodeId node) const {
  switch (outline_.kind(node)) {
    case Kind::simple_expansion:
    case Kind::expansion:
    case Kind::command_substitution:
      return true;
    case Kind::concatenation:
    case Kind::command_name:
      for (auto one = outline_.first(node); one != kNoNode; one = outline_.next(one))
        if (is_split(one)) return true;
      return false;
    default:
      return false;
  }
}

std::vector<std::vector<ShellWord>> ShellWords::of_command(NodeId command) const {
  std::vector<std::vector<ShellWord>> commands(1);
  const auto source = outline_.syntax().source();
  std::uint32_t last_end = outline_[command].begin;
  steps_ = kMaxSteps;
  for (auto one = outline_.first(command); one != kNoNode && commands.back().size() < kMaxWords;
       one = outline_.next(one)) {
    const auto kind = outline_.kind(one);
    const auto gap = source.substr(last_end, outline_[one].begin - std::min(last_end, outline_[one].begin));
    last_end = outline_[one].end;
    if (!commands.back().empty() && commands.size() < kMaxWords && has_line_end(gap)) commands.emplace_back();
    auto& words = commands.back();
    if (kind == Kind::variable_assignment && words.empty()) continue;
    if (kind == Kind::file_redirect || kind == Kind::heredoc_redirect || kind == Kind::herestring_redirect ||
        kind == Kind::operator_token || kind == Kind::ampersand || kind == Kind::comment)
      continue;
    const auto values = evaluate(one, 0, words.empty());
    ShellWord word;
    word.node = one;
    for (const auto& value : values) {
      if (value.type == Value::Type::symbol) continue;
      word.prefix = value.type == Value::Type::prefix;
      word.texts.push_back(value.text);
    }
    if (word.texts.size() > 1) word.prefix = false;
    const bool quoted = kind == Kind::string || kind == Kind::raw_string || kind == Kind::ansi_c_string;
    const auto source_text = outline_.text(one);
    if (word.texts.size() != 1 || word.prefix || quoted) {
      words.push_back(std::move(word));
      continue;
    }
    // Only one text: braces and white space may make several words of it.
    std::vector<std::string> pieces{word.texts[0]};
    if (source_text.find('{') != source_text.npos && source_text.find("${") == source_text.npos)
      pieces = brace_expanded(word.texts[0]);
    const bool split = is_split(one);
    for (const auto& piece : pieces) {
      if (!split) {
        words.push_back({{piece}, false, one});
        continue;
      }
      for (std::size_t at = 0; at < piece.size() && words.size() < kMaxWords;) {
        const auto begin = piece.find_first_not_of(" \t\n", at);
        if (begin == piece.npos) break;
        at = std::min(piece.find_first_of(" \t\n", begin), piece.size());
        words.push_back({{piece.substr(begin, at - begin)}, false, one});
      }
    }
  }
  return commands;
}

Values ShellWords::evaluate(NodeId node, int depth, bool unset_is_empty) const {
  if (node == kNoNode || depth > kMaxDepth) return {};
  if (steps_ == 0) return {};
  --steps_;
  const auto text = outline_.text(node);
  switch (outline_.kind(node)) {
    case Kind::command_name: {
      // A name that the grammar cut into pieces is still one word.
      Values out = Values::constant({});
      for (auto one = outline_.first(node); one != kNoNode; one = outline_.next(one))
        out = concatenated(out, evaluate(one, depth + 1, unset_is_empty));
      return out;
    }
    case Kind::concatenation: {
      Values out = Values::constant({});
      for (auto one = outline_.first(node); one != kNoNode && !out.empty(); one = outline_.next(one))
        out = concatenated(out, evaluate(one, depth + 1, unset_is_empty));
      return out;
    }
    case Kind::word:
    case Kind::number:
    case Kind::brace_expression:
    case Kind::variable_name:
      return Values::constant(unquoted(text, false));
    case Kind::raw_string:
      return Values::constant(std::string(text.size() >= 2 ? text.substr(1, text.size() - 2) : text));
    case Kind::ansi_c_string:
      return Values::constant(unescaped(text.size() >= 3 ? text.substr(2, text.size() - 3) : text, true));
    case Kind::string:
      return double_quoted(node, depth, unset_is_empty);
    case Kind::translated_string:
      return evaluate(outline_.inner(node), depth + 1, unset_is_empty);
    case Kind::simple_expansion: {
      const auto name = outline_.first(node);
      return name == kNoNode ? Values() : variable(outline_.text(name), depth, unset_is_empty);
    }
    case Kind::expansion:
      return expansion(node, depth, unset_is_empty);
    case Kind::command_substitution:
      return substituted(node, depth);
    default:
      // Words of test and arithmetic commands, regular expressions, …: as they stand, if nothing is expanded in them.
      return text.find_first_of("$`\\\"'(") == text.npos && text.size() < 4096 ? Values::constant(std::string(text))
                                                                               : Values();
  }
}

Values ShellWords::double_quoted(NodeId node, int depth, bool unset_is_empty) const {
  const auto source = outline_.syntax().source();
  Values out = Values::constant({});
  auto at = outline_[node].begin + 1;
  for (auto one = outline_.first(node); one != kNoNode; one = outline_.next(one)) {
    if (outline_.kind(one) == Kind::string_content || outline_.kind(one) == Kind::operator_token) continue;
    out = concatenated(out, Values::constant(unquoted(
                                source.substr(at, outline_[one].begin - std::min(at, outline_[one].begin)), true)));
    out = concatenated(out, evaluate(one, depth + 1, unset_is_empty));
    at = outline_[one].end;
  }
  const auto end = outline_[node].end - 1;
  return concatenated(out, Values::constant(unquoted(source.substr(at, end > at ? end - at : 0), true)));
}

Values ShellWords::variable(std::string_view name, int depth, bool unset_is_empty) const {
  const auto found = assigned_.find(name);
  if (found == assigned_.end()) {
    if (name == "IFS") return Values::constant(" ");
    if (name == "HOME") return Values::constant("~");
    if (name == "PWD") return Values::constant(".");
    if (name == "SHELL" || name == "BASH") return Values::constant("/bin/bash");
    // r$@m, r${x}m: nothing, in the middle of a command's name.
    return unset_is_empty ? Values::constant({}) : Values();
  }
  Values out;
  for (const auto node : found->second) {
    if (node == kNoNode) continue;
    if (outline_.kind(node) != Kind::variable_assignment) {
      out.add(evaluate(node, depth + 1, false));
      continue;
    }
    const auto value = outline_.child(node, Field::value);
    if (value == kNoNode) {
      out.add(Values::constant({}));
      continue;
    }
    auto made = evaluate(value, depth + 1, false);
    const auto name_node = outline_.child(node, Field::name);
    if (outline_.syntax().source().substr(outline_[name_node].end).starts_with("+=")) made = concatenated(out, made);
    out.add(made);
  }
  return out;
}

Values ShellWords::expansion(NodeId node, int depth, bool unset_is_empty) const {
  // ${x}, ${x:-word}: the name, and perhaps an operator and a word behind it.
  const auto name = outline_.first(node);
  const auto text = outline_.text(node);
  if (name == kNoNode) return {};
  if (outline_.kind(name) == Kind::subscript) {
    // ${a[0]} of a=(rm -rf /)
    const auto array = outline_.child(name, Field::name);
    const auto index = outline_.child(name, Field::index);
    const auto found = array == kNoNode ? assigned_.end() : assigned_.find(outline_.text(array));
    const auto number = index == kNoNode ? std::nullopt : integer(outline_.text(index));
    if (found == assigned_.end()) return {};
    for (const auto assignment : found->second) {
      if (assignment == kNoNode) continue;
      const auto items = outline_.child(assignment, Field::value);
      if (outline_.kind(items) != Kind::array) continue;
      if (number) {
        auto one = outline_.first(items);
        for (auto i = *number; i > 0 && one != kNoNode; --i) one = outline_.next(one);
        return one == kNoNode ? Values() : evaluate(one, depth + 1, false);
      }
      Values out = Values::constant({});  // ${a[@]}
      for (auto one = outline_.first(items); one != kNoNode; one = outline_.next(one)) {
        if (one != outline_.first(items)) out = concatenated(out, Values::constant(" "));
        out = concatenated(out, evaluate(one, depth + 1, false));
      }
      return out;
    }
    return {};
  }
  if (text.starts_with("${!") || text.starts_with("${#")) return {};
  const auto rest = outline_.syntax().source().substr(outline_[name].end, outline_[node].end - outline_[name].end);
  auto known = variable(outline_.text(name), depth, unset_is_empty);
  if (rest == "}") return known;
  const bool otherwise =
      rest.starts_with(":-") || rest.starts_with("-") || rest.starts_with(":=") || rest.starts_with("=");
  if (otherwise) {
    NodeId word = kNoNode;
    for (auto one = outline_.next(name); one != kNoNode; one = outline_.next(one))
      if (outline_.kind(one) != Kind::operator_token) word = one;
    auto out = std::move(known);
    out.add(word == kNoNode ? Values::constant({}) : evaluate(word, depth + 1, false));
    return out;
  }
  if (rest.starts_with(":") && known.text()) {  // ${x:0:2}
    const auto numbers = rest.substr(1, rest.size() - 2);
    const auto colon = numbers.find(':');
    const auto from = integer(numbers.substr(0, colon));
    if (!from) return {};
    const auto size = colon == numbers.npos ? std::nullopt : integer(numbers.substr(colon + 1));
    if (colon != numbers.npos && (!size || *size < 0)) return {};
    return Values::constant(sliced(*known.text(), from, size ? std::optional(*from + *size) : std::nullopt, 1));
  }
  return {};
}

// $(echo rm), $(printf '%s' rm), $(echo cm0= | base64 -d), $(echo mr | rev)
Values ShellWords::substituted(NodeId node, int depth) const {
  const auto inside = outline_.inner(node);
  if (inside == kNoNode || outline_.next(inside) != kNoNode) return {};
  if (outline_.kind(inside) == Kind::command) return output_of(inside, depth);
  if (outline_.kind(inside) != Kind::pipeline) return {};
  Values out;
  bool first = true;
  for (auto one = outline_.first(inside); one != kNoNode; one = outline_.next(one)) {
    if (outline_.kind(one) == Kind::operator_token || outline_.kind(one) == Kind::ampersand) continue;
    if (outline_.kind(one) != Kind::command) return {};
    if (first) {
      out = output_of(one, depth);
      first = false;
      continue;
    }
    std::string_view command = outline_.text(one);
    Values next;
    for (const auto& value : out) {
      if (value.type != Value::Type::text) continue;
      if (command.starts_with("base64 -d") || command.starts_with("base64 --decode") ||
          command.starts_with("base64 -D"))
        next.add({Value::Type::text, from_base64(value.text).value_or("")});
      else if (command.starts_with("xxd -r -p") || command.starts_with("xxd -p -r"))
        next.add({Value::Type::text, from_hex(value.text).value_or("")});
      else if (command == "rev")
        next.add({Value::Type::text, reversed(value.text)});
      else if (command == "cat")
        next.add(value);
    }
    out = next;
  }
  return out;
}

Values ShellWords::output_of(NodeId command, int depth) const {
  auto word = outline_.first(command);
  if (outline_.kind(word) != Kind::command_name) return {};
  const auto name = outline_.text(word);
  if (name == "which" || name == "command" || name == "type") {  // $(command -v rm): the command, by its path
    NodeId last = kNoNode;
    for (word = outline_.next(word); word != kNoNode; word = outline_.next(word)) last = word;
    return last == kNoNode || outline_.text(last).starts_with('-') ? Values() : evaluate(last, depth + 1, false);
  }
  if (name != "echo" && name != "printf") return {};
  Values out = Values::constant({});
  bool first = true;
  for (word = outline_.next(word); word != kNoNode; word = outline_.next(word)) {
    const auto text = outline_.text(word);
    if (first && (text == "-n" || text == "-e" || text == "-ne" || text == "-en" || text == "--")) continue;
    if (first && name == "printf" && (text.find("%s") != text.npos || text == "%b")) continue;  // its format
    if (!first) out = concatenated(out, Values::constant(name == "echo" ? " " : ""));
    first = false;
    auto value = evaluate(word, depth + 1, false);
    Values plain;
    for (const auto& one : value)
      plain.add({one.type, one.text.find('\\') == one.text.npos ? one.text : unescaped(one.text, true)});
    out = concatenated(out, plain);
  }
  return out;
}

}  // namespace hotcell::validate
