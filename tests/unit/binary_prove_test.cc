#include "wasi/binary/prove.h"

#include <gtest/gtest.h>

#include "binary_wat.h"

namespace hotcell::wasi {
namespace {

using testing::Bytes;
using testing::ModuleBuilder;
using testing::wasmtime_accepts;
using testing::wat;

std::string module_with(std::string_view fields, std::string_view body = "") {
  return "(module (memory (export \"memory\") 1) " + std::string(fields) + " (func (export \"f\") " +
         std::string(body) + "))";
}

// One thing that a reset would not undo, beside the nearest module that has the same shape without it.
struct Control {
  const char* name;
  std::string forbidden;
  std::string allowed;
  const char* sentence;
};

const std::string kTable = "(table 4 funcref) (elem (i32.const 0) func $g) (func $g)";

std::vector<Control> controls() {
  const auto body = [](const char* bad, const char* good) {
    return std::pair{module_with(kTable, bad), module_with(kTable, good)};
  };
  const auto [table_set, table_get] =
      body("(table.set (i32.const 0) (ref.null func))", "(drop (table.get (i32.const 0)))");
  const auto [table_grow, table_size] =
      body("(drop (table.grow (ref.null func) (i32.const 1)))", "(drop (table.size))");
  const auto [table_fill, memory_fill] = body("(table.fill (i32.const 0) (ref.null func) (i32.const 1))",
                                              "(memory.fill (i32.const 0) (i32.const 0) (i32.const 1))");
  const auto [table_copy, memory_copy] = body("(table.copy (i32.const 0) (i32.const 0) (i32.const 1))",
                                              "(memory.copy (i32.const 0) (i32.const 0) (i32.const 1))");
  const auto [table_init, indirect] =
      body("(table.init 0 (i32.const 0) (i32.const 0) (i32.const 0))", "(call_indirect (i32.const 0))");
  const auto [elem_drop, nothing] = body("(elem.drop 0)", "(nop)");
  const std::string data = "(data $d (i32.const 0) \"hi\")";
  return {
      {"table.set", table_set, table_get, "table.set at offset 0x"},
      {"table.grow", table_grow, table_size, "table.grow at offset 0x"},
      {"table.fill", table_fill, memory_fill, "table.fill at offset 0x"},
      {"table.copy", table_copy, memory_copy, "table.copy at offset 0x"},
      {"table.init", table_init, indirect, "table.init at offset 0x"},
      {"elem.drop", elem_drop, nothing, "elem.drop at offset 0x"},
      {"data.drop", module_with(data, "(data.drop $d)"), module_with(data, "nop"), "data.drop at offset 0x"},
      {"memory.init", module_with(data, "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 0))"),
       module_with(data, "(memory.copy (i32.const 0) (i32.const 0) (i32.const 0))"), "memory.init at offset 0x"},
      {"passive data", module_with("(data \"hi\")"), module_with("(data (i32.const 0) \"hi\")"),
       "passive data segment 0 at offset 0x"},
      {"passive data after an active one", module_with("(data (i32.const 0) \"a\") (data \"hi\")"),
       module_with("(data (i32.const 0) \"a\") (data (i32.const 1) \"hi\")"), "passive data segment 1"},
      {"passive elements", module_with("(func $g) (elem func $g)"),
       module_with("(func $g) (elem declare func $g)", "(drop (ref.func $g))"),
       "passive element segment 0 at offset 0x"},
      {"passive elements as the last of several",
       module_with(kTable + "(elem declare func $g) (elem (i32.const 1) func $g) (elem funcref (ref.func $g))"),
       module_with(kTable + "(elem declare func $g) (elem (i32.const 1) func $g) (elem (i32.const 2) func $g)"),
       "passive element segment 3"},
      {"declared elements that are dropped", module_with("(func $g) (elem $e declare func $g)", "(elem.drop $e)"),
       module_with("(func $g) (elem $e declare func $g)", "(drop (ref.func $g))"), "elem.drop"},
      {"start function", module_with("(func $s) (start $s)"), module_with("(func $s)"),
       "a start function (0) at offset 0x"},
      {"imported memory", "(module (import \"env\" \"m\" (memory 1)))", module_with(""),
       "imported memory \"env.m\" at offset 0x"},
      {"imported table", module_with("").insert(8, "(import \"env\" \"t\" (table 1 funcref)) "),
       module_with("(table 1 funcref)"), "imported table \"env.t\""},
      {"imported global", module_with("").insert(8, "(import \"env\" \"g\" (global i32)) "),
       module_with("").insert(8, "(import \"env\" \"g\" (func)) "), "imported global \"env.g\""},
      {"hidden mutable global", module_with("(global (mut i32) (i32.const 1))"),
       module_with("(global (export \"sp\") (mut i32) (i32.const 1))"),
       "mutable global 0 (i32) that is not exported at offset 0x"},
      {"hidden mutable global after an exported one",
       module_with("(global (export \"sp\") (mut i32) (i32.const 1)) (global (mut i64) (i64.const 1))"),
       module_with("(global (export \"sp\") (mut i32) (i32.const 1)) (global i64 (i64.const 1))"), "global 1 (i64)"},
      {"mutable reference", module_with("(global (export \"r\") (mut funcref) (ref.null func))"),
       module_with("(global (export \"r\") funcref (ref.null func))"), "mutable global 0 of type funcref"},
      {"second memory", module_with("(memory 1)"), module_with(""), "a second memory (of 2)"},
      {"no memory", "(module)", module_with(""), "declares no memory"},
      {"memory that is not exported", "(module (memory 1))", module_with(""), "a memory that is not exported"},
      {"shared memory", "(module (memory (export \"memory\") 1 1 shared))", "(module (memory (export \"memory\") 1 1))",
       "a shared memory"},
      {"64-bit memory", "(module (memory (export \"memory\") i64 1))", "(module (memory (export \"memory\") i32 1))",
       "a 64-bit memory"},
      {"64-bit table", module_with("(table i64 1 funcref)"), module_with("(table 1 funcref)"), "64-bit table"},
      {"atomics", module_with("", "(drop (i32.atomic.load (i32.const 0)))"),
       module_with("", "(drop (i32.load (i32.const 0)))"), "instruction 0xfe that is not known"},
      {"exception tag", module_with("(tag)"), module_with(""), "exception tags"},
      {"exceptions", module_with("", "(block $b (try_table (catch_all $b)))"), module_with("", "(block $b (block))"),
       "instruction 0x1f that is not known"},
      {"gc", module_with("(type $s (struct (field i32)))", "(drop (struct.new $s (i32.const 1)))"), module_with(""),
       "instruction 0xfb that is not known"},
      {"typed function references",
       module_with("(type $t (func)) (elem declare func $g) (func $g)", "(call_ref $t (ref.func $g))"),
       module_with("(elem declare func $g) (func $g)", "(return_call $g)"), "instruction 0x14 that is not known"},
      {"local of a typed reference", module_with("(type $t (func))", "(local (ref null $t))"),
       module_with("(type $t (func))", "(local funcref)"), "a local of a type that is not known"},
  };
}

TEST(ProveResettable, every_forbidden_thing_is_refused_by_name_and_the_same_module_without_it_is_accepted) {
  for (const auto& control : controls()) {
    SCOPED_TRACE(control.name);
    const auto bad = prove_resettable(wat(control.forbidden));
    ASSERT_FALSE(bad.has_value());
    EXPECT_EQ(bad.error().code, "image_not_resettable") << bad.error().message;
    EXPECT_NE(bad.error().message.find(control.sentence), std::string::npos) << bad.error().message;
    const Bytes good = wat(control.allowed);
    const auto proof = prove_resettable(good);
    EXPECT_TRUE(proof.has_value()) << proof.error().message;
    EXPECT_TRUE(wasmtime_accepts(good));
  }
}

TEST(ProveResettable, the_forbidden_instruction_is_found_after_every_other_kind_of_instruction) {
  // If any immediate were decoded with a wrong length, the module would be found damaged or the table.set be missed.
  const std::string everything = R"((local $v v128) (local $f f64)
    (block (loop (if (i32.const 1) (then (br 2)) (else (br_if 1 (i32.const 0))))))
    (block (result i32) (i32.const -1)) drop
    (block $a (block $b (br_table $a $b $a (i32.const 0x7fffffff))))
    (block (type $p) (i32.const 1) (i64.const 2) return) drop drop
    (drop (select (result i64) (i64.const -9223372036854775808) (i64.const 1) (i32.const 0)))
    (drop (select (f32.const 1) (f32.const 2) (i32.const 0)))
    (local.set $f (f64.const 0x1.0b0b0bp3)) (drop (local.tee $f (f64.const 1)))
    (drop (i32.load offset=0xffffffff align=1 (i32.const 0))) (i64.store32 offset=300 (i32.const 0) (i64.const 1))
    (drop (memory.size)) (drop (memory.grow (i32.const 0)))
    (drop (i64.extend32_s (i64.trunc_sat_f64_u (f64.const 1)))) (drop (ref.is_null (ref.null func)))
    (global.set $sp (global.get $sp)) (drop (ref.func $g)) (call $g) (call_indirect (type $p) (i32.const 0)) drop drop
    (memory.copy (i32.const 0) (i32.const 0) (i32.const 1)) (memory.fill (i32.const 0) (i32.const 0) (i32.const 1))
    (drop (table.size)) (drop (table.get (i32.const 0)))
    (local.set $v (v128.const i64x2 0x0b0b0b0b26002600 0x2600260026002600))
    (local.set $v (i8x16.shuffle 0 11 2 3 4 5 6 7 8 9 10 11 12 13 31 30 (local.get $v) (local.get $v)))
    (local.set $v (v128.load offset=11 (i32.const 0))) (local.set $v (v128.load64_zero (i32.const 0)))
    (local.set $v (v128.load8_lane offset=11 11 (i32.const 0) (local.get $v)))
    (v128.store64_lane offset=700 1 (i32.const 0) (local.get $v))
    (drop (i8x16.extract_lane_u 11 (local.get $v))) (local.set $v (f64x2.replace_lane 1 (local.get $v) (f64.const 1)))
    (local.set $v (i32x4.dot_i16x8_s (local.get $v) (local.get $v)))
    (local.set $v (i8x16.relaxed_swizzle (local.get $v) (local.get $v)))
    (local.set $v (f64x2.relaxed_madd (local.get $v) (local.get $v) (local.get $v))))";
  const std::string fields =
      "(type $p (func (result i32 i64))) (global $sp (export \"sp\") (mut i32) (i32.const 1)) (elem declare func $g)" +
      kTable;
  const Bytes clean = wat(module_with(fields, everything));
  EXPECT_TRUE(wasmtime_accepts(clean));
  const auto proof = prove_resettable(clean);
  ASSERT_TRUE(proof.has_value()) << proof.error().message;
  EXPECT_TRUE(proof->grows_memory);

