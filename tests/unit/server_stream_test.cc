// Streams of events, batches, and one program with many inputs.
#include "server_harness.h"

namespace hotcell::server {
namespace {

class Streaming : public ServiceTest {};

TEST_F(Streaming, every_event_in_order_and_one_end) {
  start();
  const auto answer = execute("fail", kNdjson);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "application/x-ndjson");
  EXPECT_EQ(answer.headers.at("x-accel-buffering"), "no");
  const auto events = lines(answer.body);
  EXPECT_EQ(types(events), "accepted queued setup started error end");
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i]["seq"], i + 1);
  EXPECT_EQ(events.back()["result"]["id"], events.front()["id"]);
  EXPECT_FALSE(events.back()["result"].contains("stdout"));
  EXPECT_EQ(types(lines(execute("files", kNdjson).body)), "accepted queued setup started files end");
  EXPECT_EQ(types(lines(execute("refuse invalid_field", kNdjson).body)), "accepted queued setup end");
}

TEST_F(Streaming, server_sent_events_say_the_same) {
  start();
  const auto answer = execute("print hi", kSse);
  EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream");
  EXPECT_NE(answer.body.find("id: 5\nevent: stdout\ndata: {\"seq\":5,\"type\":\"stdout\","), std::string::npos)
      << answer.body;
  EXPECT_NE(answer.body.find("\n\nid: 6\nevent: end\ndata: "), std::string::npos);
  EXPECT_TRUE(answer.body.ends_with("}\n\n"));
}

TEST_F(Streaming, output_can_be_had_as_bytes) {
  start();
  const auto events = lines(post("/v1/execute?output=base64", R"({"code":"print hi"})", kNdjson).body);
  EXPECT_EQ(events[4]["base64"], "aGkK");
}

TEST_F(Streaming, those_who_come_back_go_on_where_they_were) {
  start();
  const auto events = lines(execute("print hi", kNdjson).body);
  const std::string path = "/v1/executions/" + events.front()["id"].get<std::string>() + "/events";
  EXPECT_EQ(lines(get(path).body), events);
  EXPECT_EQ(types(lines(get(path + "?after=4").body)), "stdout end");
  EXPECT_EQ(types(lines(get(path, "Last-Event-ID: 5\r\n").body)), "end");
  EXPECT_EQ(types(lines(get(path + "?after=99").body)), "");
  EXPECT_EQ(code_of(get(path + "?after=x")), "invalid_field");
  EXPECT_TRUE(get(path, kSse).body.starts_with("id: 1\nevent: accepted\n"));
}

TEST_F(Streaming, an_execution_that_nobody_listened_to_has_events_too) {
  start();
  const std::string id = Json::parse(execute("print hi").body)["id"];
  const auto events = lines(get("/v1/executions/" + id + "/events").body);
  EXPECT_EQ(types(events), "accepted started stdout end");
  EXPECT_EQ(events[2]["text"], "hi\n");
}

TEST_F(Streaming, a_second_listener_hears_a_program_that_runs) {
  start();
  RawClient first(socket);
  first.send(text_of("POST", "/v1/execute", R"({"code":"hold"})", kNdjson));
  ASSERT_TRUE(backend.begun(1));
  char bytes[4096];
  std::string text;
  while (text.find("exe_") == text.npos || text.size() < text.find("exe_") + 36)
    text.append(bytes,
                static_cast<std::size_t>(std::max<ssize_t>(0, ::recv(first.fd(), bytes, sizeof bytes, MSG_PEEK))));
  RawClient second(socket);
  second.send(text_of("GET", "/v1/executions/" + text.substr(text.find("exe_"), 36) + "/events", ""));
  char byte;
  ASSERT_EQ(::recv(second.fd(), &byte, 1, MSG_PEEK), 1);
  backend.let_go();
  EXPECT_EQ(lines(second.receive().body), lines(first.receive().body));
}

// Back-pressure: the program is held up; memory is not used up.
TEST_F(Streaming, a_slow_reader_slows_the_program_and_loses_nothing) {
  options.launch.event_bytes = 64 << 10;
  start();
  RawClient slow(socket);
  slow.send(text_of("POST", "/v1/execute", R"({"code":"flood 16000000"})", kNdjson));
  ASSERT_TRUE(backend.begun(1));
  // However fast it is, it is never further ahead than what is on the way: our ring, and the kernel's buffers.
  std::string text, piece;
  slow.head();
  for (; slow.next_chunk(piece) && !piece.empty(); text += piece) EXPECT_LT(backend.flooded(), text.size() + 2'000'000);
  std::size_t bytes = 0, ends = 0;
  for (const auto& event : lines(text)) {
    EXPECT_NE(event["type"], "gap");
    if (event["type"] == "stdout") bytes += event["text"].get<std::string>().size();
    ends += event["type"] == "end";
  }
  EXPECT_EQ(bytes, 16'000'000u);
  EXPECT_EQ(ends, 1u);
}

TEST_F(Streaming, a_reader_that_never_reads_is_cut_off_and_its_program_ended) {
  options.launch.event_bytes = 64 << 10;
  limits.write_time = std::chrono::milliseconds(300);
  start();
  RawClient stuck(socket);
  stuck.send(text_of("POST", "/v1/execute", R"({"code":"flood 4000000000"})", kNdjson));
  ASSERT_TRUE(backend.begun(1));
  EXPECT_TRUE(backend.all_ended());
}

