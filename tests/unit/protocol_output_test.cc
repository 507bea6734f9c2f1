#include <gtest/gtest.h>

#include "base/output_buffer.h"
#include "protocol/utf8.h"

namespace hotcell {
namespace {

std::string numbers(int from, int to) {
  std::string out;
  for (int i = from; i < to; ++i) out += std::to_string(i) + " ";
  return out;
}

TEST(OutputBuffer, what_fits_is_kept_exactly) {
  OutputBuffer buffer(10);
  buffer.write("01234");
  buffer.write("");
  buffer.write("56789");
  EXPECT_FALSE(buffer.truncated());
  const auto kept = buffer.take();
  EXPECT_EQ(kept.bytes, "0123456789");
  EXPECT_EQ(kept.total, 10u);
  EXPECT_FALSE(kept.truncated);
}

TEST(OutputBuffer, what_somebody_else_has_left_out_is_counted_as_if_it_had_been_written) {
  const std::string all = numbers(0, 500);
  for (const std::size_t cap : {0u, 1u, 2u, 7u, 64u, 501u}) {
    OutputBuffer seen(cap), told(cap);
    seen.write(all);
    told.write(std::string_view(all).substr(0, cap));
    const std::size_t tail = cap - cap / 2;
    told.skip(all.size() - cap - tail);
    told.write(std::string_view(all).substr(all.size() - tail));
    const auto expected = seen.take(), kept = told.take();
    EXPECT_EQ(kept.bytes, expected.bytes) << cap;
    EXPECT_EQ(kept.total, expected.total);
    EXPECT_TRUE(kept.truncated);
  }
  OutputBuffer short_one(10);
  short_one.write("abc");
  short_one.skip(0);
  EXPECT_EQ(short_one.take().bytes, "abc");
}

TEST(OutputBuffer, one_byte_too_many_leaves_out_one_byte) {
  OutputBuffer buffer(10);
  buffer.write("0123456789A");
  const auto kept = buffer.take();
  EXPECT_EQ(kept.bytes, "01234\n[hotcell: 1 bytes left out]\n6789A");
  EXPECT_EQ(kept.total, 11u);
  EXPECT_TRUE(kept.truncated);
}

TEST(OutputBuffer, head_and_tail_do_not_depend_on_how_it_was_written) {
  const std::string all = numbers(0, 500);
  for (const std::size_t cap : {1u, 2u, 7u, 64u, 501u}) {
    const std::size_t head = cap / 2, tail = cap - head;
    const std::string expected = all.substr(0, head) + "\n[hotcell: " + std::to_string(all.size() - cap) +
                                 " bytes left out]\n" + all.substr(all.size() - tail);
    for (const std::size_t step : {1u, 3u, 10u, 63u, 64u, 65u, 5000u}) {
      OutputBuffer buffer(cap);
      for (std::size_t i = 0; i < all.size(); i += step) buffer.write(std::string_view(all).substr(i, step));
      EXPECT_EQ(buffer.take().bytes, expected) << cap << " " << step;
    }
  }
}

TEST(OutputBuffer, a_cap_of_nothing_only_counts) {
  OutputBuffer buffer(0);
  buffer.write("abc");
  const auto kept = buffer.take();
  EXPECT_EQ(kept.bytes, "\n[hotcell: 3 bytes left out]\n");
  EXPECT_EQ(kept.total, 3u);
}

TEST(OutputBuffer, characters_are_left_out_whole) {
  OutputBuffer buffer(10);
  buffer.write("aaaa\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9zzzz");  // the cuts fall inside é on both sides
  const auto kept = buffer.take();
  EXPECT_EQ(kept.bytes, "aaaa\n[hotcell: 8 bytes left out]\nzzzz");
  EXPECT_TRUE(protocol::is_valid_utf8(kept.bytes));
}

TEST(OutputBuffer, is_empty_and_usable_after_take_and_clear) {
  OutputBuffer buffer(4);
  buffer.write("too much");
  buffer.take();
  EXPECT_EQ(buffer.total(), 0u);
  buffer.write("ab");
  buffer.clear(8);
  buffer.write("12345678");
  EXPECT_EQ(buffer.take().bytes, "12345678");
}

TEST(Utf8, knows_what_is_valid) {
  for (const char* good : {"", "a", "é", "€", "😀", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(protocol::is_valid_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xC3(", "abcdefgh\xFF"})
    EXPECT_FALSE(protocol::is_valid_utf8(bad)) << bad;
}

TEST(Utf8, replaces_as_python_does) {
  const auto text = [](std::string_view bytes) { return protocol::to_text(bytes).text; };
  EXPECT_EQ(text("a\xFF\xFE"
                 "b"),
            "a\uFFFD\uFFFDb");
  EXPECT_EQ(text("\xE2\x82"), "\uFFFD");  // one cut character
  EXPECT_EQ(text("\xF0\x9F\x98x"), "\uFFFDx");
  EXPECT_EQ(text("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_TRUE(protocol::to_text("\xFF").lossy);
  EXPECT_FALSE(protocol::to_text("\uFFFD").lossy);
}

TEST(Utf8Splitter, holds_back_half_a_character_and_no_more) {
  protocol::Utf8Splitter splitter;
  EXPECT_EQ(splitter.push("a\xF0\x9F"), "a");
  EXPECT_EQ(splitter.push("\x98"), "");
  EXPECT_EQ(splitter.push("\x80z"), "😀z");
  EXPECT_EQ(splitter.push("\xFF"), "\xFF");  // not the beginning of anything
  EXPECT_EQ(splitter.push("\xC3"), "");
  EXPECT_EQ(splitter.finish(), "\xC3");
  EXPECT_EQ(splitter.finish(), "");
}

}  // namespace
}  // namespace hotcell