  const auto bad = prove_resettable(wat(module_with(fields, everything + "(table.set (i32.const 0) (ref.null func))")));
  ASSERT_FALSE(bad.has_value());
  EXPECT_NE(bad.error().message.find("table.set"), std::string::npos) << bad.error().message;
  EXPECT_NE(bad.error().message.find("in function 1"), std::string::npos) << bad.error().message;
}

TEST(ProveResettable, counts_each_instruction_once_and_does_not_see_instructions_inside_constants) {
  // The constant's bytes are table.set 0 (26 00) eight times.
  const auto proof =
      prove_resettable(wat(module_with("", "(drop (v128.const i16x8 0x26 0x26 0x26 0x26 0x26 0x26 0x26 0x26))")));
  ASSERT_TRUE(proof.has_value()) << proof.error().message;
  EXPECT_EQ(proof->instructions, 3u);  // v128.const, drop, end
  EXPECT_EQ(proof->functions, 1u);
}

TEST(ProveResettable, lists_what_a_reset_has_to_restore) {
  const auto proof = prove_resettable(wat(R"((module
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (table (export "table") 7 9 funcref) (table 2 externref) (memory (export "memory") 3 10)
    (global $a (export "__stack_pointer") (export "again") (mut i32) (i32.const 5)) (global i64 (i64.const 1))
    (global (export "v") (mut v128) (v128.const i64x2 0 0)) (global (export "d") (mut f64) (f64.const 1))
    (elem (i32.const 1) func 0) (data (i32.const 0) "abc")))"));
  ASSERT_TRUE(proof.has_value()) << proof.error().message;
  ASSERT_EQ(proof->globals.size(), 3u);
  EXPECT_EQ(proof->globals[0].export_name, "__stack_pointer");
  EXPECT_EQ(proof->globals[0].type, "i32");
  EXPECT_EQ(proof->globals[1].type, "v128");
  EXPECT_EQ(proof->globals[1].index, 2u);
  EXPECT_EQ(proof->globals[2].type, "f64");
  ASSERT_EQ(proof->tables.size(), 2u);
  EXPECT_EQ(proof->tables[0].export_name, "table");
  EXPECT_EQ(proof->tables[0].minimum, 7u);
  EXPECT_EQ(proof->tables[0].maximum, 9u);
  EXPECT_EQ(proof->tables[1].type, "externref");
  EXPECT_EQ(proof->memory_pages_minimum, 3u);
  EXPECT_EQ(proof->memory_pages_maximum, 10u);
  EXPECT_EQ(proof->memory_export, "memory");
  EXPECT_EQ(proof->element_segments, 1u);
  EXPECT_EQ(proof->data_segments, 1u);
  EXPECT_FALSE(proof->grows_memory);
  EXPECT_EQ(proof->text(),
            "resettable: 0 instructions in 0 functions change only memory \"memory\" (3..10 pages) and globals "
            "__stack_pointer (i32), v (v128), d (f64); fixed tables: funcref 7..9, externref 2..any");
}

TEST(ProveResettable, decodes_all_eight_forms_of_element_segments) {
  const auto with_elements = [](const Bytes& elements) {
    return ModuleBuilder()
        .section(1, {1, 0x60, 0, 0})
        .section(3, {1, 0})
        .section(4, {1, 0x70, 0, 4})
        .section(5, {1, 0, 1})
        .section(7, {1, 1, 'm', 2, 0})
        .section(9, elements)
        .section(10, {1, 2, 0, 0x0b})
        .bytes();
  };
  const std::vector<Bytes> accepted = {
      {0, 0x41, 0, 0x0b, 1, 0},                       // 0: table 0, functions
      {2, 0, 0x41, 0, 0x0b, 0, 1, 0},                 // 2: a table, kind, functions
      {3, 0, 1, 0},                                   // 3: declared functions
      {4, 0x41, 0, 0x0b, 1, 0xd2, 0, 0x0b},           // 4: table 0, expressions
      {6, 0, 0x41, 0, 0x0b, 0x70, 1, 0xd2, 0, 0x0b},  // 6: a table, type, expressions
      {7, 0x70, 2, 0xd2, 0, 0x0b, 0xd0, 0x70, 0x0b},  // 7: declared expressions
  };
  Bytes all = {static_cast<std::uint8_t>(accepted.size())};
  for (const auto& form : accepted) {
    all.insert(all.end(), form.begin(), form.end());
    Bytes one = {1};
    one.insert(one.end(), form.begin(), form.end());
    const Bytes module = with_elements(one);
    EXPECT_TRUE(wasmtime_accepts(module)) << "form " << int{form[0]};
    const auto proof = prove_resettable(module);
    EXPECT_TRUE(proof.has_value()) << "form " << int{form[0]} << ": " << proof.error().message;
    for (std::size_t cut = 1; cut < one.size(); ++cut)
      EXPECT_FALSE(prove_resettable(with_elements(Bytes(one.begin(), one.end() - static_cast<std::ptrdiff_t>(cut)))))
          << "form " << int{form[0]} << " without its last " << cut << " bytes";
  }
  EXPECT_TRUE(prove_resettable(with_elements(all)).has_value());

  for (const Bytes& passive : {Bytes{1, 1, 0, 1, 0}, Bytes{1, 5, 0x70, 1, 0xd2, 0, 0x0b}}) {
    EXPECT_TRUE(wasmtime_accepts(with_elements(passive)));
    const auto refused = prove_resettable(with_elements(passive));
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("passive element segment 0"), std::string::npos) << refused.error().message;
    Bytes last = all;  // and also when it comes after all the others
    last[0] = static_cast<std::uint8_t>(accepted.size() + 1);
    last.insert(last.end(), passive.begin() + 1, passive.end());
    EXPECT_FALSE(prove_resettable(with_elements(last)).has_value());
  }
}