class Batches : public ServiceTest {};

TEST_F(Batches, answers_come_in_order_whatever_becomes_of_each) {
  start();
  const auto answer = post("/v1/batch", R"({"items":[{"code":"print 1"},{"cod":"print 2"},{"code":"fail"},
      {"code":"refuse unsupported_by_engine"},{"code":"print 5"}],"concurrency":3})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "application/x-ndjson");
  const auto items = lines(answer.body);
  ASSERT_EQ(items.size(), 5u);
  for (std::size_t i = 0; i < items.size(); ++i) EXPECT_EQ(items[i]["index"], i);
  EXPECT_EQ(items[0]["result"]["stdout"], "1\n");
  EXPECT_EQ(items[1]["problem"]["code"], "invalid_field");
  EXPECT_EQ(items[2]["result"]["status"], "failed");
  EXPECT_EQ(items[3]["problem"]["code"], "unsupported_by_engine");
  EXPECT_EQ(items[4]["result"]["stdout"], "5\n");
  EXPECT_EQ(get("/v1/executions/" + items[4]["result"]["id"].get<std::string>()).status, 200);
}

TEST_F(Batches, a_batch_of_nothing_but_mistakes_is_answered) {
  start();
  EXPECT_EQ(lines(post("/v1/batch", R"({"items":[{},{}]})").body).size(), 2u);
  EXPECT_EQ(code_of(post("/v1/batch", R"({"items":[]})")), "invalid_field");
  EXPECT_EQ(code_of(post("/v1/batch", R"({"itmes":[{}]})")), "invalid_field");
  EXPECT_EQ(code_of(post("/v1/batch", R"({"items":[{"code":"print 1"}]})", "Idempotency-Key: k\r\n")), "invalid_field");
}

TEST_F(Batches, concurrency_is_what_was_asked_for) {
  start();
  Json items = Json::array();
  for (int i = 0; i < 50; ++i) items.push_back({{"code", "print x"}});
  EXPECT_EQ(lines(post("/v1/batch", Json{{"items", items}, {"concurrency", 2}}.dump()).body).size(), 50u);
  EXPECT_LE(backend.most_at_once(), 2u);
}

TEST_F(Batches, one_request_goes_between_the_items_of_a_batch) {
  options.admission.max_running = options.admission.eager = 1;
  start();
  RawClient batch(socket);
  Json items = Json::array();
  for (int i = 0; i < 30; ++i) items.push_back({{"code", i == 0 ? "hold" : "print x"}});
  batch.send(text_of("POST", "/v1/batch", Json{{"items", items}}.dump()));
  ASSERT_TRUE(backend.begun(1));
  RawClient one(socket);
  one.send(text_of("POST", "/v1/execute", R"({"code":"print me"})", kNdjson));
  char byte;
  ASSERT_EQ(::recv(one.fd(), &byte, 1, MSG_PEEK), 1);
  backend.let_go();
  EXPECT_EQ(one.receive().status, 200);
  EXPECT_EQ(lines(batch.receive().body).size(), 30u);
  std::size_t place = 0;
  const auto requests = backend.requests();
  for (std::size_t i = 0; i < requests.size(); ++i)
    if (requests[i].code == "print me") place = i;
  EXPECT_LE(place, 3u);
}

TEST_F(Batches, a_client_that_leaves_stops_its_batch) {
  start();
  {
    RawClient client(socket);
    Json items = Json::array();
    for (int i = 0; i < 1000; ++i) items.push_back({{"code", "hold"}});
    client.send(text_of("POST", "/v1/batch", Json{{"items", items}, {"concurrency", 4}}.dump()));
    ASSERT_TRUE(backend.begun(4));
  }
  EXPECT_TRUE(backend.all_ended());
  EXPECT_LE(backend.requests().size(), 16u);
}

TEST_F(Batches, a_reader_that_does_not_read_holds_the_items_back) {
  start();
  RawClient client(socket);
  Json items = Json::array();
  for (int i = 0; i < 300; ++i) items.push_back({{"code", "flood 100000"}});
  client.send(text_of("POST", "/v1/batch", Json{{"items", items}, {"concurrency", 4}}.dump()));
  client.head();
  std::string text, piece;
  for (; client.next_chunk(piece) && !piece.empty(); text += piece)
    EXPECT_LT(backend.requests().size(), text.size() / 100'000 + 150);
  EXPECT_EQ(lines(text).size(), 300u);
}

TEST_F(Batches, one_program_and_many_inputs) {
  start();
  const std::string body = R"({"code":"echo","args":["a"],"inputs":[{"stdin":"1","expected_stdout":"1|a,\n\n"},
      {"stdin":"2","args":["b","c"],"expected_stdout":"something else"},{}]})";
  const auto whole = Json::parse(post("/v1/execute", body).body);
  EXPECT_EQ(whole["object"], "executions");
  const auto& items = whole["items"];
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0]["result"]["stdout"], "1|a,");
  EXPECT_EQ(items[0]["matched"], true);
  EXPECT_EQ(items[1]["result"]["stdout"], "2|b,c,");
  EXPECT_EQ(items[1]["matched"], false);
  EXPECT_EQ(items[2]["result"]["stdout"], "|a,");
  EXPECT_FALSE(items[2].contains("matched"));
  EXPECT_EQ(lines(post("/v1/execute", body, kNdjson).body).size(), 3u);
}

}  // namespace
}  // namespace hotcell::server
