#include "wasi/binary/inspect.h"

#include <gtest/gtest.h>

#include "binary_wat.h"

namespace hotcell::wasi {
namespace {

using testing::Bytes;
using testing::ModuleBuilder;
using testing::wat;

Expected<void> check(std::string_view text, ModuleLimits limits = {}) {
  const auto info = inspect_module(wat(text));
  if (!info) return std::unexpected(info.error());
  return check_command(*info, limits);
}

void expect_refused(const Expected<void>& result, std::string_view code, std::string_view sentence) {
  ASSERT_FALSE(result.has_value()) << "accepted, instead of: " << sentence;
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_NE(result.error().message.find(sentence), std::string::npos) << result.error().message;
}

TEST(InspectModule, tells_what_a_command_module_needs) {
  const auto info = inspect_module(wat(R"((module
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2 20) (table 30 40 funcref) (func $s) (start $s) (func (export "_start"))
    (data (i32.const 0) "abc") (data "passive")))"));
  ASSERT_TRUE(info.has_value()) << info.error().message;
  EXPECT_EQ(info->kind, ModuleInfo::Kind::command);
  ASSERT_EQ(info->imports.size(), 1u);
  EXPECT_EQ(info->imports[0].module, "wasi_snapshot_preview1");
  EXPECT_EQ(info->imports[0].name, "fd_write");
  EXPECT_EQ(info->imports[0].kind, ExternKind::function);
  ASSERT_EQ(info->memories.size(), 1u);
  EXPECT_EQ(info->memories[0].minimum, 2u);
  EXPECT_EQ(info->memories[0].maximum, 20u);
  ASSERT_EQ(info->tables.size(), 1u);
  EXPECT_EQ(info->tables[0].limits.minimum, 30u);
  EXPECT_EQ(info->memory_export, "memory");
  EXPECT_TRUE(info->has_start_function);
  EXPECT_EQ(info->functions, 2u);
  EXPECT_EQ(info->data_bytes, 10u);
  EXPECT_TRUE(check_command(*info, {}).has_value());
}

TEST(InspectModule, refuses_by_size_before_looking) {
  const Bytes wasm = wat("(module (func (export \"_start\")))");
  EXPECT_TRUE(inspect_module(wasm, wasm.size()).has_value());
  const auto refused = inspect_module(wasm, wasm.size() - 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "module_too_large");
  EXPECT_EQ(inspect_module(Bytes(kMaxModuleBytes + 1)).error().code, "module_too_large");
}

TEST(InspectModule, refuses_what_is_no_module_with_the_offset) {
  const std::string_view script = "print('hello')\n";
  const auto refused = inspect_module(std::span(reinterpret_cast<const std::uint8_t*>(script.data()), script.size()));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "module_invalid");
  EXPECT_NE(refused.error().message.find("offset 0x0, found \"print('hello')"), std::string::npos)
      << refused.error().message;
  const auto component = inspect_module(Bytes{0, 'a', 's', 'm', 13, 0, 1, 0});
  ASSERT_FALSE(component.has_value());
  EXPECT_NE(component.error().message.find("component"), std::string::npos);
  EXPECT_NE(component.error().hint.find("wasm32-wasip1"), std::string::npos);
  const auto damaged = inspect_module(ModuleBuilder().section(7, {1, 9, 'x'}).bytes());
  ASSERT_FALSE(damaged.has_value());
  EXPECT_NE(damaged.error().message.find("at offset 0xc"), std::string::npos) << damaged.error().message;
}

TEST(InspectModule, more_imports_than_anyone_needs_are_refused_before_they_take_memory) {
  // 200000 imports of five bytes each.
  Bytes imports = {0xc0, 0x9a, 0x0c};
  for (int i = 0; i < 200'000; ++i) imports.insert(imports.end(), {0, 0, 0, 0});
  const auto refused = inspect_module(ModuleBuilder().section(2, imports).bytes());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "module_invalid");
}

TEST(InspectModule, reads_the_forms_of_imports_that_wasmtime_reads) {
  const auto imports_of = [](const Bytes& section) {
    const auto module = ModuleBuilder().section(1, {1, 0x60, 0, 0}).section(2, section).bytes();
    const auto info = inspect_module(module);
    EXPECT_TRUE(info.has_value()) << info.error().message;
    std::string out;
    for (const auto& import : info ? info->imports : std::vector<ModuleInfo::Import>())
      out += import.module + "." + import.name + ":" + extern_kind_name(import.kind) + " ";
    return out;
  };
  const Bytes exact = {1, 1, 'm', 1, 'f', 0x20, 0};
  EXPECT_EQ(imports_of(exact), "m.f:function ");
  const Bytes each_with_type = {2, 1, 'm', 0, 0x7f, 2, 1, 'f', 0, 0, 1, 'g', 2, 0, 1, 1, 'n', 1, 'h', 0, 0};
  EXPECT_EQ(imports_of(each_with_type), "m.f:function m.g:memory n.h:function ");
  const Bytes all_of_one_type = {1, 1, 'm', 0, 0x7e, 0, 0, 2, 1, 'f', 1, 'g'};
  EXPECT_EQ(imports_of(all_of_one_type), "m.f:function m.g:function ");
  const Bytes empty_name = {1, 1, 'm', 0, 0, 0};
  EXPECT_EQ(imports_of(empty_name), "m.:function ");
}

