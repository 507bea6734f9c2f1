// What operators see: the log, what each tenant has used.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "server/log.h"
#include "server/usage.h"
#include "server_raw_client.h"

namespace hotcell::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Written {
  std::string text;
  auto into() {
    return [this](std::string_view line) { text += line; };
  }
};

TEST(Log, a_level_that_changes_holds_from_the_next_line_on) {
  Written written;
  Log log(LogLevel::warn, written.into());
  log.info("not this");
  log.set_level(LogLevel::info);
  log.info("this", {{"n", 1}});
  log.set_level(LogLevel::quiet);
  log.error("nor this");
  log.always("but this", {});
  EXPECT_EQ(written.text.find("not this"), std::string::npos);
  EXPECT_EQ(written.text.find("nor this"), std::string::npos);
  EXPECT_NE(written.text.find(R"("level":"info","message":"this","n":1})"), std::string::npos);
  EXPECT_NE(written.text.find("but this"), std::string::npos);
}

TEST(Log, the_journal_is_told_how_grave_a_line_is) {
  Written written;
  Log log(LogLevel::debug, written.into(), LogForm::journal);
  log.error("e");
  log.warn("w");
  log.info("i");
  log.line(LogLevel::debug, "d");
  std::string priorities;
  for (std::size_t at = 0; at < written.text.size(); at = written.text.find('\n', at) + 1)
    priorities += written.text.substr(at, 3);
  EXPECT_EQ(priorities, "<3><4><6><7>");
}

TEST(Log, people_read_text) {
  Written written;
  Log log(LogLevel::info, written.into(), LogForm::text);
  log.warn("an engine is not available", {{"engine", "docker"}, {"why", "no daemon\n\x1b[31m"}, {"n", 2}});
  EXPECT_EQ(written.text.substr(12),
            " warn  an engine is not available engine=docker why=\"no daemon\\n\\u001b[31m\" n=2\n");
  EXPECT_EQ(log_line_as_text("no JSON"), "no JSON");
  EXPECT_EQ(log_line_as_text(R"({"a":1})"), R"({"a":1})");
}

TEST(Log, where_the_journal_reads_is_found_out_by_the_descriptor) {
  char name[] = "/tmp/hotcell-log-XXXXXX";
  const int fd = mkstemp(name);
  struct stat at{};
  ASSERT_EQ(fstat(fd, &at), 0);
  EXPECT_EQ(form_for(fd), LogForm::json);
  setenv("JOURNAL_STREAM", (std::to_string(at.st_dev) + ":" + std::to_string(at.st_ino)).c_str(), 1);
  EXPECT_EQ(form_for(fd), LogForm::journal);
  setenv("JOURNAL_STREAM", (std::to_string(at.st_dev) + ":" + std::to_string(at.st_ino + 1)).c_str(), 1);
  EXPECT_EQ(form_for(fd), LogForm::json);
  unsetenv("JOURNAL_STREAM");
  close(fd);
  unlink(name);
}

TEST(Log, the_last_lines_are_kept_and_no_more) {
  Log log(LogLevel::info, [](std::string_view) {});
  for (int i = 0; i < 5000; ++i) log.info("line", {{"n", i}});
  const auto all = log.recent(0, 1'000'000);
  EXPECT_EQ(all.next, 5000u);
  EXPECT_EQ(all.lines.size(), 2000u);
  EXPECT_NE(all.lines.back().find("\"n\":4999"), std::string::npos);
  EXPECT_EQ(log.recent(5000, 10).lines.size(), 0u);
  EXPECT_EQ(log.recent(4998, 10).lines.size(), 2u);
  EXPECT_EQ(log.recent(9999, 10).lines.size(), 0u) << "of a service before this one";
  EXPECT_EQ(log.recent(0, 3).lines.size(), 3u);
  for (int i = 0; i < 20; ++i) log.info(std::string(100'000, 'x'));
  EXPECT_LE(log.recent(0, 1'000'000).lines.size(), 10u) << "bounded by bytes, too";
}

TEST(UsageBook, what_was_used_is_read_again) {
  const TemporaryFolder folder;
  const auto file = folder / "usage.json";
  {
    UsageBook book;
    ASSERT_TRUE(book.load(file)) << "there is none yet";
    const auto usage = book.of("ci");
    usage->runs = 3, usage->refused = 1, usage->cpu_microseconds = 2'500'000, usage->last_use = 1'700'000'000;
    EXPECT_EQ(book.of("ci"), usage);
    ASSERT_TRUE(book.save(file));
  }
  UsageBook book;
  ASSERT_TRUE(book.load(file));
  ASSERT_EQ(book.lines().size(), 1u);
  const auto line = book.lines()[0];
  EXPECT_EQ(line.name, "ci");
  EXPECT_EQ(line.runs, 3u);
  EXPECT_EQ(line.cpu_seconds, 2.5);
  EXPECT_EQ(line.last_use, "2023-11-14T22:13:20.000Z");
  std::filesystem::remove(file);
  ASSERT_TRUE(book.save(file));
  EXPECT_FALSE(std::filesystem::exists(file)) << "nothing has happened since";
}

TEST(UsageBook, a_damaged_file_is_said_and_survived) {
  const TemporaryFolder folder;
  for (const char* text : {"", "[]", "{", "{\"a\":3}", "{\"a\":{\"runs\":-1,\"cpu_microseconds\":\"x\"}}"}) {
    std::ofstream(folder / "usage.json", std::ios::trunc) << text;
    UsageBook book;
    EXPECT_EQ(book.load(folder / "usage.json").has_value(), text[0] == '{' && text[1] != '\0') << text;
    for (const auto& line : book.lines()) EXPECT_EQ(line.runs, 0u);
  }
}

TEST(UsageBook, strangers_do_not_fill_the_memory) {
  UsageBook book;
  for (int i = 0; i < 30'000; ++i) book.of("unix:" + std::to_string(i))->runs += 1;
  EXPECT_LE(book.lines().size(), 20'001u);
  EXPECT_EQ(book.of("others")->runs, 10'000u);
}

}  // namespace
}  // namespace hotcell::server