TEST(ProveResettable, refuses_instructions_that_no_specification_has) {
  const auto with_body = [](Bytes code) {
    code.insert(code.begin(), 0);  // no locals
    code.push_back(0x0b);
    code.insert(code.begin(), {1, static_cast<std::uint8_t>(code.size())});
    return ModuleBuilder()
        .section(1, {1, 0x60, 0, 0})
        .section(3, {1, 0})
        .section(5, {1, 0, 1})
        .section(7, {1, 1, 'm', 2, 0})
        .section(10, code)
        .bytes();
  };
  ASSERT_TRUE(prove_resettable(with_body({0x01})).has_value());
  const std::vector<Bytes> unknown = {
      {0x27},       {0xc5},   {0xff}, {0xfc, 0x12, 0}, {0xfc, 0x80, 0x02}, {0xfd, 0x9a, 0x01}, {0xfd, 0x94, 0x02},
      {0x06, 0x40}, {0x15, 0}};
  for (const auto& code : unknown) {
    const auto refused = prove_resettable(with_body(code));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, "image_not_resettable");
    EXPECT_NE(refused.error().message.find("that is not known at offset 0x"), std::string::npos)
        << refused.error().message;
    EXPECT_FALSE(wasmtime_accepts(with_body(code)));
  }
}

TEST(ProveResettable, finds_every_truncated_module_damaged) {
  // Without names, so that no custom section ends the module: to be cut off exactly before that one would be no damage.
  const Bytes whole = wat(module_with(
      "(table 4 funcref) (elem (i32.const 0) func 0) (func) (global (export \"sp\") (mut i32) (i32.const 1))",
      "(drop (i32.load offset=300 (i32.const 0)))"));
  ASSERT_TRUE(prove_resettable(whole).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(prove_resettable(std::span(whole).first(size)).has_value()) << size;
}

TEST(ProveResettable, refuses_a_function_body_with_bytes_after_its_end) {
  const auto module = ModuleBuilder()
                          .section(1, {1, 0x60, 0, 0})
                          .section(3, {1, 0})
                          .section(5, {1, 0, 1})
                          .section(7, {1, 1, 'm', 2, 0})
                          .section(10, {1, 4, 0, 0x0b, 0x01, 0x0b})
                          .bytes();
  const auto refused = prove_resettable(module);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "module_invalid");
}

}  // namespace
}  // namespace hotcell::wasi
