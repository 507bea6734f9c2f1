#include "deps/manifest.h"

#include <charconv>
#include <cstdio>

#include "base/text.h"

namespace hotcell::deps {
namespace {

std::string escaped(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte <= '~' && byte != '%') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

bool unescape(std::string_view text, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const int high = digit(text[i + 1]), low = digit(text[i + 2]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

template <class T>
bool number(std::string_view text, T& out, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_line(std::string_view line, TreeItem& out) {
  const auto kind = next_part(line, ' ');
  if (kind != "f" && kind != "d" && kind != "l") return false;
  out.kind = static_cast<TreeItem::Kind>(kind[0]);
  if (!number(next_part(line, ' '), out.mode, 8) || out.mode > 07777) return false;
  const auto size = next_part(line, ' ');
  if (out.kind == TreeItem::Kind::directory ? size != "-" : !number(size, out.size)) return false;
  const auto hash = next_part(line, ' ');
  if (out.kind == TreeItem::Kind::file) {
    if (hash.size() != 2 * out.hash.size()) return false;
    for (std::size_t i = 0; i < out.hash.size(); ++i) {
      const int high = digit(hash[2 * i]), low = digit(hash[2 * i + 1]);
      if (high < 0 || low < 0) return false;
      out.hash[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
  } else if (hash != "-") {
    return false;
  }
  if (!unescape(next_part(line, ' '), out.path) || out.path.empty()) return false;
  if (out.kind == TreeItem::Kind::link && !unescape(next_part(line, ' '), out.target)) return false;
  return line.empty();
}

}  // namespace

std::string manifest_text(const Tree& tree) {
  std::string out;
  out.reserve(tree.items.size() * 128);
  for (const auto& item : tree.items) {
    char head[64];
    const bool sized = item.kind != TreeItem::Kind::directory;
    const int length = sized ? std::snprintf(head, sizeof head, "%c %04o %llu ", static_cast<char>(item.kind),
                                             item.mode, static_cast<unsigned long long>(item.size))
                             : std::snprintf(head, sizeof head, "%c %04o - ", static_cast<char>(item.kind), item.mode);
    out.append(head, static_cast<std::size_t>(length));
    out += item.kind == TreeItem::Kind::file ? hex(item.hash) : "-";
    out += ' ';
    out += escaped(item.path);
    if (item.kind == TreeItem::Kind::link) out += " " + escaped(item.target);
    out += '\n';
  }
  return out + "end " + std::to_string(tree.items.size()) + "\n";
}

Expected<std::vector<TreeItem>> parse_manifest(std::string_view text) {
  const auto damaged = [](std::size_t line) {
    return fail("cache_damaged", "the manifest of an entry is damaged in line " + std::to_string(line));
  };
  std::vector<TreeItem> items;
  while (!text.empty()) {
    const auto line_number = items.size() + 1;
    if (text.find('\n') == text.npos) return damaged(line_number);
    auto line = next_line(text);
    if (line.starts_with("end ")) {
      std::size_t count = 0;
      if (!number(line.substr(4), count) || count != items.size() || !text.empty()) return damaged(line_number);
      return items;
    }
    TreeItem item;
    if (!parse_line(line, item) || (!items.empty() && items.back().path >= item.path)) return damaged(line_number);
    items.push_back(std::move(item));
  }
  return damaged(items.size() + 1);
}

std::vector<Damage> compare(const std::vector<TreeItem>& expected, const std::vector<TreeItem>& found) {
  std::vector<Damage> out;
  auto want = expected.begin();
  auto have = found.begin();
  while (want != expected.end() || have != found.end()) {
    if (have == found.end() || (want != expected.end() && want->path < have->path)) {
      out.push_back({want++->path, "missing"});
    } else if (want == expected.end() || have->path < want->path) {
      out.push_back({have++->path, "extra"});
    } else {
      if (want->kind != have->kind)
        out.push_back({want->path, "wrong kind"});
      else if (want->size != have->size || want->hash != have->hash || want->target != have->target)
        out.push_back({want->path, "changed"});
      else if (want->mode != have->mode)
        out.push_back({want->path, "wrong mode"});
      ++want, ++have;
    }
  }
  return out;
}

}  // namespace hotcell::deps
