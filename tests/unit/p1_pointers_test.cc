// Hostile pointers: whatever a guest passes, the host stays inside its memory. The memory is an allocation of its exact
// size, so that the address sanitizer sees the first byte too many.
#include <random>

#include "p1_guest.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
struct P1Pointers : GuestTest {};

TEST(GuestMemory, ranges_are_checked_without_overflow) {
  std::vector<std::byte> bytes(65536);
  const GuestMemory memory{bytes.data(), bytes.size()};
  EXPECT_TRUE(memory.has(0, 65536));
  EXPECT_TRUE(memory.has(65536, 0));
  EXPECT_FALSE(memory.has(65537, 0));
  EXPECT_FALSE(memory.has(65536, 1));
  EXPECT_FALSE(memory.has(1, 65536));
  EXPECT_FALSE(memory.has(0xffffffff, 1));
  EXPECT_FALSE(memory.has(0xffffffff, 0xffffffff));
  EXPECT_FALSE(memory.has(1, UINT64_MAX));
  EXPECT_FALSE(memory.has(0xffffffff, UINT64_MAX));
  const GuestMemory none;
  EXPECT_TRUE(none.has(0, 0));
  EXPECT_FALSE(none.has(0, 1));
}

TEST_F(P1Pointers, buffer_lists_are_checked_to_their_end) {
  EXPECT_EQ(call("fd_write", {1, kSize - 7, 1, kOut}), Errno::kFault);
  EXPECT_EQ(call("fd_write", {1, 0xffffffff, 1, kOut}), Errno::kFault);
  EXPECT_EQ(call("fd_write", {1, 0, 1025, kOut}), Errno::kInval);
  EXPECT_EQ(call("fd_write", {1, 0, 0xffffffff, kOut}), Errno::kInval);
  EXPECT_EQ(call("fd_write", {1, kSize - 8 * 1023, 1024, kOut}), Errno::kFault);
  EXPECT_EQ(call("fd_write", {1, iovec(kSize - 1, 2), 1, kOut}), Errno::kFault);
  EXPECT_EQ(call("fd_write", {1, iovec(0xffffffff, 0xffffffff), 1, kOut}), Errno::kFault);
  EXPECT_EQ(call("fd_write", {1, iovec(16, 0xfffffff0), 1, kOut}), Errno::kFault);
  EXPECT_EQ(call("fd_write", {1, iovec(kSize - 4, 4), 1, kSize - 4}), Errno::kSuccess);
  EXPECT_EQ(call("fd_write", {1, iovec(0, 4), 1, kSize - 3}), Errno::kFault);
  EXPECT_EQ(output.text[1].size(), 4u) << "a call that fails writes nothing";
  EXPECT_EQ(call("fd_write", {1, kSize, 0, kOut}), Errno::kSuccess);
}

TEST_F(P1Pointers, a_call_moves_no_more_than_the_memory_holds) {
  for (std::uint32_t i = 0; i < 1024; ++i) memory.store(8192 + 8 * i, abi::Iovec{0, kSize});
  EXPECT_EQ(call("fd_write", {1, 8192, 1024, kOut}), Errno::kSuccess);
  EXPECT_EQ(output.text[1].size(), kSize);
}

TEST_F(P1Pointers, reading_over_the_list_of_buffers_does_not_change_where_it_reads_to) {
  const std::string hostile(64, '\xff');
  config.stdin_bytes = bytes_of(hostile);
  restart();
  memory.store(1024, abi::Iovec{1024, 32});  // over the list itself
  memory.store(1032, abi::Iovec{2048, 32});
  EXPECT_EQ(call("fd_read", {0, 1024, 2, kOut}), Errno::kSuccess);
  EXPECT_EQ(out32(), 64u);
  EXPECT_EQ(string_at(2048, 32), std::string(32, '\xff'));
}

TEST_F(P1Pointers, every_function_survives_extreme_arguments) {
  const std::uint64_t extremes[] = {0,
                                    1,
                                    2,
                                    3,
                                    7,
                                    kSize - 64,
                                    kSize - 8,
                                    kSize - 1,
                                    kSize,
                                    kSize + 1,
                                    0x7fffffff,
                                    0x80000000,
                                    0xfffffff8,
                                    0xffffffff,
                                    UINT64_MAX,
                                    INT64_MAX,
                                    std::uint64_t{1} << 63,
                                    std::uint64_t{1} << 40};
  std::mt19937 random(3);
  const auto clobber = [&] {
    for (std::uint32_t at = 0; at < kSize; at += 4)
      memory.store(at, static_cast<std::uint32_t>(random() % 3 == 0 ? random() : random() % (kSize + 10)));
  };
  clobber();
  for (int round = 0; round < 200; ++round) {
    vfs.reset({.max_bytes = 1 << 20, .max_nodes = 100}, 0);
    ASSERT_TRUE(vfs.add_file("/workspace/f", bytes_of("given")));
    restart();
    ASSERT_EQ(open("workspace/f"), Errno::kSuccess);
    for (const Function& f : functions()) {
      for (int i = 0; i < 12; ++i) {
        std::uint64_t args[10] = {};
        for (auto& arg : args) arg = extremes[random() % std::size(extremes)];
        if (f.params.size() > 0 && f.name != "args_get" && random() % 2) args[0] = random() % 6;
        (void)f.call(host, memory, args);
        if (output.text[1].size() > 1 << 20) output.text.clear();
      }
    }
    if (round % 20 == 0) clobber();
  }
}

TEST_F(P1Pointers, paths_may_end_where_the_memory_ends) {
  const std::string_view path = "tmp";
  std::memcpy(bytes.data() + kSize - 3, path.data(), 3);
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, kSize - 3, 3, kOut}), Errno::kSuccess);
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, kSize - 3, 4, kOut}), Errno::kFault);
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, kSize - 3, 3, kSize - 63}), Errno::kFault);
  EXPECT_EQ(call("path_filestat_get", {kRoot, 0, 0, 0xffffffff, kOut}), Errno::kFault);
  EXPECT_EQ(call("path_symlink", {0xffffffff, 1, kRoot, kSize - 3, 3}), Errno::kFault);
  EXPECT_EQ(call("path_readlink", {kRoot, kSize - 3, 3, 0xffffffff, 1, kOut}), Errno::kFault);
}

}  // namespace
}  // namespace hotcell::wasi
