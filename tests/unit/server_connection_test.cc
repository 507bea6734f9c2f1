#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "server/http/server.h"
#include "server_raw_client.h"

namespace hotcell::server::http {
namespace {

// Answers what a test tells it to, and keeps what it was asked.
class FakeDoor final : public Door {
 public:
  std::optional<Response> at_headers(Exchange& exchange) override {
    if (exchange.request().path == "/forbidden") return Response::problem("forbidden", "not here");
    return std::nullopt;
  }
  void handle(std::shared_ptr<Exchange> exchange) override {
    const std::string path = exchange->request().path;
    if (path == "/throw") throw std::runtime_error("this handler is broken");
    if (path == "/held") {
      exchange->when_gone([this] { happens("gone"); });
      const std::lock_guard lock(mutex_);
      held_ = exchange;
      happened_.push_back("held");
      changed_.notify_all();
      return;
    }
    if (path == "/stream") {
      Response response;
      response.source = source;
      response.content_type = "application/x-ndjson";
      {
        const std::lock_guard lock(mutex_);
        held_ = exchange;
      }
      exchange->when_gone([this] { happens("gone"); });
      exchange->respond(std::move(response));
      return;
    }
    exchange->respond(Response::text(exchange->request().method + " " + path + " " + exchange->request().body));
  }
  Response refuse(Exchange&, protocol::Problem problem) override { return Response::problem(problem); }
  void answered(Exchange&, const Response& response, std::uint64_t) override {
    happens("answered " + std::to_string(response.status));
  }
  void broke(const std::string& what) override { happens("broke: " + what); }

  void happens(const std::string& what) {
    const std::lock_guard lock(mutex_);
    happened_.push_back(what);
    changed_.notify_all();
  }
  bool wait_for(const std::string& what) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10),
                             [&] { return std::find(happened_.begin(), happened_.end(), what) != happened_.end(); });
  }
  std::shared_ptr<Exchange> held() {
    EXPECT_TRUE(wait_for("held"));
    const std::lock_guard lock(mutex_);
    return held_;
  }
  void wake() {
    std::shared_ptr<Exchange> exchange;
    {
      const std::lock_guard lock(mutex_);
      exchange = held_;
    }
    if (exchange) exchange->wake();
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_.reset();
  }

  std::shared_ptr<Source> source;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> happened_;
  std::shared_ptr<Exchange> held_;
};

class Connections : public testing::Test {
 protected:
  void start() {
    auto listener = Listener::open(*parse_address("unix:" + socket.string()), 0600);
    ASSERT_TRUE(listener.has_value());
    server = std::make_unique<Server>(limits, door);
    server->listen(std::move(*listener));
    thread = std::thread([this] { server->run(); });
  }
  ~Connections() override {
    door.let_go();
    if (server) server->stop();
    if (thread.joinable()) thread.join();
  }

  TemporaryFolder folder;
  std::filesystem::path socket = folder / "s";
  Limits limits;
  FakeDoor door;
  std::unique_ptr<Server> server;
  std::thread thread;
};

TEST_F(Connections, one_connection_serves_many_requests) {
  start();
  RawClient client(socket);
  for (int i = 0; i < 3; ++i) {
    client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    const auto answer = client.receive();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /a hi");
    EXPECT_FALSE(answer.headers.contains("connection"));
  }
}

TEST_F(Connections, requests_sent_at_once_are_answered_in_order) {
  start();
  RawClient client(socket);
  client.send(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n.GET /3 HTTP/1.1\r\n"
      "Host: x\r\n\r\n");
  EXPECT_EQ(client.receive().body, "GET /1 ");
  EXPECT_EQ(client.receive().body, "POST /2 .");
  EXPECT_EQ(client.receive().body, "GET /3 ");
}

TEST_F(Connections, head_has_no_body_and_old_clients_get_what_they_know) {
  start();
  RawClient client(socket);
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto head = client.receive(/*of_head=*/true);
  EXPECT_EQ(head.headers.at("content-length"), "8");
  EXPECT_EQ(client.receive().body, "GET /b ");
  RawClient old(socket);
  old.send("GET /c HTTP/1.0\r\n\r\n");
  const auto answer = old.receive();
  EXPECT_EQ(answer.body, "GET /c ");
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_TRUE(old.ended());
}

TEST_F(Connections, a_slow_head_is_answered_and_hung_up_on) {
  limits.head_time = std::chrono::milliseconds(150);
  start();
  RawClient client(socket);
  client.send("GET / HTTP/1.1\r\nHo");
  const auto answer = client.receive();
  EXPECT_EQ(answer.status, 408);
  EXPECT_TRUE(client.ended());
}

