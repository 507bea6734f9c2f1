#include "deps/pep440.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

namespace hotcell::deps {
namespace {

struct Version {
  std::string epoch = "0";
  std::vector<std::string> release;
  std::string pre, post, dev, local;

  std::string text() const {
    std::string out = epoch == "0" ? "" : epoch + "!";
    for (std::size_t i = 0; i < release.size(); ++i) out += (i ? "." : "") + release[i];
    out += pre + post + dev;
    if (!local.empty()) out += "+" + local;
    return out;
  }
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); }
bool is_separator(char c) { return c == '-' || c == '_' || c == '.'; }

// A cursor over the lower-cased text. Every take… either takes something or leaves the cursor where it was.
class Reader {
 public:
  explicit Reader(std::string text) : text_(std::move(text)) {}
  bool at_end() const { return at_ == text_.size(); }
  std::size_t at() const { return at_; }
  void back_to(std::size_t at) { at_ = at; }

  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!std::string_view(text_).substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  bool take_separator() {
    if (at_end() || !is_separator(text_[at_])) return false;
    ++at_;
    return true;
  }
  // Without leading zeros; empty: there is no number here.
  std::string take_number() {
    const auto from = at_;
    while (!at_end() && is_digit(text_[at_])) ++at_;
    auto start = from;
    while (start + 1 < at_ && text_[start] == '0') ++start;
    return text_.substr(start, at_ - start);
  }
  std::string take_alnum() {
    const auto from = at_;
    while (!at_end() && is_alnum(text_[at_])) ++at_;
    return text_.substr(from, at_ - from);
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

// "[-_.]?(word)[-_.]?(number)?" as in "-alpha.2": `spelt` gets what stands for the word, then the number or 0.
template <std::size_t N>
bool take_tagged(Reader& in, const std::array<std::pair<std::string_view, std::string_view>, N>& words,
                 std::string& out) {
  const auto from = in.at();
  in.take_separator();
  for (const auto& [word, spelt] : words) {
    if (!in.take_word(word)) continue;
    const auto before_number = in.at();
    in.take_separator();
    auto number = in.take_number();
    if (number.empty()) {
      in.back_to(before_number);
      number = "0";
    }
    out = std::string(spelt) + number;
    return true;
  }
  in.back_to(from);
  return false;
}

// Longer words first: the first that fits is taken.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kPre{{{"alpha", "a"},
                                                                             {"beta", "b"},
                                                                             {"preview", "rc"},
                                                                             {"pre", "rc"},
                                                                             {"rc", "rc"},
                                                                             {"a", "a"},
                                                                             {"b", "b"},
                                                                             {"c", "rc"}}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kPost{
    {{"post", ".post"}, {"rev", ".post"}, {"r", ".post"}}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 1> kDev{{{"dev", ".dev"}}};

constexpr std::size_t kLongestVersion = 256;

std::optional<Version> parse(std::string_view text) {
  if (text.size() > kLongestVersion) return std::nullopt;
  std::string lower(text);
  for (auto& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  Reader in(std::move(lower));
  Version out;
  in.take('v');
  auto first = in.take_number();
  if (first.empty()) return std::nullopt;
  if (in.take('!')) {
    out.epoch = std::exchange(first, in.take_number());
    if (first.empty()) return std::nullopt;
  }
  out.release.push_back(std::move(first));
  for (;;) {
    const auto from = in.at();
    if (!in.take('.')) break;
    auto number = in.take_number();
    if (number.empty()) {
      in.back_to(from);
      break;
    }
    out.release.push_back(std::move(number));
  }
  take_tagged(in, kPre, out.pre);
  if (!take_tagged(in, kPost, out.post)) {
    // "1.0-1" is a post-release too.
    const auto from = in.at();
    if (in.take('-')) {
      const auto number = in.take_number();
      if (number.empty())
        in.back_to(from);
      else
        out.post = ".post" + number;
    }
  }
  take_tagged(in, kDev, out.dev);
  if (in.take('+')) {
    do {
      const auto part = in.take_alnum();
      if (part.empty()) return std::nullopt;
      const bool number = std::ranges::all_of(part, is_digit);
      out.local += (out.local.empty() ? "" : ".") +
                   (number ? part.substr(std::min(part.find_first_not_of('0'), part.size() - 1)) : part);
    } while (in.take_separator());
  }
  if (!in.at_end()) return std::nullopt;
  // "1-2" becomes "1.post2": what is written must be read again.
  if (out.text().size() > kLongestVersion) return std::nullopt;
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<std::string> normalize_pep440_version(std::string_view version) {
  const auto parsed = parse(version);
  return parsed ? std::optional(parsed->text()) : std::nullopt;
}

std::expected<std::string, std::string> normalize_pep440_specifier(std::string_view specifier) {
  specifier = trimmed(specifier);
  std::string_view op;
  for (const std::string_view known : {"===", "~=", "==", "!=", "<=", ">=", "<", ">"}) {
    if (!specifier.starts_with(known)) continue;
    op = known;
    break;
  }
  if (op.empty()) {
    if (specifier.starts_with('=')) return std::unexpected("'=' is no comparison: write '=='");
    return std::unexpected("a version must follow one of == != <= >= < > ~=");
  }
  auto text = trimmed(specifier.substr(op.size()));
  if (text.empty()) return std::unexpected("there is no version after '" + std::string(op) + "'");
  if (op == "===") {
    // Compared letter by letter, whatever it is.
    if (text.size() > kLongestVersion ||
        !std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127 && c != ')' && c != ';'; }))
      return std::unexpected("the version after '===' has letters that no version has");
    return std::string(op) + std::string(text);
  }
  const bool prefix = text.ends_with(".*");
  if (prefix) {
    text.remove_suffix(2);
    if (op != "==" && op != "!=") return std::unexpected("'.*' goes with == and != only");
  }
  auto version = parse(text);
  if (!version) return std::unexpected("'" + std::string(text) + "' is not a version");
  if (prefix && (!version->dev.empty() || !version->local.empty()))
    return std::unexpected("'.*' cannot follow a development or local version");
  if (op == "~=" && version->release.size() < 2)
    return std::unexpected("'~=' needs at least two numbers, as in ~=" + version->text() + ".0");
  if (op != "==" && op != "!=" && !version->local.empty())
    return std::unexpected("a local version ('+" + version->local + "') goes with == and != only");
  // 1.0 and 1.0.0 are the same version; only where the number of places has a meaning of its own do zeros stay.
  if (op != "~=" && !prefix)
    while (version->release.size() > 1 && version->release.back() == "0") version->release.pop_back();
  return std::string(op) + version->text() + (prefix ? ".*" : "");
}

}  // namespace hotcell::deps
