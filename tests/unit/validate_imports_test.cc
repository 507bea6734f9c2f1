#include "validate/imports.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hotcell::validate {
namespace {

using protocol::Language;

ImportReport report_of(Language language, std::string code) {
  auto syntax = Syntax::parse(language, std::move(code));
  EXPECT_TRUE(syntax.has_value());
  return find_imports(*syntax);
}
ImportReport python(std::string code) { return report_of(Language::python, std::move(code)); }
ImportReport javascript(std::string code) { return report_of(Language::javascript, std::move(code)); }

// "a.b" for import a.b, "a:b" for from a import b; flags behind it.
std::string shown(const ImportReport& report) {
  std::string text;
  for (const auto& import : report.imports) {
    text += (text.empty() ? "" : " ") + import.module;
    if (!import.member.empty()) text += ":" + import.member;
    text += "@" + std::to_string(import.line);
    for (const auto& [flag, set] : std::initializer_list<std::pair<char, bool>>{{'o', import.optional},
                                                                                {'f', import.fallback},
                                                                                {'t', import.type_checking},
                                                                                {'u', import.unreachable},
                                                                                {'c', import.conditional},
                                                                                {'d', import.deferred},
                                                                                {'y', import.dynamic},
                                                                                {'r', import.relative}})
      if (set) text += flag;
  }
  return text;
}

std::string names(const std::vector<Use>& uses) {
  std::string text;
  for (const auto& use : uses) text += (text.empty() ? "" : " ") + use.name;
  return text;
}

const Use* use_of(const ImportReport& report, std::string_view name) {
  const auto at =
      std::find_if(report.uses.begin(), report.uses.end(), [&](const Use& use) { return use.name == name; });
  return at == report.uses.end() ? nullptr : &*at;
}

TEST(PythonImports, all_names_of_a_statement_are_found) {
  EXPECT_EQ(shown(python("import a.b as c, d\nfrom e.f import g, h as i\nfrom j import *\n")),
            "a.b@1 d@1 e.f:g@2 e.f:h@2 j:*@3");
}

TEST(PythonImports, relative_ones_keep_their_dots) {
  EXPECT_EQ(shown(python("from . import x\nfrom ..a.b import y\n")), ".:x@1r ..a.b:y@2r");
}

TEST(PythonImports, what_a_try_catches_is_optional_and_its_handler_holds_the_substitute) {
  EXPECT_EQ(shown(python("try:\n  import a\nexcept ImportError:\n  import b\n")), "a@2o b@4fc");
  EXPECT_EQ(shown(python("try:\n  import a\nexcept:\n  pass\n")), "a@2o");
}

TEST(PythonImports, a_handler_that_gives_up_makes_nothing_optional) {
  EXPECT_EQ(shown(python("try:\n  import a\nexcept ImportError:\n  raise\n")), "a@2");
  EXPECT_EQ(shown(python("import sys\ntry:\n  import a\nexcept ImportError:\n  print(1)\n  sys.exit(1)\n")),
            "sys@1 a@3");
  EXPECT_EQ(shown(python("try:\n  import a\nexcept ValueError:\n  pass\n")), "a@2");
}

TEST(PythonImports, a_try_around_a_function_does_not_guard_its_body) {
  EXPECT_EQ(shown(python("try:\n  def f():\n    import a\nexcept ImportError:\n  pass\n")), "a@3d");
}

TEST(PythonImports, suppress_guards_too) {
  EXPECT_EQ(shown(python("with contextlib.suppress(ImportError):\n  import a\nimport b\n")), "a@2o b@3");
}

TEST(PythonImports, branches_that_cannot_be_taken_are_told) {
  EXPECT_EQ(shown(python("if TYPE_CHECKING:\n  import a\nelse:\n  import b\n")), "a@2t b@4");
  EXPECT_EQ(shown(python("if not typing.TYPE_CHECKING:\n  import a\nelse:\n  import b\n")), "a@2 b@4t");
  EXPECT_EQ(shown(python("if sys.version_info >= (3, 11):\n  import a\nelse:\n  import b\n")), "a@2 b@4u");
  EXPECT_EQ(shown(python("if sys.version_info < (3,):\n  import a\nelif x:\n  import b\nelse:\n  import c\n")),
            "a@2u b@4c c@6c");
  EXPECT_EQ(shown(python("if sys.version_info[0] == 2:\n  import a\nelse:\n  import b\n")), "a@2u b@4");
  EXPECT_EQ(shown(python("if os.name == 'nt':\n  import a\nif sys.platform.startswith('win'):\n  import b\n")),
            "a@2u b@4u");
  EXPECT_EQ(shown(python("if sys.platform == 'linux':\n  import a\nelse:\n  import b\n")), "a@2c b@4c");
  EXPECT_EQ(shown(python("if __name__ == '__main__':\n  import a\n")), "a@2");
  EXPECT_EQ(shown(python("if x:\n  import a\nelif sys.version_info > (3, 0):\n  import b\nelse:\n  import c\n")),
            "a@2c b@4c c@6u");
}

TEST(PythonImports, the_patch_version_is_not_guessed) {
  EXPECT_EQ(shown(python("if sys.version_info >= (3, 11, 5):\n  import a\n")), "a@2c");
  EXPECT_EQ(shown(python("if sys.version_info > (3, 11):\n  import a\n")), "a@2");
}

TEST(PythonImports, calls_that_import_are_found_through_aliases) {
  EXPECT_EQ(shown(python("import importlib as il\nil.import_module('a.b')\n__import__('c' 'd')\n")),
            "importlib@1 a.b@2y cd@3y");
  EXPECT_EQ(shown(python("from importlib import import_module as load\nload('x' + 'y')\nload(name='z')\n")),
            "importlib:import_module@1 xy@2y z@3y");
  EXPECT_EQ(shown(python("import importlib.util\nimportlib.util.find_spec('x')\n")), "importlib.util@1 x@2oy");
}

TEST(PythonImports, a_like_named_method_imports_nothing) {
  EXPECT_EQ(shown(python("x.import_module('a')\ndef find_spec(n): pass\nfind_spec('b')\n")), "");
}

TEST(PythonImports, names_that_are_only_known_at_run_time_are_reported) {
  EXPECT_TRUE(python("import importlib\nimportlib.import_module(name)\n").dynamic_unknown);
  EXPECT_TRUE(python("__import__(f'a{b}')\n").dynamic_unknown);
  EXPECT_FALSE(python("__import__('a')\n").dynamic_unknown);
}

TEST(PythonImports, strings_and_comments_import_nothing) {
  EXPECT_EQ(shown(python("'''\nimport a\n'''\n# import b\nx = 'from c import d'\n")), "");
}

TEST(PythonImports, uses_are_named_by_what_was_imported) {
  const auto report =
      python("import threading as t, os.path\nfrom os import fork as f\nt.Thread(target=1).start()\nos.path.join()\n");
  EXPECT_EQ(names(report.uses), "os.fork os.path.join threading.Thread");
  EXPECT_EQ(use_of(report, "threading.Thread")->line, 3u);
}

TEST(PythonImports, a_use_above_its_import_counts) {
  const auto report = python("def f():\n  os . fork()\nimport os\n");
  ASSERT_NE(use_of(report, "os.fork"), nullptr);
  EXPECT_TRUE(use_of(report, "os.fork")->deferred);
}

TEST(PythonImports, the_strongest_use_of_a_name_is_kept) {
  const auto report = python("import os\ndef f():\n  os.fork()\nos.fork()\n");
  EXPECT_FALSE(use_of(report, "os.fork")->deferred);
  EXPECT_EQ(use_of(report, "os.fork")->line, 4u);
}

TEST(PythonImports, asking_with_hasattr_guards_the_use) {
  EXPECT_TRUE(use_of(python("import os\nif hasattr(os, 'fork'): os.fork()\n"), "os.fork")->guarded);
}

TEST(PythonImports, chained_attempts_know_whose_substitute_they_are) {
  const auto report =
      python("try:\n import a\nexcept ImportError:\n try:\n  import b\n except ImportError:\n  import c\n");
  EXPECT_EQ(shown(report), "a@2o b@5ofc c@7fc");
  EXPECT_EQ(report.attempts, (std::vector<std::uint32_t>{0, 1}));
}

TEST(PythonImports, a_file_with_errors_still_tells_what_it_can) {
  const auto report = python("import a\nx = = 2\nimport b\n");
  EXPECT_NE(shown(report).find("a@1"), std::string::npos);
  EXPECT_NE(shown(report).find("b@3"), std::string::npos);
}

TEST(PythonImports, huge_lists_are_cut) {
  std::string code = "import a0";
  for (int i = 1; i < 30'000; ++i) code += ", a" + std::to_string(i);
  const auto report = python(code + "\n");
  EXPECT_EQ(report.imports.size(), kMostImports);
  EXPECT_TRUE(report.truncated);
}

TEST(PythonImports, garbage_and_nested_programs_end_well) {
  std::string noise;
  for (unsigned i = 0, x = 1; i < 50'000; ++i) noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  python(noise);
  python(std::string("import a\0b\nimport c\n", 19));
  python("import \xff\xfe\nimport ok\n");
  std::string deep = "import a\nx = ";
  for (int i = 0; i < 50'000; ++i) deep += '(';
  python(deep);
  std::string ifs;
  for (int i = 0; i < 90; ++i) ifs += std::string(static_cast<std::size_t>(i), ' ') + "if x:\n";
  ifs += std::string(90, ' ') + "import deep\n";
  EXPECT_EQ(shown(python(ifs)), "deep@91c");
  std::string chain = "import a\na";
  for (int i = 0; i < 20'000; ++i) chain += ".b()";
  python(chain + "\n");
}

TEST(JavaScriptImports, every_form_is_found) {
  EXPECT_EQ(shown(javascript("import a, {b} from 'x';\nimport './y.js';\nexport * from \"z\";\n"
                             "const p = require('@s/n/sub');\nimport('q');\nrequire(`t`);\n")),
            "x@1 ./y.js@2r z@3 @s/n/sub@4 q@5y t@6");
}

TEST(JavaScriptImports, what_a_try_or_catch_survives_is_optional) {
  EXPECT_EQ(shown(javascript("try { require('a') } catch { require('b') }\nimport('c').catch(() => 0);\n"
                             "require.resolve('d');\n")),
            "a@1o b@1fc c@2oy d@3o");
  EXPECT_EQ(shown(javascript("try { require('a') } catch (e) { throw e }")), "a@1");
}

TEST(JavaScriptImports, somebody_elses_require_is_left_alone) {
  EXPECT_EQ(shown(javascript("(function(require, module){ require('./a'); require(5) })(x)")), "");
  EXPECT_EQ(shown(javascript("my.require('a'); const s = \"require('b')\"; // require('c')")), "");
}

TEST(JavaScriptImports, create_require_makes_another_require) {
  EXPECT_EQ(
      shown(javascript("import {createRequire} from 'node:module';\nconst load = createRequire(import.meta.url);\n"
                       "load('a');\ncreateRequire(u)('b');\n")),
      "node:module@1 a@3 b@4");
}

TEST(JavaScriptImports, uses_are_named_by_their_module) {
  EXPECT_EQ(names(javascript("const {exec, spawn: s} = require('node:child_process'); import fs from 'fs';\n"
                             "fs.readFileSync(1); require('net').connect(1); process.binding('x')")
                      .uses),
            "child_process.exec child_process.spawn fs.readFileSync net.connect process.binding");
}

TEST(JavaScriptImports, garbage_ends_well) {
  javascript("import {a from 'x'; require(; export * from");
  std::string deep;
  for (int i = 0; i < 20'000; ++i) deep += "[(";
  javascript(deep);
  std::string calls = "require('a')";
  for (int i = 0; i < 20'000; ++i) calls += ".b()";
  EXPECT_EQ(javascript(calls).imports.size(), 1u);
}

TEST(BashCommands, commands_are_found_and_own_functions_are_not) {
  const auto report =
      report_of(Language::bash, "f() { ls -l; }\nf\nsudo -n rm -rf x | grep y\nA=1 env B=2 python3 z\n\"$CMD\"\n");
  EXPECT_EQ(names(report.uses), "env grep ls python3 rm sudo");
  EXPECT_TRUE(report.dynamic_unknown);
}

}  // namespace
}  // namespace hotcell::validate
