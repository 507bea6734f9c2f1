#include "docker/module_syntax.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

namespace hotcell::docker {
namespace {

bool is_word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || (c & 0x80) != 0;
}

// After these words a `/` begins a regular expression, not a division.
bool is_operator_word(std::string_view word) {
  for (const std::string_view one : {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else",
                                     "do", "instanceof", "await", "yield"})
    if (word == one) return true;
  return false;
}

class Scanner {
 public:
  explicit Scanner(std::string_view code) : code_(code) {}

  bool finds_module() {
    if (code_.starts_with("#!")) skip_line();
    while (at_ < code_.size()) {
      const char c = code_[at_];
      if (c == '\n') fresh_line_ = true;
      if (std::isspace(static_cast<unsigned char>(c))) {
        ++at_;
      } else if (code_.substr(at_, 2) == "//") {
        skip_line();
      } else if (code_.substr(at_, 2) == "/*") {
        const auto end = code_.find("*/", at_ + 2);
        at_ = end == code_.npos ? code_.size() : end + 2;
      } else if (c == '"' || c == '\'') {
        skip_string(c);
        token("\"");
      } else if (c == '`') {
        ++at_;
        skip_template();
      } else if (c == '/' && regex_may_begin()) {
        skip_regex();
        token("/x/");
      } else if (is_word_char(c)) {
        auto end = at_;
        while (end < code_.size() && is_word_char(code_[end])) ++end;
        const auto word = code_.substr(at_, end - at_);
        at_ = end;
        if (open_.empty() && fresh_line_) async_ = class_ = false;
        if (says_module(word)) return true;
        async_ |= word == "async";
        class_ |= word == "class";
        token(word);
      } else {
        ++at_;
        if (c == '{' || c == '(' || c == '[') open_.push_back(kind_of(c));
        if (c == '}' && !open_.empty() && open_.back() == '`') {  // the end of ${…}
          open_.pop_back();
          skip_template();
          continue;
        }
        if ((c == '}' || c == ')' || c == ']') && !open_.empty()) {
          control_closed_ = open_.back() == kControl;
          open_.pop_back();
        }
        if (c == ';' && open_.empty()) async_ = class_ = false;
        token(code_.substr(at_ - 1, 1));
      }
    }
    return false;
  }

 private:
  static constexpr char kFunction = 'F', kControl = 'c';

  // What a bracket opens: the body of a function or class, where await is not the program's own; the head of an if or
  // a loop, after which a block of the program's own may follow; or something else.
  char kind_of(char bracket) {
    if (bracket == '(')
      for (const std::string_view word : {"if", "for", "while", "switch", "catch", "with", "await"})
        if (last_ == word) return kControl;
    if (bracket != '{') return bracket;
    const bool body = class_ || last_ == ">" || (last_ == ")" && !control_closed_);
    class_ = false;
    return body ? kFunction : bracket;
  }

  bool statement_may_begin() const { return last_.empty() || last_ == ";" || last_ == "}" || fresh_line_; }
  char next_char() const {
    auto at = at_;
    while (at < code_.size() && std::isspace(static_cast<unsigned char>(code_[at]))) ++at;
    return at < code_.size() ? code_[at] : '\0';
  }

  bool says_module(std::string_view word) const {
    if (last_ == ".") return false;  // a.import
    const char next = next_char();
    if (word == "import" && next == '.') return true;  // import.meta
    if (word == "await")
      return std::find(open_.begin(), open_.end(), kFunction) == open_.end() && !async_ && next != '=' && next != ',' &&
             next != ';' && next != ')' && next != '.' && next != ':';
    if (!open_.empty()) return false;
    if (!statement_may_begin()) return false;
    if (word == "import") return next == '{' || next == '*' || next == '"' || next == '\'' || is_word_char(next);
    return word == "export" && (next == '{' || next == '*' || is_word_char(next));
  }

  bool regex_may_begin() const {
    if (last_.empty()) return true;
    if (is_operator_word(last_)) return true;
    const char end = last_.back();
    return !is_word_char(end) && end != ')' && end != ']' && end != '}' && end != '"' && end != '`' && last_ != "/x/";
  }

  void token(std::string_view text) {
    last_ = text;
    fresh_line_ = false;
  }
  void skip_line() { at_ = std::min(code_.find('\n', at_), code_.size()); }
  void skip_string(char quote) {
    for (++at_; at_ < code_.size() && code_[at_] != quote && code_[at_] != '\n'; ++at_)
      if (code_[at_] == '\\') ++at_;
    at_ = std::min(at_ + 1, code_.size());
  }
  // From inside a template to its end, or to the next ${.
  void skip_template() {
    for (; at_ < code_.size(); ++at_) {
      if (code_[at_] == '\\') {
        ++at_;
      } else if (code_[at_] == '`') {
        ++at_;
        token("`");
        return;
      } else if (code_.substr(at_, 2) == "${") {
        at_ += 2;
        open_.push_back('`');
        token("(");
        return;
      }
    }
    at_ = std::min(at_, code_.size());
  }
  void skip_regex() {
    bool in_set = false;
    for (++at_; at_ < code_.size() && code_[at_] != '\n'; ++at_) {
      const char c = code_[at_];
      if (c == '\\') {
        ++at_;
      } else if (c == '[') {
        in_set = true;
      } else if (c == ']') {
        in_set = false;
      } else if (c == '/' && !in_set) {
        break;
      }
    }
    at_ = std::min(at_ + 1, code_.size());
    while (at_ < code_.size() && is_word_char(code_[at_])) ++at_;  // flags
  }

  const std::string_view code_;
  std::size_t at_ = 0;
  std::string_view last_;               // the last token: a word, one character, or what stands for a literal
  bool fresh_line_ = true;              // nothing but space and comments since the last line break
  std::vector<char> open_;              // brackets, by kind; '`' for the ${ of a template
  bool control_closed_ = false;         // the bracket that closed last was the head of an if or a loop
  bool async_ = false, class_ = false;  // the word stood in this statement
};

}  // namespace

bool is_es_module(std::string_view code) { return Scanner(code).finds_module(); }

}  // namespace hotcell::docker
