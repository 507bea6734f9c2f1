#include "wasi/binary/reader.h"

#include <algorithm>
#include <cstring>

namespace hotcell::wasi {

std::uint8_t Reader::u8() {
  if (done()) {
    fail_at("it ends where a byte was expected", at_);
    return 0;
  }
  return data_[at_++];
}

std::uint64_t Reader::unsigned_leb(unsigned bits) {
  const std::size_t start = at_;
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < bits; shift += 7) {
    if (done()) {
      fail_at("it ends inside a number", start);
      return 0;
    }
    const std::uint8_t byte = data_[at_++];
    const unsigned room = bits - shift;  // the last byte may only set the bits that the type still has
    if (room < 7 && (byte & 0x7f) >> room) break;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return value;
  }
  fail_at("a number is too large", start);
  return 0;
}

std::int64_t Reader::signed_leb(unsigned bits) {
  const std::size_t start = at_;
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < bits; shift += 7) {
    if (done()) {
      fail_at("it ends inside a number", start);
      return 0;
    }
    const std::uint8_t byte = data_[at_++];
    const unsigned room = bits - shift;
    if (room <= 7) {  // the last byte possible: its unused bits must repeat the sign, and nothing may follow
      const auto top = static_cast<std::uint8_t>((byte & 0x7f) >> (room - 1));
      const auto all_ones = static_cast<std::uint8_t>(0x7f >> (room - 1));
      if ((byte & 0x80) || (top != 0 && top != all_ones)) break;
    }
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80)) {
      const unsigned used = shift + 7;
      if ((byte & 0x40) && used < 64) value |= ~std::uint64_t{0} << used;
      return static_cast<std::int64_t>(value);
    }
  }
  fail_at("a number is too large", start);
  return 0;
}

std::uint32_t Reader::count(std::uint32_t cap) {
  const std::size_t start = at_;
  const std::uint32_t items = u32();
  if (items > left()) {
    fail_at("a list claims more items than the module has bytes left", start);
    return 0;
  }
  if (items > cap) {
    fail_at("a list is longer than any engine accepts", start);
    return 0;
  }
  return items;
}

std::string_view Reader::name() {
  const std::size_t start = at_;
  const std::uint32_t size = u32();
  if (size > 100'000) {  // as in Wasmtime
    fail_at("a name is longer than 100000 bytes", start);
    return {};
  }
  const auto bytes = take(size);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::uint8_t> Reader::take(std::size_t size) {
  if (size > left()) {
    fail_at("something is longer than what is left of its section", at_);
    return {};
  }
  const std::span<const std::uint8_t> out(data_ + at_, size);
  at_ += size;
  return out;
}

Reader Reader::sub(std::size_t size) {
  Reader out = *this;  // a failed reader gives failed ones
  if (size > left()) {
    fail_at("a part claims more bytes than there are", at_);
    return *this;
  }
  out.end_ = at_ + size;
  at_ += size;
  return out;
}

void Reader::fail_at(const char* what, std::size_t offset) {
  if (failure_) return;
  failure_ = what;
  failed_at_ = offset;
  at_ = end_;
}

std::unexpected<Error> Reader::error() const {
  return fail("module_invalid",
              std::string("the WebAssembly module is damaged: ") + (failure_ ? failure_ : "cannot be read") + " at " +
                  hex_offset(failed_at_),
              "compile it again, or check that the file was transferred whole");
}

Expected<SectionReader> SectionReader::open(std::span<const std::uint8_t> wasm) {
  constexpr std::uint8_t kMagic[] = {0, 'a', 's', 'm'};
  if (wasm.empty())
    return fail("module_invalid", "the module is empty: a WebAssembly module starts with \\0asm at offset 0x0",
                "give a .wasm or .wat file");
  if (std::memcmp(wasm.data(), kMagic, std::min(wasm.size(), sizeof kMagic)) != 0) {
    const auto head = wasm.first(std::min<std::size_t>(wasm.size(), 16));
    return fail("module_invalid",
                "this is not a WebAssembly module: expected \\0asm at offset 0x0, found \"" +
                    printable({reinterpret_cast<const char*>(head.data()), head.size()}) + "\"",
                "give a .wasm or .wat file");
  }
  if (wasm.size() < 8)
    return fail("module_invalid", "the WebAssembly module is cut off inside its version at " + hex_offset(wasm.size()),
                "check that the file was transferred whole");
  const int version = wasm[4] | wasm[5] << 8;
  const int layer = wasm[6] | wasm[7] << 8;
  if (layer == 1)
    return fail("module_invalid", "this is a WebAssembly component, not a core module (layer byte at offset 0x6)",
                "build it for the target wasm32-wasip1 (preview 1) instead of wasm32-wasip2");
  if (layer != 0 || version != 1)
    return fail("module_invalid", "the WebAssembly module has version " + std::to_string(version) + ", layer " +
                                      std::to_string(layer) + " at offset 0x4; only version 1, layer 0 is known");
  Reader reader(wasm);
  reader.skip(8);
  return SectionReader(reader);
}

Expected<std::optional<Section>> SectionReader::next() {
  // The order of the specification; 12 (data count) and 13 (tags) were numbered later than their place.
  constexpr int kRank[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6};
  if (reader_.done()) {
    if (!reader_.ok()) return reader_.error();
    return std::nullopt;
  }
  Section section;
  section.offset = reader_.offset();
  const std::uint8_t id = reader_.u8();
  const std::uint32_t size = reader_.u32();
  if (reader_.ok() && id >= std::size(kRank)) reader_.fail_at("an unknown section starts", section.offset);
  if (reader_.ok() && id != 0) {
    if (kRank[id] <= last_rank_) reader_.fail_at("a section is repeated or out of order", section.offset);
    last_rank_ = kRank[id];
  }
  if (reader_.ok() && size > reader_.left())
    reader_.fail_at("a section claims more bytes than the module has", section.offset);
  section.id = static_cast<SectionId>(id);
  section.body = reader_.sub(size);
  if (!reader_.ok()) return reader_.error();
  return section;
}

std::string printable(std::string_view text, std::size_t cap) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    if (out.size() >= cap) return out + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\' && c != '"') {
      out += c;
    } else {
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::string hex_offset(std::size_t offset) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  do digits.insert(digits.begin(), kDigits[offset & 15]);
  while (offset >>= 4);
  return "offset 0x" + digits;
}

}  // namespace hotcell::wasi
