#include "server/http/parser.h"

#include <gtest/gtest.h>

#include "protocol/percent.h"

namespace hotcell::server::http {
namespace {

struct Parsed {
  Request request;
  RequestParser::State state = RequestParser::State::nothing;
  protocol::Problem problem;
  std::size_t used = 0;
};

Parsed parse(std::string_view bytes, Limits limits = {}, std::size_t piece = SIZE_MAX) {
  Parsed out;
  Budget budget(limits.bodies_bytes);
  Budget::Share share(budget);
  RequestParser parser(limits, share, out.request);
  // As a connection does it: what is not taken is given again with more behind it.
  std::size_t given = 0;
  const auto over = [&] {
    return parser.state() == RequestParser::State::complete || parser.state() == RequestParser::State::failed;
  };
  while (!over()) {
    given = std::min(bytes.size(), given + std::min(piece, bytes.size() - given));
    const auto used = parser.feed(bytes.substr(out.used, given - out.used));
    out.used += used;
    if (given == bytes.size() && used == 0) break;
  }
  out.state = parser.state();
  out.problem = parser.problem();
  return out;
}

std::string code_of(std::string_view bytes, Limits limits = {}) {
  const auto parsed = parse(bytes, limits);
  return parsed.state == RequestParser::State::failed ? parsed.problem.code : "";
}

TEST(Parser, a_request_is_taken_apart) {
  const std::string text =
      "POST /v1/execute?x=1&y=a%20b HTTP/1.1\r\nHost: localhost\r\nX-Thing:  two words \r\nContent-Length: 4\r\n\r\n"
      "bodyGET / HTTP/1.1\r\n";
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
    const auto parsed = parse(text, {}, piece);
    ASSERT_EQ(parsed.state, RequestParser::State::complete) << parsed.problem.detail;
    EXPECT_EQ(parsed.request.method, "POST");
    EXPECT_EQ(parsed.request.path, "/v1/execute");
    EXPECT_EQ(parsed.request.parameter("y"), "a b");
    EXPECT_EQ(parsed.request.parameter("z"), std::nullopt);
    EXPECT_EQ(*parsed.request.header("x-thing"), "two words");
    EXPECT_EQ(parsed.request.body, "body");
    EXPECT_EQ(parsed.used, text.find("GET /"));  // the next request is not touched
    EXPECT_TRUE(parsed.request.keep_alive);
  }
}

TEST(Parser, chunks_are_put_together_and_trailers_dropped) {
  const std::string text =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\nHost: other\r\n\r\n";
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1}}) {
    const auto parsed = parse(text, {}, piece);
    ASSERT_EQ(parsed.state, RequestParser::State::complete) << parsed.problem.detail;
    EXPECT_EQ(parsed.request.body, "abcde");
    EXPECT_EQ(parsed.request.header("x-trailer"), nullptr);
    EXPECT_EQ(*parsed.request.header("host"), "x");
  }
}

// Where two servers could disagree about where a request ends, neither may be believed.
TEST(Parser, requests_that_could_be_smuggled_are_refused) {
  const std::string_view head = "POST / HTTP/1.1\r\nHost: x\r\n";
  for (const std::string_view fields : {"Content-Length: 4\r\nTransfer-Encoding: chunked",
                                        "Transfer-Encoding: chunked\r\nContent-Length: 4",
                                        "Content-Length: 4\r\nContent-Length: 5",
                                        "Content-Length: 4\r\nContent-Length: 4",
                                        "Content-Length: 4, 5",
                                        "Content-Length: +4",
                                        "Content-Length: -1",
                                        "Content-Length: 0x4",
                                        "Content-Length: 4 4",
                                        "Content-Length:",
                                        "Content-Length: 99999999999999999999",
                                        "Transfer-Encoding: xchunked",
                                        "Transfer-Encoding: chunked, identity",
                                        "Transfer-Encoding: identity, chunked",
                                        "Transfer-Encoding: \"chunked\"",
                                        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                                        "Transfer-Encoding : chunked",
                                        "Content-Length : 4",
                                        "Transfer-Encoding: chunk\r\n ed",
                                        "Host: y",
                                        "\x01Name: 1",
                                        "Na me: 1",
                                        "NoColon",
                                        "X: a\nContent-Length: 3",
                                        "X: a\rContent-Length: 3",
                                        "X: a\x01"})
    EXPECT_EQ(code_of(std::string(head) + std::string(fields) + "\r\n\r\nabcd"), "malformed") << fields;
}

TEST(Parser, what_is_no_request_is_refused) {
  for (const std::string_view text :
       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello, this is TLS\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.2345\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "GET http://other/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET x HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET /\r\n\r\n", "\r\n\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"})
    EXPECT_EQ(code_of(text), "malformed") << text;
}

TEST(Parser, limits_hold_while_it_is_read) {
  Limits limits;
  limits.head_bytes = 1000;
  limits.headers = 5;
  limits.body_bytes = 10;
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(code_of(start + "X: " + std::string(2000, 'a'), limits), "headers_too_large");
  EXPECT_EQ(code_of("GET /" + std::string(2000, 'a'), limits), "headers_too_large");
  EXPECT_EQ(code_of(start + "A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n\r\n", limits), "headers_too_large");
  EXPECT_EQ(code_of(start + "Content-Length: 11\r\n\r\n", limits), "body_too_large");
  EXPECT_EQ(code_of(start + "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n", limits), "body_too_large");
  EXPECT_EQ(code_of(start + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(2000, 'a'), limits), "malformed");
  EXPECT_EQ(code_of(start + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + std::string(2000, 'a'), limits),
            "malformed");
}

TEST(Parser, bodies_share_one_budget_and_give_it_back) {
  Limits limits;
  limits.bodies_bytes = 100'000;
  Budget budget(limits.bodies_bytes);
  const std::string_view large = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 80000\r\n\r\nx";
  {
    Budget::Share first(budget), second(budget);
    Request one, two;
    RequestParser holds(limits, first, one), refused(limits, second, two);
    auto used = holds.feed(large);
    holds.feed(large.substr(used));
    EXPECT_EQ(holds.state(), RequestParser::State::body);
    used = refused.feed(large);
    refused.feed(large.substr(used));
    EXPECT_EQ(refused.state(), RequestParser::State::failed);
    EXPECT_EQ(refused.problem().code, "at_capacity");
    EXPECT_EQ(budget.used(), 80'000u);
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(Parser, percent_encoding_is_strict) {
  EXPECT_EQ(protocol::percent_decoded("a%2Fb%c3%a4"), "a/bä");
  for (const auto* bad : {"%", "%2", "%zz", "%00", "a%"})
    EXPECT_EQ(protocol::percent_decoded(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace hotcell::server::http
