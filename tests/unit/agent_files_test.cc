// Files on their way in and out, with everything in the way that a program could lay there.
#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

using AgentFiles = AgentTest;

std::vector<std::string> names(const Result& result) {
  std::vector<std::string> out;
  for (const auto& [name, file] : result.files) out.push_back(name);
  return out;
}
using Names = std::vector<std::string>;

TEST_F(AgentFiles, come_with_their_content_mode_and_folders) {
  std::string large;
  for (int n = 0; n < 40000; ++n) large += std::to_string(n);
  const auto result = cell().run(bash(),
                                 "stat -c '%a %s %n' a.txt deep/er/b.bin empty run.sh; stat -c '%a %F' folder\n"
                                 "cksum < deep/er/b.bin; ./run.sh; cat /tmp/t",
                                 {{"/workspace/a.txt", "text"},
                                  {"/workspace/deep/er/b.bin", large, 0600},
                                  {"/workspace/empty", ""},
                                  {"/workspace/run.sh", "#!/bin/sh\necho ran\n", 0755},
                                  {"/workspace/folder", "", 0750, true},
                                  {"/tmp/t", "in tmp"}});
  EXPECT_EQ(result.report.exit_code, 0) << result.err;
  EXPECT_TRUE(result.out.starts_with("644 4 a.txt\n600 " + std::to_string(large.size()) +
                                     " deep/er/b.bin\n644 0 empty\n755 19 run.sh\n750 directory\n"))
      << result.out;
  EXPECT_TRUE(result.out.ends_with("ran\nin tmp")) << result.out;
  EXPECT_EQ(names(result), Names()) << "nothing was changed";
}

TEST_F(AgentFiles, that_cannot_be_written_are_a_refusal_with_the_reason) {
  auto refused = [&](const Cell::Given& file) { return cell().run(bash(), "echo ran", {file}).report; };
  EXPECT_EQ(refused({"/etc/x", "1"}).reason, "cannot write /etc/x: Permission denied");
  EXPECT_EQ(refused({"/proc/1/x", "1"}).fate, Fate::refused);
  EXPECT_EQ(refused({"/workspace/large", std::string(40u << 20, 'x')}).reason,
            "cannot write /workspace/large: No space left on device");
  EXPECT_EQ(cell().run(bash(), "rm large; echo fine").out, "fine\n");
}

TEST_F(AgentFiles, do_not_follow_links_that_an_earlier_program_has_laid) {
  cell().run(bash(), "ln -s /tmp out; ln -s /tmp/target file; mkfifo pipe; echo secret > /tmp/target; mkdir folder");
  for (const char* path : {"/workspace/out/x", "/workspace/file", "/workspace/pipe", "/workspace/folder"}) {
    const auto report = cell().run(bash(), "echo ran", {{path, "changed"}}).report;
    EXPECT_EQ(report.fate, Fate::refused) << path;
  }
  EXPECT_EQ(cell().run(bash(), "cat /tmp/target; ls /tmp").out, "secret\ntarget\n");
}

TEST_F(AgentFiles, that_a_program_made_changed_or_removed_come_back) {
  cell().warm(Language::python);
  const auto result = cell().run(python(),
                                 "import os\n"
                                 "os.makedirs('a/b'); open('a/b/new.txt', 'w').write('new')\n"
                                 "open('given.txt', 'r+').write('XX')\n"  // same size, at once
                                 "os.remove('gone.txt'); os.rename('moved.txt', 'there.txt')\n"
                                 "open('same.txt').read(); os.chmod('a/b/new.txt', 0o751)\n"
                                 "open('/tmp/not-here', 'w').write('x')\n",
                                 {{"/workspace/given.txt", "same"},
                                  {"/workspace/gone.txt", "1"},
                                  {"/workspace/moved.txt", "2"},
                                  {"/workspace/same.txt", "3"}});
  EXPECT_EQ(names(result), (Names{"a/b/new.txt", "given.txt", "gone.txt", "moved.txt", "there.txt"})) << result.err;
  EXPECT_EQ(result.files.at("a/b/new.txt").about.change, Change::created);
  EXPECT_EQ(result.files.at("a/b/new.txt").about.mode, 0751u);
  EXPECT_EQ(result.files.at("a/b/new.txt").content, "new");
  EXPECT_EQ(result.files.at("given.txt").about.change, Change::modified);
  EXPECT_EQ(result.files.at("given.txt").content, "XXme");
  EXPECT_EQ(result.files.at("gone.txt").about.change, Change::deleted);
  EXPECT_EQ(result.files.at("moved.txt").about.change, Change::deleted);
  EXPECT_EQ(result.files.at("there.txt").content, "2");
  EXPECT_FALSE(result.report.files_incomplete);
}

TEST_F(AgentFiles, a_change_just_after_the_writing_is_seen_every_time) {
  for (int turn = 0; turn < 20; ++turn) {
    const auto result =
        cell().run(command({"dd", "if=/dev/zero", "of=data", "bs=1", "count=1", "conv=notrunc", "status=none"}), "",
                   {{"/workspace/data", "x"}});
    EXPECT_EQ(names(result), Names{"data"}) << "turn " << turn;
  }
}

TEST_F(AgentFiles, the_program_itself_comes_back_only_when_it_was_changed) {
  EXPECT_EQ(names(cell().run(bash(), ":")), Names());
  EXPECT_EQ(names(cell().run(bash(), "echo >> main.sh")), Names{"main.sh"});
}

