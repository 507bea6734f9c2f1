#include "p1_guest.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
using namespace abi;
struct P1Files : GuestTest {};

TEST_F(P1Files, output_goes_to_the_sink_by_stream) {
  EXPECT_EQ(write(1, "out"), Errno::kSuccess);
  EXPECT_EQ(out32(), 3u);
  EXPECT_EQ(write(2, "err"), Errno::kSuccess);
  EXPECT_EQ(output.text[1], "out");
  EXPECT_EQ(output.text[2], "err");
  EXPECT_EQ(write(0, "x"), Errno::kBadf);
  EXPECT_EQ(read(1), "error 8");
  output.next = Errno::kPipe;
  EXPECT_EQ(write(1, "x"), Errno::kPipe);
}

TEST_F(P1Files, several_buffers_are_taken_in_order) {
  const Text a = text("one "), b = text("two");
  memory.store(1024, Iovec{a.at, a.size});
  memory.store(1032, Iovec{0xffffffff, 0});  // empty, but out of range
  EXPECT_EQ(call("fd_write", {1, 1024, 2, kOut}), Errno::kFault);
  memory.store(1032, Iovec{0, 0});
  memory.store(1040, Iovec{b.at, b.size});
  EXPECT_EQ(call("fd_write", {1, 1024, 3, kOut}), Errno::kSuccess);
  EXPECT_EQ(out32(), 7u);
  EXPECT_EQ(output.text[1], "one two");
}

TEST_F(P1Files, input_is_consumed_and_then_ends) {
  config.stdin_bytes = bytes_of("hello world");
  restart();
  EXPECT_EQ(read(0, 5), "hello");
  EXPECT_EQ(read(0, 0), "");
  EXPECT_EQ(read(0), " world");
  EXPECT_EQ(read(0), "");
}

TEST_F(P1Files, streams_look_like_pipes) {
  for (std::uint32_t fd = 0; fd < 3; ++fd) {
    ASSERT_EQ(call("fd_fdstat_get", {fd, kOut}), Errno::kSuccess);
    const auto stat = load<Fdstat>(kOut);
    EXPECT_EQ(stat.type, static_cast<int>(FileType::kUnknown)) << "a character device would be a terminal";
    EXPECT_EQ(stat.rights_base & (rights::kFdRead | rights::kFdWrite), fd == 0 ? rights::kFdRead : rights::kFdWrite);
    EXPECT_EQ(call("fd_seek", {fd, 0, 0, kOut}), Errno::kSpipe);
    EXPECT_EQ(call("fd_tell", {fd, kOut}), Errno::kSpipe);
    EXPECT_EQ(call("fd_pread", {fd, iovec(0, 1), 1, 0, kOut}), Errno::kSpipe);
    EXPECT_EQ(call("fd_pwrite", {fd, iovec(0, 1), 1, 0, kOut}), Errno::kSpipe);
    EXPECT_EQ(call("fd_advise", {fd, 0, 0, 0}), Errno::kSpipe);
    EXPECT_EQ(call("fd_allocate", {fd, 0, 1}), Errno::kSpipe);
    EXPECT_EQ(call("fd_sync", {fd}), Errno::kInval);
    EXPECT_EQ(call("fd_filestat_set_size", {fd, 0}), Errno::kInval);
    EXPECT_EQ(call("fd_filestat_set_times", {fd, 0, 0, 0}), Errno::kInval);
    EXPECT_EQ(call("fd_filestat_get", {fd, kOut}), Errno::kSuccess);
    EXPECT_EQ(call("fd_readdir", {fd, 0, 10, 0, kOut}), Errno::kNotdir);
  }
}

