#include "base/bytes.h"

#include <gtest/gtest.h>

namespace hotcell {
namespace {

TEST(BaseBytes, what_is_written_is_read) {
  ByteWriter out;
  out.put<std::uint8_t>(7);
  out.put<std::int64_t>(-5);
  out.put(1.5);
  out.put_bytes("text");
  out.put_bytes("");
  ByteReader in(out.bytes());
  EXPECT_EQ(in.get<std::uint8_t>(), 7);
  EXPECT_EQ(in.get<std::int64_t>(), -5);
  EXPECT_EQ(in.get<double>(), 1.5);
  EXPECT_EQ(in.get_bytes(), "text");
  EXPECT_EQ(in.get_bytes(), "");
  EXPECT_TRUE(in.finished());
}

TEST(BaseBytes, records_are_little_endian) {
  ByteWriter out;
  out.put<std::uint32_t>(0x01020304);
  EXPECT_EQ(out.bytes(), "\x04\x03\x02\x01");
}

TEST(BaseBytes, a_failed_reader_stays_failed_and_returns_zeros) {
  ByteReader in(std::string_view("\1\0\2", 3));
  EXPECT_EQ(in.get<std::uint32_t>(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.get<std::uint8_t>(), 0) << "though a byte would have been there";
  EXPECT_EQ(in.get_bytes(), "");
  EXPECT_EQ(in.get_count(1), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_FALSE(in.finished());
}

TEST(BaseBytes, a_length_beyond_the_end_fails) {
  for (const std::uint32_t length : {5u, 0x7fffffffu, 0xffffffffu}) {
    ByteWriter out;
    out.put(length);
    out.bytes() += "four";
    ByteReader in(out.bytes());
    EXPECT_EQ(in.get_bytes(), "");
    EXPECT_FALSE(in.ok()) << length;
  }
}

TEST(BaseBytes, a_count_must_be_backed_by_bytes) {
  ByteWriter out;
  out.put<std::uint32_t>(3);
  out.bytes() += "123456";
  EXPECT_EQ(ByteReader(out.bytes()).get_count(2), 3u);
  ByteReader in(out.bytes());
  EXPECT_EQ(in.get_count(4), 0u);
  EXPECT_FALSE(in.ok());
}

TEST(BaseBytes, bytes_left_over_are_not_finished) {
  ByteReader in("ab");
  in.get<char>();
  EXPECT_TRUE(in.ok());
  EXPECT_FALSE(in.finished());
}

}  // namespace
}  // namespace hotcell
