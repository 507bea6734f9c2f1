// Frames between host and agent: what is written is read, and what cannot be is refused.
#include "agent/wire/wire.h"

#include <gtest/gtest.h>

#include "agent/archive.h"

namespace hotcell::agent {
namespace {

Order full_order() {
  Order out;
  out.language = Language::node;
  out.program = "/workspace/main.js";
  out.args = {"a", "", "ü"};
  out.env = {"A=1", "B="};
  out.clear_env = out.live_input = true;
  out.prepend = {"PATH=/packages/bin"};
  out.links = {"/workspace/a=/b"};
  out.cwd = "/tmp";
  out.collect_changed = false;
  out.collect = {"**/*.txt"};
  out.timeout_ns = 1;
  out.cpu_ns = 2;
  out.grace_ns = 3;
  out.output_bytes = 4;
  out.files_bytes = 5;
  out.inline_bytes = 6;
  out.max_files = 7;
  return out;
}

Report full_report() {
  Report out;
  out.fate = Fate::cpu_exceeded;
  out.reason = "why";
  out.exit_code = -1;
  out.signal = 9;
  out.warm = out.disk_full = out.files_incomplete = true;
  out.left_behind = 1;
  out.oom_kills = 2;
  out.pids_refused = 3;
  out.uncaught = Uncaught{"E", "m", "t", 4, 5, true};
  out.out = {10, 8, 2};
  out.err = {1, 1, 0};
  out.setup_ns = 1;
  out.wall_ns = 2;
  out.kill_ns = 3;
  out.cpu_ns = 4;
  out.memory_peak = 5;
  return out;
}

Facts full_facts() {
  Facts out;
  out.pid = 1;
  out.uid[3] = 7;
  out.groups = {1, 2};
  out.cap_bounding = 5;
  out.no_new_privs = out.guarded = out.cgroup_private = true;
  out.seccomp_mode = 2;
  out.lsm_label = "docker-default";
  out.mounts = {{"/", "overlay", "none", "ro", "rw", 1, 2, true}};
  out.memory_limit = 1;
  out.interfaces = {{"lo", true, {"127.0.0.1", "::1"}}};
  out.rlimits = {{7, 1, 2}};
  out.devices = {{"/dev/null", false, 1, 3}};
  out.namespaces = {"pid:[1]"};
  out.env_names = {"PATH"};
  out.descriptors = {"0 pipe:[1]"};
  return out;
}

template <class Message>
void survives(const Message& message) {
  const auto bytes = message.encode();
  const auto read = Message::decode(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->encode(), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Message::decode(std::string_view(bytes).substr(0, size))) << "cut to " << size;
  EXPECT_FALSE(Message::decode(bytes + "x")) << "longer than it should be";
}

TEST(AgentWire, messages_survive_the_way_and_no_part_of_one_is_one) {
  survives(Hello{});
  survives(Warm{Language::python, {"numpy"}});
  survives(full_order());
  survives(FileIn{"/workspace/a", 0755, false, true, false, "bytes"});
  survives(Input{true, "in"});
  survives(Stop{5});
  survives(Reset{6});
  survives(full_facts());
  survives(Warmed{Language::node, true, "/usr/bin/node", "20", "", 3});
  survives(Output{2, "out"});
  survives(WantInput{3});
  survives(full_report());
  survives(FileOut{"a/b", Change::modified, 0644, 3, false, true, "abc"});
  survives(Cleaned{true, "", 1, 2, 3});
  survives(Fault{"no"});
}

TEST(AgentWire, paths_that_lead_elsewhere_do_not_decode) {
  for (const char* path : {"", "relative", "/", "//x", "/a/../b", "/a/./b", "/a//b", "/a/"}) {
    EXPECT_FALSE(FileIn::decode(FileIn{path, 0644, false, true, true, ""}.encode())) << path;
    auto order = full_order();
    order.program = path;
    EXPECT_FALSE(Order::decode(order.encode())) << path;
  }
  for (const char* path : {"", "/absolute", "..", "a/../b", "./a", "a//b", "a/"})
    EXPECT_FALSE(FileOut::decode(FileOut{path, Change::created, 0, 0, false, true, ""}.encode())) << path;
  EXPECT_FALSE(FileOut::decode(FileOut{std::string("a\0b", 3), Change::created, 0, 0, false, true, ""}.encode()));
}

TEST(AgentWire, orders_that_make_no_sense_do_not_decode) {
  const auto refused = [](auto change) {
    auto order = full_order();
    change(order);
    return !Order::decode(order.encode());
  };
  EXPECT_TRUE(refused([](Order& o) { o.language = static_cast<Language>(9); }));
  EXPECT_TRUE(refused([](Order& o) { o.language = Language::none; }));  // with a program
  EXPECT_TRUE(refused([](Order& o) { o.env = {"no equals sign"}; }));
  EXPECT_TRUE(refused([](Order& o) { o.env = {"=value"}; }));
  EXPECT_TRUE(refused([](Order& o) { o.args = {std::string("a\0b", 3)}; }));
  EXPECT_TRUE(refused([](Order& o) { o.args.assign(kMaxStrings + 1, ""); }));
  EXPECT_TRUE(refused([](Order& o) { o.args = {std::string(kMaxString + 1, 'x')}; }));
  EXPECT_TRUE(refused([](Order& o) { o.max_files = kMaxFilesOut + 1; }));
  EXPECT_FALSE(refused([](Order& o) { o.args.assign(kMaxStrings, ""); }));
}

TEST(AgentWire, a_count_without_the_bytes_behind_it_reserves_nothing) {
  auto bytes = full_facts().encode();
  for (std::size_t at = 0; at + 4 <= bytes.size(); ++at) {
    auto damaged = bytes;
    damaged.replace(at, 4, "\xff\xff\xff\x7f");
    (void)Facts::decode(damaged);  // must not try to make room for two thousand million entries
  }
}

TEST(AgentWire, frames_come_out_whole_however_they_come_in) {
  std::string stream;
  append_frame(stream, FrameType::output, Output{1, "first"}.encode());
  append_frame(stream, FrameType::end);
  append_frame(stream, FrameType::output, Output{2, std::string(kMaxChunk, 'x')}.encode());
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, stream.size()}) {
    FrameReader reader(Side::agent);
    std::vector<std::pair<FrameType, std::string>> got;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      reader.feed(std::string_view(stream).substr(at, step));
      while (const auto frame = reader.next()) got.emplace_back(frame->type, frame->payload);
    }
    ASSERT_EQ(got.size(), 3u) << step;
    EXPECT_EQ(got[0].second, (Output{1, "first"}.encode()));
    EXPECT_EQ(got[1].first, FrameType::end);
    EXPECT_EQ(got[2].second.size(), kMaxChunk + 5);
    EXPECT_FALSE(reader.broken());
  }
}

