#include "server/event_log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace hotcell::server {
namespace {

using Clock = EventLog::Clock;
using protocol::Stream;
namespace event = protocol::event;

event::Output output(std::string text) { return {Stream::out, std::move(text), false}; }

struct Heard {
  std::vector<std::string> types;
  std::vector<std::string> lines;
  bool over = false;
};
Heard read(EventLog& log, std::uint64_t& after, bool first = false, std::size_t most = SIZE_MAX) {
  Heard out;
  const auto put = [&](const EventLog::Line& line) {
    out.types.emplace_back(line.type);
    out.lines.push_back(line.json);
  };
  out.over = first ? log.read_first(after, most, put) : log.read(after, most, put);
  return out;
}

TEST(EventLog, events_come_in_order_once_each) {
  EventLog log(1 << 20, Clock::now(), false);
  log.add(event::Accepted{"exe_1", {}});
  log.add_output(output("a"), Clock::now());
  std::uint64_t after = 0;
  EXPECT_EQ(read(log, after).types, (std::vector<std::string>{"accepted", "stdout"}));
  EXPECT_EQ(after, 2u);
  log.add(event::End{protocol::make_problem("draining", "x")});
  const auto rest = read(log, after);
  EXPECT_EQ(rest.types, std::vector<std::string>{"end"});
  EXPECT_TRUE(rest.over);
  log.add(event::Queued{1});  // nothing comes after the end
  EXPECT_TRUE(read(log, after).types.empty());
}

TEST(EventLog, a_late_reader_hears_of_what_is_gone) {
  EventLog log(500, Clock::now(), false);
  for (int i = 0; i < 20; ++i) log.add_output(output("0123456789"), Clock::now());
  EXPECT_LE(log.bytes(), 500u);
  std::uint64_t after = 3;
  const auto heard = read(log, after);
  EXPECT_EQ(heard.types.front(), "gap");
  EXPECT_NE(heard.lines.front().find("\"from\":4,"), std::string::npos) << heard.lines.front();
  EXPECT_EQ(after, 20u);
  // The gap ends where the events begin again.
  const auto first_kept = std::stoull(heard.lines[1].substr(heard.lines[1].find("\"seq\":") + 6));
  EXPECT_NE(heard.lines.front().find("\"to\":" + std::to_string(first_kept - 1)), std::string::npos);
}

TEST(EventLog, output_waits_for_the_first_listener) {
  EventLog log(1000, Clock::now(), true);
  std::atomic<int> written{0};
  std::thread program([&] {
    for (int i = 0; i < 50; ++i) {
      log.add_output(output(std::string(100, 'x')), Clock::now() + std::chrono::seconds(60));
      ++written;
    }
    log.add(event::End{protocol::make_problem("draining", "x")});
  });
  std::uint64_t after = 0;
  std::size_t outputs = 0;
  for (bool over = false; !over;) {
    const auto heard = read(log, after, /*first=*/true, 200);
    over = heard.over;
    for (const auto& type : heard.types) {
      EXPECT_NE(type, "gap");  // nothing is lost
      outputs += type == "stdout";
    }
    EXPECT_LE(log.bytes(), 1500u);  // and nothing piles up
  }
  program.join();
  EXPECT_EQ(outputs, 50u);
}

TEST(EventLog, patience_ends_with_the_programs_own_time) {
  EventLog log(300, Clock::now(), true);
  const auto start = Clock::now();
  for (int i = 0; i < 10; ++i) log.add_output(output(std::string(100, 'x')), start + std::chrono::milliseconds(50));
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(50));
  std::uint64_t after = 0;
  EXPECT_EQ(read(log, after, true).types.front(), "gap");
}

TEST(EventLog, nobody_is_waited_for_who_has_left) {
  EventLog log(300, Clock::now(), true);
  std::thread program([&] {
    for (int i = 0; i < 10; ++i) log.add_output(output(std::string(100, 'x')), Clock::now() + std::chrono::seconds(60));
  });
  log.first_leaves();
  program.join();
  EXPECT_LE(log.bytes(), 400u);
}

TEST(EventLog, what_is_said_at_the_end_is_never_dropped) {
  EventLog log(300, Clock::now(), false);
  log.add_output(output(std::string(100, 'x')), Clock::now());
  event::Files files;
  files.files.push_back({"a", protocol::Change::created, 1000, std::string(1000, 'f'), false, "", ""});
  log.add(std::move(files));
  log.add(event::End{protocol::make_problem("draining", "x")});
  std::uint64_t after = 0;
  EXPECT_EQ(read(log, after).types, (std::vector<std::string>{"stdout", "files", "end"}));
}

TEST(EventLog, listeners_are_told_until_they_have_had_enough) {
  EventLog log(1 << 20, Clock::now(), false);
  int told = 0;
  log.tell([&] { return ++told < 2; });
  for (int i = 0; i < 5; ++i) log.add(event::Queued{1});
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace hotcell::server
