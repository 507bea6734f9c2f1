#include "exec/quick_look.h"

#include <gtest/gtest.h>

#include "deps/standard_library.h"
#include "exec/route.h"
#include "validate/syntax.h"

namespace hotcell::exec {
namespace {

using protocol::Language;
using protocol::Request;

Request running(std::string code) {
  Request request;
  request.code = std::move(code);
  return request;
}

protocol::InputFile file(std::string path, std::string content) {
  protocol::InputFile made;
  made.path = std::move(path);
  made.content = std::move(content);
  return made;
}

bool is_plain(std::string code) { return quick_look(running(std::move(code))).has_value(); }

// What the parse finds in the way of a WASI cell.
std::vector<Obstacle> obstacles(const std::string& code) {
  const auto request = running(code);
  const auto syntax = validate::Syntax::parse(Language::python, code);
  const auto needs = deps::find_needs(Language::python, code, validate::find_imports(*syntax), {}, {}, {}, {});
  Engines engines;
  engines.wasi.configured = engines.wasi.up = true;
  engines.wasi_images = {Language::python};
  return choose_engine(request, &*needs, engines).obstacles;
}

TEST(QuickLook, most_programs_are_plain) {
  EXPECT_TRUE(is_plain("print(2+2)"));
  EXPECT_TRUE(is_plain("import json\nfrom collections import Counter, deque\nimport math as m, re\nprint(1)\n"));
  EXPECT_TRUE(is_plain("import os\nprint(os.getcwd(), os.path.join('a', 'b'))\n"));
  EXPECT_TRUE(is_plain("from collections import (  # names\n    Counter,\n)\nimport json  # words\n"));
  EXPECT_TRUE(is_plain("def f():\n    import threading\n    return threading.Lock()\n"));
}

TEST(QuickLook, says_what_is_imported) {
  const auto needs = quick_look(running("import os, json\nimport os.path\n"));
  ASSERT_TRUE(needs);
  ASSERT_EQ(needs->report.imports.size(), 2u);
  EXPECT_EQ(needs->report.imports[1].module, "json");
  EXPECT_TRUE(needs->report.imports[1].standard);
}

TEST(QuickLook, anything_out_of_the_ordinary_is_read) {
  for (const auto* code : {"import numpy\n",
                           "import ssl\n",
                           "import os; import ssl\n",
                           "x = 1; import ssl\n",
                           "if x: import ssl\n",
                           "import os, \\\n  ssl\n",
                           "import \nnumpy\n",
                           "import json,\nnumpy\n",
                           "import json, # x\nnumpy\n",
                           "from os \\\n  import fork\n",
                           "from os import (\n  fork)\n",
                           "__import__('ssl')\n",
                           "import importlib as i\ni.import_module('ssl')\n",
                           "import os\r\nimport ssl\r\n",
                           "\fimport ssl\n",
                           "import\tssl\n",
                           "from os import*\nfork()\n",
                           "from . import ssl\n",
                           "# /// script\n# dependencies = []\n# ///\n",
                           "import threading as t\nt.Thread()\n",
                           "import os\ngetattr(os, 'fork')()\n"})
    EXPECT_FALSE(is_plain(code)) << code;
}

TEST(QuickLook, given_files_that_could_be_modules_are_read) {
  auto request = running("import json\n");
  request.files.push_back(file("data.csv", "1"));
  EXPECT_TRUE(quick_look(request));
  request.files.push_back(file("json.py", "import ssl"));
  EXPECT_FALSE(quick_look(request));
}

TEST(QuickLook, named_packages_and_other_languages_are_not_its_business) {
  auto request = running("print(1)");
  request.dependencies = {protocol::DependencyMode::explicit_list, {"numpy"}};
  EXPECT_FALSE(quick_look(request));
  request = running("1");
  request.language = Language::javascript;
  EXPECT_FALSE(quick_look(request));
}

// The promise: where the parse finds something in the way, in whichever spelling, a quick look does not say "plain".
TEST(QuickLook, never_promises_what_the_parse_would_not) {
  unsigned in_the_way = 0;
  for (const std::string first : {"os", "threading", "socket", "subprocess", "signal", "ssl", "time", "asyncio",
                                  "multiprocessing", "concurrent", "urllib", "pty", "hashlib", "resource"}) {
    std::vector<std::string> names;
    deps::each_wasi_lack(Language::python, first, [&](std::string_view name) { names.emplace_back(name); });
    ASSERT_FALSE(names.empty()) << first;
    for (const auto& name : names) {
      const auto dot = name.rfind('.');
      const auto module = dot == name.npos ? name : name.substr(0, dot);
      const auto member = dot == name.npos ? std::string() : name.substr(dot + 1);
      std::vector<std::string> programs{"import " + module + "\n" + name + "()\n",
                                        "def f():\n\timport " + module + "\n\treturn " + name + "\n"};
      if (!member.empty()) {
        programs.push_back("from " + module + " import " + member + "\n" + member + "()\n");
        programs.push_back("from " + module + " import " + member + " as other\nother()\n");
        programs.push_back("import " + module + " as m\nm." + member + "()\n");
        programs.push_back("import json, " + module + " as m, re\nx = m\nx." + member + "()\nm." + member + "()\n");
      }
      for (const auto& program : programs) {
        if (obstacles(program).empty()) continue;
        ++in_the_way;
        EXPECT_FALSE(is_plain(program)) << program;
      }
    }
  }
  EXPECT_GT(in_the_way, 1000u);
}

}  // namespace
}  // namespace hotcell::exec