TEST_F(Connections, a_slow_body_is_answered_and_hung_up_on) {
  limits.body_time = std::chrono::milliseconds(150);
  start();
  RawClient client(socket);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(client.receive().status, 408);
  EXPECT_TRUE(client.ended());
}

TEST_F(Connections, a_body_that_was_asked_for_has_no_more_time_than_others) {
  limits.body_time = std::chrono::milliseconds(150);
  start();
  RawClient client(socket);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.receive().status, 408);
}

TEST_F(Connections, a_body_that_keeps_coming_gets_the_time_it_needs) {
  limits.body_time = std::chrono::milliseconds(300);
  limits.body_bytes_per_second = 10'000;
  start();
  RawClient client(socket);
  client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + std::string(10'000, 'x'));
  std::this_thread::sleep_for(std::chrono::milliseconds(600));  // longer than body_time, and what has come allows it
  client.send(std::string(10'000, 'x'));
  EXPECT_EQ(client.receive().status, 200);
}

TEST_F(Connections, an_idle_connection_ends_without_a_word) {
  limits.idle_time = std::chrono::milliseconds(150);
  start();
  RawClient client(socket);
  EXPECT_TRUE(client.ended());
}

TEST_F(Connections, a_request_cut_short_is_answered) {
  start();
  RawClient client(socket);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  client.send_nothing_more();
  EXPECT_EQ(client.receive().status, 400);
  RawClient head(socket);
  head.send("POST / HT");
  head.send_nothing_more();
  EXPECT_EQ(head.receive().status, 400);
}

TEST_F(Connections, a_body_that_is_not_wanted_is_not_waited_for) {
  start();
  RawClient client(socket);
  client.send("POST /forbidden HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n");
  const auto answer = client.receive();
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.headers.at("connection"), "close");
}

TEST_F(Connections, an_answer_survives_a_body_that_is_still_being_sent) {
  limits.body_bytes = 1000;
  start();
  RawClient client(socket);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x'));
  EXPECT_EQ(client.receive().status, 413);
}

TEST_F(Connections, a_client_that_asks_first_is_told_to_go_on) {
  start();
  RawClient client(socket);
  client.send("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  char first[25];
  ASSERT_EQ(::recv(client.fd(), first, sizeof first, MSG_WAITALL), 25);
  EXPECT_EQ(std::string_view(first, 21), "HTTP/1.1 100 Continue");
  client.send("hi");
  EXPECT_EQ(client.receive().body, "POST /a hi");
}

TEST_F(Connections, an_answer_may_come_later_and_from_another_thread) {
  start();
  RawClient client(socket);
  client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = door.held();
  exchange->respond(Response::text("late"));
  exchange->respond(Response::text("twice"));
  EXPECT_EQ(client.receive().body, "late");
  client.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.receive().body, "GET /next ");
}

TEST_F(Connections, a_client_that_leaves_is_noticed) {
  start();
  {
    RawClient client(socket);
    client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    door.held();
  }
  EXPECT_TRUE(door.wait_for("gone"));
  door.held()->respond(Response::text("to nobody"));
  EXPECT_TRUE(door.wait_for("answered 200"));
}

TEST_F(Connections, a_handler_that_throws_costs_one_answer) {
  start();
  RawClient client(socket);
  client.send("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.receive().status, 500);
  EXPECT_TRUE(door.wait_for("broke: this handler is broken"));
  RawClient other(socket);
  other.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(other.receive().status, 200);
}

TEST_F(Connections, more_connections_than_allowed_are_turned_away) {
  limits.connections = 1;
  start();
  RawClient client(socket);
  client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
  RawClient other(socket);
  EXPECT_EQ(other.receive().status, 503);
}

// Pieces that the test releases one by one; counts how much was taken of an endless one.
class FakeSource final : public Source {
 public:
  State pull(std::string& out, std::size_t most) override {
    const std::lock_guard lock(mutex_);
    if (endless) {
      out.append(most, 'x');
      pulled += most;
      return State::more;
    }
    out += std::exchange(ready_, {});
    return over_ ? State::finished : State::waiting;
  }
  void keepalive(std::string& out) override { out += "alive\n"; }
  void add(const std::string& text, bool over = false) {
    const std::lock_guard lock(mutex_);
    ready_ += text;
    over_ = over;
  }
  bool endless = false;
  std::atomic<std::size_t> pulled{0};

 private:
  std::mutex mutex_;
  std::string ready_;
  bool over_ = false;
};

TEST_F(Connections, a_stream_arrives_piece_by_piece) {
  auto source = std::make_shared<FakeSource>();
  door.source = source;
  start();
  source->add("one\n");
  RawClient client(socket);
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  // The head and the first piece: chunked, so the head is read with it.
  std::thread later;
  std::string body;
  Answer answer;
  later = std::thread([&] { answer = client.receive(); });
  source->add("two\n");
  door.wake();
  source->add("three\n", /*over=*/true);
  door.wake();
  later.join();
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.body, "one\ntwo\nthree\n");
  EXPECT_EQ(answer.headers.at("transfer-encoding"), "chunked");
  door.source = std::make_shared<FakeSource>();
  client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");  // the connection goes on
  EXPECT_EQ(client.receive().body, "GET /a ");
}

TEST_F(Connections, a_silent_stream_shows_that_it_is_alive) {
  limits.silence = std::chrono::milliseconds(100);
  auto source = std::make_shared<FakeSource>();
  door.source = source;
  start();
  RawClient client(socket);
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  char bytes[512];
  std::string text;
  while (text.find("alive\n") == text.npos) {
    const auto got = ::recv(client.fd(), bytes, sizeof bytes, 0);
    ASSERT_GT(got, 0);
    text.append(bytes, static_cast<std::size_t>(got));
  }
  EXPECT_EQ(text.find("chunked"), text.npos);  // HTTP/1.0 knows no chunks
  source->add("end\n", true);
  door.wake();
}

TEST_F(Connections, a_reader_that_does_not_read_holds_the_source_back_and_is_cut_off) {
  limits.write_time = std::chrono::milliseconds(300);
  auto source = std::make_shared<FakeSource>();
  source->endless = true;
  door.source = source;
  start();
  RawClient client(socket);
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(door.wait_for("gone"));
  EXPECT_LT(source->pulled, 4u << 20);  // what the kernel's buffers hold, and a piece
}

TEST_F(Connections, draining_lets_answers_finish_and_idle_connections_go) {
  start();
  RawClient idle(socket), busy(socket);
  idle.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(idle.receive().status, 200);
  busy.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = door.held();
  server->drain();
  EXPECT_TRUE(idle.ended());
  EXPECT_FALSE(std::filesystem::exists(socket));
  exchange->respond(Response::text("still"));
  const auto answer = busy.receive();
  EXPECT_EQ(answer.body, "still");
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_TRUE(busy.ended());
}

TEST_F(Connections, who_came_before_the_draining_is_answered_once) {
  start();
  RawClient early(socket), silent(socket), idle(socket);
  idle.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(idle.receive().status, 200);  // so the others have been let in, too
  server->drain();
  EXPECT_TRUE(idle.ended());
  early.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = early.receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_TRUE(early.ended());
  EXPECT_TRUE(silent.ended());  // and is not waited for any longer
}

TEST(Listen, addresses_are_numbers_or_paths) {
  EXPECT_EQ(parse_address("unix:/run/x")->text(), "unix:/run/x");
  EXPECT_EQ(parse_address("/run/x")->text(), "unix:/run/x");
  EXPECT_EQ(parse_address("unix:///run/x")->text(), "unix:/run/x");
  EXPECT_EQ(parse_address("unix:relative")->path, "relative");
  EXPECT_EQ(parse_address("127.0.0.1:80")->text(), "127.0.0.1:80");
  EXPECT_EQ(parse_address("http://[::1]:80/")->text(), "[::1]:80");
  EXPECT_EQ(parse_address("localhost:80")->text(), "127.0.0.1:80");
  EXPECT_TRUE(parse_address(":80")->is_loopback());
  EXPECT_TRUE(parse_address("127.9.9.9:1")->is_loopback());
  EXPECT_FALSE(parse_address("0.0.0.0:80")->is_loopback());
  EXPECT_FALSE(parse_address("[::]:80")->is_loopback());
  for (const auto* bad :
       {"", "unix:", "80", "example.com:80", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x", "1.2.3:4"})
    EXPECT_FALSE(parse_address(bad).has_value()) << bad;
  EXPECT_FALSE(parse_address("unix:/" + std::string(200, 'a')).has_value());
}

TEST(Listen, one_server_a_path_and_a_dead_ones_file_is_no_obstacle) {
  TemporaryFolder folder;
  const auto address = *parse_address((folder / "s").string());
  {
    auto first = Listener::open(address, 0600);
    ASSERT_TRUE(first.has_value()) << first.error().message;
    EXPECT_EQ(Listener::open(address, 0600).error().code, "address_in_use");
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "s"));
  // kill -9 leaves the file.
  const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strcpy(name.sun_path, address.path.c_str());
  ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  auto next = Listener::open(address, 0660);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(std::filesystem::status(address.path).permissions(), static_cast<std::filesystem::perms>(0660));
}

TEST(Listen, a_file_that_is_no_socket_is_left_alone) {
  TemporaryFolder folder;
  const auto path = folder / "precious";
  fclose(fopen(path.c_str(), "w"));
  EXPECT_EQ(Listener::open(*parse_address(path.string()), 0600).error().code, "invalid_config");
  EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace hotcell::server::http
