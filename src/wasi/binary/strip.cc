#include "wasi/binary/strip.h"

#include <string>

#include "wasi/binary/instruction.h"
#include "wasi/binary/outline.h"
#include "wasi/binary/reader.h"

namespace hotcell::wasi {
namespace {

void put_leb(std::vector<std::uint8_t>& out, std::uint64_t value) {
  do {
    const auto low = static_cast<std::uint8_t>(value & 0x7f);
    value >>= 7;
    out.push_back(value ? low | 0x80 : low);
  } while (value);
}

void put_section(std::vector<std::uint8_t>& out, SectionId id, std::span<const std::uint8_t> body) {
  out.push_back(static_cast<std::uint8_t>(id));
  put_leb(out, body.size());
  out.insert(out.end(), body.begin(), body.end());
}

Expected<std::vector<std::uint8_t>> memory_section(const Outline& outline, std::uint64_t pages) {
  constexpr std::uint64_t kMaxPages = 65536;
  if (outline.memories.size() != 1 || outline.count_imports(ExternKind::memory) != 0)
    return fail("image_not_resettable", "an image needs a module that declares exactly one memory");
  const Limits& memory = outline.memories[0];
  if (memory.shared || memory.wide || memory.custom_page_size)
    return fail("image_not_resettable",
                "an image needs an ordinary 32-bit memory, and the one at " + hex_offset(memory.offset) + " is not");
  const std::string asked = "an image of " + std::to_string(pages) + " pages";
  if (pages > kMaxPages) return fail("image_not_resettable", asked + " is larger than 4 GiB");
  if (pages < memory.minimum)
    return fail("image_not_resettable", asked + " is smaller than the module's " + std::to_string(memory.minimum));
  if (memory.maximum && pages > *memory.maximum)
    return fail("image_not_resettable",
                asked + " is larger than the module's maximum of " + std::to_string(*memory.maximum));
  std::vector<std::uint8_t> body = {1, static_cast<std::uint8_t>(memory.maximum ? 1 : 0)};
  put_leb(body, pages);
  if (memory.maximum) put_leb(body, *memory.maximum);
  return body;
}

Expected<void> check_segments(const Outline& outline) {
  if (!outline.data) return {};
  Reader reader = *outline.data;
  for (std::uint32_t segments = reader.count(); segments > 0 && reader.ok(); --segments) {
    const std::size_t at = reader.offset();
    const std::uint32_t flags = reader.u32();
    if (!reader.ok()) break;
    if (flags != 0 && flags != 2)
      return fail("image_not_resettable", "a data segment that is not active stands at " + hex_offset(at));
    if (flags == 2) reader.u32();
    if (!skip_const_expression(reader))
      return fail("image_not_resettable", "the place of the data segment at " + hex_offset(at) + " is not known");
    reader.skip(reader.u32());
  }
  if (reader.ok() && !reader.done()) reader.fail_at("the data section is longer than its content", reader.offset());
  if (!reader.ok()) return reader.error();
  return {};
}

}  // namespace

Expected<std::vector<std::uint8_t>> without_data(std::span<const std::uint8_t> wasm, std::uint64_t memory_pages,
                                                 StripOptions options) {
  const auto outline = read_outline(wasm);
  if (!outline) return std::unexpected(outline.error());
  const auto memory = memory_section(*outline, memory_pages);
  if (!memory) return std::unexpected(memory.error());
  if (auto checked = check_segments(*outline); !checked) return std::unexpected(checked.error());

  auto sections = SectionReader::open(wasm);
  if (!sections) return std::unexpected(sections.error());
  std::vector<std::uint8_t> out(wasm.begin(), wasm.begin() + 8);
  for (;;) {
    auto section = sections->next();
    if (!section) return std::unexpected(section.error());
    if (!*section) return out;
    Reader body = (*section)->body;
    switch ((*section)->id) {
      case SectionId::data:
      case SectionId::data_count:
        break;
      case SectionId::custom: {
        Reader head = body;
        if (!options.keep_names || head.name() != "name" || !head.ok()) break;
        put_section(out, SectionId::custom, body.take(body.left()));
        break;
      }
      case SectionId::memory:
        put_section(out, SectionId::memory, *memory);
        break;
      default:
        put_section(out, (*section)->id, body.take(body.left()));
    }
  }
}

}  // namespace hotcell::wasi
