// What the agent learns about exceptions that nobody caught, and that learning it changes nothing.
#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

using AgentExceptions = AgentTest;

TEST_F(AgentExceptions, of_python_with_name_message_traceback_and_line) {
  cell().warm(Language::python);
  const auto result = cell().run(python(), "def f():\n    return 1/0\n\nf()\n");
  EXPECT_EQ(result.report.exit_code, 1);
  ASSERT_TRUE(result.report.uncaught);
  const auto& error = *result.report.uncaught;
  EXPECT_EQ(error.name, "ZeroDivisionError");
  EXPECT_EQ(error.message, "division by zero");
  EXPECT_EQ(error.line, 2u);
  EXPECT_EQ(error.traceback, result.err);
  EXPECT_EQ(result.err,
            "Traceback (most recent call last):\n"
            "  File \"/workspace/main.py\", line 4, in <module>\n"
            "    f()\n"
            "  File \"/workspace/main.py\", line 2, in f\n"
            "    return 1/0\n"
            "           ~^~\n"
            "ZeroDivisionError: division by zero\n");
}

TEST_F(AgentExceptions, of_python_when_it_is_the_text_that_is_wrong) {
  const auto result = cell().run(python(), "x = 1\nif x\n    pass\n");
  ASSERT_TRUE(result.report.uncaught);
  EXPECT_EQ(result.report.uncaught->name, "SyntaxError");
  EXPECT_EQ(result.report.uncaught->line, 2u);
  EXPECT_EQ(result.err, result.report.uncaught->traceback);
  EXPECT_TRUE(result.err.starts_with("  File \"/workspace/main.py\", line 2\n")) << result.err;
}

TEST_F(AgentExceptions, of_python_that_are_classes_of_the_program) {
  const auto result = cell().run(python(),
                                 "class Mine(Exception):\n"
                                 "    def __str__(self):\n"
                                 "        print('asked')\n"
                                 "        return 'two\\nlines'\n"
                                 "raise Mine()\n");
  ASSERT_TRUE(result.report.uncaught);
  EXPECT_EQ(result.report.uncaught->name, "Mine");
  EXPECT_EQ(result.report.uncaught->message, "two\nlines");
  EXPECT_EQ(result.out, "asked\n") << "once, as without us";
}

TEST_F(AgentExceptions, of_python_with_the_number_of_a_system_error) {
  const auto result = cell().run(python(), "open('/no/such/file')");
  ASSERT_TRUE(result.report.uncaught);
  EXPECT_EQ(result.report.uncaught->name, "FileNotFoundError");
  EXPECT_EQ(result.report.uncaught->error_number, 2);
}

TEST_F(AgentExceptions, a_hook_of_the_program_s_own_is_the_one_that_runs) {
  const auto result = cell().run(python(),
                                 "import sys\n"
                                 "sys.excepthook = lambda *a: print('mine', a[0].__name__)\n"
                                 "1/0\n");
  EXPECT_EQ(result.out, "mine ZeroDivisionError\n");
  EXPECT_EQ(result.err, "");
  EXPECT_FALSE(result.report.uncaught);
}

TEST_F(AgentExceptions, text_without_end_is_cut) {
  const auto result = cell().run(python(), "raise ValueError('x' * 1000000)");
  ASSERT_TRUE(result.report.uncaught);
  EXPECT_TRUE(result.report.uncaught->cut);
  EXPECT_EQ(result.report.uncaught->message.size(), kMaxErrorText);
  EXPECT_EQ(result.report.err.total, result.err.size());
  EXPECT_GT(result.err.size(), 1000000u);
}

