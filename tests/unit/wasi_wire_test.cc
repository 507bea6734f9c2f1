#include "wasi/wire.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmath>
#include <thread>

#include "base/bytes.h"

namespace hotcell::wasi {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Order full_order() {
  Order out;
  out.image = "python";
  out.module_key = "key";
  out.stream = out.fs_readonly = out.live_input = out.leave = true;
  out.allow_clock = out.allow_random = out.collect_changed = false;
  out.seed = 7;
  out.start_time = 1.5;
  std::uint64_t next = 1ull << 40;
  for (auto* number : {&out.timeout_ns, &out.cpu_ns, &out.memory_bytes, &out.disk_bytes, &out.output_bytes,
                       &out.result_bytes, &out.files_bytes, &out.inline_bytes, &out.fuel})
    *number = next++;
  out.max_files = 11;
  out.table_elements = 12;
  out.code = std::string_view("print('\0')", 10);
  out.stdin_bytes = "in\xff";
  out.args = {"a", "", "b c"};
  out.env = {"K=V"};
  out.files = {{"/workspace/f", "content", 0755, false}, {"/d", "", 0, true}};
  out.collect = {"**/*.png"};
  out.host_dirs = {"/data"};
  out.packages_at = "/packages", out.packages_key = "key";
  return out;
}

Report full_report() {
  Report out;
  out.fate = Fate::trapped;
  out.exit_code = -5;
  out.signal = 11;
  out.growth_refused = out.result_cut = out.uncaught = true;
  out.beyond = 2;
  out.trap = "trap";
  out.error_name = "ValueError";
  out.error_message = std::string("m\0m", 3);
  out.error_traceback = "tb";
  out.error_line = 3;
  out.out = {"out", 1ull << 50, true};
  out.err = {"err", 3, false};
  out.files = {{"a", 0, 5, false, "hello"}, {"b", 1, 1ull << 33, true, ""}, {"c", 2, 0, false, ""}};
  out.wall_ns = 1, out.cpu_ns = 2, out.reset_ns = 3, out.memory_peak = 4, out.fuel_used = 5;
  out.dirty_pages = 6;
  return out;
}

TEST(WasiWire, an_order_survives_the_round_trip) {
  const auto bytes = full_order().encode();
  const auto order = Order::decode(bytes);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->encode(), bytes);
  EXPECT_EQ(order->code, std::string_view("print('\0')", 10));
  EXPECT_EQ(order->args, (std::vector<std::string_view>{"a", "", "b c"}));
  EXPECT_EQ(order->files.at(0).mode, 0755u);
  EXPECT_TRUE(order->files.at(1).directory);
  EXPECT_EQ(order->seed, 7u);
  EXPECT_EQ(order->start_time, 1.5);
  EXPECT_EQ(order->fuel, (1ull << 40) + 8);
  EXPECT_TRUE(order->live_input && order->leave && order->stream && !order->allow_clock);
  EXPECT_EQ(order->packages_at, "/packages");
  EXPECT_EQ(order->packages_key, "key");
  EXPECT_EQ(order->host_dirs.size(), 1u);
  EXPECT_FALSE(Order::decode(Order().encode())->seed) << "not given is not zero";
}

TEST(WasiWire, a_report_survives_the_round_trip) {
  const auto bytes = full_report().encode();
  const auto report = Report::decode(bytes);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->encode(), bytes);
  EXPECT_EQ(report->exit_code, -5);
  EXPECT_EQ(report->error_message, std::string("m\0m", 3));
  EXPECT_EQ(report->files.at(1).size, 1ull << 33);
  EXPECT_TRUE(report->files.at(1).left_out);
  EXPECT_TRUE(report->out.truncated && !report->err.truncated);
  EXPECT_EQ(report->dirty_pages, 6u);
}