TEST_F(P1Files, streams_can_be_closed_and_their_numbers_used_again) {
  for (std::uint32_t fd = 0; fd < 3; ++fd) EXPECT_EQ(call("fd_close", {fd}), Errno::kSuccess);
  EXPECT_EQ(call("fd_close", {1}), Errno::kBadf);
  EXPECT_EQ(write(1, "lost"), Errno::kBadf);
  EXPECT_EQ(opened("tmp/f", oflags::kCreat), 0u);
  EXPECT_EQ(opened("tmp/g", oflags::kCreat), 1u);
  EXPECT_EQ(write(1, "to the file"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/g"), "to the file");
  EXPECT_TRUE(output.text.empty());
}

TEST_F(P1Files, files_have_a_position) {
  const auto fd = opened("tmp/f", oflags::kCreat);
  EXPECT_EQ(fd, 4u);
  EXPECT_EQ(write(fd, "0123456789"), Errno::kSuccess);
  EXPECT_EQ(read(fd), "");
  const auto seek = [&](std::int64_t offset, std::uint32_t whence) {
    return call("fd_seek", {fd, static_cast<std::uint64_t>(offset), whence, kOut});
  };
  EXPECT_EQ(seek(2, 0), Errno::kSuccess);
  EXPECT_EQ(read(fd, 3), "234");
  EXPECT_EQ(seek(-1, 1), Errno::kSuccess);
  EXPECT_EQ(out64(), 4u);
  EXPECT_EQ(seek(-3, 2), Errno::kSuccess);
  EXPECT_EQ(read(fd), "789");
  EXPECT_EQ(seek(-11, 2), Errno::kInval);
  EXPECT_EQ(seek(0, 3), Errno::kInval);
  EXPECT_EQ(seek(INT64_MAX, 2), Errno::kOverflow);
  EXPECT_EQ(seek(INT64_MAX, 0), Errno::kSuccess);
  EXPECT_EQ(read(fd), "");
  EXPECT_EQ(write(fd, "x"), Errno::kFbig);
  EXPECT_EQ(seek(12, 0), Errno::kSuccess);
  EXPECT_EQ(write(fd, "x"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/f"), std::string("0123456789\0\0x", 13));
  ASSERT_EQ(call("fd_tell", {fd, kOut}), Errno::kSuccess);
  EXPECT_EQ(out64(), 13u);
}

TEST_F(P1Files, pread_and_pwrite_leave_the_position_alone) {
  const auto fd = opened("tmp/f", oflags::kCreat);
  ASSERT_EQ(write(fd, "0123456789"), Errno::kSuccess);
  const Text t = text("AB");
  EXPECT_EQ(call("fd_pwrite", {fd, iovec(t.at, 2), 1, 3, kOut}), Errno::kSuccess);
  EXPECT_EQ(call("fd_pread", {fd, iovec(32768, 5), 1, 2, kOut}), Errno::kSuccess);
  EXPECT_EQ(string_at(32768, out32()), "2AB56");
  EXPECT_EQ(call("fd_pread", {fd, iovec(32768, 5), 1, UINT64_MAX, kOut}), Errno::kInval);
  EXPECT_EQ(call("fd_pwrite", {fd, iovec(t.at, 2), 1, UINT64_MAX, kOut}), Errno::kInval);
  ASSERT_EQ(call("fd_tell", {fd, kOut}), Errno::kSuccess);
  EXPECT_EQ(out64(), 10u);
}

TEST_F(P1Files, appending_always_writes_at_the_end) {
  const auto one = opened("tmp/f", oflags::kCreat, kReadWrite, fdflags::kAppend);
  const auto two = opened("tmp/f");
  ASSERT_EQ(write(two, "aaa"), Errno::kSuccess);
  ASSERT_EQ(write(one, "b"), Errno::kSuccess);
  ASSERT_EQ(write(two, "c"), Errno::kSuccess);
  ASSERT_EQ(write(one, "d"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/f"), "aaacd");
  ASSERT_EQ(call("fd_fdstat_set_flags", {one, 0}), Errno::kSuccess);
  ASSERT_EQ(call("fd_seek", {one, 0, 0, kOut}), Errno::kSuccess);
  ASSERT_EQ(write(one, "X"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/f"), "Xaacd");
  EXPECT_EQ(call("fd_fdstat_set_flags", {one, 32}), Errno::kInval);
}

TEST_F(P1Files, access_follows_how_the_file_was_opened) {
  ASSERT_EQ(put(vfs, "tmp/f", "text"), Errno::kSuccess);
  const auto reader = opened("tmp/f", 0, rights::kFdRead);
  const auto writer = opened("tmp/f", 0, rights::kFdWrite);
  EXPECT_EQ(write(reader, "x"), Errno::kBadf);
  EXPECT_EQ(read(writer), "error 8");
  EXPECT_EQ(call("fd_filestat_set_size", {reader, 1}), Errno::kInval);
  EXPECT_EQ(call("fd_allocate", {reader, 0, 1}), Errno::kBadf);
  EXPECT_EQ(call("fd_filestat_set_size", {writer, 2}), Errno::kSuccess);
  EXPECT_EQ(read(reader), "te");
}

TEST_F(P1Files, rights_can_only_be_given_up) {
  const auto fd = opened("tmp/f", oflags::kCreat);
  ASSERT_EQ(call("fd_fdstat_set_rights", {fd, rights::kFdWrite, 0}), Errno::kSuccess);
  EXPECT_EQ(call("fd_fdstat_set_rights", {fd, rights::kFdWrite | rights::kFdRead, 0}), Errno::kNotcapable);
  EXPECT_EQ(read(fd), "error 8");
  EXPECT_EQ(write(fd, "x"), Errno::kSuccess);
  ASSERT_EQ(call("fd_fdstat_get", {fd, kOut}), Errno::kSuccess);
  EXPECT_EQ(load<Fdstat>(kOut).rights_base, rights::kFdWrite);
  ASSERT_EQ(call("fd_fdstat_set_rights", {1, 0, 0}), Errno::kSuccess);
  EXPECT_EQ(write(1, "x"), Errno::kBadf);
}

TEST_F(P1Files, directories_are_not_files) {
  const auto fd = opened("tmp", oflags::kDirectory, 0);
  ASSERT_EQ(call("fd_fdstat_get", {fd, kOut}), Errno::kSuccess);
  const auto stat = load<Fdstat>(kOut);
  EXPECT_EQ(stat.type, static_cast<int>(FileType::kDirectory));
  EXPECT_EQ(stat.rights_base & (rights::kFdSeek | rights::kFdTell), 0u);
  EXPECT_EQ(stat.rights_inheriting, rights::kAll);
  EXPECT_EQ(read(fd), "error 31");
  EXPECT_EQ(write(fd, "x"), Errno::kBadf);
  EXPECT_EQ(call("fd_pread", {fd, iovec(0, 1), 1, 0, kOut}), Errno::kIsdir);
  EXPECT_EQ(call("fd_seek", {fd, 0, 0, kOut}), Errno::kBadf);
  EXPECT_EQ(call("fd_sync", {fd}), Errno::kSuccess);
  EXPECT_EQ(call("fd_datasync", {fd}), Errno::kSuccess);
}

TEST_F(P1Files, sizes_and_times_can_be_set_and_read) {
  const auto fd = opened("tmp/f", oflags::kCreat);
  ASSERT_EQ(call("fd_filestat_set_size", {fd, 100}), Errno::kSuccess);
  ASSERT_EQ(call("fd_filestat_set_times", {fd, 11, 22, fstflags::kAtim | fstflags::kMtim}), Errno::kSuccess);
  auto stat = filestat(fd);
  EXPECT_EQ(stat.size, 100u);
  EXPECT_EQ(stat.type, static_cast<int>(FileType::kRegular));
  EXPECT_EQ(stat.links, 1u);
  EXPECT_EQ(stat.atim, 11u);
  EXPECT_EQ(stat.mtim, 22u);
  ASSERT_EQ(call("fd_filestat_set_times", {fd, 0, 0, fstflags::kMtimNow}), Errno::kSuccess);
  EXPECT_EQ(filestat(fd).atim, 11u);
  EXPECT_GT(filestat(fd).mtim, 22u);
  EXPECT_EQ(call("fd_filestat_set_times", {fd, 0, 0, fstflags::kMtim | fstflags::kMtimNow}), Errno::kInval);
  EXPECT_EQ(call("fd_filestat_set_times", {fd, 0, 0, 16}), Errno::kInval);
  EXPECT_EQ(call("fd_filestat_set_size", {fd, UINT64_MAX}), Errno::kInval);
  EXPECT_EQ(call("fd_filestat_set_size", {fd, std::uint64_t{1} << 60}), Errno::kFbig);
  EXPECT_EQ(call("fd_allocate", {fd, 50, 100}), Errno::kSuccess);
  EXPECT_EQ(filestat(fd).size, 150u);
  EXPECT_EQ(call("fd_allocate", {fd, 0, 0}), Errno::kInval);
  EXPECT_EQ(call("fd_allocate", {fd, 0, std::uint64_t{1} << 33}), Errno::kNospc);
  EXPECT_EQ(call("fd_advise", {fd, 0, 10, 5}), Errno::kSuccess);
  EXPECT_EQ(call("fd_advise", {fd, 0, 10, 6}), Errno::kInval);
}

TEST_F(P1Files, preopened_directories_say_their_names) {
  const Preopen two[] = {{.name = "/", .path = "/"}, {.name = "data", .path = "/workspace"}};
  config.preopens = two;
  restart();
  ASSERT_EQ(call("fd_prestat_get", {4, kOut}), Errno::kSuccess);
  EXPECT_EQ(load<Prestat>(kOut).tag, 0);
  EXPECT_EQ(load<Prestat>(kOut).name_length, 4u);
  ASSERT_EQ(call("fd_prestat_dir_name", {4, 100, 4}), Errno::kSuccess);
  EXPECT_EQ(string_at(100, 4), "data");
  EXPECT_EQ(call("fd_prestat_dir_name", {4, 100, 3}), Errno::kNametoolong);
  EXPECT_EQ(call("fd_prestat_get", {5, kOut}), Errno::kBadf);
  EXPECT_EQ(call("fd_prestat_get", {0, kOut}), Errno::kBadf);
  const Text p = text("../tmp");
  EXPECT_EQ(call("path_filestat_get", {4, 1, p.at, p.size, kOut}), Errno::kPerm);
  // A program can't take its root away from under the others.
  EXPECT_EQ(path_call("path_remove_directory", "workspace"), Errno::kBusy);
}

TEST_F(P1Files, renumbering_moves_and_closes) {
  const auto fd = opened("tmp/f", oflags::kCreat);
  ASSERT_EQ(write(fd, "text"), Errno::kSuccess);
  EXPECT_EQ(call("fd_renumber", {fd, 99}), Errno::kBadf);
  EXPECT_EQ(call("fd_renumber", {99, fd}), Errno::kBadf);
  EXPECT_EQ(call("fd_renumber", {fd, fd}), Errno::kSuccess);
  EXPECT_EQ(call("fd_renumber", {fd, 1}), Errno::kSuccess);
  EXPECT_EQ(write(1, "!"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/f"), "text!");
  EXPECT_EQ(call("fd_close", {fd}), Errno::kBadf);
  EXPECT_EQ(opened("tmp", oflags::kDirectory, 0), fd);
}

TEST_F(P1Files, open_files_are_limited) {
  config.max_open_files = 8;
  restart();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(open("tmp", 0, 0), Errno::kSuccess);
  EXPECT_EQ(open("tmp", 0, 0), Errno::kMfile);
  EXPECT_EQ(open("tmp/never", oflags::kCreat), Errno::kMfile);
  EXPECT_EQ(stat_error(vfs, "tmp/never"), Errno::kNoent) << "nothing is created when there is no descriptor for it";
  EXPECT_EQ(call("fd_close", {5}), Errno::kSuccess);
  EXPECT_EQ(opened("tmp", 0, 0), 5u);
}

TEST_F(P1Files, the_byte_quota_is_no_space) {
  vfs.reset({.max_bytes = 2 * 4096}, 0);
  restart();
  const auto fd = opened("tmp/f", oflags::kCreat);
  ASSERT_EQ(write(fd, std::string(5000, 'x')), Errno::kSuccess);
  ASSERT_EQ(write(fd, std::string(5000, 'x')), Errno::kSuccess);
  EXPECT_EQ(out32(), 2 * 4096u - 5000);
  EXPECT_EQ(write(fd, "x"), Errno::kNospc);
  EXPECT_TRUE(vfs.quota_hit());
}

// Reads a whole directory with a buffer of this size, as wasi-libc does.
std::vector<std::string> list(GuestTest& guest, std::uint32_t fd, std::uint32_t size) {
  std::vector<std::string> names;
  std::uint64_t cookie = 0;
  for (;;) {
    EXPECT_EQ(guest.call("fd_readdir", {fd, 8192, size, cookie, GuestTest::kOut}), Errno::kSuccess);
    const std::uint32_t used = guest.out32();
    std::uint32_t at = 0;
    bool progress = false;
    while (used - at >= sizeof(Dirent)) {
      const auto dirent = guest.load<Dirent>(8192 + at);
      if (used - at < sizeof(Dirent) + dirent.name_length) break;
      names.push_back(guest.string_at(8192 + at + sizeof(Dirent), dirent.name_length));
      at += static_cast<std::uint32_t>(sizeof(Dirent)) + dirent.name_length;
      cookie = dirent.next;
      progress = true;
    }
    if (used < size) return names;
    if (!progress) return {"the buffer is too small"};
  }
}

TEST_F(P1Files, directories_are_read_in_parts_of_any_size) {
  std::vector<std::string> expected = {".", ".."};
  for (int i = 0; i < 30; ++i) {
    expected.push_back(std::string(static_cast<std::size_t>(i % 7), 'n') + std::to_string(i));
    ASSERT_EQ(put(vfs, "tmp/" + expected.back(), ""), Errno::kSuccess);
  }
  const auto fd = opened("tmp", oflags::kDirectory, 0);
  for (const std::uint32_t size : {40u, 41u, 63u, 100u, 1000u, 8192u})
    EXPECT_EQ(list(*this, fd, size), expected) << size;
  ASSERT_EQ(call("fd_readdir", {fd, 8192, 10, 0, kOut}), Errno::kSuccess);
  EXPECT_EQ(out32(), 10u) << "the first entry cut off in its middle";
  EXPECT_EQ(call("fd_readdir", {fd, 8192, 0, 0, kOut}), Errno::kSuccess);
  EXPECT_EQ(out32(), 0u);
  EXPECT_EQ(call("fd_readdir", {fd, 8192, 100, UINT64_MAX, kOut}), Errno::kSuccess);
  EXPECT_EQ(out32(), 0u);
}

}  // namespace
// Gives out its chunks one by one, then the end; or stops the run.
class Chunks final : public InputSource {
 public:
  explicit Chunks(std::vector<std::string> chunks, bool stop_after = false)
      : chunks_(std::move(chunks)), stop_(stop_after) {}
  std::optional<std::span<const std::byte>> more() override {
    ++asked;
    if (next_ < chunks_.size()) return std::as_bytes(std::span(chunks_[next_++]));
    if (stop_) return std::nullopt;
    return std::span<const std::byte>();
  }
  int asked = 0;

 private:
  std::vector<std::string> chunks_;
  std::size_t next_ = 0;
  bool stop_;
};

TEST_F(P1Files, more_input_is_asked_for_only_when_it_is_read_and_ends_once) {
  Chunks chunks({"two", "three"});
  config.stdin_bytes = bytes_of("one");
  config.more_input = &chunks;
  restart();
  EXPECT_EQ(read(0), "one");
  EXPECT_EQ(chunks.asked, 0);
  EXPECT_EQ(read(0, 0), "");
  EXPECT_EQ(chunks.asked, 0) << "a read of nothing must not wait";
  EXPECT_EQ(read(0, 2), "tw");
  EXPECT_EQ(read(0), "o");
  EXPECT_EQ(read(0), "three");
  EXPECT_EQ(read(0), "");
  EXPECT_EQ(read(0), "");
  EXPECT_EQ(chunks.asked, 3);
}

TEST_F(P1Files, waiting_for_input_ends_with_the_run) {
  Chunks chunks({}, /*stop_after=*/true);
  config.more_input = &chunks;
  restart();
  const auto result = result_of("fd_read", {0, kScratch, 0, kOut});
  EXPECT_FALSE(result.stop) << "no buffers: nothing to wait for";
  memory.store(1024, Iovec{2048, 16});
  EXPECT_TRUE(result_of("fd_read", {0, 1024, 1, kOut}).stop);
  EXPECT_EQ(host.stop(), Stop::kInterrupted);
}

}  // namespace hotcell::wasi
