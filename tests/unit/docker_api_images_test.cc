// Calls about images, and the tars that are streamed to the daemon.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "docker/api/client.h"
#include "fake_docker.h"

namespace hotcell::docker::api {
namespace {

using nlohmann::json;

Until soon() { return Until::seconds(20); }
Until at_once() { return Deadline::after(std::chrono::milliseconds(20)); }

Fd file_of(std::string_view content) {
  Fd fd(memfd_create("tar", MFD_CLOEXEC));
  EXPECT_TRUE(write_all(fd.get(), {reinterpret_cast<const std::uint8_t*>(content.data()), content.size()}));
  lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

class DockerImages : public testing::Test {
 protected:
  DockerImages() {
    auto made = Client::connect(docker.endpoint(), soon());
    EXPECT_TRUE(made) << made.error().message;
    client = std::move(*made);
  }
  FakeDocker docker;
  std::unique_ptr<Client> client;
};

TEST_F(DockerImages, inspect_tells_what_an_image_runs) {
  docker.on("GET /images/team/i:1/json",
            Reply::json(200, R"({"Id":"sha256:1","RepoTags":["team/i:1"],"Size":7,"Os":"linux",
      "Architecture":"amd64","Config":{"User":"1000","WorkingDir":"/w","Env":["A=b"],"Entrypoint":["/e"],"Cmd":null,
      "Labels":{"l":"m"}}})"));
  const auto image = client->inspect_image("team/i:1", soon());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->id, "sha256:1");
  EXPECT_EQ(image->user, "1000");
  EXPECT_EQ(image->work_dir, "/w");
  EXPECT_EQ(image->env, std::vector<std::string>{"A=b"});
  EXPECT_EQ(image->entrypoint, std::vector<std::string>{"/e"});
  EXPECT_TRUE(image->command.empty());
  EXPECT_EQ(image->labels.at("l"), "m");
}

TEST_F(DockerImages, a_missing_image_is_said_to_be_missing) {
  docker.on("GET /images/*", Reply::error(404, "no such image: i: No such image: i:latest"));
  EXPECT_EQ(client->inspect_image("i", soon()).error().code, "docker_image_missing");
  EXPECT_TRUE(client->remove_image("i", soon())) << "gone is what was wanted";
}

TEST_F(DockerImages, list_leaves_out_the_name_of_those_without) {
  docker.on("GET /images/json",
            Reply::json(200, R"([{"Id":"sha256:1","RepoTags":["<none>:<none>"],"Labels":{"a":"b"}}])"));
  const auto images = client->list_images({"a=b"}, soon());
  ASSERT_TRUE(images);
  EXPECT_TRUE(images->at(0).tags.empty());
  EXPECT_EQ(images->at(0).labels.at("a"), "b");
}

TEST_F(DockerImages, remove_takes_every_tag_and_never_by_force) {
  docker.on("GET /images/i/json", Reply::json(200, R"({"Id":"sha256:1","RepoTags":["i:a","i:b"]})"));
  docker.on("DELETE /images/*",
            {Reply::json(200, "[]"), Reply::json(200, "[]"), Reply::error(404, "No such image: sha256:1")});
  ASSERT_TRUE(client->remove_image("i", soon()));
  const auto seen = docker.seen("DELETE /images/*");
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].path, "/images/i:a");
  EXPECT_EQ(seen[2].path, "/images/sha256:1");
  for (const auto& request : seen) EXPECT_FALSE(request.query.contains("force"));
  docker.on("DELETE /images/*", Reply::error(409, "conflict: container c1 is using its referenced image"));
  EXPECT_EQ(client->remove_image("i", soon()).error().code, "docker_conflict");
}

TEST_F(DockerImages, tag_names_repository_and_tag) {
  docker.on("POST /images/sha256:1/tag", Reply::json(201, ""));
  ASSERT_TRUE(client->tag_image("sha256:1", "team/i", "2", soon()));
  EXPECT_EQ(docker.seen("POST /images/sha256:1/tag").at(0).query,
            (std::map<std::string, std::string>{{"repo", "team/i"}, {"tag", "2"}}));
}