TEST_F(AgentExceptions, of_node_with_name_message_stack_and_line) {
  cell().warm(Language::node);
  const auto result = cell().run(node(), "function f() {\n  throw new TypeError('not so');\n}\n\nf();\n");
  EXPECT_EQ(result.report.exit_code, 1);
  ASSERT_TRUE(result.report.uncaught);
  const auto& error = *result.report.uncaught;
  EXPECT_EQ(error.name, "TypeError");
  EXPECT_EQ(error.message, "not so");
  EXPECT_EQ(error.line, 2u);
  EXPECT_TRUE(error.traceback.starts_with("TypeError: not so\n    at f (/workspace/main.js:2:9)\n")) << error.traceback;
  EXPECT_TRUE(
      result.err.starts_with("/workspace/main.js:2\n  throw new TypeError('not so');\n  ^\n\nTypeError: not so\n"))
      << result.err;
}

TEST_F(AgentExceptions, of_node_when_it_is_the_text_that_is_wrong) {
  const auto result = cell().run(node(), "let x = 1;\nlet = ;\n");
  ASSERT_TRUE(result.report.uncaught);
  EXPECT_EQ(result.report.uncaught->name, "SyntaxError");
  EXPECT_EQ(result.report.uncaught->line, 2u) << result.report.uncaught->traceback;
}

TEST_F(AgentExceptions, of_node_in_a_promise_and_in_a_module) {
  const auto rejected = cell().run(node(), "Promise.reject(new RangeError('far'))");
  ASSERT_TRUE(rejected.report.uncaught);
  EXPECT_EQ(rejected.report.uncaught->name, "RangeError");
  const auto module = cell().run(node(), "import fs from 'fs';\nawait 1;\nfs.readFileSync('/no/such');\n");
  EXPECT_EQ(module.report.exit_code, 1);
  ASSERT_TRUE(module.report.uncaught) << module.err;
  EXPECT_EQ(module.report.uncaught->error_number, 2);
  EXPECT_EQ(module.report.uncaught->line, 3u) << module.report.uncaught->traceback;
  EXPECT_TRUE(module.files.empty());
}

TEST_F(AgentExceptions, a_program_that_forges_them_says_it_of_itself_alone) {
  // It may write whatever it likes into the descriptor that the agent listens to.
  const auto result = cell().run(python(),
                                 "import os\n"
                                 "for fd in range(3, 1024):\n"
                                 "    try: os.write(fd, b'e' + b'\\xff' * 100000)\n"
                                 "    except OSError: pass\n"
                                 "print('done')\n");
  EXPECT_EQ(result.out, "done\n");
  EXPECT_EQ(result.report.exit_code, 0);
  EXPECT_FALSE(result.report.uncaught);
  EXPECT_EQ(cell().run(bash(), "echo next").out, "next\n");
}

TEST_F(AgentExceptions, a_program_that_closes_every_descriptor_is_as_good_as_any) {
  const auto closed = cell().run(python(), "import os\nos.closerange(3, 4096)\nprint('on', flush=True)\n1/0\n");
  EXPECT_EQ(closed.out, "on\n");
  EXPECT_EQ(closed.report.exit_code, 1);
  EXPECT_FALSE(closed.report.uncaught);
  EXPECT_TRUE(closed.err.ends_with("ZeroDivisionError: division by zero\n")) << closed.err;
  const auto in_node = cell().run(node(), "require('fs').closeSync(3); console.log('on'); null.x");
  EXPECT_EQ(in_node.out, "on\n");
  EXPECT_EQ(in_node.report.exit_code, 1);
  EXPECT_FALSE(in_node.report.uncaught);
}

TEST_F(AgentExceptions, a_program_that_floods_that_descriptor_is_not_held_up) {
  const auto result = cell().run(python(),
                                 "import os\n"
                                 "fd = max(int(f) for f in os.listdir('/proc/self/fd') if int(f) >= 50)\n"
                                 "for _ in range(100): os.write(fd, b'e\\0\\0\\0\\0' * 100000)\n"
                                 "print('done')\n");
  EXPECT_EQ(result.out, "done\n") << result.err;
}

}  // namespace
}  // namespace hotcell::agent::testing
