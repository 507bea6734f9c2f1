#include <gtest/gtest.h>

#include "protocol/events.h"

namespace hotcell::protocol {
namespace {

Failure failure(std::string code, std::string kind, std::string message) {
  Failure out;
  out.code = std::move(code);
  out.kind = std::move(kind);
  out.message = std::move(message);
  return out;
}

Result finished() {
  Result result;
  result.id = "exe_1";
  result.outcome.exit_code = 0;
  result.outcome.out = {"secret output", 13, false};
  return result;
}

TEST(Events, each_kind_is_one_line_that_reads_back) {
  const std::pair<Event, std::string> events[] = {
      {{1, 0, event::Accepted{"exe_1", {}}}, R"({"seq":1,"type":"accepted","t":0.0,"id":"exe_1"})"},
      {{1, 0, event::Accepted{"exe_1", "ses_1"}},
       R"({"seq":1,"type":"accepted","t":0.0,"id":"exe_1","session_id":"ses_1"})"},
      {{2, 0.25, event::Queued{3}}, R"({"seq":2,"type":"queued","t":0.25,"position":3})"},
      {{3, 0.1 + 0.2, event::Setup{event::Phase::dependencies, "numpy"}},
       R"({"seq":3,"type":"setup","t":0.3,"phase":"dependencies","message":"numpy"})"},
      {{4, 1, event::Started{"wasi", "warm"}}, R"({"seq":4,"type":"started","t":1.0,"engine":"wasi","start":"warm"})"},
      {{5, 1, event::Output{Stream::out, "h\u00e9\n", false}},
       "{\"seq\":5,\"type\":\"stdout\",\"t\":1.0,\"text\":\"h\u00e9\\n\"}"},
      {{6, 1, event::Output{Stream::err, "\xFF", true}}, R"({"seq":6,"type":"stderr","t":1.0,"base64":"/w=="})"},
      {{7, 1, event::Shown{{true, {{"text/plain", "4"}}}}},
       R"({"seq":7,"type":"result","t":1.0,"main":true,"data":{"text/plain":"4"}})"},
      {{8, 1, event::Failed{failure("exit", "exception", "m")}},
       R"({"seq":8,"type":"error","t":1.0,"code":"exit","kind":"exception","name":"","message":"m","traceback":"","line":null,"limit":"","hint":"","retryable":false})"},
      {{9, 1, event::Files{}}, R"({"seq":9,"type":"files","t":1.0,"files":[]})"},
      {{10, 1, event::Keepalive{}}, R"({"seq":10,"type":"keepalive","t":1.0})"},
      {{11, 1, event::Gap{4, 9}}, R"({"seq":11,"type":"gap","t":1.0,"from":4,"to":9})"},
  };
  for (const auto& [event, line] : events) {
    EXPECT_EQ(to_line(event), line + "\n");
    const auto read = event_from_line(line);
    ASSERT_TRUE(read) << line << read.error().message;
    EXPECT_EQ(read->what.index(), event.what.index());
    EXPECT_EQ(to_line(*read), line + "\n");
  }
}

TEST(Events, the_end_counts_the_output_without_repeating_it) {
  const auto line = to_line({12, 2, event::End{finished()}});
  EXPECT_EQ(line.find("secret"), line.npos);
  const auto read = event_from_line(line);
  ASSERT_TRUE(read) << read.error().message;
  const auto& result = std::get<Result>(std::get<event::End>(read->what).how);
  EXPECT_EQ(result.outcome.out.total, 13u);
  EXPECT_EQ(result.outcome.exit_code, 0);
  EXPECT_EQ(type_of(*read), "end");
}

TEST(Events, a_refusal_ends_a_stream_too) {
  const auto line = to_line({2, 1, event::End{make_problem("deadline_in_queue", "no cell was free in time")}});
  const auto read = event_from_line(line);
  ASSERT_TRUE(read) << read.error().message;
  const auto& problem = std::get<Problem>(std::get<event::End>(read->what).how);
  EXPECT_EQ(problem.http_status, 504);
  EXPECT_TRUE(problem.retryable);
  EXPECT_EQ(to_line(*read), line);
}

TEST(Events, bad_lines_are_refused) {
  for (const char* line : {"", "{}", R"({"seq":1,"type":"nonsense","t":0})", R"({"seq":1,"type":"stdout","t":0})",
                           R"({"seq":1,"type":"end","t":0})", R"({"seq":-1,"type":"keepalive","t":0})",
                           R"({"type":"keepalive","t":0})", R"({"seq":1,"type":"stdout","t":0,"base64":"a"})",
                           R"({"seq":1,"type":"setup","t":0,"phase":"x"})", R"({"seq":1,"type":"files","t":0})"})
    EXPECT_FALSE(event_from_line(line)) << line;
}

}  // namespace
}  // namespace hotcell::protocol