TEST_F(DockerImages, import_streams_the_tar_and_finds_the_id_in_the_progress) {
  docker.on("POST /images/create",
            Reply::chunked(200, {"{\"status\":\"Imp", "orting\"}\r\n{\"status\":\"sha256:42\"}\r\n"}));
  const std::string tar(1 << 20, 't');
  std::vector<std::string> lines;
  const auto id = client->import_image(file_of(tar).get(), "hotcell/x", "1", {"ENV A=b", "LABEL c=d"}, soon(),
                                       [&](std::string_view line) { lines.emplace_back(line); });
  ASSERT_TRUE(id) << id.error().message;
  EXPECT_EQ(*id, "sha256:42");
  EXPECT_EQ(lines, (std::vector<std::string>{R"({"status":"Importing"})", R"({"status":"sha256:42"})"}));
  const auto seen = docker.seen("POST /images/create").at(0);
  EXPECT_EQ(seen.body, tar);
  EXPECT_EQ(seen.query.at("fromSrc"), "-");
  EXPECT_EQ(seen.query.at("repo"), "hotcell/x");
  EXPECT_EQ(seen.query.at("changes"), "LABEL c=d");
  EXPECT_EQ(seen.headers.at("content-type"), "application/x-tar");
}

TEST_F(DockerImages, import_reads_from_a_pipe_that_is_filled_slowly) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd out(ends[0]);
  Fd in(ends[1]);
  docker.on("POST /images/create", Reply::json(200, R"({"status":"sha256:42"})"));
  std::thread filler([&] {
    for (int i = 0; i < 100; ++i) ASSERT_EQ(write(in.get(), "0123456789", 10), 10);
    in.reset();
  });
  EXPECT_EQ(*client->import_image(out.get(), "i", "1", {}, soon()), "sha256:42");
  filler.join();
  EXPECT_EQ(docker.seen("POST /images/create").at(0).body.size(), 1000u);
}

TEST_F(DockerImages, a_pipe_that_nobody_fills_is_waited_for_until_the_deadline) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd out(ends[0]), in(ends[1]);
  EXPECT_EQ(client->import_image(out.get(), "i", "1", {}, at_once()).error().code, "docker_not_answering");
}

TEST_F(DockerImages, a_failure_in_the_progress_is_a_failure) {
  docker.on("POST /images/create",
            Reply::chunked(200, {R"({"status":"Importing"})", "\r\n",
                                 R"({"errorDetail":{"message":"write /x: no space left on device"},)"
                                 R"("error":"write /x: no space left on device"})",
                                 "\r\n"}));
  const auto id = client->import_image(file_of("tar").get(), "i", "1", {}, soon());
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code, "docker_no_space");
  EXPECT_TRUE(id.error().message.starts_with("cannot import image i:1: "));
}

TEST_F(DockerImages, a_progress_that_names_no_image_is_an_error) {
  docker.on("POST /images/create", Reply::chunked(200, {"{\"status\":\"Importing\"}\n"}));
  EXPECT_EQ(client->import_image(file_of("tar").get(), "i", "1", {}, soon()).error().code, "docker_protocol");
}

TEST_F(DockerImages, a_refusal_before_the_tar_was_read_is_understood) {
  docker.on("POST /images/create", Reply::error(500, "no space left on device").early());
  const auto tar = file_of(std::string(8 << 20, 't'));  // more than a socket holds
  EXPECT_EQ(client->import_image(tar.get(), "i", "1", {}, soon()).error().code, "docker_no_space");
}

TEST_F(DockerImages, a_daemon_that_goes_away_in_the_middle_of_a_tar_is_an_error) {
  const auto tar = file_of(std::string(8 << 20, 't'));
  docker.on("POST /images/create", Reply::nothing().early());
  EXPECT_EQ(client->import_image(tar.get(), "i", "1", {}, soon()).error().code, "docker_unreachable");
}

