#include "deps/entry_record.h"

#include <charconv>
#include <vector>

#include "base/bytes.h"

namespace hotcell::deps {
namespace {

constexpr std::string_view kFirstLine = "hotcell-deps-entry 1";
constexpr std::string_view kLastWord = "hmac ";
constexpr std::size_t kLastLineBytes = kLastWord.size() + 2 * sizeof(Digest) + 1;

Digest signature(std::string_view text, const Digest& secret) {
  return hmac_sha256(secret, bytes_of("hotcell dependency record\n" + std::string(text)));
}

int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

// Reads "word value\n", one after the other; the first that is not as expected makes all of it wrong.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::string_view value(std::string_view word) {
    const auto line = rest_.substr(0, rest_.find('\n'));
    if (!ok_ || line.size() == rest_.size() || !line.starts_with(word) || line.size() <= word.size() ||
        line[word.size()] != ' ') {
      ok_ = false;
      return {};
    }
    rest_.remove_prefix(line.size() + 1);
    return line.substr(word.size() + 1);
  }
  template <class T>
  T number(std::string_view word) {
    T out{};
    const auto text = value(word);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size()) ok_ = false;
    return out;
  }
  Digest digest(std::string_view word) {
    Digest out{};
    const auto text = value(word);
    if (text.size() != 2 * out.size()) ok_ = false;
    for (std::size_t i = 0; ok_ && i < out.size(); ++i) {
      const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
      if (high < 0 || low < 0) ok_ = false;
      out[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return out;
  }
  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::string record_text(const EntryRecord& record, const Digest& secret) {
  std::string out(kFirstLine);
  const auto line = [&](std::string_view word, std::string_view value) {
    out += "\n" + std::string(word) + " " + std::string(value);
  };
  line("name", record.name);
  line("place", record.place);
  line("key", hex(record.key));
  line("interpreter", record.target.interpreter);
  line("platform", record.target.platform);
  line("items", std::to_string(record.items));
  line("bytes", std::to_string(record.bytes));
  line("created_ms", std::to_string(record.created_ms));
  line("install_ms", std::to_string(record.install_ms));
  line("manifest", hex(record.manifest));
  line("manifest_bytes", std::to_string(record.manifest_bytes));
  out += "\n" + record.lock.text();
  return out + std::string(kLastWord) + hex(signature(out, secret)) + "\n";
}

Expected<EntryRecord> parse_record(std::string_view text, const Digest& secret) {
  const auto damaged = [] {
    return fail("cache_damaged", "the record of an entry is damaged, or was written by another installation");
  };
  if (text.size() < kLastLineBytes || text.size() > kMaxRecordBytes) return damaged();
  const auto signed_part = text.substr(0, text.size() - kLastLineBytes);
  const std::string expected = std::string(kLastWord) + hex(signature(signed_part, secret)) + "\n";
  if (!equal_in_constant_time(bytes_of(expected), bytes_of(text.substr(signed_part.size())))) return damaged();
  // From here on it is our own text; it is still read as if it were not.
  if (!signed_part.starts_with(kFirstLine) || signed_part.substr(kFirstLine.size(), 1) != "\n") return damaged();
  Lines lines(signed_part.substr(kFirstLine.size() + 1));
  EntryRecord out;
  out.name = lines.value("name");
  out.place = lines.value("place");
  out.key = lines.digest("key");
  out.target.interpreter = lines.value("interpreter");
  out.target.platform = lines.value("platform");
  out.items = lines.number<std::uint64_t>("items");
  out.bytes = lines.number<std::uint64_t>("bytes");
  out.created_ms = lines.number<std::int64_t>("created_ms");
  out.install_ms = lines.number<std::uint64_t>("install_ms");
  out.manifest = lines.digest("manifest");
  out.manifest_bytes = lines.number<std::uint64_t>("manifest_bytes");
  if (!lines.ok()) return damaged();
  auto lock = Lock::parse(lines.rest());
  if (!lock) return damaged();
  out.lock = std::move(*lock);
  out.target.ecosystem = out.lock.ecosystem();
  return out;
}

}  // namespace hotcell::deps
