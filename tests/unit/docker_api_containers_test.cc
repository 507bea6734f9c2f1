// What each call about containers, networks and volumes says to the daemon, and what it makes of the answer.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "docker/api/client.h"
#include "fake_docker.h"

namespace hotcell::docker::api {
namespace {

using nlohmann::json;

Until soon() { return Until::seconds(20); }

class DockerCalls : public testing::Test {
 protected:
  DockerCalls() {
    auto made = Client::connect(docker.endpoint(), soon());
    EXPECT_TRUE(made) << made.error().message;
    client = std::move(*made);
  }
  FakeDocker docker;
  std::unique_ptr<Client> client;
};

TEST_F(DockerCalls, create_sends_the_body_as_it_is) {
  docker.on("POST /containers/create", Reply::json(201, R"({"Id":"c1","Warnings":["no swap limit"]})"));
  const json body = {{"Image", "i"}, {"HostConfig", {{"ReadonlyRootfs", true}}}};
  const auto created = client->create(body, soon(), "a-name");
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_EQ(created->id, "c1");
  EXPECT_EQ(created->warnings, std::vector<std::string>{"no swap limit"});
  const auto seen = docker.seen("POST /containers/create").at(0);
  EXPECT_EQ(json::parse(seen.body), body);
  EXPECT_EQ(seen.query.at("name"), "a-name");
  EXPECT_EQ(seen.version, "1.44");
  EXPECT_EQ(seen.headers.at("content-type"), "application/json");
  EXPECT_TRUE(seen.headers.at("user-agent").starts_with("hotcell/"));
}

TEST_F(DockerCalls, create_without_an_id_in_the_answer_is_an_error) {
  docker.on("POST /containers/create", Reply::json(201, "{}"));
  EXPECT_EQ(client->create(json::object(), soon()).error().code, "docker_protocol");
}

TEST_F(DockerCalls, text_that_is_not_utf8_never_reaches_the_daemon) {
  EXPECT_EQ(client->create({{"Image", "\xff"}}, soon()).error().code, "docker_bad_request");
  EXPECT_TRUE(docker.seen("POST /containers/create").empty());
}

TEST_F(DockerCalls, names_that_are_other_paths_never_reach_the_daemon) {
  const auto before = docker.seen().size();
  EXPECT_EQ(client->start("../images/x", soon()).error().code, "docker_bad_request");
  EXPECT_EQ(client->remove("", soon()).error().code, "docker_bad_request");
  EXPECT_EQ(client->create(json::object(), soon(), "a b").error().code, "docker_bad_request");
  EXPECT_EQ(client->inspect_image("a?b", soon()).error().code, "docker_bad_request");
  EXPECT_EQ(client->remove_network("a/b", soon()).error().code, "docker_bad_request");
  EXPECT_EQ(client->remove_volume("a/b", soon()).error().code, "docker_bad_request");
  EXPECT_EQ(docker.seen().size(), before);
}

TEST_F(DockerCalls, starting_what_runs_and_stopping_what_does_not_is_fine) {
  docker.on("POST /containers/c1/start", {Reply::json(204, ""), Reply::raw("HTTP/1.1 304 Not Modified\r\n\r\n")});
  docker.on("POST /containers/c1/stop", {Reply::json(204, ""), Reply::raw("HTTP/1.1 304 Not Modified\r\n\r\n")});
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(client->start("c1", soon()));
    EXPECT_TRUE(client->stop("c1", 3, soon()));
  }
  EXPECT_EQ(docker.seen("POST /containers/c1/stop").at(0).query.at("t"), "3");
}

TEST_F(DockerCalls, kill_tells_that_it_did_not_run) {
  docker.on("POST /containers/c1/kill", {Reply::json(204, ""), Reply::error(409, "Container c1 is not running")});
  EXPECT_TRUE(client->kill("c1", soon(), "USR1"));
  EXPECT_EQ(client->kill("c1", soon()).error().code, "docker_conflict");
  EXPECT_EQ(docker.seen("POST /containers/c1/kill").at(0).query.at("signal"), "USR1");
  EXPECT_EQ(docker.seen("POST /containers/c1/kill").at(1).query.at("signal"), "KILL");
}

TEST_F(DockerCalls, removing_what_is_gone_or_going_is_fine) {
  docker.on("DELETE /containers/*",
            {Reply::json(204, ""), Reply::error(404, "No such container: c1"),
             Reply::error(409, "removal of container c1 is already in progress"), Reply::error(409, "it is stuck")});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(client->remove("c1", soon()));
  EXPECT_EQ(client->remove("c1", soon()).error().code, "docker_conflict");
  EXPECT_EQ(docker.seen("DELETE /containers/c1").at(0).query.at("force"), "1");
  EXPECT_EQ(docker.seen("DELETE /containers/c1").at(0).query.at("v"), "1");
}

TEST_F(DockerCalls, inspect_tells_how_a_container_is) {
  docker.on("GET /containers/c1/json", Reply::json(200, R"({"Id":"c1","Name":"/cell","Image":"sha256:1",
      "State":{"Status":"exited","Running":false,"OOMKilled":true,"Pid":0,"ExitCode":137,"Error":"e"},
      "Config":{"Labels":{"hotcell.owner":"o"}},"HostConfig":{"PidsLimit":64}})"));
  const auto container = client->inspect("c1", soon());
  ASSERT_TRUE(container);
  EXPECT_EQ(container->name, "cell");
  EXPECT_EQ(container->image_id, "sha256:1");
  EXPECT_EQ(container->status, "exited");
  EXPECT_TRUE(container->oom_killed);
  EXPECT_EQ(container->exit_code, 137);
  EXPECT_EQ(container->labels.at("hotcell.owner"), "o");
  EXPECT_EQ(client->inspect_json("c1", soon())->at("HostConfig").at("PidsLimit"), 64);
}

TEST_F(DockerCalls, update_sends_only_what_is_set_and_no_swap) {
  docker.on("POST /containers/c1/update", Reply::json(200, R"({"Warnings":["w"]})"));
  EXPECT_EQ(*client->update("c1", {.memory_bytes = 1 << 20, .pids = 7}, soon()), std::vector<std::string>{"w"});
  EXPECT_EQ(json::parse(docker.seen("POST /containers/c1/update").at(0).body),
            (json{{"Memory", 1 << 20}, {"MemorySwap", 1 << 20}, {"PidsLimit", 7}}));
}

TEST_F(DockerCalls, list_asks_for_all_that_have_the_labels) {
  docker.on("GET /containers/json", Reply::json(200, R"([{"Id":"c1","Names":["/cell"],"Image":"i","ImageID":"sha256:1",
      "State":"created","Created":1700000000,"Labels":{"a":"b"}},{"Id":"c2","Names":null,"Labels":null}])"));
  const auto list = client->list({"a=b", "c"}, soon());
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ(list->at(0).name, "cell");
  EXPECT_EQ(list->at(0).state, "created");
  EXPECT_EQ(list->at(0).created, 1700000000);
  EXPECT_EQ(list->at(0).labels, (Labels{{"a", "b"}}));
  EXPECT_EQ(list->at(1).id, "c2");
  const auto query = docker.seen("GET /containers/json").at(0).query;
  EXPECT_EQ(query.at("all"), "1");
  EXPECT_EQ(json::parse(query.at("filters")), (json{{"label", {"a=b", "c"}}}));
}