TEST_F(DockerImages, a_daemon_that_does_not_read_a_tar_is_waited_for_until_the_deadline) {
  const auto tar = file_of(std::string(8 << 20, 't'));
  Gate over;
  docker.on("POST /images/create", Reply::hijacked([=](Wire&) { over.wait(); }, "").early());
  EXPECT_EQ(client->import_image(tar.get(), "i", "1", {}, at_once()).error().code, "docker_not_answering");
  over.open();
}

TEST_F(DockerImages, a_daemon_that_chats_while_it_reads_holds_nobody_up) {
  // Progress before the tar is through: whoever first sends all and then reads would stand still here.
  docker.on("POST /images/load",
            Reply::hijacked(
                [](Wire& wire) {
                  for (int i = 0; i < 20'000; ++i) wire.write("{\"stream\":\"so far so good\"}\n");
                  wire.read(4 << 20);
                  wire.write("{\"stream\":\"Loaded image: i:1\\n\"}\n{\"stream\":\"Loaded image ID: sha256:2\\n\"}\n");
                },
                "HTTP/1.1 200 OK\r\n\r\n")
                .early());
  const auto names = client->load_images(file_of(std::string(4 << 20, 't')).get(), soon());
  ASSERT_TRUE(names) << names.error().message;
  EXPECT_EQ(*names, (std::vector<std::string>{"i:1", "sha256:2"}));
}

TEST_F(DockerImages, build_sends_its_options_and_finds_the_id) {
  docker.on("POST /build",
            Reply::chunked(200, {"{\"stream\":\"Step 1/1 : FROM scratch\\n\"}\n{\"aux\":{\"ID\":\"sha256:7\"}}\n"}));
  BuildOptions options;
  options.dockerfile = "images/Dockerfile";
  options.tags = {"i:1"};
  options.labels = {{"a", "b"}};
  options.build_args = {{"X", "y"}};
  options.network = "none";
  options.no_cache = true;
  EXPECT_EQ(*client->build_image(file_of("tar").get(), options, soon()), "sha256:7");
  const auto query = docker.seen("POST /build").at(0).query;
  EXPECT_EQ(query.at("t"), "i:1");
  EXPECT_EQ(query.at("dockerfile"), "images/Dockerfile");
  EXPECT_EQ(json::parse(query.at("labels")), (json{{"a", "b"}}));
  EXPECT_EQ(json::parse(query.at("buildargs")), (json{{"X", "y"}}));
  EXPECT_EQ(query.at("networkmode"), "none");
  EXPECT_EQ(query.at("nocache"), "1");
  EXPECT_FALSE(query.contains("pull"));
}

TEST_F(DockerImages, a_build_that_fails_shows_what_it_printed_last) {
  std::string printed;
  for (int i = 0; i < 1000; ++i) printed += "{\"stream\":\"line " + std::to_string(i) + "\\n\"}\n";
  docker.on("POST /build",
            Reply::chunked(200, {printed, "{\"error\":\"The command '/bin/false' returned a non-zero code: 1\"}\n"}));
  const auto id = client->build_image(file_of("tar").get(), {}, soon());
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code, "docker_error");
  EXPECT_NE(id.error().message.find("non-zero code: 1"), std::string::npos);
  EXPECT_NE(id.error().message.find("line 999"), std::string::npos);
  EXPECT_EQ(id.error().message.find("line 1\n"), std::string::npos);
}

TEST_F(DockerImages, a_build_that_prints_for_ever_is_ended) {
  docker.on("POST /build", Reply::hijacked(
                               [](Wire& wire) {
                                 const std::string line = "{\"stream\":\"" + std::string(60'000, 'y') + "\\n\"}\n";
                                 for (int i = 0; i < 300; ++i) wire.write(line);
                               },
                               "HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_EQ(client->build_image(file_of("tar").get(), {}, soon()).error().code, "docker_protocol");
}

}  // namespace
}  // namespace hotcell::docker::api