TEST(InspectModule, bytes_after_the_content_of_a_section_are_damage) {
  EXPECT_TRUE(inspect_module(ModuleBuilder().section(5, {1, 0, 1}).bytes()).has_value());
  EXPECT_FALSE(inspect_module(ModuleBuilder().section(5, {1, 0, 1, 0}).bytes()).has_value());
}

TEST(CheckCommand, a_module_without_start_is_refused_and_a_reactor_is_called_one) {
  expect_refused(check("(module)"), "module_unsupported", "no function named _start");
  expect_refused(check("(module (memory (export \"_start\") 1))"), "module_unsupported", "no function named _start");
  expect_refused(check("(module (func (export \"_initialize\")))"), "module_unsupported", "reactor");
  EXPECT_TRUE(check("(module (func (export \"_initialize\")) (func (export \"_start\")))").has_value());
}

TEST(CheckCommand, unknown_imports_are_listed_with_the_offset_of_the_first) {
  const auto result =
      check(R"((module (import "wasi_snapshot_preview1" "fd_write" (func)) (import "env" "emscripten" (func))
    (import "env" "mem\n" (memory 1))
    (import "wasi_snapshot_preview1" "t" (table 1 funcref)) (func (export "_start"))))");
  expect_refused(result, "module_unsupported",
                 "env.emscripten, env.mem\\x0a (memory), wasi_snapshot_preview1.t (table) (the first at offset 0x");
  EXPECT_NE(result.error().hint.find("browser"), std::string::npos);

  std::string many = "(module ";
  for (int i = 0; i < 9; ++i) many += "(import \"x\" \"f" + std::to_string(i) + "\" (func))";
  expect_refused(check(many + "(func (export \"_start\")))"), "module_unsupported", "x.f4 and 4 more");
}

TEST(CheckCommand, a_function_that_the_host_does_not_have_is_an_unknown_import) {
  constexpr std::string_view kText =
      "(module (import \"wasi_snapshot_preview1\" \"fd_wriet\" (func)) (func (export \"_start\")))";
  constexpr std::string_view kHost[] = {"fd_read", "fd_write"};
  expect_refused(check(kText, {.host_functions = kHost}), "module_unsupported", "wasi_snapshot_preview1.fd_wriet");
  EXPECT_TRUE(check(kText).has_value());
}

TEST(CheckCommand, other_versions_of_wasi_are_named_in_the_hint) {
  EXPECT_NE(check("(module (import \"wasi_unstable\" \"fd_write\" (func)) (func (export \"_start\")))")
                .error()
                .hint.find("preview 0"),
            std::string::npos);
  EXPECT_NE(check("(module (import \"wasi:cli/stdout@0.2.0\" \"get\" (func)) (func (export \"_start\")))")
                .error()
                .hint.find("preview 2"),
            std::string::npos);
  EXPECT_NE(check("(module (import \"wasi\" \"thread-spawn\" (func)) (func (export \"_start\")))")
                .error()
                .hint.find("threads"),
            std::string::npos);
}

TEST(CheckCommand, memory_and_table_minimums_are_held_against_their_own_limits) {
  const auto memory = [](const char* pages) {
    return "(module (memory " + std::string(pages) + ") (func (export \"_start\")))";
  };
  EXPECT_TRUE(check(memory("16"), {.memory_bytes = 1 << 20}).has_value());
  expect_refused(check(memory("17"), {.memory_bytes = 1 << 20}), "memory_limit",
                 "starts with 17 pages of 64 KiB; the limit is 16 (1 MiB)");
  expect_refused(check(memory("65536")), "memory_limit", "at offset 0x");
  EXPECT_TRUE(check(memory("1 65536")).has_value());  // a maximum is only a wish
  expect_refused(check(memory("1 1 shared")), "module_unsupported", "shared between threads");
  expect_refused(check(memory("i64 1")), "module_unsupported", "64-bit");
  expect_refused(check("(module (memory 1) (memory 1) (func (export \"_start\")))"), "module_unsupported",
                 "2 memories");

  const auto table = [](const char* elements) {
    return "(module (table " + std::string(elements) + " funcref) (func (export \"_start\")))";
  };
  EXPECT_TRUE(check(table("10000")).has_value());
  expect_refused(check(table("10001")), "table_limit", "starts with 10001 elements; the limit is 10000");
  expect_refused(check("(module (table 1 funcref) (table 1 funcref) (func (export \"_start\")))", {.tables = 1}),
                 "table_limit", "2 tables");
}

TEST(CheckCommand, a_claimed_minimum_of_any_size_does_not_overflow) {
  const auto huge = ModuleBuilder()
                        .section(1, {1, 0x60, 0, 0})
                        .section(3, {1, 0})
                        .section(5, {1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
                        .section(7, {1, 6, '_', 's', 't', 'a', 'r', 't', 0, 0})
                        .section(10, {1, 2, 0, 0x0b})
                        .bytes();
  const auto info = inspect_module(huge);
  ASSERT_TRUE(info.has_value()) << info.error().message;
  expect_refused(check_command(*info, {}), "memory_limit", "18446744073709551615 pages");
}

}  // namespace
}  // namespace hotcell::wasi
