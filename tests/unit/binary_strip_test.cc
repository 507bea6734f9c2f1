#include "wasi/binary/strip.h"

#include <gtest/gtest.h>

#include "binary_wat.h"
#include "wasi/binary/outline.h"
#include "wasi/binary/prove.h"
#include "wasi/binary/reader.h"

namespace hotcell::wasi {
namespace {

using testing::Bytes;
using testing::ModuleBuilder;
using testing::wasmtime_accepts;
using testing::wat;

constexpr std::string_view kModule = R"((module $named
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (table 2 funcref) (memory (export "memory") 2 300) (global (export "sp") (mut i32) (i32.const 9))
  (func $main (export "_start") (call $exit (i32.load (i32.const 8)))) (elem (i32.const 0) func $main)
  (data (i32.const 8) "abcdefgh") (data (i32.const 65536) "second page")))";

std::vector<Section> sections_of(const Bytes& wasm) {
  std::vector<Section> out;
  auto sections = SectionReader::open(wasm);
  EXPECT_TRUE(sections.has_value());
  for (auto section = sections->next(); section && *section; section = sections->next()) out.push_back(**section);
  return out;
}

Bytes body_of(Section section) {
  const auto bytes = section.body.take(section.body.left());
  return Bytes(bytes.begin(), bytes.end());
}

TEST(WithoutData, drops_the_data_raises_the_memory_and_keeps_all_else) {
  const Bytes before = wat(kModule);
  const auto after = without_data(before, 200);
  ASSERT_TRUE(after.has_value()) << after.error().message;
  EXPECT_TRUE(wasmtime_accepts(*after));
  const auto outline = read_outline(*after);
  ASSERT_TRUE(outline.has_value());
  EXPECT_FALSE(outline->data.has_value());
  ASSERT_EQ(outline->memories.size(), 1u);
  EXPECT_EQ(outline->memories[0].minimum, 200u);
  EXPECT_EQ(outline->memories[0].maximum, 300u);

  std::vector<Section> kept;
  for (const auto& section : sections_of(before))
    if (section.id != SectionId::data && section.id != SectionId::custom) kept.push_back(section);
  const auto now = sections_of(*after);
  ASSERT_EQ(now.size(), kept.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    EXPECT_EQ(now[i].id, kept[i].id);
    if (now[i].id != SectionId::memory) {
      EXPECT_EQ(body_of(now[i]), body_of(kept[i]));
    }
  }
}

TEST(WithoutData, stripping_twice_changes_nothing_more) {
  const auto once = without_data(wat(kModule), 200);
  ASSERT_TRUE(once.has_value());
  const auto twice = without_data(*once, 200);
  ASSERT_TRUE(twice.has_value());
  EXPECT_EQ(*once, *twice);
}

TEST(WithoutData, keeps_the_name_section_only_when_asked) {
  const auto customs = [](const Bytes& wasm) {
    int found = 0;
    for (const auto& section : sections_of(wasm)) found += section.id == SectionId::custom;
    return found;
  };
  Bytes wasm = wat(kModule);
  wasm.insert(wasm.end(), {0, 4, 3, 'o', 'w', 'n'});
  ASSERT_EQ(customs(wasm), 2);
  EXPECT_EQ(customs(without_data(wasm, 2).value()), 0);
  const Bytes named = without_data(wasm, 2, {.keep_names = true}).value();
  EXPECT_EQ(customs(named), 1);
  EXPECT_TRUE(wasmtime_accepts(named));
}

TEST(WithoutData, drops_the_data_count_with_the_data) {
  const auto with_count = ModuleBuilder()
                              .section(1, {1, 0x60, 0, 0})
                              .section(3, {1, 0})
                              .section(5, {1, 0, 1})
                              .section(7, {1, 1, 'm', 2, 0})
                              .section(12, {1})
                              .section(10, {1, 2, 0, 0x0b})
                              .section(11, {1, 0, 0x41, 0, 0x0b, 2, 'h', 'i'})
                              .bytes();
  ASSERT_TRUE(wasmtime_accepts(with_count));
  const auto after = without_data(with_count, 5);
  ASSERT_TRUE(after.has_value()) << after.error().message;
  EXPECT_TRUE(wasmtime_accepts(*after));
  for (const auto& section : sections_of(*after)) {
    EXPECT_NE(section.id, SectionId::data_count);
    EXPECT_NE(section.id, SectionId::data);
  }
}

TEST(WithoutData, what_was_resettable_stays_so_with_the_same_globals_and_tables) {
  const Bytes before = wat(kModule);
  const auto proof = prove_resettable(before);
  const auto stripped = prove_resettable(without_data(before, 200).value());
  ASSERT_TRUE(proof.has_value() && stripped.has_value());
  EXPECT_EQ(stripped->instructions, proof->instructions);
  EXPECT_EQ(stripped->globals.size(), proof->globals.size());
  EXPECT_EQ(stripped->tables.size(), proof->tables.size());
  EXPECT_EQ(stripped->data_segments, 0u);
}

TEST(WithoutData, refuses_an_image_that_does_not_fit_the_memory) {
  const Bytes wasm = wat(kModule);
  const auto refusal = [&](std::uint64_t pages) { return without_data(wasm, pages).error().message; };
  EXPECT_NE(refusal(301).find("larger than the module's maximum of 300"), std::string::npos);
  EXPECT_NE(refusal(1).find("smaller than the module's 2"), std::string::npos);
  EXPECT_NE(refusal(65537).find("larger than 4 GiB"), std::string::npos);
  EXPECT_NE(refusal(UINT64_MAX).find("larger than 4 GiB"), std::string::npos);
  EXPECT_TRUE(without_data(wasm, 300).has_value());
  EXPECT_TRUE(without_data(wasm, 2).has_value());
}

TEST(WithoutData, refuses_modules_that_cannot_be_an_image) {
  for (const std::string_view text :
       {"(module)", "(module (memory 1) (memory 1))", "(module (import \"env\" \"m\" (memory 1)))",
        "(module (memory 1 1 shared))", "(module (memory i64 1))", "(module (memory 1) (data \"passive\"))"}) {
    const auto refused = without_data(wat(text), 1);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().code, "image_not_resettable");
  }
  EXPECT_EQ(without_data(Bytes{1, 2, 3}, 1).error().code, "module_invalid");
}

}  // namespace
}  // namespace hotcell::wasi
