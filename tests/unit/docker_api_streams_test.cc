// Attached containers and the stream of events.
#include <gtest/gtest.h>
#include <poll.h>

#include <nlohmann/json.hpp>

#include "docker/api/client.h"
#include "fake_docker.h"

namespace hotcell::docker::api {
namespace {

using nlohmann::json;

Until soon() { return Until::seconds(20); }
Until at_once() { return Deadline::after(std::chrono::milliseconds(20)); }

class DockerStreams : public testing::Test {
 protected:
  explicit DockerStreams() {
    auto made = Client::connect(docker.endpoint(), soon());
    EXPECT_TRUE(made) << made.error().message;
    client = std::move(*made);
  }
  Attached attached(std::function<void(Wire&)> then, std::string_view head = Reply::kUpgraded) {
    docker.on("POST /containers/c1/attach", Reply::hijacked(std::move(then), head));
    auto made = client->attach("c1", {}, soon());
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  FakeDocker docker{"1.41"};
  std::unique_ptr<Client> client;
};

// All that comes until the end; what went wrong, if anything did.
struct Heard {
  std::string out, err, error;
};
Heard listen(Attached& attached) {
  Heard heard;
  for (;;) {
    const auto piece = attached.receive(soon());
    if (!piece) heard.error = piece.error().code;
    if (!piece || !*piece) return heard;
    ((*piece)->stream == Stream::err ? heard.err : heard.out) += (*piece)->bytes;
  }
}

TEST_F(DockerStreams, what_is_sent_arrives_and_what_is_said_comes_back) {
  auto streams = attached([](Wire& wire) {
    const auto heard = wire.read_to_end();
    wire.frame(1, "heard " + heard);
    wire.frame(2, "done");
  });
  ASSERT_TRUE(streams.send("hello", soon()));
  ASSERT_TRUE(streams.close_input());
  const auto heard = listen(streams);
  EXPECT_EQ(heard.out, "heard hello");
  EXPECT_EQ(heard.err, "done");
  EXPECT_EQ(heard.error, "");
  EXPECT_TRUE(streams.receive(soon()).has_value()) << "the end stays the end";
  const auto seen = docker.seen("POST /containers/c1/attach").at(0);
  EXPECT_EQ(seen.headers.at("upgrade"), "tcp");
  EXPECT_EQ(seen.headers.at("connection"), "Upgrade");
  EXPECT_EQ(seen.query,
            (std::map<std::string, std::string>{{"stream", "1"}, {"stdin", "1"}, {"stdout", "1"}, {"stderr", "1"}}));
}

TEST_F(DockerStreams, frames_that_come_with_the_head_are_not_lost) {
  auto streams = attached([](Wire&) {}, std::string(Reply::kUpgraded) + frame(1, "early"));
  EXPECT_EQ(listen(streams).out, "early");
}

TEST_F(DockerStreams, a_daemon_that_answers_200_is_as_good) {
  auto streams = attached([](Wire& wire) { wire.frame(1, wire.read(2)); },
                          "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
  ASSERT_TRUE(streams.send("hi", soon()));
  EXPECT_EQ(listen(streams).out, "hi");
}

TEST_F(DockerStreams, a_frame_cut_at_any_byte_is_no_clean_end) {
  const auto whole = frame(1, "hello") + frame(2, "you");
  for (std::size_t at = 0; at <= whole.size(); ++at) {
    auto streams = attached([=](Wire& wire) { wire.write(std::string_view(whole).substr(0, at)); });
    const auto heard = listen(streams);
    const bool between = at == 0 || at == 8 + 5 || at == whole.size();
    EXPECT_EQ(heard.error, between ? "" : "docker_unreachable") << at;
    EXPECT_EQ(heard.out, std::string("hello").substr(0, at < 8 ? 0 : at - 8)) << at;
  }
}

TEST_F(DockerStreams, receive_keeps_its_deadline_and_goes_on_afterwards) {
  Gate go;
  auto streams = attached([=](Wire& wire) {
    wire.write(std::string_view("\1\0\0\0", 4));  // half a header
    go.wait();
    wire.write(std::string_view("\0\0\0\2hi", 6));
  });
  EXPECT_EQ(streams.receive(at_once()).error().code, "docker_not_answering");
  EXPECT_FALSE(streams.received());
  go.open();
  EXPECT_EQ(listen(streams).out, "hi");
}

TEST_F(DockerStreams, several_frames_that_came_at_once_are_all_given_out) {
  auto streams = attached([](Wire& wire) {
    wire.write(frame(1, "a") + frame(2, "b"));
    wire.read(1);
  });
  ASSERT_TRUE(streams.receive(soon()));
  EXPECT_TRUE(streams.received()) << "poll cannot see the second one any more";
  EXPECT_EQ((*streams.receive(soon()))->bytes, "b");
  EXPECT_FALSE(streams.received());
}

TEST_F(DockerStreams, sending_to_one_that_does_not_read_keeps_its_deadline) {
  Gate over;
  auto streams = attached([=](Wire&) { over.wait(); });
  const auto sent = streams.send(std::string(16 << 20, 'x'), at_once());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, "docker_not_answering");
  EXPECT_EQ(*streams.send_some("x"), 0u) << "its buffer is full, and nobody waits";
  over.open();
}

TEST_F(DockerStreams, sending_to_one_that_has_gone_is_an_error_and_no_signal) {
  auto streams = attached([](Wire&) {});
  EXPECT_FALSE(*streams.receive(soon()));
  EXPECT_EQ(streams.send("x", soon()).error().code, "docker_unreachable");
}

TEST_F(DockerStreams, one_thread_sends_while_another_receives) {
  const std::string much(4 << 20, 'x');
  auto streams = attached([=](Wire& wire) {
    for (std::size_t n = 0; n < much.size(); n += 4096) wire.frame(1, wire.read(4096));
  });
  std::thread sender([&] { EXPECT_TRUE(streams.send(much, soon())); });
  EXPECT_EQ(listen(streams).out.size(), much.size());
  sender.join();
}

TEST_F(DockerStreams, output_of_a_terminal_has_no_frames_and_is_refused) {
  docker.speak("1.44", "1.12");
  client = std::move(*Client::connect(docker.endpoint(), soon()));
  docker.on("POST /containers/c1/attach", Reply::hijacked([](Wire&) {}));  // raw-stream, as with Tty
  EXPECT_EQ(client->attach("c1", {}, soon()).error().code, "docker_bad_request");
  auto streams = attached([](Wire& wire) { wire.frame(1, "x"); },
                          "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"
                          "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
  EXPECT_EQ(listen(streams).out, "x");
}

TEST_F(DockerStreams, attaching_to_what_is_not_there_is_an_error) {
  docker.on("POST /containers/c1/attach", Reply::error(404, "No such container: c1"));
  EXPECT_EQ(client->attach("c1", {}, soon()).error().code, "docker_not_found");
}

// ---- Events ----

constexpr auto kDie = R"({"status":"die","id":"c1","Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":
    {"exitCode":"137","hotcell.owner":"o"}},"time":1,"timeNano":1000000007})";

std::string one_line(std::string text) {
  std::erase(text, '\n');
  return text + "\n";
}

TEST_F(DockerStreams, events_come_one_by_one) {
  Gate later;
  docker.on("GET /events", Reply::hijacked(
                               [=](Wire& wire) {
                                 const auto die = one_line(kDie);
                                 wire.write(die.substr(0, 20));
                                 later.wait();
                                 wire.write(die.substr(20) + R"({"Action":"oom","Actor":{"ID":"c2"}})" + "\n");
                               },
                               "HTTP/1.1 200 OK\r\n\r\n"));
  auto events = client->events({.labels = {"hotcell.home=h"}, .actions = {"die", "oom"}, .since = 12}, soon());
  ASSERT_TRUE(events);
  EXPECT_EQ(events->next(at_once()).error().code, "docker_not_answering");
  later.open();
  const auto die = events->next(soon());
  ASSERT_TRUE(die) << die.error().message;
  EXPECT_EQ(die->action, "die");
  EXPECT_EQ(die->container, "c1");
  EXPECT_EQ(die->exit_code, 137);
  EXPECT_EQ(die->attributes.at("hotcell.owner"), "o");
  EXPECT_EQ(die->time_ns, 1000000007);
  const auto oom = events->next(soon());
  ASSERT_TRUE(oom);
  EXPECT_EQ(oom->action, "oom");
  EXPECT_FALSE(oom->exit_code);
  EXPECT_EQ(events->next(soon()).error().code, "docker_unreachable") << "the daemon ended it";
  const auto query = docker.seen("GET /events").at(0).query;
  EXPECT_EQ(json::parse(query.at("filters")),
            (json{{"type", {"container"}}, {"label", {"hotcell.home=h"}}, {"event", {"die", "oom"}}}));
  EXPECT_EQ(query.at("since"), "12");
}

TEST_F(DockerStreams, an_event_without_end_is_refused) {
  docker.on("GET /events", Reply::until_close(200, std::string(1 << 20, 'x')));
  EXPECT_EQ(client->events({}, soon())->next(soon()).error().code, "docker_protocol");
}

TEST_F(DockerStreams, an_event_that_is_not_json_is_an_error) {
  docker.on("GET /events", Reply::until_close(200, "{\"a\":\n"));
  EXPECT_EQ(client->events({}, soon())->next(soon()).error().code, "docker_protocol");
}

}  // namespace
}  // namespace hotcell::docker::api