TEST_F(AgentFiles, globs_choose_what_else_comes_back) {
  auto order = bash();
  order.collect_changed = false;
  order.collect = {"*.txt", "deep/**"};
  const auto result = cell().run(order, "echo 1 > a.txt; mkdir -p deep/er; echo 2 > deep/er/x; echo 3 > other",
                                 {{"/workspace/given.txt", "g"}});
  EXPECT_EQ(names(result), (Names{"a.txt", "deep/er/x", "given.txt"}));
  EXPECT_EQ(result.files.at("given.txt").about.change, Change::unchanged);
  EXPECT_EQ(result.files.at("given.txt").content, "g");
}

TEST_F(AgentFiles, nothing_but_regular_files_comes_back) {
  const auto result = cell().run(python(),
                                 "import os, socket\n"
                                 "os.symlink('/etc/passwd', 'link'); os.symlink('nowhere', 'broken')\n"
                                 "os.symlink('/proc/1/environ', 'agent'); os.symlink('.', 'loop')\n"
                                 "os.mkfifo('fifo'); s = socket.socket(socket.AF_UNIX); s.bind('sock')\n"
                                 "os.mkdir('folder'); open('file', 'w').write('x'); os.link('file', 'hard')\n");
  EXPECT_EQ(names(result), (Names{"file", "hard"})) << result.err;
  EXPECT_EQ(result.files.at("hard").content, "x");
}

TEST_F(AgentFiles, names_are_bytes) {
  const auto result =
      cell().run(python(),
                 "import os\n"
                 "for name in b'\\xff\\xfe', b'new\\nline', b' ', b'-rf', b'...', b'*', b'\"', b'a' * 255:\n"
                 "    open(name, 'w').write('x')\n");
  EXPECT_EQ(names(result), (Names{" ", "\"", "*", "-rf", "...", std::string(255, 'a'), "new\nline", "\xff\xfe"}))
      << result.err;
}

TEST_F(AgentFiles, sparse_and_large_ones_cost_only_their_names) {
  auto order = python();
  order.inline_bytes = 1000;
  order.files_bytes = 2500;
  const auto result = cell().run(order,
                                 "import os\n"
                                 "os.truncate(os.open('sparse', os.O_CREAT | os.O_RDWR), 1 << 40)\n"
                                 "for n in range(4): open(f'part{n}', 'w').write('x' * 1000)\n"
                                 "open('over', 'w').write('x' * 1001)\n"
                                 "os.chmod(os.open('locked', os.O_CREAT), 0)\n");
  EXPECT_EQ(result.files.size(), 7u) << result.err;
  EXPECT_TRUE(result.files.at("sparse").about.left_out);
  EXPECT_EQ(result.files.at("sparse").about.size, 1ull << 40);
  EXPECT_TRUE(result.files.at("over").about.left_out);
  EXPECT_FALSE(result.files.at("part0").about.left_out);
  EXPECT_FALSE(result.files.at("part1").about.left_out);
  EXPECT_TRUE(result.files.at("part2").about.left_out) << "files_bytes is used up";
  EXPECT_TRUE(result.files.at("locked").about.left_out) << "not readable";
}

TEST_F(AgentFiles, large_content_comes_whole) {
  auto order = python();
  order.inline_bytes = 20u << 20;
  const auto result = cell().run(order, "open('big', 'wb').write(b'0123456789' * 1000000)");
  const auto& big = result.files.at("big").content;
  EXPECT_EQ(big.size(), 10'000'000u);
  EXPECT_EQ(big.substr(9'999'990), "0123456789");
}

TEST_F(AgentFiles, more_than_max_files_are_cut_and_said_so) {
  auto order = bash();
  order.max_files = 3;
  const auto result = cell().run(order, "touch f1 f2 f3 f4 f5");
  EXPECT_EQ(names(result), (Names{"f1", "f2", "f3"}));
  EXPECT_TRUE(result.report.files_incomplete);
}

TEST_F(AgentFiles, a_hundred_thousand_files_and_folders_without_end_hold_nobody_up) {
  auto order = python();
  order.timeout_ns = 60'000 * kMillisecond;
  const auto result = cell().run(order,
                                 "import os\n"
                                 "os.mkdir('many'); os.chdir('many')\n"
                                 "for n in range(100000): os.close(os.open(str(n), os.O_CREAT))\n"
                                 "os.chdir('..')\n"
                                 "for n in range(3000): os.mkdir('d'); os.chdir('d')\n"
                                 "open('bottom', 'w')\n");
  EXPECT_EQ(result.report.exit_code, 0) << result.err;
  EXPECT_EQ(result.files.size(), 64u);
  EXPECT_TRUE(result.report.files_incomplete);
}

TEST_F(AgentFiles, a_folder_that_nobody_may_enter_is_said_to_be_missing) {
  const auto result = cell().run(bash(), "mkdir shut; echo 1 > shut/x; chmod 0 shut; echo 2 > open");
  EXPECT_EQ(names(result), Names{"open"});
  EXPECT_TRUE(result.report.files_incomplete);
}

TEST_F(AgentFiles, a_full_disk_is_noticed) {
  const auto result = cell().run(bash(), "head -c 100000000 /dev/zero > full; exit 1");
  EXPECT_TRUE(result.report.disk_full);
  EXPECT_EQ(result.report.exit_code, 1);
  cell().run(bash(), "rm full");
  EXPECT_FALSE(cell().run(bash(), ":").report.disk_full);
  // Freed again before the end: the exception still tells.
  const auto caught = cell().run(python(), "open('full', 'wb').write(b'x' * 100_000_000)");
  EXPECT_TRUE(caught.report.disk_full);
}

TEST_F(AgentFiles, a_node_module_keeps_its_name) {
  const auto result =
      cell().run(node(), "import { readdirSync } from 'node:fs';\nexport const x = 1;\nconsole.log(await x);\n");
  EXPECT_EQ(result.out, "1\n") << result.err;
  EXPECT_EQ(names(result), Names());
}

}  // namespace
}  // namespace hotcell::agent::testing
