#include "validate/rule_text.h"

#include <algorithm>
#include <optional>

#include "protocol/utf8.h"

namespace hotcell::validate {
namespace {

constexpr int kMaxDepth = 12;

struct Line {
  unsigned number;
  std::size_t indent;
  std::string_view text;  // without the indent and trailing space; a comment may follow
};

bool blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (blank(text.front()) || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (blank(text.back()) || text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view file) : file_(file) {
    unsigned number = 0;
    while (!text.empty()) {
      const auto end = std::min(text.find('\n'), text.size());
      auto line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      while (!line.empty() && (blank(line.back()) || line.back() == '\r')) line.remove_suffix(1);
      const auto indent = std::min(line.find_first_not_of(' '), line.size());
      lines_.push_back({++number, indent, line.substr(indent)});
    }
  }

  Expected<RuleText> read() {
    skip_empty();
    if (done()) return RuleText{RuleText::Type::map, 1};
    auto value = block(line().indent, 0);
    if (!value) return value;
    skip_empty();
    if (!done()) return wrong("this line is indented otherwise than its neighbours");
    return value;
  }

 private:
  bool done() const { return at_ >= lines_.size(); }
  Line& line() { return lines_[at_]; }
  void skip_empty() {
    while (!done() && (line().text.empty() || line().text.front() == '#')) ++at_;
  }
  std::unexpected<Error> wrong(const std::string& why, unsigned number = 0) {
    if (number == 0) number = done() ? static_cast<unsigned>(lines_.size()) : line().number;
    return fail("invalid_rules", std::string(file_) + ":" + std::to_string(number) + ": " + why);
  }

  // Everything from here on that is indented by `indent`.
  Expected<RuleText> block(std::size_t indent, int depth) {
    if (depth > kMaxDepth) return wrong("this is nested too deeply");
    if (line().text.starts_with("\t") || line().text.find('\t') == 0) return wrong("indent with spaces, not tabs");
    return line().text == "-" || line().text.starts_with("- ") ? list(indent, depth) : map(indent, depth);
  }

  Expected<RuleText> list(std::size_t indent, int depth) {
    RuleText out{RuleText::Type::list, line().number};
    for (skip_empty(); !done() && line().indent == indent; skip_empty()) {
      auto& here = line();
      if (here.text != "-" && !here.text.starts_with("- ")) break;
      // What follows the dash is a line of its own, indented by where it stands.
      const auto skip = std::min(here.text.find_first_not_of(' ', 1), here.text.size());
      if (skip == here.text.size() || here.text[skip] == '#') {
        ++at_;
        skip_empty();
        if (done() || line().indent <= indent) return wrong("this list item is empty", here.number);
      } else {
        here.indent += skip;
        here.text.remove_prefix(skip);
      }
      const bool nested = line().text.starts_with("- ") || key_end(line().text);
      auto item = line().text == "|" ? literal(indent)
                  : nested           ? block(line().indent, depth + 1)
                                     : scalar(line().text, indent, depth);
      if (!item) return item;
      out.items.push_back(std::move(*item));
    }
    return out;
  }

  // Where the colon of "key: value" stands.
  static std::optional<std::size_t> key_end(std::string_view text) {
    if (text.empty() || std::string_view("\"'[]{},#&*!|>%@`-").find(text.front()) != std::string_view::npos) return {};
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == ':' && (i + 1 == text.size() || blank(text[i + 1]))) return i;
      if (text[i] == ' ' && i + 1 < text.size() && text[i + 1] == '#') return {};
    }
    return {};
  }

