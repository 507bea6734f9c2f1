#include "deps/toml.h"

#include <algorithm>

namespace hotcell::deps {
namespace {

constexpr std::size_t kMostBytes = 1u << 20, kMostEntries = 10'000;
constexpr int kDeepest = 64;

// A list keeps its own strings only; what is nested deeper is read over.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Expected<std::vector<TomlEntry>> read() {
    if (text_.size() > kMostBytes) return fail("invalid_toml", "the TOML is longer than 1 MiB");
    std::string table;
    while (true) {
      blank(true);
      if (at_ == text_.size()) break;
      if (peek() == '[') {
        const bool array = text_.substr(at_).starts_with("[[");
        at_ += array ? 2 : 1;
        table.clear();
        if (!key(table) || !text_.substr(at_).starts_with(array ? "]]" : "]")) return wrong("a table's name");
        at_ += array ? 2 : 1;
      } else {
        TomlEntry entry;
        entry.line = line();
        entry.key = table;
        if (!key(entry.key)) return wrong("a key");
        if (!take('=')) return wrong("= after a key");
        blank(false);
        if (!value(&entry, 0)) return wrong("a value");
        if (entries_.size() >= kMostEntries) return fail("invalid_toml", "the TOML has more than 10,000 entries");
        entries_.push_back(std::move(entry));
      }
      blank(false);
      if (at_ < text_.size() && peek() != '\n' && peek() != '\r') return wrong("the end of the line");
    }
    return std::move(entries_);
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::uint32_t line() const {
    return 1 + static_cast<std::uint32_t>(std::count(text_.begin(), text_.begin() + static_cast<long>(at_), '\n'));
  }
  std::unexpected<Error> wrong(const std::string& expected) const {
    return fail("invalid_toml", "line " + std::to_string(line()) + ": expected " + expected);
  }

  // Space and comments; line ends too where they mean nothing.
  void blank(bool lines) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  static bool bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  }

  // a."b c".d, appended to the key of the table around it.
  bool key(std::string& path) {
    do {
      blank(false);
      std::string part;
      if (peek() == '"' || peek() == '\'') {
        if (!string(part)) return false;
      } else {
        while (bare(peek())) part += text_[at_++];
        if (part.empty()) return false;
      }
      path += (path.empty() ? "" : ".") + part;
      blank(false);
    } while (take('.'));
    return true;
  }

  bool value(TomlEntry* entry, int depth) {
    if (depth > kDeepest) return false;
    if (peek() == '"' || peek() == '\'') {
      std::string text;
      if (!string(text)) return false;
      if (entry) entry->strings.push_back(std::move(text));
      return true;
    }
    if (take('[')) {
      if (entry) entry->is_list = true;
      while (true) {
        blank(true);
        if (take(']')) return true;
        const bool text = peek() == '"' || peek() == '\'';
        if (!value(text ? entry : nullptr, depth + 1)) return false;
        blank(true);
        if (!take(',') && peek() != ']') return false;
      }
    }
    if (take('{')) {
      while (true) {
        blank(true);
        if (take('}')) return true;
        std::string ignored;
        if (!key(ignored) || !take('=')) return false;
        blank(false);
        if (!value(nullptr, depth + 1)) return false;
        blank(true);
        if (!take(',') && peek() != '}') return false;
      }
    }
    return plain_value();
  }

  // true, 1_000, 3.5, 1979-05-27 07:32:00Z: only the last has a space inside.
  bool plain_value() {
    const auto begin = at_;
    const auto word = [&] {
      const auto start = at_;
      while (bare(peek()) || peek() == '+' || peek() == '.' || peek() == ':') ++at_;
      return at_ > start;
    };
    if (!word()) return false;
    const auto first = text_.substr(begin, at_ - begin);
    const auto next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (first.size() == 10 && first[4] == '-' && first[7] == '-' && peek() == ' ' && next >= '0' && next <= '9') {
      ++at_;
      word();
    }
    return true;
  }

  bool string(std::string& text) {
    const char quote = text_[at_];
    const std::string three(3, quote);
    const bool multiline = text_.substr(at_).starts_with(three);
    at_ += multiline ? 3 : 1;
    if (multiline) {
      take('\r');
      take('\n');
    }
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (multiline ? text_.substr(at_).starts_with(three) : c == quote) {
        at_ += multiline ? 3 : 1;
        // """a"""" is a followed by one quote.
        while (multiline && peek() == quote) text += text_[at_++];
        return true;
      }
      if (c == '\n' && !multiline) return false;
      ++at_;
      if (c != '\\' || quote == '\'') {
        text += c;
      } else if (!escape(text)) {
        return false;
      }
    }
    return false;
  }

  bool escape(std::string& text) {
    const char c = peek();
    ++at_;
    constexpr std::string_view kNames = "btnfre\"\\", kMeanings = "\b\t\n\f\r\033\"\\";
    if (const auto i = kNames.find(c); i != kNames.npos) return text += kMeanings[i], true;
    if (c == 'u' || c == 'U') {
      std::uint32_t code = 0;
      for (int i = 0; i < (c == 'u' ? 4 : 8); ++i) {
        const char digit = peek();
        const int number = digit >= '0' && digit <= '9'                 ? digit - '0'
                           : (digit | 32) >= 'a' && (digit | 32) <= 'f' ? (digit | 32) - 'a' + 10
                                                                        : -1;
        if (number < 0) return false;
        code = code << 4 | static_cast<std::uint32_t>(number);
        ++at_;
      }
      return utf8(code, text);
    }
    if (c != '\n' && c != '\r' && c != ' ' && c != '\t') return false;
    --at_;  // a backslash at a line's end: the line goes on at the next word
    while (peek() == '\n' || peek() == '\r' || peek() == ' ' || peek() == '\t') ++at_;
    return true;
  }

  static bool utf8(std::uint32_t code, std::string& text) {
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | code >> 6), put(0x80 | (code & 63));
    } else if (code < 0x10000) {
      put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 63)), put(0x80 | (code & 63));
    } else {
      put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 63)), put(0x80 | (code >> 6 & 63)), put(0x80 | (code & 63));
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<TomlEntry> entries_;
};

}  // namespace

Expected<std::vector<TomlEntry>> read_toml(std::string_view text) { return Reader(text).read(); }

}  // namespace hotcell::deps
