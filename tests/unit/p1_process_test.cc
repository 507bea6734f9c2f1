#include <set>

#include "p1_guest.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
struct P1Process : GuestTest {};

TEST_F(P1Process, the_table_has_all_46_functions_with_the_signatures_of_the_specification) {
  const std::map<std::string_view, std::string_view> expected = {
      {"args_get", "ii"},
      {"args_sizes_get", "ii"},
      {"clock_res_get", "ii"},
      {"clock_time_get", "iIi"},
      {"environ_get", "ii"},
      {"environ_sizes_get", "ii"},
      {"fd_advise", "iIIi"},
      {"fd_allocate", "iII"},
      {"fd_close", "i"},
      {"fd_datasync", "i"},
      {"fd_fdstat_get", "ii"},
      {"fd_fdstat_set_flags", "ii"},
      {"fd_fdstat_set_rights", "iII"},
      {"fd_filestat_get", "ii"},
      {"fd_filestat_set_size", "iI"},
      {"fd_filestat_set_times", "iIIi"},
      {"fd_pread", "iiiIi"},
      {"fd_prestat_dir_name", "iii"},
      {"fd_prestat_get", "ii"},
      {"fd_pwrite", "iiiIi"},
      {"fd_read", "iiii"},
      {"fd_readdir", "iiiIi"},
      {"fd_renumber", "ii"},
      {"fd_seek", "iIii"},
      {"fd_sync", "i"},
      {"fd_tell", "ii"},
      {"fd_write", "iiii"},
      {"path_create_directory", "iii"},
      {"path_filestat_get", "iiiii"},
      {"path_filestat_set_times", "iiiiIIi"},
      {"path_link", "iiiiiii"},
      {"path_open", "iiiiiIIii"},
      {"path_readlink", "iiiiii"},
      {"path_remove_directory", "iii"},
      {"path_rename", "iiiiii"},
      {"path_symlink", "iiiii"},
      {"path_unlink_file", "iii"},
      {"poll_oneoff", "iiii"},
      {"proc_exit", "i"},
      {"proc_raise", "i"},
      {"random_get", "ii"},
      {"sched_yield", ""},
      {"sock_accept", "iii"},
      {"sock_recv", "iiiiii"},
      {"sock_send", "iiiii"},
      {"sock_shutdown", "ii"},
  };
  EXPECT_EQ(functions().size(), 46u);
  for (const Function& f : functions()) {
    ASSERT_TRUE(expected.contains(f.name)) << f.name;
    EXPECT_EQ(f.params, expected.at(f.name)) << f.name;
    EXPECT_EQ(f.has_result, f.name != "proc_exit") << f.name;
  }
}

TEST_F(P1Process, arguments_and_environment_arrive) {
  const std::vector<std::string> args = {"prog", "", "two words"};
  const std::vector<std::string> env = {"A=1", "B="};
  config.args = args;
  config.env = env;
  restart();
  ASSERT_EQ(call("args_sizes_get", {kOut, kOut + 4}), Errno::kSuccess);
  EXPECT_EQ(out32(), 3u);
  EXPECT_EQ(load<std::uint32_t>(kOut + 4), 5u + 1 + 10);
  ASSERT_EQ(call("args_get", {100, 200}), Errno::kSuccess);
  EXPECT_EQ(load<std::uint32_t>(100), 200u);
  EXPECT_EQ(load<std::uint32_t>(104), 205u);
  EXPECT_EQ(load<std::uint32_t>(108), 206u);
  EXPECT_EQ(string_at(200, 16), std::string("prog\0\0two words\0", 16));
  ASSERT_EQ(call("environ_sizes_get", {kOut, kOut + 4}), Errno::kSuccess);
  EXPECT_EQ(out32(), 2u);
  ASSERT_EQ(call("environ_get", {100, 200}), Errno::kSuccess);
  EXPECT_EQ(string_at(200, 7), std::string("A=1\0B=\0", 7));
  // They may end exactly where the memory ends, and not one byte later.
  EXPECT_EQ(call("args_get", {kSize - 12, kSize - 28}), Errno::kSuccess);
  EXPECT_EQ(call("args_get", {kSize - 11, 200}), Errno::kFault);
  EXPECT_EQ(call("args_get", {100, kSize - 15}), Errno::kFault);
  EXPECT_EQ(call("args_get", {100, 0xffffffff}), Errno::kFault);
}

TEST_F(P1Process, arguments_may_end_at_the_last_byte_of_a_4_gib_memory) {
  // A view whose end is 2^32: what follows must be a fault, not address 0.
  const std::vector<std::string> args = {"abc", "d"};
  config.args = args;
  restart();
  const std::uint64_t whole = std::uint64_t{1} << 32;
  // Only its last page is real.
  memory = {bytes.data() - (whole - kSize), whole};
  EXPECT_EQ(call("args_get", {0xffffff00, 0xfffffffc}), Errno::kFault);
  EXPECT_EQ(call("args_get", {0xffffff00, 0xfffffffa}), Errno::kSuccess);
  EXPECT_EQ(call("args_get", {0xfffffffc, 0xffffff00}), Errno::kFault);
}