TEST(WasiWire, questions_and_answers_about_the_host_survive_the_round_trip) {
  HostQuestion question{HostQuestion::What::list, 3, "a/b"};
  const auto asked = question.encode();
  ASSERT_TRUE(HostQuestion::decode(asked));
  EXPECT_EQ(HostQuestion::decode(asked)->encode(), asked);
  HostAnswer answer;
  answer.error = 44, answer.type = 4, answer.size = 9, answer.mtim = 8;
  answer.target = "t";
  answer.names = {"x", ""};
  const auto said = answer.encode();
  ASSERT_TRUE(HostAnswer::decode(said));
  EXPECT_EQ(HostAnswer::decode(said)->encode(), said);
  question.path = std::string_view("a\0b", 3);
  EXPECT_FALSE(HostQuestion::decode(question.encode())) << "a NUL would end the path early";
  EXPECT_FALSE(HostQuestion::decode("\3" + asked.substr(1)));
}

TEST(WasiWire, nothing_that_is_cut_or_longer_is_accepted) {
  const std::string order = full_order().encode(), report = full_report().encode();
  for (std::size_t i = 0; i < order.size(); ++i) ASSERT_FALSE(Order::decode(std::string_view(order).substr(0, i))) << i;
  for (std::size_t i = 0; i < report.size(); ++i)
    ASSERT_FALSE(Report::decode(std::string_view(report).substr(0, i))) << i;
  EXPECT_FALSE(Order::decode(order + '\0'));
  EXPECT_FALSE(Report::decode(report + '\0'));
}

TEST(WasiWire, a_damaged_report_is_refused_or_stays_within_its_bytes) {
  const std::string report = full_report().encode();
  for (std::size_t i = 0; i < report.size(); ++i)
    for (const char value : {'\0', '\x01', '\x7f', '\xff'}) {
      auto bytes = report;
      bytes[i] = value;
      const auto decoded = Report::decode(bytes);
      if (!decoded) continue;
      EXPECT_LE(decoded->fate, Fate::host_failed);
      EXPECT_LE(decoded->files.size(), bytes.size() / 18);
      for (const auto& file : decoded->files) EXPECT_LE(file.change, 2);
      EXPECT_LE(decoded->out.bytes.size() + decoded->err.bytes.size() + decoded->trap.size(), bytes.size());
    }
}

TEST(WasiWire, a_count_cannot_make_us_reserve_memory) {
  Report empty;
  auto bytes = empty.encode();
  const auto at = bytes.size() - 5 * 8 - 4 - 4;  // the number of files
  for (const std::uint32_t count : {1u, 1000u, 0x7fffffffu, 0xffffffffu}) {
    std::memcpy(bytes.data() + at, &count, sizeof count);
    EXPECT_FALSE(Report::decode(bytes)) << count;
  }
  Order many;
  const std::vector<std::string_view> dirs(kMaxHostDirectories + 1, "/d");
  many.host_dirs = dirs;
  EXPECT_FALSE(Order::decode(many.encode()));
}

TEST(WasiWire, every_unknown_fate_is_refused) {
  auto bytes = Report().encode();
  for (int fate = 0; fate < 256; ++fate) {
    bytes[0] = static_cast<char>(fate);
    EXPECT_EQ(Report::decode(bytes).has_value(), fate <= static_cast<int>(Fate::host_failed)) << fate;
  }
}