  Expected<RuleText> map(std::size_t indent, int depth) {
    RuleText out{RuleText::Type::map, line().number};
    for (skip_empty(); !done() && line().indent == indent; skip_empty()) {
      const auto here = line();
      const auto colon = key_end(here.text);
      if (!colon) return wrong("expected \"name: value\", not \"" + protocol::shortened(here.text, 40) + "\"");
      std::string key(trimmed(here.text.substr(0, *colon)));
      if (out.find(key)) return wrong("\"" + protocol::shortened(key, 40) + "\" stands here twice");
      const auto rest = trimmed(here.text.substr(*colon + 1));
      Expected<RuleText> value;
      if (rest.empty() || rest.front() == '#') {
        ++at_;
        skip_empty();
        // A list may stand as far left as its name.
        const bool list_here = !done() && line().indent == indent && line().text.starts_with("- ");
        if (done() || (line().indent <= indent && !list_here)) return wrong("there is no value", here.number);
        const bool nested = line().text.starts_with("- ") || key_end(line().text);
        value = nested ? block(line().indent, depth + 1) : scalar(line().text, indent, depth);
      } else if (rest == "|") {
        value = literal(indent);
      } else {
        value = scalar(rest, indent, depth);
      }
      if (!value) return value;
      value->name = std::move(key);
      out.members.push_back(std::move(*value));
    }
    if (!done() && line().indent > indent) return wrong("this line is indented otherwise than its neighbours");
    return out;
  }

  // The lines below that are deeper than `indent`, as they are, without their common indent.
  Expected<RuleText> literal(std::size_t indent) {
    RuleText out{RuleText::Type::text, line().number};
    std::optional<std::size_t> common;
    for (++at_; !done(); ++at_) {
      if (!line().text.empty() && line().indent <= indent) break;
      if (!common && !line().text.empty()) common = line().indent;
      if (!line().text.empty()) out.text.append(line().indent - std::min(line().indent, common.value_or(0)), ' ');
      out.text.append(line().text);
      out.text += '\n';
    }
    return out;
  }

  // A value that begins with `text` on this line and goes on in the deeper ones.
  Expected<RuleText> scalar(std::string_view text, std::size_t indent, int depth) {
    const auto number = line().number;
    std::string whole(text);
    const bool flow = text.front() == '[' || text.front() == '{';
    const bool quoted = text.front() == '"' || text.front() == '\'';
    if (!flow && !quoted) whole = without_comment(text);
    Open open;
    open.read(whole);
    for (++at_; !done(); ++at_) {
      if ((flow || quoted) && open.complete()) break;
      if (line().text.empty() || line().text.front() == '#') {
        if (flow || quoted) continue;
        break;
      }
      if (line().indent <= indent) break;
      whole += flow ? "\n" : " ";
      whole += flow || quoted ? std::string(line().text) : without_comment(line().text);
      open.read(line().text);
    }
    if (!flow && !quoted) {
      if (whole.starts_with('&') || whole.starts_with('*') || whole.starts_with('!') || whole.starts_with('>') ||
          whole.starts_with('|') || whole.starts_with('%') || whole.starts_with('@') || whole.starts_with('`'))
        return wrong("put text that begins like this in quotes", number);
      return RuleText{RuleText::Type::text, number, std::move(whole)};
    }
    std::size_t position = 0;
    auto value = flow_value(whole, position, number, depth);
    if (!value) return value;
    const auto left = trimmed(std::string_view(whole).substr(position));
    if (!left.empty() && left.front() != '#') return wrong("there is something after the end of the value", number);
    return value;
  }