TEST_F(P1Process, exit_and_raise_stop_the_run) {
  CallResult result = result_of("proc_exit", {7});
  EXPECT_TRUE(result.stop);
  EXPECT_EQ(host.stop(), Stop::kExit);
  EXPECT_EQ(host.code(), 7u);
  restart();
  EXPECT_EQ(host.stop(), Stop::kNone);
  EXPECT_FALSE(result_of("proc_raise", {0}).stop);
  EXPECT_EQ(call("proc_raise", {31}), Errno::kInval);
  result = result_of("proc_raise", {9});
  EXPECT_TRUE(result.stop);
  EXPECT_EQ(host.stop(), Stop::kSignal);
  EXPECT_EQ(host.code(), 9u);
}

TEST_F(P1Process, seeded_randomness_repeats_and_other_seeds_differ) {
  const auto draw = [&](std::optional<std::uint64_t> seed, std::uint32_t size = 100) {
    config.seed = seed;
    restart();
    EXPECT_EQ(call("random_get", {1000, size}), Errno::kSuccess);
    return string_at(1000, size);
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
  EXPECT_NE(draw(0), std::string(100, '\0'));
  EXPECT_NE(draw(std::nullopt), draw(std::nullopt));
  EXPECT_EQ(call("random_get", {kSize - 10, 11}), Errno::kFault);
  EXPECT_EQ(call("random_get", {kSize, 0}), Errno::kSuccess);
}

TEST_F(P1Process, randomness_can_be_forbidden) {
  config.allow_random = false;
  restart();
  EXPECT_EQ(call("random_get", {1000, 8}), Errno::kPerm);
  EXPECT_EQ(load<std::uint64_t>(1000), 0u);
}

TEST_F(P1Process, a_huge_amount_of_randomness_is_refused) {
  std::vector<std::byte> large(40u << 20);
  memory = {large.data(), large.size()};
  EXPECT_EQ(call("random_get", {0, 40u << 20}), Errno::kInval);
  EXPECT_EQ(call("random_get", {0, 1u << 20}), Errno::kSuccess);
}

TEST_F(P1Process, there_are_no_sockets) {
  EXPECT_EQ(call("sock_accept", {99, 0, kOut}), Errno::kBadf);
  EXPECT_EQ(call("sock_accept", {kRoot, 0, kOut}), Errno::kNotsock);
  EXPECT_EQ(call("sock_recv", {0, 0, 0, 0, kOut, kOut}), Errno::kNotsock);
  EXPECT_EQ(call("sock_send", {1, 0, 0, 0, kOut}), Errno::kNotsock);
  EXPECT_EQ(call("sock_shutdown", {1, 3}), Errno::kNotsock);
  EXPECT_EQ(host.socket_calls(), 5u);
  EXPECT_EQ(call("sched_yield", {}), Errno::kSuccess);
}

TEST_F(P1Process, nothing_of_a_run_reaches_the_next) {
  ASSERT_EQ(open("tmp/f", abi::oflags::kCreat), Errno::kSuccess);
  (void)call("fd_close", {0});
  (void)call("fd_close", {kRoot});
  (void)call("proc_exit", {3});
  vfs.reset({}, 0);
  restart();
  EXPECT_EQ(read(0), "");
  EXPECT_EQ(open("tmp/f"), Errno::kNoent);
  EXPECT_EQ(opened("tmp", abi::oflags::kDirectory, 0), 4u);
  EXPECT_EQ(host.stop(), Stop::kNone);
}

TEST_F(P1Process, a_preopened_path_must_be_a_directory) {
  const Preopen wrong[] = {{.name = "/x", .path = "/x"}};
  config.preopens = wrong;
  EXPECT_FALSE(host.start(config));
}

TEST_F(P1Process, works_without_files_and_without_memory) {
  config.fs = nullptr;
  config.output = nullptr;
  restart();
  EXPECT_EQ(call("fd_prestat_get", {kRoot, kOut}), Errno::kBadf);
  EXPECT_EQ(write(1, "dropped"), Errno::kSuccess);
  memory = {};
  for (const Function& f : functions()) {
    const std::uint64_t zeros[10] = {};
    const CallResult result = f.call(host, memory, zeros);
    if (f.name == "clock_time_get" || f.name == "fd_read" || f.name == "poll_oneoff") {
      EXPECT_NE(result.error, Errno::kSuccess) << f.name;
    }
  }
}

}  // namespace
}  // namespace hotcell::wasi
