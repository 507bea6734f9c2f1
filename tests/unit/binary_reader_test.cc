#include "wasi/binary/reader.h"

#include <gtest/gtest.h>

#include "binary_wat.h"

namespace hotcell::wasi {
namespace {

using testing::Bytes;
using testing::ModuleBuilder;

TEST(Reader, reads_numbers_at_the_edges_of_their_types) {
  EXPECT_EQ(Reader(Bytes{0xff, 0xff, 0xff, 0xff, 0x0f}).u32(), 0xffffffffu);
  EXPECT_EQ(Reader(Bytes{0x80, 0x80, 0x80, 0x80, 0x78}).s32(), INT32_MIN);
  EXPECT_EQ(Reader(Bytes{0xff, 0xff, 0xff, 0xff, 0x07}).s32(), INT32_MAX);
  EXPECT_EQ(Reader(Bytes{0x7f}).s32(), -1);
  EXPECT_EQ(Reader(Bytes{0x7f}).s64(), -1);
  EXPECT_EQ(Reader(Bytes{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}).s64(), INT64_MIN);
  EXPECT_EQ(Reader(Bytes{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}).u64(), UINT64_MAX);
  EXPECT_EQ(Reader(Bytes{0xff, 0xff, 0xff, 0xff, 0x0f}).s33(), 0xffffffff);
  EXPECT_EQ(Reader(Bytes{0x40}).s33(), -64);
}

TEST(Reader, refuses_numbers_that_are_truncated_or_too_large) {
  const auto refuses = [](const Bytes& bytes, auto read) {
    Reader reader(bytes);
    read(reader);
    return !reader.ok() && reader.done();
  };
  const auto u32 = [](Reader& r) { r.u32(); };
  const auto s32 = [](Reader& r) { r.s32(); };
  const auto u64 = [](Reader& r) { r.u64(); };
  const auto s64 = [](Reader& r) { r.s64(); };
  const auto s33 = [](Reader& r) { r.s33(); };
  EXPECT_TRUE(refuses({}, u32));
  EXPECT_TRUE(refuses({0x80}, u32));
  EXPECT_TRUE(refuses({0xff, 0xff, 0xff, 0xff, 0x1f}, u32));
  EXPECT_TRUE(refuses({0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, u32));
  EXPECT_TRUE(refuses({0xff, 0xff, 0xff, 0xff, 0x4f}, s32));
  EXPECT_TRUE(refuses({0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, s32));
  EXPECT_TRUE(refuses({0xff, 0xff, 0xff, 0xff, 0x2f}, s33));
  EXPECT_TRUE(refuses({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, u64));
  EXPECT_TRUE(refuses({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, s64));
}

TEST(Reader, keeps_the_first_failure_and_gives_zeros_afterwards) {
  const Bytes bytes = {5, 'a', 'b'};
  Reader reader(bytes);
  EXPECT_EQ(reader.name(), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_FALSE(reader.sub(0).ok());
  const auto error = reader.error().error();
  EXPECT_EQ(error.code, "module_invalid");
  EXPECT_NE(error.message.find("at offset 0x1"), std::string::npos) << error.message;
}

TEST(Reader, refuses_a_list_longer_than_the_bytes_that_are_left) {
  const Bytes bytes = {0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3};
  Reader reader(bytes);
  EXPECT_EQ(reader.count(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, a_sub_reader_counts_offsets_from_the_start_of_the_module) {
  const Bytes bytes = {0, 1, 2, 0x80, 9};
  Reader reader(bytes);
  reader.skip(2);
  Reader inner = reader.sub(2);
  EXPECT_EQ(inner.offset(), 2u);
  inner.u8();
  inner.u32();  // 0x80 needs a byte that belongs to the outer reader
  EXPECT_NE(inner.error().error().message.find("offset 0x3"), std::string::npos);
  EXPECT_EQ(reader.u8(), 9);
}

std::string refusal(const Bytes& wasm) {
  auto sections = SectionReader::open(wasm);
  if (!sections) return sections.error().code + ": " + sections.error().message;
  for (;;) {
    auto section = sections->next();
    if (!section) return section.error().code + ": " + section.error().message;
    if (!*section) return "";
  }
}

TEST(SectionReader, accepts_every_section_in_the_order_of_the_specification) {
  ModuleBuilder all;
  for (const std::uint8_t id : Bytes{1, 0, 2, 3, 4, 5, 13, 6, 7, 0, 8, 9, 12, 10, 11, 0}) all.section(id, {});
  EXPECT_EQ(refusal(all.bytes()), "");
  EXPECT_EQ(refusal(ModuleBuilder().bytes()), "");
}

TEST(SectionReader, refuses_repeated_unknown_and_misplaced_sections_and_names_the_offset) {
  EXPECT_NE(refusal(ModuleBuilder().section(10, {}).section(10, {}).bytes()).find("repeated"), std::string::npos);
  EXPECT_NE(refusal(ModuleBuilder().section(10, {}).section(5, {}).bytes()).find("out of order at offset 0xa"),
            std::string::npos);
  EXPECT_NE(refusal(ModuleBuilder().section(10, {}).section(12, {}).bytes()).find("out of order"), std::string::npos);
  EXPECT_NE(refusal(ModuleBuilder().section(14, {}).bytes()).find("unknown section starts at offset 0x8"),
            std::string::npos);
}

TEST(SectionReader, refuses_what_is_no_core_module_and_says_what_it_is) {
  EXPECT_NE(refusal({}).find("empty"), std::string::npos);
  EXPECT_NE(refusal({'#', '!', '/', 'b', 'i', 'n'}).find("found \"#!/bin\""), std::string::npos);
  EXPECT_NE(refusal({0, 'a', 's', 'm', 1, 0}).find("cut off"), std::string::npos);
  EXPECT_NE(refusal({0, 'a', 's'}).find("cut off"), std::string::npos);
  EXPECT_NE(refusal({0, 'a', 's', 'm', 13, 0, 1, 0}).find("component"), std::string::npos);
  EXPECT_NE(refusal({0, 'a', 's', 'm', 2, 0, 0, 0}).find("version 2"), std::string::npos);
  for (const auto& text : {refusal({}), refusal({1}), refusal({0, 'a', 's', 'm', 13, 0, 1, 0})})
    EXPECT_TRUE(text.starts_with("module_invalid: ")) << text;
}

TEST(SectionReader, refuses_a_module_cut_off_at_any_byte_inside_a_section) {
  const Bytes whole = ModuleBuilder().section(1, {0}).section(5, {1, 0, 1}).bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const bool between_sections = size == 8 || size == 11;
    EXPECT_EQ(refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))).empty(),
              between_sections)
        << size;
  }
}

TEST(Printable, escapes_what_a_terminal_or_a_json_string_could_stumble_over) {
  EXPECT_EQ(printable("a\"b\\\x1b[2J\n\xff"), "a\\x22b\\x5c\\x1b[2J\\x0a\\xff");
  EXPECT_EQ(printable(std::string(1000, 'x'), 5), "xxxxx...");
}

}  // namespace
}  // namespace hotcell::wasi