  // Which brackets and quotes are still open at the end of what was read so far.
  struct Open {
    int brackets = 0;
    char quote = 0;
    bool complete() const { return brackets <= 0 && quote == 0; }
    void read(std::string_view text) {
      for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quote != 0) {
          if (c == '\\' && quote == '"')
            ++i;
          else if (c == quote)
            quote = 0;  // '' opens it again at once
        } else if (c == '#' && (i == 0 || blank(text[i - 1]))) {
          return;
        } else if ((c == '"' || c == '\'') && (i == 0 || !is_word(text[i - 1]))) {
          quote = c;
        } else {
          brackets += (c == '[' || c == '{') - (c == ']' || c == '}');
        }
      }
    }
    static bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
  };

  static std::string without_comment(std::string_view text) {
    for (std::size_t i = 1; i < text.size(); ++i)
      if (text[i] == '#' && blank(text[i - 1])) return std::string(trimmed(text.substr(0, i)));
    return std::string(trimmed(text));
  }

  static void skip_space(std::string_view text, std::size_t& at) {
    while (at < text.size()) {
      if (blank(text[at]) || text[at] == '\n')
        ++at;
      else if (text[at] == '#' && (at == 0 || blank(text[at - 1]) || text[at - 1] == '\n'))
        at = std::min(text.find('\n', at), text.size());
      else
        return;
    }
  }

  // A list, a map or a text inside brackets; `at` moves behind it.
  Expected<RuleText> flow_value(std::string_view text, std::size_t& at, unsigned number, int depth) {
    if (depth > kMaxDepth) return wrong("this is nested too deeply", number);
    skip_space(text, at);
    RuleText out{RuleText::Type::text, number};
    if (at >= text.size()) return wrong("a value is missing", number);
    const char open = text[at];
    if (open == '"' || open == '\'') {
      if (auto done = quoted(text, at, number, out.text); !done) return std::unexpected(done.error());
      return out;
    }
    if (open != '[' && open != '{') {
      const auto begin = at;
      while (at < text.size() && text[at] != ',' && text[at] != ']' && text[at] != '}' && text[at] != '\n' &&
             !(text[at] == ':' && at + 1 < text.size() && blank(text[at + 1])))
        ++at;
      out.text = without_comment(text.substr(begin, at - begin));
      if (out.text.empty()) return wrong("a value is missing", number);
      return out;
    }
    const char close = open == '[' ? ']' : '}';
    out.type = open == '[' ? RuleText::Type::list : RuleText::Type::map;
    ++at;
    for (;;) {
      skip_space(text, at);
      if (at >= text.size()) return wrong(std::string("a closing ") + close + " is missing", number);
      if (text[at] == close) break;
      auto value = flow_value(text, at, number, depth + 1);
      if (!value) return value;
      skip_space(text, at);
      if (open == '{') {
        if (value->type != RuleText::Type::text || at >= text.size() || text[at] != ':')
          return wrong("expected \"name: value\" inside { }", number);
        ++at;
        auto member = flow_value(text, at, number, depth + 1);
        if (!member) return member;
        if (out.find(value->text))
          return wrong("\"" + protocol::shortened(value->text, 40) + "\" stands here twice", number);
        member->name = std::move(value->text);
        out.members.push_back(std::move(*member));
        skip_space(text, at);
      } else {
        out.items.push_back(std::move(*value));
      }
      if (at < text.size() && text[at] == ',')
        ++at;
      else if (at >= text.size() || text[at] != close)
        return wrong(std::string("expected a comma or ") + close, number);
    }
    ++at;
    return out;
  }

  Expected<void> quoted(std::string_view text, std::size_t& at, unsigned number, std::string& out) {
    const char quote = text[at++];
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (c == quote) {
        if (quote != '\'' || at + 1 >= text.size() || text[at + 1] != '\'') return ++at, Expected<void>{};
        ++at;
        out += '\'';
      } else if (c == '\\' && quote == '"') {
        if (++at >= text.size()) break;
        switch (text[at]) {
          case 'n':
            out += '\n';
            break;
          case 't':
            out += '\t';
            break;
          case '"':
          case '\\':
          case '/':
            out += text[at];
            break;
          default:
            return wrong(std::string("there is no escape \\") + text[at] + " here", number);
        }
      } else {
        out += c;
      }
    }
    return wrong("a closing quote is missing", number);
  }

  std::string_view file_;
  std::vector<Line> lines_;
  std::size_t at_ = 0;
};

}  // namespace

const RuleText* RuleText::find(std::string_view wanted) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const RuleText& member) { return member.name == wanted; });
  return found == members.end() ? nullptr : &*found;
}

Expected<RuleText> read_rule_text(std::string_view text, std::string_view file) {
  if (!protocol::is_valid_utf8(text)) return fail("invalid_rules", std::string(file) + " is not UTF-8 text");
  return Reader(text, file).read();
}

}  // namespace hotcell::validate
