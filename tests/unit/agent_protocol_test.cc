// The conversation itself: who may say what and when, and what happens when the other side is gone or mad.
#include <sys/wait.h>

#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

using AgentProtocol = AgentTest;

// The agent says `fault`, and goes.
void expect_fault(Cell& cell, std::string_view part) {
  std::string sentence;
  while (const auto said = cell.receive())
    if (said->type == FrameType::fault) sentence = Fault::decode(said->payload).value().sentence;
  EXPECT_NE(sentence.find(part), std::string::npos) << sentence;
  const auto status = cell.wait_status(seconds(5));
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFEXITED(*status) && WEXITSTATUS(*status) == 0);
}

TEST_F(AgentProtocol, the_agent_says_nothing_before_it_is_spoken_to) {
  Cell fresh;
  EXPECT_FALSE(fresh.receive(milliseconds(100)));
}

TEST_F(AgentProtocol, garbage_ends_it) {
  Cell fresh;
  fresh.write("GET / HTTP/1.1\r\n\r\n");
  expect_fault(fresh, "a frame that cannot be");
  cell().write(std::string(100, '\xff'));
  expect_fault(cell(), "a frame that cannot be");
}

TEST_F(AgentProtocol, frames_out_of_place_end_it) {
  const auto in_a_cell = [](auto talk, std::string_view part) {
    Cell fresh;
    talk(fresh);
    expect_fault(fresh, part);
  };
  in_a_cell([](Cell& c) { c.send(FrameType::prove); }, "before hello");
  in_a_cell([](Cell& c) { c.send(FrameType::hello, Hello{99}); }, "version 99");
  in_a_cell(
      [](Cell& c) {
        c.hello();
        c.send(FrameType::hello, Hello{});
      },
      "out of place");
  in_a_cell(
      [](Cell& c) {
        c.hello();
        c.send(FrameType::go);
      },
      "go without an order");
  in_a_cell(
      [](Cell& c) {
        c.hello();
        c.send(FrameType::order, Order{});
      },
      "does not decode");
  in_a_cell(
      [](Cell& c) {
        c.hello();
        c.send(FrameType::order, python());
        c.send(FrameType::order, python());
      },
      "running already");
  in_a_cell(
      [](Cell& c) {
        c.hello();
        c.send(FrameType::order, python());
        c.send(FrameType::reset, Reset{});
      },
      "running already");
  in_a_cell(
      [](Cell& c) {
        c.hello();
        c.send(FrameType::order, python());
        for (std::size_t sent = 0; sent <= kInputWindow; sent += kMaxChunk)
          c.send(FrameType::input, Input{false, std::string(kMaxChunk, 'x')});
      },
      "more input");
}

TEST_F(AgentProtocol, a_frame_may_come_byte_by_byte) {
  std::string all;
  append_frame(all, FrameType::order, bash().encode());
  FileIn file;
  file.path = "/workspace/main.sh";
  file.bytes = "echo slow";
  append_frame(all, FrameType::file, file.encode());
  append_frame(all, FrameType::go);
  for (const char byte : all) cell().write({&byte, 1});
  EXPECT_EQ(cell().finish().out, "slow\n");
}

TEST_F(AgentProtocol, a_file_in_pieces_that_do_not_fit_is_a_refusal) {
  FileIn first;
  first.path = "/workspace/a";
  first.bytes = "1";
  first.last = false;
  auto other = first;
  other.path = "/workspace/b";
  other.first = false;
  cell().send(FrameType::order, command({"true"}));
  cell().send(FrameType::file, first);
  cell().send(FrameType::file, other);
  cell().send(FrameType::go);
  EXPECT_EQ(cell().finish().report.reason, "a part of /workspace/b came without its beginning");
  cell().send(FrameType::order, command({"true"}));
  cell().send(FrameType::file, first);
  cell().send(FrameType::go);
  EXPECT_EQ(cell().finish().report.reason, "the end of /workspace/a did not come");
}

TEST_F(AgentProtocol, a_host_that_hangs_up_takes_everything_with_it) {
  cell().start(bash(), "trap '' TERM HUP; setsid sleep 1000 & echo up; while true; do sleep 1; done");
  cell().expect<Output>(FrameType::output);
  EXPECT_GE(cell().processes(), 3u);
  const pid_t agent = cell().pid();
  cell().close_input();
  const auto status = cell().wait_status(seconds(5));
  ASSERT_TRUE(status) << "agent " << agent;
  EXPECT_TRUE(WIFEXITED(*status) && WEXITSTATUS(*status) == 0) << *status;
}

TEST_F(AgentProtocol, a_host_that_hangs_up_while_an_interpreter_waits) {
  cell().warm(Language::python);
  cell().hang_up();
  EXPECT_TRUE(cell().wait_status(seconds(5)));
}

TEST_F(AgentProtocol, a_host_that_stops_reading_and_goes_in_the_middle_of_a_flood) {
  auto order = command({"yes"});
  order.output_bytes = 1u << 30;
  cell().start(order, "");
  cell().expect<Output>(FrameType::output);
  cell().hang_up();
  EXPECT_TRUE(cell().wait_status(seconds(5)));
}

TEST_F(AgentProtocol, an_order_stopped_before_it_went_ends_too) {
  cell().send(FrameType::order, python());
  cell().send(FrameType::stop, Stop{});
  const auto report = cell().finish().report;
  EXPECT_EQ(report.fate, Fate::stopped);
  EXPECT_FALSE(report.exit_code);
}

TEST_F(AgentProtocol, it_refuses_to_run_where_it_would_kill_strangers) {
  // Not PID 1: it must not even start to listen.
  EXPECT_EQ(cell().run(bash(), "/.hotcell/agent 2>&1; echo $?").out,
            "hotcell-agent runs as the first process of a container; hotcell starts it there\n2\n");
  EXPECT_TRUE(cell().run(bash(), "/.hotcell/agent --version").out.starts_with("hotcell-agent "));
}

}  // namespace
}  // namespace hotcell::agent::testing
