#include "server/access.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "server_raw_client.h"

namespace hotcell::server {
namespace {

http::Request request(std::vector<std::pair<std::string, std::string>> headers) {
  http::Request out;
  out.headers = std::move(headers);
  return out;
}

const http::Peer kTcp{false, std::nullopt, "127.0.0.1:5000"};
const http::Peer kUnix{true, 1000, ""};

UsageBook book;

Token token(const std::string& name, const std::string& secret) { return {name, sha256(secret), "", {}, false}; }

std::string tenant_or_code(const Access& access, const http::Request& of, const http::Peer& peer) {
  const auto tenant = access.tenant_of(of, peer);
  return tenant ? (*tenant)->name : tenant.error().code;
}

TEST(Access, a_token_says_who_it_is) {
  AccessOptions options;
  options.tokens = {token("ci", "secret-1"), token("lab", "secret-2")};
  const Access access(options, book);
  EXPECT_EQ(tenant_or_code(access, request({{"authorization", "Bearer secret-1"}}), kTcp), "ci");
  EXPECT_EQ(tenant_or_code(access, request({{"authorization", "bearer secret-2"}}), kTcp), "lab");
  EXPECT_EQ(tenant_or_code(access, request({{"x-api-key", "secret-2"}}), kTcp), "lab");
  EXPECT_EQ(tenant_or_code(access, request({{"x-api-key", "secret-2"}}), kUnix), "lab");
  for (const auto* wrong : {"Bearer secret", "Bearer secret-11", "Bearer ", "Basic secret-1", "secret-1", ""})
    EXPECT_EQ(tenant_or_code(access, request({{"authorization", wrong}}), kTcp), "unauthenticated") << wrong;
  EXPECT_EQ(tenant_or_code(access, request({{"x-api-key", ""}}), kTcp), "unauthenticated");
  EXPECT_EQ(tenant_or_code(access, request({}), kTcp), "unauthenticated");
}

TEST(Access, a_wrong_token_does_not_fall_back_to_who_connects) {
  const Access access(AccessOptions{}, book);
  EXPECT_EQ(tenant_or_code(access, request({{"authorization", "Bearer x"}}), kUnix), "unauthenticated");
  EXPECT_EQ(tenant_or_code(access, request({{"authorization", "Bearer x"}}), kTcp), "unauthenticated");
}

TEST(Access, the_unix_socket_says_which_user_it_is) {
  AccessOptions options;
  options.tokens = {token("ci", "secret-1")};
  EXPECT_EQ(tenant_or_code(Access(options, book), request({}), kUnix), "unix:1000");
  options.unix_uids = std::vector<uid_t>{0, 7};
  EXPECT_EQ(tenant_or_code(Access(options, book), request({}), kUnix), "forbidden");
  EXPECT_EQ(tenant_or_code(Access(options, book), request({}), {true, 7, ""}), "unix:7");
  EXPECT_EQ(tenant_or_code(Access(options, book), request({}), {true, std::nullopt, ""}), "unauthenticated");
}

TEST(Access, operators_are_root_the_services_own_user_and_tokens_that_say_so) {
  AccessOptions options;
  options.tokens = {token("ci", "secret-1"), token("chief", "secret-2")};
  options.tokens[1].operates = true;
  const Access access(options, book);
  const auto operates = [&](const http::Request& of, const http::Peer& peer) {
    const auto tenant = access.tenant_of(of, peer);
    return tenant && (*tenant)->operates;
  };
  EXPECT_TRUE(operates(request({}), {true, 0, ""}));
  EXPECT_TRUE(operates(request({}), {true, geteuid(), ""}));
  EXPECT_FALSE(operates(request({}), {true, 12'345, ""}));
  EXPECT_TRUE(operates(request({{"x-api-key", "secret-2"}}), kTcp));
  EXPECT_FALSE(operates(request({{"x-api-key", "secret-1"}}), kTcp));
  EXPECT_FALSE(operates(request({{"x-api-key", "secret-1"}}), {true, 0, ""})) << "the token is who it is";
  const Access open(AccessOptions{}, book);
  EXPECT_FALSE((*open.tenant_of(request({}), kTcp))->operates) << "everybody on the machine";
}

TEST(Access, other_limits_leave_the_usage) {
  AccessOptions options;
  options.tokens = {token("counted", "secret-1")};
  const auto tenant_now = [&] { return *Access(options, book).tenant_of(request({{"x-api-key", "secret-1"}}), kTcp); };
  tenant_now()->usage->runs = 7;
  options.tokens[0].limits.weight = 3;
  EXPECT_EQ(tenant_now()->usage->runs, 7u);
  EXPECT_EQ(tenant_now()->limits.weight, 3u);
}

TEST(Access, loopback_is_open_only_while_there_are_no_tokens) {
  EXPECT_EQ(tenant_or_code(Access(AccessOptions(), book), request({}), kTcp), "tcp:local");
  EXPECT_TRUE(allowed_to_listen(*http::parse_address("127.0.0.1:1"), false).has_value());
  EXPECT_TRUE(allowed_to_listen(*http::parse_address("unix:/x"), false).has_value());
  EXPECT_TRUE(allowed_to_listen(*http::parse_address("0.0.0.0:1"), true).has_value());
  for (const auto* open : {"0.0.0.0:1", "[::]:1", "192.168.0.1:1"})
    EXPECT_EQ(allowed_to_listen(*http::parse_address(open), false).error().code, "invalid_config") << open;
}

TEST(Access, a_name_that_somebody_else_controls_is_no_host_of_ours) {
  AccessOptions options;
  options.allowed_hosts = {"hotcell.internal"};
  const Access access(options, book);
  for (const auto* good :
       {"localhost", "localhost:4682", "LOCALHOST:1", "127.0.0.1:4682", "[::1]:80", "10.0.0.7", "hotcell.internal:80"})
    EXPECT_FALSE(access.check_origin(request({{"host", good}}), kTcp).has_value()) << good;
  for (const auto* bad : {"evil.example", "evil.example:4682", "localhost.evil.example", "127.0.0.1.evil.example", "",
                          "hotcell.internal.evil.example", "[evil]"})
    EXPECT_EQ(access.check_origin(request({{"host", bad}}), kTcp).value().code, "forbidden") << bad;
  EXPECT_FALSE(access.check_origin(request({{"host", "anything"}}), kUnix).has_value());  // no browser gets there
}

TEST(Access, web_pages_of_others_are_turned_away) {
  AccessOptions options;
  options.allowed_origins = {"https://lab.example"};
  const Access access(options, book);
  const auto code = [&](const char* origin, const http::Peer& peer) {
    const auto problem = access.check_origin(request({{"host", "127.0.0.1:4682"}, {"origin", origin}}), peer);
    return problem ? problem->code : "";
  };
  EXPECT_EQ(code("https://lab.example", kTcp), "");
  EXPECT_EQ(code("http://127.0.0.1:4682", kTcp), "");  // our own page
  for (const auto* bad :
       {"https://evil.example", "http://127.0.0.1:1", "https://127.0.0.1:4682", "null", "", "http://lab.example"}) {
    EXPECT_EQ(code(bad, kTcp), "origin_forbidden") << bad;
    EXPECT_EQ(code(bad, kUnix), "origin_forbidden") << bad;
  }
}

TEST(Tokens, are_long_and_never_the_same) {
  const auto one = new_token(), two = new_token();
  EXPECT_NE(one, two);
  EXPECT_EQ(one.size(), 47u);
  EXPECT_TRUE(one.starts_with("hct_"));
}

TEST(Tokens, the_file_is_read_as_it_was_written) {
  Token full = token("ci", "x");
  full.created_at = "2026-01-01T00:00:00.000Z";
  full.limits = {3, 8, 100, 50, 100, 1u << 30, 60};
  const auto back = tokens_from_json(to_json({full, token("b", "y")}));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].name, "ci");
  EXPECT_EQ((*back)[0].sha256, sha256("x"));
  EXPECT_EQ((*back)[0].limits.weight, 3u);
  EXPECT_EQ((*back)[0].limits.max_running, 8u);
  EXPECT_EQ((*back)[0].limits.max_queued, 100u);
  EXPECT_EQ((*back)[0].limits.runs_per_second, 50);
  EXPECT_EQ((*back)[0].limits.burst, 100);
  EXPECT_EQ((*back)[0].limits.memory_bytes, 1u << 30);
  EXPECT_EQ((*back)[0].limits.max_timeout_seconds, 60);
  EXPECT_EQ((*back)[1].limits.max_timeout_seconds, 86'400);
}

TEST(Tokens, a_mistake_in_the_file_is_named) {
  const std::string hash(64, 'a');
  const auto message = [](const std::string& text) {
    const auto read = tokens_from_json(text);
    return read ? "" : read.error().message + " " + read.error().hint;
  };
  EXPECT_NE(message("{\"tokens\":[{\"name\":\"a\",\"sha256\":\"" + hash + "\",\"wieght\":2}]}").find("weight"),
            std::string::npos);
  EXPECT_NE(message("{\"tokens\":[{\"name\":\"a b\",\"sha256\":\"" + hash + "\"}]}").find("/tokens/0/name"),
            std::string::npos);
  EXPECT_NE(message("{\"tokens\":[{\"name\":\"a\",\"sha256\":\"abc\"}]}").find("/tokens/0/sha256"), std::string::npos);
  EXPECT_NE(message("{\"tokens\":[{\"name\":\"a\",\"sha256\":\"" + hash + "\"},{\"name\":\"a\",\"sha256\":\"" + hash +
                    "\"}]}")
                .find("name"),
            std::string::npos);
  EXPECT_NE(message("{}"), "");
  EXPECT_NE(message("[]"), "");
}

TEST(Tokens, a_file_that_others_could_have_written_is_not_believed) {
  TemporaryFolder folder;
  const auto file = folder / "tokens.json";
  EXPECT_EQ(read_tokens(file).error().code, "tokens_missing");
  std::ofstream(file) << to_json({token("a", "x")});
  ::chmod(file.c_str(), 0600);
  EXPECT_TRUE(read_tokens(file).has_value());
  ::chmod(file.c_str(), 0666);
  EXPECT_FALSE(read_tokens(file).has_value());
}

}  // namespace
}  // namespace hotcell::server
