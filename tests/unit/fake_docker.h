// A Docker daemon that does what a test wants: answers from canned texts, is slow, lies, breaks off at any byte, sends
// garbage, or takes a connection over and speaks frames. Real unix socket, real threads, no mocks.
//
//   FakeDocker docker;                                   // a new folder, a socket in it, and /_ping is answered
//   docker.on("POST /containers/create", Reply::json(201, R"({"Id":"c1"})"));
//   auto client = Client::connect(docker.endpoint(), Until::seconds(5));
//   …
//   EXPECT_EQ(docker.seen("POST /containers/create").at(0).body, …);
//
// A route is a method and a path without the version: "GET /containers/json". It may end in * ("DELETE /containers/*").
// The route that was given last wins. A request that no route fits is answered 404, and is seen all the same.
// Every answer closes its connection, as a daemon does that was asked to.
#pragma once
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "docker/api/endpoint.h"

namespace hotcell::docker {

// What the fake daemon was asked.
struct Seen {
  std::string method, path;                    // "POST", "/containers/c1/start"
  std::string version;                         // "1.44"; empty: the path had none
  std::map<std::string, std::string> query;    // decoded; the last value of each name
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without its chunks
  std::string route() const { return method + " " + path; }
};

// A thing to wait for, in either direction. Nothing in a test sleeps. Copies are the same gate: capture one by value,
// for the fake daemon's threads live until it goes.
class Gate {
 public:
  void open() const;
  void wait() const;  // until it is open, or a test has plainly failed: 30 seconds

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// The daemon's end of a connection that became a raw stream.
class Wire {
 public:
  explicit Wire(int fd, std::string received) : fd_(fd), received_(std::move(received)) {}
  void write(std::string_view bytes);
  void frame(int stream, std::string_view bytes);  // with the header of eight bytes
  // Waits for exactly so many bytes; fewer: the other side closed.
  std::string read(std::size_t size);
  std::string read_to_end();

 private:
  int fd_;
  std::string received_;
};
std::string frame(int stream, std::string_view bytes);

struct Reply {
  std::string bytes;                       // head and body, as they go over the wire
  std::size_t cut_at = std::string::npos;  // only so many of them, then the connection closes
  std::size_t pieces_of = 0;               // sent so many bytes at a time; 0: all at once
  bool then_silent = false;                // the connection stays open, and nothing more comes
  std::optional<Gate> after = {};          // is waited for before the first byte
  bool refuses_body = false;               // answers after the request's head, reads nothing of its body
  std::function<void(Wire&)> then;         // goes on with the raw stream after `bytes`

  static Reply json(int status, std::string_view body);
  static Reply chunked(int status, const std::vector<std::string>& chunks);
  static Reply until_close(int status, std::string_view body);  // neither a length nor chunks
  static Reply error(int status, std::string_view message);     // as the daemon words it
  static Reply raw(std::string bytes);
  static Reply nothing();  // closes
  static Reply silence();  // never says anything
  static Reply hijacked(std::function<void(Wire&)> then, std::string_view head = kUpgraded);

  Reply cut(std::size_t at) &&;
  Reply in_pieces_of(std::size_t size) &&;
  Reply when(Gate gate) &&;
  Reply early() &&;  // refuses_body

  static constexpr std::string_view kUpgraded =
      "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n"
      "Upgrade: tcp\r\n\r\n";
};

class FakeDocker {
 public:
  using Script = std::function<Reply(const Seen&)>;

  // Listens and answers as a daemon that speaks the API from `oldest` to `newest`.
  explicit FakeDocker(std::string newest = "1.44", std::string oldest = "1.12");
  ~FakeDocker();
  FakeDocker(const FakeDocker&) = delete;
  FakeDocker& operator=(const FakeDocker&) = delete;

  void on(std::string route, Reply reply);
  void on(std::string route, Script script);
  // Another one for each request; the last one again and again.
  void on(std::string route, std::vector<Reply> replies);
  // Becomes another daemon, with other versions.
  void speak(std::string newest, std::string oldest);
  // Nobody listens any more, and every connection is cut: a daemon that stops. The socket stays where it is.
  void stop();

  std::vector<Seen> seen() const;
  std::vector<Seen> seen(std::string_view route) const;
  // Until so many requests fit the route.
  void wait_for_seen(std::string_view route, std::size_t count = 1);

  const std::string& socket() const { return socket_; }
  std::string host() const { return "unix://" + socket_; }
  api::Endpoint endpoint() const { return {socket_}; }

 private:
  struct Session {
    Fd connection;
    std::thread thread;
  };
  void listen_for_ever();
  void serve(int fd);
  struct Route {
    std::string pattern;
    Script script;
    bool early = false;  // answers before it reads the request's body
  };
  Route route_for(const Seen& seen) const;

  std::string folder_, socket_;
  Fd listener_, wake_;
  std::thread thread_;

  mutable std::mutex mutex_;
  std::condition_variable seen_more_;
  std::string newest_, oldest_;
  std::list<Route> routes_;  // the latest first
  std::vector<Seen> seen_;
  std::list<Session> sessions_;
};

}  // namespace hotcell::docker
