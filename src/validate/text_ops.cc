#include "validate/text_ops.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "validate/names.h"

namespace hotcell::validate {

void append_utf8(std::string& out, std::uint32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// Up to `most` digits of this base from `at`; moves behind them. -1: there is none.
long digits(std::string_view text, std::size_t& at, std::size_t most, int base) {
  long value = -1;
  for (; most > 0 && at < text.size() && digit_of(text[at]) < base; --most, ++at)
    value = (value < 0 ? 0 : value) * base + digit_of(text[at]);
  return value;
}

}  // namespace

std::string unescaped(std::string_view text, bool keep_unknown) {
  if (text.find('\\') == text.npos) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out += text[i++];
      continue;
    }
    const char c = text[i + 1];
    i += 2;
    long value = -1;
    switch (c) {
      case 'n':
        out += '\n';
        continue;
      case 't':
        out += '\t';
        continue;
      case 'r':
        out += '\r';
        continue;
      case 'a':
        out += '\a';
        continue;
      case 'b':
        out += '\b';
        continue;
      case 'f':
        out += '\f';
        continue;
      case 'v':
        out += '\v';
        continue;
      case '\n':
        continue;
      case '\r':
        if (i < text.size() && text[i] == '\n') ++i;
        continue;
      case '\\':
      case '\'':
      case '"':
      case '`':
        out += c;
        continue;
      case 'x':
        value = digits(text, i, 2, 16);
        break;
      case 'u':
        if (i < text.size() && text[i] == '{') {
          ++i;
          value = digits(text, i, 8, 16);
          if (i < text.size() && text[i] == '}') ++i;
        } else {
          value = digits(text, i, 4, 16);
        }
        break;
      case 'U':
        value = digits(text, i, 8, 16);
        break;
      default:
        if (c >= '0' && c <= '7') {
          --i;
          value = digits(text, i, 3, 8);
        }
        break;
    }
    if (value >= 0) {
      append_utf8(out, static_cast<std::uint32_t>(value));
    } else {
      if (keep_unknown) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string reversed(std::string_view text) { return {text.rbegin(), text.rend()}; }

std::optional<std::string> from_hex(std::string_view text) {
  std::string out;
  int high = -1;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    const int digit = digit_of(c);
    if (digit > 15) return std::nullopt;
    if (high < 0) {
      high = digit;
    } else {
      out += static_cast<char>(high * 16 + digit);
      high = -1;
    }
  }
  return high < 0 ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    int value = 0;
    if (c >= 'A' && c <= 'Z')
      value = c - 'A';
    else if (c >= 'a' && c <= 'z')
      value = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      value = c - '0' + 52;
    else if (c == '+' || c == '-')
      value = 62;
    else if (c == '/' || c == '_')
      value = 63;
    else if (c == '=' || c == '\n' || c == ' ')
      continue;
    else
      return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(bits >> have & 0xFF);
    }
  }
  return out;
}

std::string rot13(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>('a' + (c - 'a' + 13) % 26);
    if (c >= 'A' && c <= 'Z') c = static_cast<char>('A' + (c - 'A' + 13) % 26);
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  if (from.empty()) return std::string(text);
  for (std::size_t i = 0; i < text.size() && out.size() <= kLongestText;) {
    if (text.substr(i).starts_with(from)) {
      out += to;
      i += from.size();
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::optional<long long> integer(std::string_view text) {
  int base = 10;
  if (text.size() > 2 && text[0] == '0') {
    const char kind = static_cast<char>(text[1] | 0x20);
    base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    if (base != 10) text.remove_prefix(2);
  }
  std::string plain;
  for (const char c : text)
    if (c != '_') plain += c;
  long long value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value, base);
  if (error != std::errc() || end != plain.data() + plain.size()) return std::nullopt;
  return value;
}

std::string sliced(std::string_view text, std::optional<long long> from, std::optional<long long> to, long long step) {
  const auto size = static_cast<long long>(text.size());
  if (step == 0 || step < -size - 1 || step > size + 1) step = step < 0 ? -1 : step == 0 ? 1 : size + 1;
  const auto place = [&](std::optional<long long> at, long long missing) {
    if (!at) return missing;
    const auto value = *at < 0 ? *at + size : *at;
    return std::clamp(value, step < 0 ? -1LL : 0LL, step < 0 ? size - 1 : size);
  };
  const auto begin = place(from, step < 0 ? size - 1 : 0), end = place(to, step < 0 ? -1 : size);
  std::string out;
  for (auto i = begin; step < 0 ? i > end : i < end; i += step)
    if (i >= 0 && i < size) out += text[static_cast<std::size_t>(i)];
  return out;
}

}  // namespace hotcell::validate