TEST(WasiChannel, frames_of_any_size_arrive_whole_and_in_order) {
  auto ends = Channel::pair();
  ASSERT_TRUE(ends);
  const std::size_t sizes[] = {0, 1, 7, 4088, 4096, 100'000, 3'000'000, 2, 0, 1 << 20};
  std::thread sender([&] {
    for (const auto size : sizes)
      ASSERT_TRUE(ends->first.send(FrameType::output, std::string(size, static_cast<char>('a' + size % 26))));
  });
  for (const auto size : sizes) {
    auto frame = ends->second.receive(Deadline::after(seconds(20)));
    ASSERT_TRUE(frame) << frame.error().message;
    EXPECT_EQ(frame->type, FrameType::output);
    EXPECT_TRUE(frame->payload == std::string(size, static_cast<char>('a' + size % 26))) << size;
  }
  sender.join();
  EXPECT_TRUE(ends->second.quiet());
}

TEST(WasiChannel, descriptors_come_with_their_frame) {
  auto ends = Channel::pair();
  Fd file(open("/dev/null", O_RDONLY));
  ASSERT_TRUE(ends->first.send(FrameType::order, "x", {file.get(), file.get()}));
  auto frame = ends->second.receive(Deadline::after(seconds(5)));
  ASSERT_TRUE(frame);
  ASSERT_EQ(frame->descriptors.size(), 2u);
  struct stat a{}, b{};
  fstat(file.get(), &a), fstat(frame->descriptors[1].get(), &b);
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_EQ(fcntl(frame->descriptors[0].get(), F_GETFD), FD_CLOEXEC);
  EXPECT_FALSE(ends->first.send(FrameType::order, "x", std::vector<int>(kMaxDescriptors + 1, file.get())));
}

TEST(WasiChannel, a_frame_above_the_cap_is_refused_by_its_header_alone) {
  auto ends = Channel::pair();
  ASSERT_TRUE(ends->first.send(FrameType::report, std::string(101, 'x')));
  const auto frame = ends->second.receive(Deadline::after(seconds(5)), -1, 100);
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, "protocol");
}

TEST(WasiChannel, waiting_ends_at_the_deadline_at_a_stop_and_when_the_peer_goes) {
  auto ends = Channel::pair();
  EXPECT_EQ(ends->second.receive(Deadline::after(milliseconds(20))).error().code, "deadline");
  int stop[2];
  ASSERT_EQ(pipe(stop), 0);
  const Fd read_end(stop[0]), write_end(stop[1]);
  ASSERT_EQ(write(stop[1], "x", 1), 1);
  EXPECT_EQ(ends->second.receive(Deadline::after(seconds(5)), stop[0]).error().code, "stopped");
  ASSERT_TRUE(ends->first.send(FrameType::report, "r"));
  EXPECT_EQ(ends->second.receive(Deadline::after(seconds(5)), stop[0]).error().code, "stopped")
      << "data must not hide it";
  EXPECT_EQ(ends->second.receive(Deadline::after(seconds(5)))->payload, "r") << "and nothing is lost by it";
  ends->first = Channel();
  EXPECT_EQ(ends->second.receive(Deadline::after(seconds(5))).error().code, "peer_lost");
  EXPECT_EQ(ends->second.send(FrameType::order, "x").error().code, "peer_lost");
}

TEST(WasiChannel, what_came_in_time_is_read_even_after_the_deadline) {
  auto ends = Channel::pair();
  ASSERT_TRUE(ends->first.send(FrameType::report, "r"));
  const auto frame = ends->second.receive(Deadline::after(seconds(0)));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload, "r");
}

TEST(WasiChannel, sending_to_a_peer_that_does_not_read_ends_at_the_deadline) {
  auto ends = Channel::pair();
  const std::string large(64u << 20, 'x');
  const auto sent = ends->first.send(FrameType::order, large, {}, Deadline::after(milliseconds(50)));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, "deadline");
}

TEST(WasiChannel, a_peer_that_spoke_unasked_or_left_is_not_quiet) {
  auto ends = Channel::pair();
  EXPECT_TRUE(ends->second.quiet());
  ASSERT_TRUE(ends->first.send(FrameType::report, "one"));
  ASSERT_TRUE(ends->first.send(FrameType::report, "two"));
  EXPECT_FALSE(ends->second.quiet());
  ASSERT_TRUE(ends->second.receive(Deadline::after(seconds(5))));
  EXPECT_FALSE(ends->second.quiet()) << "the second one lies in our own buffer";
  ASSERT_TRUE(ends->second.receive(Deadline::after(seconds(5))));
  EXPECT_TRUE(ends->second.quiet());
  ends->first = Channel();
  EXPECT_FALSE(ends->second.quiet());
}

}  // namespace
}  // namespace hotcell::wasi