TEST(AgentWire, a_header_that_cannot_be_breaks_the_stream_for_good) {
  const auto breaks = [](std::string_view header, Side sender) {
    FrameReader reader(sender);
    reader.feed(header);
    EXPECT_FALSE(reader.next());
    std::string good;
    append_frame(good, sender == Side::agent ? FrameType::end : FrameType::go);
    const bool broken = reader.broken();
    reader.feed(good);
    return broken && !reader.next();
  };
  EXPECT_TRUE(breaks({"\x01\x00\x10\x00\x43\0\0\0", 8}, Side::agent)) << "too long";
  EXPECT_TRUE(breaks({"\0\0\0\0\x02\0\0\0", 8}, Side::agent)) << "only a host says warm";
  EXPECT_TRUE(breaks({"\0\0\0\0\x48\0\0\0", 8}, Side::host)) << "only an agent says end";
  EXPECT_TRUE(breaks({"\0\0\0\0\x48\0\1\0", 8}, Side::agent)) << "bytes that must be zero";
  EXPECT_TRUE(breaks({"\0\0\0\0\xff\0\0\0", 8}, Side::agent)) << "no such type";
}

TEST(AgentArchive, is_what_others_call_a_zip_file) {
  const auto zip = zip_of({{"a.py", "x = 1\n"}, {"b.py", "y = 2\n"}});
  EXPECT_TRUE(zip.starts_with("PK\x03\x04"));
  EXPECT_EQ(zip.size(), 2 * (30 + 4 + 6) + 2 * (46 + 4) + 22u);
  EXPECT_EQ(zip.substr(14, 4), "\x3b\x89\xf6\x8b") << "the CRC of its content";
}

}  // namespace
}  // namespace hotcell::agent