TEST_F(DockerCalls, wait_brings_the_exit_code) {
  docker.on("POST /containers/c1/wait", Reply::chunked(200, {R"({"StatusCode":3,"Error":null})", "\n"}));
  const auto exit = client->wait("c1", WaitFor::removed, soon());
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 3);
  EXPECT_EQ(docker.seen("POST /containers/c1/wait").at(0).query.at("condition"), "removed");
}

TEST_F(DockerCalls, an_exit_that_takes_long_can_be_asked_for_again) {
  // The head at once, which says that the daemon listens; the rest when the container has ended.
  Gate ended;
  docker.on("POST /containers/c1/wait", Reply::hijacked(
                                            [=](Wire& wire) {
                                              ended.wait();
                                              wire.write(R"({"StatusCode":137,"Error":{"Message":"it was hard"}})");
                                            },
                                            "HTTP/1.1 200 OK\r\n\r\n"));
  auto pending = client->watch_exit("c1", WaitFor::next_exit, soon());
  ASSERT_TRUE(pending);
  EXPECT_EQ(pending->get(Deadline::after(std::chrono::milliseconds(5))).error().code, "docker_not_answering");
  ended.open();
  const auto exit = pending->get(soon());
  ASSERT_TRUE(exit) << exit.error().message;
  EXPECT_EQ(exit->code, 137);
  EXPECT_EQ(exit->error, "it was hard");
}

