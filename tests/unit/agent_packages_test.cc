// Installed packages: where each interpreter, its children and its entry points find them.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEntry = "/opt/packages/0a1b/content";

class AgentPackages : public AgentTest {
 protected:
  CellOptions options() override {
    std::string name = (fs::temp_directory_path() / "hotcell-agent-packages-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    fs::permissions(folder_, fs::perms(0755));
    fs::create_directories(folder_ / "0a1b" / "content" / "bin");
    CellOptions out;
    out.env = {"PATH=/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"};
    out.packages = folder_;
    return out;
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  void add(const std::string& path, const std::string& text, unsigned mode = 0644) {
    const auto file = folder_ / "0a1b" / "content" / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    fs::permissions(file, fs::perms(mode));
  }
  static Order with_packages(Order order) {
    const std::string content = kEntry;
    if (order.language == Language::node) {
      order.prepend = {"NODE_PATH=" + content + "/node_modules", "PATH=" + content + "/node_modules/.bin"};
      order.links = {"/workspace/node_modules=" + content + "/node_modules"};
    } else {
      order.prepend = {"PYTHONPATH=" + content, "PATH=" + content + "/bin"};
    }
    return order;
  }

 private:
  fs::path folder_;
};

TEST_F(AgentPackages, python_finds_them_whether_it_waited_or_not_and_so_do_its_children_and_commands) {
  add("pk/__init__.py", "from importlib.resources import files\ndata = (files('pk') / 'data.txt').read_text()\n");
  add("pk/data.txt", "as data");
  add("pk-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: pk\nVersion: 1.0\n");
  add("bin/pk-tool", "#!/usr/bin/python3\nimport pk\nprint('tool', pk.data)\n", 0755);
  const char* program =
      "import pk, subprocess, sys, importlib.metadata\n"
      "print(pk.data, importlib.metadata.version('pk'), pk.__file__)\n"
      "print(subprocess.run([sys.executable, '-c', 'import pk; print(pk.data)'], capture_output=True, text=True))\n"
      "print(subprocess.run(['pk-tool'], capture_output=True, text=True).stdout, end='')\n";
  for (const bool warm : {true, false}) {
    if (warm) cell().warm(Language::python);
    const auto result = cell().run(with_packages(python()), program);
    EXPECT_EQ(result.report.warm, warm);
    EXPECT_EQ(result.err, "");
    EXPECT_TRUE(result.out.starts_with("as data 1.0 /opt/packages/0a1b/content/pk/__init__.py\n")) << result.out;
    EXPECT_NE(result.out.find("stdout='as data\\n', stderr=''"), std::string::npos) << result.out;
    EXPECT_TRUE(result.out.ends_with("tool as data\n")) << result.out;
  }
}

TEST_F(AgentPackages, python_has_them_behind_its_library_and_reads_their_pth_files) {
  add("json.py", "raise Exception('this is not the library')\n");
  add("more.pth", "below\nimport sys; sys.from_pth = 1\n");
  add("below/deep.py", "x = 1\n");
  for (const bool warm : {true, false}) {
    if (warm) cell().warm(Language::python);
    const auto result = cell().run(with_packages(python()),
                                   "import json, sys, deep\n"
                                   "print(json.dumps([deep.x, sys.from_pth]))\n"
                                   "at = sys.path.index('/opt/packages/0a1b/content')\n"
                                   "print(sys.path[0], at > sys.path.index(json.__file__.rsplit('/', 2)[0]),\n"
                                   "      any(p.endswith('dist-packages') for p in sys.path[:at]))\n");
    EXPECT_EQ(result.out, "[1, 1]\n/workspace True False\n") << result.err;
  }
}

TEST_F(AgentPackages, a_file_of_the_program_s_own_goes_before_a_package) {
  add("pk.py", "who = 'package'\n");
  cell().warm(Language::python);
  const auto result =
      cell().run(with_packages(python()), "import pk; print(pk.who)", {{"/workspace/pk.py", "who = 'program'\n"}});
  EXPECT_EQ(result.out, "program\n");
}

TEST_F(AgentPackages, what_the_order_sets_stays_behind_them) {
  add("pk.py", "");
  auto order = with_packages(python());
  order.env = {"PYTHONPATH=/tmp/own", "PATH=/usr/bin:/bin"};
  const auto result = cell().run(order, "import os; print(os.environ['PYTHONPATH'], os.environ['PATH'])");
  EXPECT_EQ(result.out, "/opt/packages/0a1b/content:/tmp/own /opt/packages/0a1b/content/bin:/usr/bin:/bin\n")
      << result.err;
}

TEST_F(AgentPackages, node_finds_them_by_require_and_by_import_and_so_do_its_children) {
  add("node_modules/pk/package.json", R"({"name": "pk", "version": "1.2.3", "main": "main.js"})");
  add("node_modules/pk/main.js", "module.exports = {who: 'pk', needs: require('inner').who}\n");
  add("node_modules/pk/node_modules/inner/index.js", "exports.who = 'inner'\n");
  add("node_modules/@scope/esm/package.json", R"({"name": "@scope/esm", "type": "module", "exports": "./a.js"})");
  add("node_modules/@scope/esm/a.js", "import pk from 'pk'\nexport default 'esm with ' + pk.who\n");
  add("node_modules/.bin/pk-tool", "#!/usr/bin/env node\nconsole.log('tool', require('pk').who)\n", 0755);
  const char* required =
      "console.log(require('pk').needs, require('pk/package.json').version)\n"
      "import('@scope/esm').then((m) => console.log(m.default))\n"
      "const { execFileSync } = require('child_process')\n"
      "console.log(execFileSync(process.execPath, ['-e', \"console.log(require('pk').who)\"]).toString().trim())\n"
      "console.log(execFileSync('pk-tool').toString().trim())\n";
  const char* imported =
      "import pk from 'pk'\nimport esm from '@scope/esm'\nconsole.log(pk.who, esm)\n"
      "import { Worker } from 'worker_threads'\n"
      "new Worker(\"import('@scope/esm').then((m) => console.log('worker', m.default))\", { eval: true })\n";
  for (const bool warm : {true, false}) {
    if (warm) cell().warm(Language::node);
    auto result = cell().run(with_packages(node()), required);
    EXPECT_EQ(result.report.warm, warm);
    EXPECT_EQ(result.out, "inner 1.2.3\npk\ntool pk\nesm with pk\n") << result.err;
    EXPECT_TRUE(result.files.empty()) << result.files.begin()->first;
    cell().send(FrameType::reset, Reset{2'000'000'000});
    EXPECT_TRUE(cell().expect<Cleaned>(FrameType::cleaned).clean);
    if (warm) cell().warm(Language::node);
    auto order = with_packages(node());
    order.program = "/workspace/main.mjs";
    result = cell().run(order, imported);
    EXPECT_EQ(result.out, "pk esm with pk\nworker esm with pk\n") << result.err;
    EXPECT_TRUE(result.files.empty());
    cell().send(FrameType::reset, Reset{2'000'000'000});
    EXPECT_TRUE(cell().expect<Cleaned>(FrameType::cleaned).clean);
  }
}

TEST_F(AgentPackages, node_modules_that_are_given_are_not_replaced) {
  add("node_modules/pk/index.js", "exports.who = 'package'\n");
  const auto result = cell().run(with_packages(node()), "console.log(require('pk').who, require('own'))",
                                 {{"/workspace/node_modules/own/index.js", "module.exports = 'own'\n"}});
  EXPECT_EQ(result.out, "package own\n") << result.err;
}

TEST_F(AgentPackages, bytecode_beside_the_program_s_modules_is_not_given_back) {
  auto order = python();
  const char* program = "import helper, os\nprint(os.listdir('__pycache__'))\nopen('made.txt', 'w').close()\n";
  const std::vector<Cell::Given> given = {{"/workspace/helper.py", "x = 1\n"}};
  auto result = cell().run(order, program, given);
  EXPECT_NE(result.out.find("helper.cpython"), std::string::npos) << "it was not even made: " << result.out;
  EXPECT_EQ(result.files.size(), 1u);
  EXPECT_TRUE(result.files.contains("made.txt"));
  order.collect = {"__pycache__/*"};
  result = cell().run(order, program, given);
  EXPECT_GE(result.files.size(), 2u) << "who asks for it gets it";
}

}  // namespace
}  // namespace hotcell::agent::testing
