// Deadlines, digests, descriptors and errors: small things that everything stands on.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/hash.h"

namespace hotcell {
namespace {

using namespace std::chrono_literals;

TEST(BaseDeadline, passes_when_its_time_has_come) {
  EXPECT_TRUE(Deadline::after(0s).passed());
  EXPECT_EQ(Deadline::after(-5s).left(), 0ns);
  const auto later = Deadline::after(1h);
  EXPECT_FALSE(later.passed());
  EXPECT_GT(later.left(), 59min);
}

TEST(BaseDeadline, no_limit_does_not_overflow) {
  EXPECT_FALSE(Deadline::after(std::chrono::nanoseconds::max()).passed());
  EXPECT_FALSE(Deadline::after_seconds(std::numeric_limits<double>::infinity()).passed());
  EXPECT_FALSE(Deadline::after_seconds(1e300).passed());
  EXPECT_TRUE(Deadline::after_seconds(-1e300).passed());
  EXPECT_LE(Deadline::after(std::chrono::nanoseconds::max()).poll_ms(), 1'000'000'000);
  EXPECT_GT(Deadline::after(std::chrono::nanoseconds::max()).poll_ms(), 0);
}

TEST(BaseDeadline, a_wait_in_poll_never_ends_early) {
  EXPECT_EQ(Deadline::after(0s).poll_ms(), 0);
  EXPECT_EQ(Deadline::after(std::chrono::milliseconds(5) - 1us).poll_ms(), 5);
}

TEST(BaseDeadline, the_sooner_of_two_wins) {
  const auto soon = Deadline::after(1s), late = Deadline::after(1h);
  EXPECT_EQ(soon.sooner(late).at(), soon.at());
  EXPECT_EQ(late.sooner(soon).at(), soon.at());
}

TEST(BaseHash, agrees_with_the_published_vectors) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string key = "Jefe", data = "what do ya want for nothing?";  // RFC 4231, case 2
  const auto bytes = [](const std::string& text) {
    return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  };
  EXPECT_EQ(hex(hmac_sha256(bytes(key), bytes(data))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(BaseHash, hex_shows_every_byte_in_two_digits) {
  const std::uint8_t bytes[] = {0, 0x0f, 0xf0, 0xff};
  EXPECT_EQ(hex(bytes), "000ff0ff");
  EXPECT_EQ(hex({}), "");
}

TEST(BaseHash, comparison_sees_every_difference) {
  const std::uint8_t a[] = {1, 2, 3}, b[] = {1, 2, 4}, c[] = {1, 2};
  EXPECT_TRUE(equal_in_constant_time(a, a));
  EXPECT_FALSE(equal_in_constant_time(a, b));
  EXPECT_FALSE(equal_in_constant_time(a, c));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
}

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(BaseFd, closes_exactly_once) {
  Fd first(open("/dev/null", O_RDONLY));
  const int number = first.get();
  Fd second(std::move(first));
  EXPECT_FALSE(first);
  EXPECT_TRUE(is_open(number));
  auto& same = second;
  second = std::move(same);
  EXPECT_TRUE(is_open(number)) << "moving onto itself changes nothing";
  second.reset();
  EXPECT_FALSE(is_open(number));
  {
    const Fd scoped(open("/dev/null", O_RDONLY));
    EXPECT_TRUE(is_open(scoped.get()));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(BaseFd, a_released_descriptor_stays_open) {
  int number = -1;
  {
    Fd fd(open("/dev/null", O_RDONLY));
    number = fd.release();
    EXPECT_FALSE(fd);
  }
  EXPECT_TRUE(is_open(number));
  close(number);
}

TEST(BaseError, a_failed_system_call_makes_a_sentence) {
  errno = EACCES;
  const Expected<int> failed = fail_errno("cannot open /x", "chmod it");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, "internal");
  EXPECT_EQ(failed.error().message, "cannot open /x: Permission denied");
  EXPECT_EQ(failed.error().hint, "chmod it");
  const Expected<int> strange = fail_errno("x", 99999);
  EXPECT_EQ(strange.error().message, "x: unknown error");
}

}  // namespace
}  // namespace hotcell
