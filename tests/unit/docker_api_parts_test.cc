// The parts of the client that need no daemon: where it is, what its bytes mean.
#include <gtest/gtest.h>

#include "docker/api/call.h"
#include "docker/api/demultiplexer.h"
#include "docker/api/endpoint.h"
#include "docker/api/http_reader.h"
#include "docker/api/line_splitter.h"
#include "docker/api/types.h"
#include "fake_docker.h"

namespace hotcell::docker::api {
namespace {

using namespace std::string_literals;

TEST(DockerEndpoint, without_a_host_it_is_the_usual_socket) {
  EXPECT_EQ(Endpoint::parse("")->socket, "/var/run/docker.sock");
  EXPECT_EQ(Endpoint::parse("unix:///run/other.sock")->socket, "/run/other.sock");
}

TEST(DockerEndpoint, another_machine_is_refused_with_what_to_do) {
  for (const std::string host : {"tcp://127.0.0.1:2375", "ssh://somebody@there", "npipe:////./pipe/docker_engine",
                                 "/var/run/docker.sock", "unix://", "unix://relative/path", "http://x"}) {
    const auto endpoint = Endpoint::parse(host);
    ASSERT_FALSE(endpoint) << host;
    EXPECT_EQ(endpoint.error().code, "docker_bad_host");
    EXPECT_NE(endpoint.error().message.find(host), std::string::npos);
    EXPECT_NE(endpoint.error().hint.find("unix:///"), std::string::npos);
  }
}

TEST(DockerEndpoint, a_path_that_no_socket_can_have_is_refused) {
  EXPECT_FALSE(Endpoint::parse("unix:///" + std::string(200, 'x')));
  EXPECT_FALSE(Endpoint::parse(std::string("unix:///a\0b", 11)));
}

TEST(DockerApiVersion, is_two_numbers_and_nothing_else) {
  EXPECT_EQ(parse_api_version("1.41"), (ApiVersion{1, 41}));
  EXPECT_LT(*parse_api_version("1.9"), *parse_api_version("1.41"));
  for (const auto* text : {"", "1", "1.", ".41", "1.41 ", "1.41.2", "v1.41", "-1.41", "1.-4", "99999999999.1"})
    EXPECT_FALSE(parse_api_version(text)) << text;
}

TEST(DockerPaths, a_name_that_could_be_another_path_is_refused) {
  EXPECT_EQ(container_path("3f-a_b.c"), "/containers/3f-a_b.c");
  for (const std::string id : {"", "..", ".x", "-x", "a/b", "a?all=1", "a b", "a%2e", "a\r\nX: y", "ä"})
    EXPECT_EQ(container_path(id).error().code, "docker_bad_request") << id;
  EXPECT_EQ(image_path("registry.example:5000/team/image:tag"), "/images/registry.example:5000/team/image:tag");
  EXPECT_TRUE(image_path("sha256:0123456789abcdef"));
  EXPECT_TRUE(image_path("debian@sha256:0123"));
  for (const std::string name :
       {"", "/x", "../x", "a/../b", "a//b", "a/./b", "a/", "a?b", "a b", "a\r\nX: y", "-x", "a/.."})
    EXPECT_EQ(image_path(name).error().code, "docker_bad_request") << name;
}

TEST(DockerQuery, everything_that_is_no_letter_is_encoded) {
  EXPECT_EQ(query({}), "");
  EXPECT_EQ(query({{"a", "1"}, {"filters", R"({"label":["x=y&z"]})"}, {"u", "ä+ #"}}),
            "?a=1&filters=%7B%22label%22%3A%5B%22x%3Dy%26z%22%5D%7D&u=%C3%A4%2B%20%23");
}

// What comes out, stream by stream, when `input` is fed in two parts.
std::optional<std::pair<std::string, std::string>> demultiplexed(std::string_view input, std::size_t split) {
  Demultiplexer demultiplexer;
  std::string out, err;
  for (auto part : {input.substr(0, split), input.substr(split)}) {
    for (;;) {
      const auto piece = demultiplexer.next(part);
      if (!piece) return std::nullopt;
      if (!*piece) break;
      EXPECT_FALSE((*piece)->bytes.empty());
      ((*piece)->stream == Stream::err ? err : out) += (*piece)->bytes;
    }
    EXPECT_TRUE(part.empty());
  }
  EXPECT_TRUE(demultiplexer.between_frames());
  return std::pair(out, err);
}

TEST(DockerDemultiplexer, frames_split_at_every_byte_come_out_whole) {
  const auto input = frame(1, "hello ") + frame(2, "oh") + frame(1, "") + frame(1, std::string(300, 'x')) +
                     frame(2, "!") + frame(1, "\0\1"s);
  for (std::size_t split = 0; split <= input.size(); ++split) {
    const auto got = demultiplexed(input, split);
    ASSERT_TRUE(got) << split;
    EXPECT_EQ(got->first, "hello " + std::string(300, 'x') + "\0\1"s) << split;
    EXPECT_EQ(got->second, "oh!") << split;
  }
}

TEST(DockerDemultiplexer, bytes_are_handed_on_before_their_frame_is_whole) {
  Demultiplexer demultiplexer;
  const auto whole = frame(1, std::string(1000, 'x'));
  std::string_view part = std::string_view(whole).substr(0, 8 + 3);
  const auto piece = demultiplexer.next(part);
  ASSERT_TRUE(piece && *piece);
  EXPECT_EQ((*piece)->bytes, "xxx");
  EXPECT_FALSE(demultiplexer.between_frames());
}

TEST(DockerDemultiplexer, what_begins_no_frame_is_an_error) {
  for (const auto& input : {"hello, I am a terminal"s, "\1\0\0\1\0\0\0\1x"s, "\4\0\0\0\0\0\0\1x"s}) {
    std::string_view rest = input;
    Demultiplexer demultiplexer;
    const auto piece = demultiplexer.next(rest);
    ASSERT_FALSE(piece);
    EXPECT_EQ(piece.error().code, "docker_protocol");
  }
}

TEST(DockerDemultiplexer, the_daemons_own_words_are_an_error_that_keeps_them) {
  const auto input = frame(1, "a") + frame(3, "the disk is gone");
  std::string_view rest = input;
  Demultiplexer demultiplexer;
  ASSERT_TRUE(demultiplexer.next(rest));
  const auto piece = demultiplexer.next(rest);
  ASSERT_FALSE(piece);
  EXPECT_EQ(piece.error().code, "docker_error");
  EXPECT_NE(piece.error().message.find("the disk is gone"), std::string::npos);
}

TEST(DockerDemultiplexer, a_frame_of_four_gigabytes_costs_no_memory) {
  const auto header = "\1\0\0\0\xff\xff\xff\xff"s;
  std::string_view rest = header;
  Demultiplexer demultiplexer;
  const auto piece = demultiplexer.next(rest);
  ASSERT_TRUE(piece);
  EXPECT_FALSE(*piece);
}

TEST(DockerLines, arrive_whole_wherever_they_are_split) {
  const std::string input = "{\"a\":1}\r\n\n{\"b\":2}\nrest";
  for (std::size_t split = 0; split <= input.size(); ++split) {
    LineSplitter lines;
    std::vector<std::string> got;
    for (const auto& part : {input.substr(0, split), input.substr(split)}) {
      lines.input() += part;
      for (auto line = lines.next(); *line; line = lines.next()) got.emplace_back(**line);
    }
    EXPECT_EQ(got, (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"})) << split;
    EXPECT_EQ(lines.rest(), "rest");
  }
}

TEST(DockerLines, a_line_without_end_is_refused) {
  LineSplitter lines;
  lines.input() = std::string(LineSplitter::kMaxLine + 1, 'x');
  EXPECT_EQ(lines.next().error().code, "docker_protocol");
  LineSplitter ended;
  ended.input() = std::string(LineSplitter::kMaxLine + 1, 'x') + "\n";
  EXPECT_EQ(ended.next().error().code, "docker_protocol");
}

TEST(DockerHttp, a_length_that_lies_reserves_nothing) {
  HttpReader reader;
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\nabc"));
  std::string body;
  ASSERT_TRUE(reader.decode(body));
  EXPECT_EQ(body, "abc");
  EXPECT_LT(body.capacity(), 4096u);
  EXPECT_FALSE(reader.done());
  EXPECT_EQ(reader.end().error().code, "docker_unreachable");
}

TEST(DockerHttp, what_follows_the_head_of_a_raw_stream_is_left_alone) {
  HttpReader reader;
  ASSERT_TRUE(reader.feed(std::string(Reply::kUpgraded) + "raw bytes"));
  ASSERT_TRUE(reader.head_done());
  EXPECT_EQ(reader.status(), 101);
  EXPECT_EQ(reader.take_rest(), "raw bytes");
}

TEST(DockerHttp, garbage_is_an_error_at_once_or_at_the_end) {
  for (const auto& input : {"SSH-2.0-OpenSSH_9.2\r\n\r\n"s, "HTTP/1.1 abc\r\n\r\n"s, "HTTP/3.0 200 OK\r\n\r\n"s,
                            "\0\0\0\0\0\0\0\0\r\n\r\n"s, "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"s,
                            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"s}) {
    HttpReader reader;
    const auto fed = reader.feed(input);
    EXPECT_FALSE(fed && reader.end()) << input;
  }
}

TEST(DockerHttp, a_head_without_end_is_refused) {
  HttpReader reader;
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\n"));
  Expected<void> fed{};
  std::size_t sent = 0;
  while (fed && sent < 1 << 20) {
    const std::string field = "X-Field: " + std::string(100, 'y') + "\r\n";
    fed = reader.feed(field);
    sent += field.size();
  }
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, "docker_protocol");
  EXPECT_LE(sent, HttpReader::kMaxHead + 200);
}

TEST(DockerHttp, a_chunk_header_without_end_is_refused) {
  HttpReader reader;
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;"));
  std::string body;
  Expected<void> decoded{};
  std::size_t sent = 0;
  while (decoded && sent < 1 << 20) {
    ASSERT_TRUE(reader.feed(std::string(1000, 'e')));
    decoded = reader.decode(body);
    sent += 1000;
  }
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, "docker_protocol");
}

}  // namespace
}  // namespace hotcell::docker::api
