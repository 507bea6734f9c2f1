// Programs of each language, how they end, and what they are given.
#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

using AgentRuns = AgentTest;

TEST_F(AgentRuns, a_python_program_in_a_warm_interpreter) {
  const auto warmed = cell().warm(Language::python);
  EXPECT_TRUE(warmed.ready) << warmed.problem;
  EXPECT_EQ(warmed.interpreter, "/usr/bin/python3");
  EXPECT_TRUE(warmed.version.starts_with("3.")) << warmed.version;
  const auto result = cell().run(python(), "print(2+2)");
  EXPECT_EQ(result.out, "4\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.report.fate, Fate::ended);
  EXPECT_EQ(result.report.exit_code, 0);
  EXPECT_FALSE(result.report.signal);
  EXPECT_FALSE(result.report.uncaught);
  EXPECT_TRUE(result.report.warm);
  EXPECT_EQ(result.report.left_behind, 0u);
  EXPECT_TRUE(result.files.empty());
}

TEST_F(AgentRuns, a_node_program_in_a_warm_interpreter) {
  const auto warmed = cell().warm(Language::node);
  EXPECT_TRUE(warmed.ready) << warmed.problem;
  const auto result = cell().run(node(), "console.log(2+2)");
  EXPECT_EQ(result.out, "4\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.report.exit_code, 0);
  EXPECT_TRUE(result.report.warm);
  EXPECT_TRUE(result.files.empty());
}

TEST_F(AgentRuns, a_bash_program) {
  EXPECT_TRUE(cell().warm(Language::bash).ready);
  auto order = bash();
  order.args = {"two words", "x"};
  const auto result = cell().run(order, "echo \"$1\" $2 $# $0");
  EXPECT_EQ(result.out, "two words x 2 /workspace/main.sh\n");
  EXPECT_EQ(result.report.exit_code, 0);
}

TEST_F(AgentRuns, any_program_of_the_image_by_its_name) {
  const auto result = cell().run(command({"seq", "3"}), "");
  EXPECT_EQ(result.out, "1\n2\n3\n");
  EXPECT_EQ(result.report.exit_code, 0);
}

TEST_F(AgentRuns, a_script_by_its_path_and_first_line) {
  auto order = command({"./tool", "a"});
  const auto result = cell().run(order, "", {{"/workspace/tool", "#!/bin/bash\necho tool $1\n", 0755}});
  EXPECT_EQ(result.out, "tool a\n");
}

TEST_F(AgentRuns, a_program_that_is_not_there_exits_as_a_shell_says) {
  const auto missing = cell().run(command({"no-such-program"}), "");
  EXPECT_EQ(missing.report.fate, Fate::ended);
  EXPECT_EQ(missing.report.exit_code, 127);
  EXPECT_EQ(missing.err, "no-such-program: not found\n");
  const auto not_allowed = cell().run(command({"/etc/passwd"}), "");
  EXPECT_EQ(not_allowed.report.exit_code, 126);
  EXPECT_EQ(not_allowed.err, "/etc/passwd: permission denied\n");
}

TEST_F(AgentRuns, one_program_after_the_other_in_one_cell) {
  EXPECT_EQ(cell().run(bash(), "echo one").out, "one\n");
  EXPECT_EQ(cell().run(python(), "print('two')").out, "two\n");
  EXPECT_EQ(cell().run(node(), "console.log('three')").out, "three\n");
}

TEST_F(AgentRuns, python_and_node_without_warming_too) {
  const auto first = cell().run(python(), "import sys; print(sys.argv, __name__)");
  EXPECT_EQ(first.out, "['/workspace/main.py'] __main__\n");
  EXPECT_FALSE(first.report.warm);
  const auto second = cell().run(node(), "console.log(process.argv.slice(2), require.main === module)");
  EXPECT_EQ(second.out, "[] true\n");
  EXPECT_FALSE(second.report.warm);
}

TEST_F(AgentRuns, an_order_that_comes_while_the_interpreter_is_getting_warm) {
  cell().send(FrameType::warm, Warm{Language::python, {}});
  cell().start(python(), "print('soon')");
  const auto warmed = cell().expect<Warmed>(FrameType::warmed);
  const auto result = cell().finish();
  EXPECT_EQ(result.out, "soon\n");
  EXPECT_EQ(result.report.exit_code, 0);
}

TEST_F(AgentRuns, exit_codes_exactly) {
  for (const int code : {0, 1, 2, 42, 127, 255}) {
    const auto text = std::to_string(code);
    EXPECT_EQ(cell().run(bash(), "exit " + text).report.exit_code, code);
    EXPECT_EQ(cell().run(python(), "import sys; sys.exit(" + text + ")").report.exit_code, code);
    EXPECT_EQ(cell().run(node(), "process.exitCode = " + text).report.exit_code, code);
  }
  EXPECT_EQ(cell().run(python(), "import os; os._exit(7)").report.exit_code, 7);
  EXPECT_EQ(cell().run(python(), "raise SystemExit('words')").report.exit_code, 1);
  EXPECT_EQ(cell().run(node(), "process.on('exit', () => { process.exitCode = 9 })").report.exit_code, 9);
  EXPECT_EQ(cell().run(node(), "process.exit(3)").report.exit_code, 3);
}

TEST_F(AgentRuns, signals_exactly) {
  for (const int signal : {6, 9, 11, 15}) {
    const auto report = cell().run(bash(), "kill -" + std::to_string(signal) + " $$").report;
    EXPECT_EQ(report.signal, signal);
    EXPECT_FALSE(report.exit_code);
    EXPECT_EQ(report.fate, Fate::ended);
  }
  EXPECT_EQ(cell().run(python(), "import os; os.abort()").report.signal, 6);
  EXPECT_EQ(cell().run(python(), "import ctypes; ctypes.string_at(0)").report.signal, 11);
  EXPECT_EQ(cell().run(node(), "process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 9999)").report.signal, 15);
}

TEST_F(AgentRuns, arguments_and_environment_reach_a_warm_interpreter) {
  cell().warm(Language::python);
  auto order = python();
  order.args = {"one", "", "drei ü", "-c"};
  order.env = {"NAME=value=1", "EMPTY=", "TZ=Asia/Tokyo", "PYTHONPATH=/tmp/more"};
  const auto result = cell().run(order,
                                 "import sys, os, time\n"
                                 "print(sys.argv[1:], os.environ['NAME'], repr(os.environ['EMPTY']), time.tzname[0])\n"
                                 "print(os.environ['PYTHONPATH'], sys.path[:2], os.environ['HOME'])\n"
                                 "import extra",
                                 {{"/tmp/more/extra.py", "print('from', __file__)"}});
  EXPECT_TRUE(result.report.warm);
  EXPECT_EQ(result.out,
            "['one', '', 'drei ü', '-c'] value=1 '' JST\n"
            "/tmp/more ['/workspace', '/tmp/more'] /workspace\n"
            "from /tmp/more/extra.py\n")
      << result.err;

  cell().warm(Language::node);
  auto second = node();
  second.args = {"one", "", "drei ü"};
  second.env = {"NAME=value=1", "TZ=Asia/Tokyo"};
  const auto shown = cell().run(second, "console.log(process.argv.slice(1), process.env.NAME, new Date(0).getHours())");
  EXPECT_TRUE(shown.report.warm);
  EXPECT_EQ(shown.out, "[ '/workspace/main.js', 'one', '', 'drei ü' ] value=1 9\n");
}

TEST_F(AgentRuns, another_home_and_a_module_s_name_need_no_new_interpreter) {
  const auto version = cell().warm(Language::python).version;
  const auto packages = "/tmp/home/.local/lib/python" + version.substr(0, version.rfind('.')) + "/site-packages";
  auto order = python();
  order.env = {"HOME=/tmp/home"};
  const auto result =
      cell().run(order, "import site, extra; print(site.USER_SITE)", {{packages + "/extra.py", "print('mine')"}});
  EXPECT_TRUE(result.report.warm);
  EXPECT_EQ(result.out, "mine\n" + packages + "\n") << result.err;

  cell().warm(Language::node);
  auto module = node();
  module.program = "/workspace/main.mjs";
  const auto shown = cell().run(module, "import os from 'os';\nconsole.log(import.meta.url, await 1)");
  EXPECT_TRUE(shown.report.warm);
  EXPECT_EQ(shown.out, "file:///workspace/main.mjs 1\n") << shown.err;
}

TEST_F(AgentRuns, what_counts_only_at_start_gets_an_interpreter_of_its_own) {
  cell().warm(Language::python);
  auto order = python();
  order.env = {"PYTHONHASHSEED=0", "PYTHONOPTIMIZE=1"};
  const auto result =
      cell().run(order, "import sys; print(hash('x'), sys.flags.optimize, sys.flags.hash_randomization)");
  EXPECT_FALSE(result.report.warm);
  EXPECT_EQ(result.out, cell().run(order, "import sys; print(hash('x'), 1, 0)").out);
}

TEST_F(AgentRuns, an_empty_environment_when_asked_for) {
  auto order = bash();
  order.clear_env = true;
  order.env = {"ONLY=1"};
  const auto result = cell().run(order, "/usr/bin/env | grep -v -e ^PWD -e ^SHLVL -e ^_ -e ^OLDPWD");
  EXPECT_EQ(result.out, "ONLY=1\n");
}

TEST_F(AgentRuns, in_the_directory_that_was_asked_for) {
  for (auto order : {python(), bash()}) {
    order.cwd = "/tmp";
    const auto result = cell().run(order, order.language == Language::python ? "import os; print(os.getcwd())" : "pwd");
    EXPECT_EQ(result.out, "/tmp\n");
  }
  auto nowhere = python();
  nowhere.cwd = "/no/such/place";
  const auto report = cell().run(nowhere, "print(1)").report;
  EXPECT_EQ(report.fate, Fate::refused);
  EXPECT_EQ(report.reason, "cannot enter /no/such/place: No such file or directory");
  EXPECT_FALSE(report.exit_code);
}

TEST_F(AgentRuns, every_run_has_other_random_numbers_and_hashes) {
  std::string seen[2];
  for (auto& one : seen) {
    cell().warm(Language::python);
    one = cell().run(python(), "import random; print(random.random(), hash('x'))").out;
  }
  EXPECT_NE(seen[0], seen[1]);
}

class AgentWithoutPython : public AgentTest {
 protected:
  CellOptions options() override {
    CellOptions out;
    out.env = {"PATH=/nowhere"};
    return out;
  }
};

TEST_F(AgentWithoutPython, says_what_the_image_lacks) {
  const auto warmed = cell().warm(Language::python);
  EXPECT_FALSE(warmed.ready);
  EXPECT_EQ(warmed.problem, "the image has no python3 in its PATH");
  const auto report = cell().run(node(), "1").report;
  EXPECT_EQ(report.fate, Fate::refused);
  EXPECT_EQ(report.reason, "the image has no node in its PATH");
  EXPECT_TRUE(cell().warm(Language::bash).ready) << "bash is looked for in /bin too";
}

}  // namespace
}  // namespace hotcell::agent::testing
