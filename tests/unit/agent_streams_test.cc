// Standard input as the program takes it, and output as it is written: early, complete, and never more than agreed.
#include <sys/stat.h>

#include "agent_fixture.h"
#include "base/output_buffer.h"

namespace hotcell::agent::testing {
namespace {

using AgentStreams = AgentTest;

// What a host shows of a stream, from what was sent while it ran and what came at the end.
OutputBuffer::Kept shown(const std::string& sent, const std::string& tail, std::uint64_t total, std::size_t cap) {
  OutputBuffer buffer(cap);
  buffer.write(sent);
  if (const auto missing = total - sent.size() - tail.size()) buffer.skip(missing);
  buffer.write(tail);
  return buffer.take();
}

TEST_F(AgentStreams, both_streams_stay_apart_and_bytes_stay_bytes) {
  const auto result = cell().run(python(),
                                 "import sys, os\n"
                                 "os.write(1, bytes(range(256)))\n"
                                 "os.write(2, b'\\xff\\xfe\\0')\n");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(result.out, all);
  EXPECT_EQ(result.err, std::string("\xff\xfe\0", 3));
}

TEST_F(AgentStreams, output_arrives_while_the_program_runs) {
  cell().warm(Language::python);
  auto order = python();
  order.live_input = true;
  cell().start(order, "for n in range(3):\n    print('line', n, flush=True)\n    input()\n");
  // Each line must come before the program is given what it waits for.
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(cell().expect<Output>(FrameType::output).stream, 1);
    cell().send(FrameType::input, Input{false, "\n"});
  }
  EXPECT_EQ(cell().finish().report.exit_code, 0);
}

TEST_F(AgentStreams, the_first_byte_comes_within_milliseconds_of_its_writing) {
  // The program says when it wrote; both sides have the same clock. The best of many: a busy machine is not the agent.
  std::uint64_t best = ~0ull;
  auto order = python();
  order.live_input = true;
  cell().start(order,
               "import time, os\n"
               "for _ in range(20):\n"
               "    os.write(1, b'%d\\n' % time.clock_gettime_ns(time.CLOCK_MONOTONIC))\n"
               "    os.read(0, 1)\n");
  for (int turn = 0; turn < 20; ++turn) {
    std::optional<Said> said;
    do said = cell().receive();
    while (said && said->type != FrameType::output);
    ASSERT_TRUE(said);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto written = std::stoull(std::string(Output::decode(said->payload).value().bytes));
    best =
        std::min<std::uint64_t>(best, static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec - written);
    cell().send(FrameType::input, Input{false, "x"});
  }
  EXPECT_LT(best, 5 * kMillisecond);
  EXPECT_EQ(cell().finish().report.exit_code, 0);
}

TEST_F(AgentStreams, a_flood_is_counted_and_its_beginning_and_end_are_exact) {
  for (const std::uint64_t cap : {0ull, 1ull, 1000ull, 65537ull}) {
    auto order = python();
    order.output_bytes = cap;
    // Every byte tells where it stands.
    const auto result = cell().run(order,
                                   "import sys\n"
                                   "for n in range(200000): sys.stdout.write('%07d\\n' % n)\n"
                                   "sys.stderr.write('short')\n");
    std::string all;
    for (int n = 0; n < 200000; ++n) {
      char line[16];
      std::snprintf(line, sizeof line, "%07d\n", n);
      all += line;
    }
    EXPECT_EQ(result.report.out.total, all.size());
    EXPECT_EQ(result.out, all.substr(0, cap));
    EXPECT_EQ(result.report.out.sent, result.out.size());
    EXPECT_EQ(result.report.out.tail, result.out_tail.size());
    OutputBuffer expected(cap);
    expected.write(all);
    const auto kept = shown(result.out, result.out_tail, result.report.out.total, cap);
    EXPECT_EQ(kept.bytes, expected.take().bytes) << "cap " << cap;
    EXPECT_EQ(result.report.err.total, 5u);
    EXPECT_EQ(result.err, std::string("short").substr(0, cap));
  }
}

TEST_F(AgentStreams, output_just_at_the_cap_has_no_tail) {
  auto order = bash();
  order.output_bytes = 5;
  auto result = cell().run(order, "printf 12345");
  EXPECT_EQ(result.out, "12345");
  EXPECT_EQ(result.out_tail, "");
  result = cell().run(order, "printf 123456");
  EXPECT_EQ(result.out, "12345");
  EXPECT_EQ(result.out_tail, "6");
  EXPECT_EQ(result.report.out.total, 6u);
}

TEST_F(AgentStreams, a_cap_too_large_for_a_tail_has_everything_sent) {
  auto order = command({"head", "-c", "40000000", "/dev/zero"});
  order.output_bytes = 3 * kMaxTail;
  const auto result = cell().run(order, "");
  EXPECT_EQ(result.out.size(), 40000000u);
  EXPECT_EQ(result.out_tail, "");
}

TEST_F(AgentStreams, an_endless_flood_ends_at_the_timeout_and_costs_its_cap) {
  auto order = command({"yes"});
  order.output_bytes = 10000;
  order.timeout_ns = 300 * kMillisecond;
  const auto result = cell().run(order, "");
  EXPECT_EQ(result.report.fate, Fate::timed_out);
  EXPECT_EQ(result.out.size(), 10000u);
  EXPECT_EQ(result.out_tail.size(), 5000u);
  EXPECT_GT(result.report.out.total, 1000000u);
}

TEST_F(AgentStreams, a_host_that_does_not_read_holds_up_the_program_but_not_its_deadline) {
  auto order = command({"yes"});
  order.output_bytes = 1u << 30;
  order.timeout_ns = 300 * kMillisecond;
  cell().start(order, "");
  // Nothing is read until the program must be dead: its processes are gone, though nobody took its output.
  const auto deadline = Deadline::after(seconds(10));
  while (cell().processes() < 2 && !deadline.passed()) sched_yield();
  while (cell().processes() > 1 && !deadline.passed()) sched_yield();
  EXPECT_EQ(cell().processes(), 1u);
  const auto result = cell().finish();
  EXPECT_EQ(result.report.fate, Fate::timed_out);
  EXPECT_LT(result.report.wall_ns, 5'000 * kMillisecond);
  EXPECT_EQ(result.out.size(), result.report.out.total) << "what was written was not lost";
}

TEST_F(AgentStreams, closing_its_streams_early_does_not_end_a_program) {
  const auto result = cell().run(bash(), "exec 1>&- 2>&- 0<&-; sleep 0.05; echo x > /workspace/done");
  EXPECT_EQ(result.report.exit_code, 0);
  EXPECT_EQ(result.files.at("done").content, "x\n");
}

TEST_F(AgentStreams, whole_input_reaches_the_program_and_ends) {
  std::string input(kInputWindow, 'x');
  const auto result = cell().run(python(), "import sys; print(len(sys.stdin.read()))", {}, input);
  EXPECT_EQ(result.out, std::to_string(input.size()) + "\n");
  EXPECT_EQ(cell().run(bash(), "read x; echo \"[$x]\" $?", {}, "").out, "[] 1\n");
}

TEST_F(AgentStreams, input_beyond_the_window_goes_on_as_it_is_asked_for) {
  auto order = command({"sha256sum"});
  std::string all;
  append_frame(all, FrameType::order, order.encode());
  std::size_t allowed = kInputWindow, sent = 0;
  constexpr std::size_t kTotal = 3'000'000;
  const std::string block(kMaxChunk, 'y');
  const auto more = [&](std::string& to) {
    while (sent < kTotal && allowed > 0) {
      const auto size = std::min({kMaxChunk, allowed, kTotal - sent});
      sent += size;
      allowed -= size;
      append_frame(to, FrameType::input, Input{sent == kTotal, std::string_view(block).substr(0, size)}.encode());
    }
  };
  more(all);
  append_frame(all, FrameType::go);
  cell().write(all);
  std::string out;
  for (;;) {
    const auto said = cell().receive();
    ASSERT_TRUE(said);
    if (said->type == FrameType::want_input) {
      allowed += WantInput::decode(said->payload).value().bytes;
      EXPECT_LE(allowed, kInputWindow);
      std::string frames;
      more(frames);
      cell().write(frames);
    }
    if (said->type == FrameType::output) out += Output::decode(said->payload).value().bytes;
    if (said->type == FrameType::end) break;
  }
  EXPECT_EQ(out, cell().run(bash(), "head -c 3000000 /dev/zero | tr '\\0' y | sha256sum").out);
}

TEST_F(AgentStreams, input_that_nobody_reads_does_not_hold_anything_up) {
  const auto result = cell().run(bash(), "exec 0<&-; echo done", {}, std::string(kInputWindow, 'x'));
  EXPECT_EQ(result.out, "done\n");
  EXPECT_EQ(cell().run(bash(), "echo done", {}, std::string(kInputWindow, 'x')).out, "done\n");
}

TEST_F(AgentStreams, live_input_is_asked_for_no_further_ahead_than_the_program_reads) {
  auto order = python();
  order.live_input = true;
  cell().start(order, "import sys, time\nprint(sys.stdin.buffer.read(4096) and 'got', flush=True)\nsys.stdin.read()\n");
  const auto first = cell().expect<WantInput>(FrameType::want_input).bytes;
  EXPECT_EQ(first, 4096u) << "little at first";
  cell().send(FrameType::input, Input{false, std::string(4096, 'x')});
  EXPECT_EQ(cell().expect<WantInput>(FrameType::want_input).bytes, 8192u) << "more, since that was read";
  cell().send(FrameType::input, Input{true, ""});
  EXPECT_EQ(cell().finish().report.exit_code, 0);
}

TEST_F(AgentStreams, a_program_that_never_reads_is_asked_for_once) {
  auto order = bash();
  order.live_input = true;
  cell().start(order, "sleep 0.1");
  const auto result = cell().finish();
  EXPECT_EQ(result.input_asked, 4096u);
  cell().send(FrameType::input, Input{false, "too late"});
  EXPECT_EQ(cell().run(bash(), "echo fine").out, "fine\n");
}

}  // namespace
}  // namespace hotcell::agent::testing
