#include "wasi/fs/content.h"

#include <gtest/gtest.h>

#include <random>

#include "fs_helpers.h"

namespace hotcell::wasi {
namespace {

using testing::bytes_of;

std::string read_all(const Content& content, std::uint64_t offset = 0, std::size_t size = 1 << 20) {
  std::string out(size, '?');
  out.resize(content.read(offset, std::as_writable_bytes(std::span(out))));
  return out;
}

TEST(Content, borrowed_bytes_cost_nothing_and_stay_as_they_were_when_the_file_is_written) {
  const std::string given(10000, 'a');
  Ledger ledger{.max_bytes = 1 << 20};
  Content content;
  content.borrow(bytes_of(given), nullptr);
  EXPECT_EQ(ledger.bytes, 0u);
  ASSERT_EQ(content.write(5000, bytes_of("XYZ"), ledger), 3u);
  EXPECT_EQ(ledger.bytes, Content::kPageSize);
  std::string expected = given;
  expected.replace(5000, 3, "XYZ");
  EXPECT_EQ(read_all(content), expected);
  EXPECT_EQ(given, std::string(10000, 'a'));
}

TEST(Content, what_was_cut_off_reads_as_zeros_when_the_file_grows_again) {
  const std::string given(9000, 'a');
  Ledger ledger{.max_bytes = 1 << 20};
  Content content;
  content.borrow(bytes_of(given), nullptr);
  ASSERT_EQ(content.write(4000, bytes_of(std::string(1000, 'b')), ledger), 1000u);
  content.resize(4500, ledger);
  content.resize(9000, ledger);
  EXPECT_EQ(read_all(content), std::string(4000, 'a') + std::string(500, 'b') + std::string(4500, '\0'));
}

TEST(Content, holes_cost_nothing_and_read_as_zeros) {
  Ledger ledger{.max_bytes = 1 << 16};
  Content content;
  ASSERT_EQ(content.write(std::uint64_t{1} << 33, bytes_of("x"), ledger), 1u);
  EXPECT_EQ(content.size(), (std::uint64_t{1} << 33) + 1);
  EXPECT_EQ(ledger.bytes, Content::kPageSize);
  EXPECT_EQ(read_all(content, (std::uint64_t{1} << 33) - 2), std::string("\0\0x", 3));
}

TEST(Content, a_write_past_the_quota_is_cut_short_and_the_next_one_refused) {
  Ledger ledger{.max_bytes = 2 * Content::kPageSize};
  Content content;
  EXPECT_EQ(content.write(0, bytes_of(std::string(3 * Content::kPageSize, 'x')), ledger), 2 * Content::kPageSize);
  EXPECT_EQ(content.write(content.size(), bytes_of("x"), ledger), fail_with(Errno::kNospc));
  EXPECT_TRUE(ledger.bytes_exhausted);
  EXPECT_EQ(content.size(), 2 * Content::kPageSize);
  content.clear(ledger);
  EXPECT_EQ(ledger.bytes, 0u);
}

TEST(Content, reserving_pays_for_everything_or_for_nothing) {
  Ledger ledger{.max_bytes = 4 * Content::kPageSize};
  Content content;
  ASSERT_EQ(content.write(2 * Content::kPageSize, bytes_of("middle"), ledger), 6u);
  EXPECT_EQ(content.reserve(0, 5 * Content::kPageSize, ledger), Errno::kNospc);
  EXPECT_EQ(ledger.bytes, Content::kPageSize);
  EXPECT_EQ(content.reserve(0, std::uint64_t{1} << 60, ledger), Errno::kNospc);
  ASSERT_EQ(content.reserve(10, 4 * Content::kPageSize - 10, ledger), Errno::kSuccess);
  EXPECT_EQ(ledger.bytes, 4 * Content::kPageSize);
  EXPECT_EQ(content.size(), 4 * Content::kPageSize);
  EXPECT_EQ(read_all(content, 2 * Content::kPageSize, 6), "middle");
}

// Against the simplest possible model.
TEST(Content, behaves_like_a_string_under_random_operations) {
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    Ledger ledger{.max_bytes = 1 << 24};
    const std::string given(random() % 20000, 'g');
    std::string model = given;
    Content content;
    content.borrow(bytes_of(given), nullptr);
    for (int step = 0; step < 60; ++step) {
      const std::size_t offset = random() % 30000;
      const std::size_t length = random() % 9000;
      switch (random() % 4) {
        case 0: {
          const std::string data(length, static_cast<char>('A' + step % 26));
          if (length > 0 && model.size() < offset + length) model.resize(offset + length, '\0');
          if (length > 0) model.replace(offset, length, data);
          ASSERT_EQ(content.write(offset, bytes_of(data), ledger), length);
          break;
        }
        case 1:
          model.resize(offset, '\0');
          content.resize(offset, ledger);
          break;
        case 2:
          if (length > 0 && model.size() < offset + length) model.resize(offset + length, '\0');
          ASSERT_EQ(content.reserve(offset, length, ledger), Errno::kSuccess);
          break;
        default:
          ASSERT_EQ(read_all(content, offset, length), offset < model.size() ? model.substr(offset, length) : "");
      }
      ASSERT_EQ(content.size(), model.size());
      ASSERT_EQ(ledger.bytes, content.allocated());
    }
    ASSERT_EQ(read_all(content), model);
  }
}

}  // namespace
}  // namespace hotcell::wasi
