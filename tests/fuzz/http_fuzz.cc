// The HTTP and JSON door: bytes as they come over a connection -> requests -> answers, with everything behind the door
// but the programs. Looks for crashes, hangs, and answers that are not what every answer must be.
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <mutex>

#include "protocol/json_reader.h"
#include "server/http/parser.h"
#include "server/service.h"

namespace hotcell::server {
namespace {

// Every program "prints" its own text.
class Echo final : public Backend {
 public:
  Expected<protocol::Result> run(const protocol::Request& request, protocol::OutputSink* sink,
                                 const protocol::StopToken*) override {
    protocol::Result result;
    auto& outcome = result.outcome;
    outcome.out.bytes = request.code.value_or("").substr(0, 1000);
    outcome.out.total = outcome.out.bytes.size();
    if (sink) sink->output(protocol::Stream::out, outcome.out.bytes);
    outcome.files.push_back({"file", protocol::Change::created, 4, "data", false, "", ""});
    result.metadata = request.metadata;
    return result;
  }
  std::vector<EngineFacts> engines() override { return {EngineFacts{}}; }
};

void require(bool good) {
  if (!good) std::abort();
}

// Told when an exchange wants to be looked at; it may be told after its client has gone.
class Pokes {
 public:
  void poke() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  unsigned count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  void wait(unsigned after) {
    std::unique_lock lock(mutex_);
    require(changed_.wait_for(lock, std::chrono::seconds(15), [&] { return count_ != after; }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned count_ = 0;
};

class Client {
 public:
  Client(Service& service, http::Budget& bodies) : service_(service), bodies_(bodies) {}

  // One connection's bytes.
  void send(std::string_view bytes) {
    for (int requests = 0; requests < 8 && !bytes.empty(); ++requests) {
      const auto exchange = std::make_shared<http::Exchange>(peer_, bodies_, [pokes = pokes_] { pokes->poke(); });
      http::RequestParser parser(limits_, exchange->body_share(), exchange->request());
      bytes.remove_prefix(parser.feed(bytes));
      if (parser.state() == http::RequestParser::State::failed) {
        check(service_.refuse(*exchange, parser.problem()));
        return;
      }
      if (!parser.head_complete()) return;
      if (const auto early = service_.at_headers(*exchange)) return check(*early);
      while (parser.state() == http::RequestParser::State::body) {
        const auto used = parser.feed(bytes);
        bytes.remove_prefix(used);
        if (used == 0) return;
      }
      if (parser.state() != http::RequestParser::State::complete) return;
      service_.handle(exchange);
      check(wait(*exchange), exchange.get());
      exchange->client_gone();
      exchange->finish();
    }
  }

 private:
  http::Response wait(http::Exchange& exchange) {
    http::Response response;
    for (;;) {
      const auto before = pokes_->count();
      if (exchange.take(response)) return response;
      pokes_->wait(before);
    }
  }

  void check(const http::Response& response, http::Exchange* exchange = nullptr) {
    std::string head;
    http::write_head(head, response, exchange ? &exchange->request() : nullptr, true, "today");
    require(head.find("\r\n\r\n") == head.size() - 4);  // nothing from outside can add a header, or end them
    require(response.status >= 200 && response.status <= 599);
    if (response.status >= 400 && response.content_type != "application/json")
      require(protocol::parse_json(*response.body).has_value());
    if (!response.source) return;
    std::string body;
    for (;;) {
      const auto before = pokes_->count();
      const auto state = response.source->pull(body, 65536);
      if (state == http::Source::State::finished) return;
      if (state == http::Source::State::waiting && !exchange->take_wake()) pokes_->wait(before);
    }
  }

  Service& service_;
  http::Budget& bodies_;
  const http::Limits limits_;
  const http::Peer peer_{true, 0, ""};
  const std::shared_ptr<Pokes> pokes_ = std::make_shared<Pokes>();
};

}  // namespace
}  // namespace hotcell::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hotcell::server;
  static Log log(LogLevel::quiet);
  static Echo backend;
  static Service& service = *[] {
    ServiceOptions options;
    options.sandboxfusion = true;
    options.retention.count = 16;
    return new Service(options, backend, log);  // lives as long as the fuzzer
  }();
  static http::Budget bodies(1u << 30);  // an exchange may live longer than its client
  Client client(service, bodies);
  client.send({reinterpret_cast<const char*>(data), size});
  return 0;
}
