#include <gtest/gtest.h>

#include "docker/module_syntax.h"

namespace hotcell::docker {
namespace {

TEST(ModuleSyntax, imports_and_exports_at_the_beginning_of_a_statement_make_a_module) {
  for (const char* code : {
           "import fs from 'fs'",
           "import 'fs'",
           "import{readFile}from'fs'",
           "import * as fs from \"fs\"",
           "const a = 1\nimport fs from 'fs'",
           "'use strict'; import fs from 'fs'",
           "#!/usr/bin/env node\nimport fs from 'fs'",
           "/* about */ import fs from 'fs'",
           "export const a = 1",
           "export default function () {}",
           "export { a }",
           "export * from './a.mjs'",
           "function f() {}\nexport { f }",
           "const re = /[/'\"]/; export const b = 2",
           "const t = `a ${`b ${1}`} c`\nexport { t }",
           "console.log(import.meta.url)",
       })
    EXPECT_TRUE(is_es_module(code)) << code;
}

TEST(ModuleSyntax, await_outside_of_all_functions_makes_a_module) {
  for (const char* code : {
           "await f()",
           "const a = await f()",
           "console.log(await f())",
           "for (const x of xs) { await f(x) }",
           "for await (const x of xs) {}",
           "try { await f() } catch (e) { console.log(e) }",
           "if (a) { await f() } else { g() }",
           "const a = { b: await f() }",
           "const f = async () => 1\nawait f()",
           "class A { b() { return 1 } }\nawait new A().b()",
           "console.log(`x ${await f()}`)",
       })
    EXPECT_TRUE(is_es_module(code)) << code;
}

TEST(ModuleSyntax, everything_else_is_common_js) {
  for (const char* code : {
           "",
           "console.log(1)",
           "const fs = require('fs')",
           "import('fs').then(console.log)",
           "const m = import('fs')",
           "a.import = 1; a.export = 2; a.await = 3",
           "// import fs from 'fs'",
           "/* import fs from 'fs'\nexport {} */",
           "const s = \"\\\"\\nimport fs from 'fs'\"",
           "const s = `\nimport fs from 'fs'\n`",
           "const s = `${1}\nexport const a = 1`",
           "const re = /\\nimport x/; re.test('')",
           "async function f() { await g() }",
           "(async () => { await g() })()",
           "xs.map(async (x) => await g(x))",
           "const f = async x => await g(x)",
           "class A { async b() { await c() } }",
           "const o = { async f() { await g() } }",
           "const o = { import: 1, export: 2 }",
           "x = 4 / 2 / 1 // import",
           "const imports = 1; exports.a = imports; module.exports = { exports }",
           "a\n  .then(export_all)",
       })
    EXPECT_FALSE(is_es_module(code)) << code;
}

TEST(ModuleSyntax, unfinished_programs_do_not_lead_past_the_end) {
  const std::string_view code =
      "const a = `x ${'y'} \\` z` + /[a/b]/g + \"c\\\\\" // import\n/* b */ import d from 'd'";
  for (std::size_t size = 0; size <= code.size(); ++size) (void)is_es_module(code.substr(0, size));
}

}  // namespace
}  // namespace hotcell::docker