TEST_F(DockerCalls, an_exit_without_its_code_is_no_exit) {
  docker.on("POST /containers/c1/wait", {Reply::json(200, "{}"), Reply::json(200, ""), Reply::json(200, "x")});
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(client->wait("c1", WaitFor::not_running, soon()).error().code, "docker_protocol");
}

TEST_F(DockerCalls, networks) {
  docker.on("POST /networks/create", Reply::json(201, R"({"Id":"n1"})"));
  docker.on("GET /networks",
            Reply::json(200, R"([{"Id":"n1","Name":"net","Driver":"bridge","Internal":true,"Labels":{"a":"b"}}])"));
  docker.on("GET /networks/net", Reply::json(200, R"({"Id":"n1","Name":"net","Containers":{"c1":{},"c2":{}}})"));
  docker.on("DELETE /networks/net", {Reply::json(204, ""), Reply::error(404, "network net not found"),
                                     Reply::error(403, "network net has active endpoints")});
  EXPECT_EQ(*client->create_network({.name = "net", .internal = true, .labels = {{"a", "b"}}, .options = {{"o", "1"}}},
                                    soon()),
            "n1");
  const auto body = json::parse(docker.seen("POST /networks/create").at(0).body);
  EXPECT_EQ(body.at("Internal"), true);
  EXPECT_EQ(body.at("Labels").at("a"), "b");
  EXPECT_EQ(body.at("Options").at("o"), "1");
  EXPECT_EQ(client->list_networks({"a=b"}, soon())->at(0).name, "net");
  EXPECT_TRUE(client->list_networks({"a=b"}, soon())->at(0).internal);
  EXPECT_EQ(client->inspect_network("net", soon())->containers.size(), 2u);
  EXPECT_TRUE(client->remove_network("net", soon()));
  EXPECT_TRUE(client->remove_network("net", soon()));
  EXPECT_EQ(client->remove_network("net", soon()).error().code, "docker_error");
}

TEST_F(DockerCalls, volumes) {
  docker.on("GET /volumes", Reply::json(200, R"({"Volumes":[{"Name":"v","Driver":"local","Labels":{"a":"b"}}]})"));
  docker.on("DELETE /volumes/v",
            {Reply::json(204, ""), Reply::error(404, "get v: no such volume"), Reply::error(409, "volume is in use")});
  EXPECT_EQ(client->list_volumes({"a"}, soon())->at(0).labels.at("a"), "b");
  EXPECT_TRUE(client->remove_volume("v", soon()));
  EXPECT_TRUE(client->remove_volume("v", soon()));
  EXPECT_EQ(client->remove_volume("v", soon()).error().code, "docker_conflict");
  docker.on("GET /volumes", Reply::json(200, R"({"Volumes":null})"));
  EXPECT_TRUE(client->list_volumes({"a"}, soon())->empty());
}

TEST_F(DockerCalls, many_threads_can_call_at_once) {
  docker.on("GET /containers/json", Reply::json(200, "[]"));
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) good += client->list({}, soon()).has_value();
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 160);
}

}  // namespace
}  // namespace hotcell::docker::api
