// The whole service over a real socket, with a backend that runs nothing.
#pragma once
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "server/http/server.h"
#include "server/service.h"
#include "server_fakes.h"
#include "server_raw_client.h"

namespace hotcell::server {

using Json = nlohmann::json;

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() { options.admission.eager = options.admission.max_running = 8; }
  ~ServiceTest() override {
    backend.let_go();
    if (!server) return;
    service->give_up();
    server->stop();
    thread.join();
    service->close();
  }

  void start() {
    auto listener = http::Listener::open(*http::parse_address(socket.string()), 0600);
    ASSERT_TRUE(listener.has_value()) << listener.error().message;
    service = std::make_unique<Service>(options, backend, log);
    server = std::make_unique<http::Server>(limits, *service);
    server->listen(std::move(*listener));
    server->each_tick([this] { service->tick(); });
    service->ready();
    thread = std::thread([this] { server->run(); });
  }

  static std::string text_of(const std::string& method, const std::string& path, const std::string& body,
                             const std::string& headers = "") {
    std::string out = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
    if (method == "POST")
      out += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    return out + "\r\n" + body;
  }
  Answer get(const std::string& path, const std::string& headers = "") {
    RawClient client(socket);
    client.send(text_of("GET", path, "", headers));
    return client.receive();
  }
  Answer post(const std::string& path, const std::string& body, const std::string& headers = "") {
    RawClient client(socket);
    client.send(text_of("POST", path, body, headers));
    return client.receive();
  }
  Answer execute(const std::string& code, const std::string& headers = "", Json more = Json::object()) {
    more["code"] = code;
    return post("/v1/execute", more.dump(), headers);
  }
  static std::vector<Json> lines(const std::string& text) {
    std::vector<Json> out;
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      out.push_back(Json::parse(text.substr(at, end - at)));
      at = end + 1;
    }
    return out;
  }
  static std::string types(const std::vector<Json>& events) {
    std::string out;
    for (const auto& event : events) out += (out.empty() ? "" : " ") + event["type"].get<std::string>();
    return out;
  }
  static std::string code_of(const Answer& answer) {
    EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json") << answer.body;
    const auto json = Json::parse(answer.body);
    EXPECT_EQ(json["status"], answer.status);
    EXPECT_EQ(json["request_id"], answer.headers.at("x-request-id"));
    return json["code"];
  }
  static constexpr const char* kNdjson = "Accept: application/x-ndjson\r\n";
  static constexpr const char* kSse = "Accept: text/event-stream\r\n";

  TemporaryFolder folder;
  std::filesystem::path socket = folder / "s";
  ServiceOptions options;
  http::Limits limits;
  FakeBackend backend;
  Log log{LogLevel::quiet};
  std::unique_ptr<Service> service;
  std::unique_ptr<http::Server> server;
  std::thread thread;
};

}  // namespace hotcell::server
