// How the client gets along with a daemon as such: finding it, agreeing on a version, and everything that can go wrong
// on the way.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "docker/api/client.h"
#include "fake_docker.h"

namespace hotcell::docker::api {
namespace {

Until soon() { return Until::seconds(20); }  // for what must not take long, on a machine that may be busy
Until at_once() { return Deadline::after(std::chrono::milliseconds(50)); }

std::unique_ptr<Client> connected(const FakeDocker& docker) {
  auto client = Client::connect(docker.endpoint(), soon());
  EXPECT_TRUE(client) << client.error().message;
  return client ? std::move(*client) : nullptr;
}

// A descriptor that says stop.
class Stop {
 public:
  Stop() : fd_(eventfd(0, EFD_CLOEXEC)) {}
  void now() {
    const std::uint64_t one = 1;
    EXPECT_EQ(write(fd_.get(), &one, sizeof one), 8);
  }
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

// ---- Versions ----

TEST(DockerNegotiation, an_old_daemon_is_spoken_to_in_its_newest_version) {
  FakeDocker docker("1.41", "1.12");  // Debian 12's
  const auto client = connected(docker);
  EXPECT_EQ(client->api_version(), (ApiVersion{1, 41}));
  ASSERT_TRUE(client->ping(soon()));
  EXPECT_EQ(docker.seen("GET /_ping").back().version, "1.41");
}

TEST(DockerNegotiation, a_daemon_that_refuses_what_is_old_is_spoken_to_in_a_new_one) {
  FakeDocker docker("1.48", "1.44");
  EXPECT_EQ(connected(docker)->api_version(), (ApiVersion{1, 48}));
}

TEST(DockerNegotiation, a_daemon_newer_than_us_is_spoken_to_in_our_newest_version) {
  FakeDocker docker("1.99", "1.44");
  EXPECT_EQ(connected(docker)->api_version(), kNewestApi);
}

TEST(DockerNegotiation, a_daemon_that_speaks_nothing_as_old_as_ours_is_too_new) {
  FakeDocker docker("1.99", "1.90");
  const auto client = Client::connect(docker.endpoint(), soon());
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, "docker_too_new");
  EXPECT_NE(client.error().message.find("Minimum supported API version is 1.90"), std::string::npos);
  EXPECT_NE(client.error().hint.find("update hotcell"), std::string::npos);
}

TEST(DockerNegotiation, a_daemon_from_before_all_that_we_need_is_too_old) {
  FakeDocker docker("1.40", "1.12");
  const auto client = Client::connect(docker.endpoint(), soon());
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, "docker_too_old");
  EXPECT_NE(client.error().message.find("1.40"), std::string::npos);
  EXPECT_NE(client.error().hint.find("20.10"), std::string::npos);
}

TEST(DockerNegotiation, a_daemon_that_was_replaced_is_agreed_with_again) {
  FakeDocker docker("1.44", "1.12");
  docker.on("POST /containers/c1/kill", Reply::json(204, ""));
  const auto client = connected(docker);
  docker.speak("1.41", "1.12");
  EXPECT_TRUE(client->kill("c1", soon()));
  EXPECT_EQ(client->api_version(), (ApiVersion{1, 41}));
  docker.speak("1.99", "1.99");
  EXPECT_EQ(client->kill("c1", soon()).error().code, "docker_too_new");
}

TEST(DockerNegotiation, what_is_no_daemon_is_said_to_be_none) {
  FakeDocker docker;
  docker.on("GET /_ping", Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
  EXPECT_EQ(Client::connect(docker.endpoint(), soon()).error().code, "docker_protocol");
  docker.on("GET /_ping", Reply::raw("SSH-2.0-OpenSSH_9.2p1\r\n"));
  EXPECT_EQ(Client::connect(docker.endpoint(), soon()).error().code, "docker_protocol");
}

// ---- Nobody there ----

TEST(DockerDaemon, a_missing_socket_is_a_clear_error) {
  const auto client = Client::connect({"/nonexistent/docker.sock"}, soon());
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, "docker_unreachable");
  EXPECT_NE(client.error().message.find("/nonexistent/docker.sock"), std::string::npos);
  EXPECT_NE(client.error().hint.find("DOCKER_HOST"), std::string::npos);
}

TEST(DockerDaemon, a_socket_that_nobody_listens_on_is_a_clear_error) {
  FakeDocker docker;
  const auto client = connected(docker);
  docker.stop();
  const auto pinged = client->ping(soon());
  ASSERT_FALSE(pinged);
  EXPECT_EQ(pinged.error().code, "docker_unreachable");
  EXPECT_NE(pinged.error().message.find("nobody listens"), std::string::npos);
}

TEST(DockerDaemon, a_socket_of_somebody_else_is_a_clear_error) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  FakeDocker docker;
  ASSERT_EQ(chmod(docker.socket().c_str(), 0600), 0);
  const auto folder = std::filesystem::path(docker.socket()).parent_path();
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (setresuid(65534, 65534, 65534)) _exit(1);
    const auto client = Client::connect(docker.endpoint(), soon());
    _exit(!client && client.error().code == "docker_permission" &&
                  client.error().hint.find("group") != std::string::npos
              ? 0
              : 2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// ---- Silence ----

TEST(DockerDaemon, one_that_says_nothing_is_waited_for_until_the_deadline) {
  FakeDocker docker;
  const auto client = connected(docker);
  docker.on("GET /_ping", Reply::silence());
  const auto from = Deadline::Clock::now();
  const auto pinged = client->ping(at_once());
  EXPECT_GE(Deadline::Clock::now() - from, std::chrono::milliseconds(50));
  ASSERT_FALSE(pinged);
  EXPECT_EQ(pinged.error().code, "docker_not_answering");
}

TEST(DockerDaemon, one_that_stops_in_the_middle_is_waited_for_until_the_deadline) {
  FakeDocker docker;
  const auto client = connected(docker);
  const auto whole = Reply::json(200, R"({"Id":"c1"})").bytes;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto reply = Reply::raw(whole).cut(at);
    reply.then_silent = true;
    docker.on("GET /info", reply);
    const auto info = client->info(Deadline::after(std::chrono::milliseconds(2)));
    ASSERT_FALSE(info) << at;
    EXPECT_EQ(info.error().code, "docker_not_answering") << at;
  }
}

TEST(DockerDaemon, one_that_does_not_even_accept_is_waited_for_until_the_deadline) {
  // As a daemon that is frozen: the kernel takes connections for it until its queue is full.
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::string folder = (std::filesystem::temp_directory_path() / "frozen-docker-XXXXXX").string();
  ASSERT_TRUE(mkdtemp(folder.data()));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = folder + "/docker.sock";
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener.get(), 0), 0);
  std::vector<Fd> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    connect(waiting.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  EXPECT_EQ(Client::connect({path}, at_once()).error().code, "docker_not_answering");
  Stop stop;
  stop.now();
  EXPECT_EQ(Client::connect({path}, Until::seconds(20, stop.fd())).error().code, "stopped");
  std::filesystem::remove_all(folder);
}

TEST(DockerDaemon, a_call_is_given_up_when_somebody_says_stop) {
  FakeDocker docker;
  const auto client = connected(docker);
  docker.on("GET /info", Reply::silence());
  Stop stop;
  std::thread stopper([&] {
    docker.wait_for_seen("GET /info");
    stop.now();
  });
  EXPECT_EQ(client->info(Until::seconds(30, stop.fd())).error().code, "stopped");
  stopper.join();
}

// ---- Answers that break off, or never end ----

TEST(DockerDaemon, an_answer_cut_at_any_byte_is_an_error) {
  FakeDocker docker;
  const auto client = connected(docker);
  for (const auto& whole :
       {Reply::json(200, R"({"Warnings":["w"]})"), Reply::chunked(200, {R"({"Warnings")", R"(:["w"]})"})}) {
    for (std::size_t at = 0; at < whole.bytes.size(); ++at) {
      docker.on("POST /containers/c1/update", Reply(whole).cut(at));
      const auto updated = client->update("c1", {}, soon());
      ASSERT_FALSE(updated) << at;
      EXPECT_EQ(updated.error().code, "docker_unreachable") << at << updated.error().message;
    }
    docker.on("POST /containers/c1/update", whole);
    EXPECT_EQ(client->update("c1", {}, soon())->at(0), "w");
  }
}

TEST(DockerDaemon, an_answer_that_ends_with_its_connection_is_whole_or_no_json) {
  FakeDocker docker;
  const auto client = connected(docker);
  const auto whole = Reply::until_close(200, R"({"Warnings":["w"]})");
  docker.on("POST /containers/c1/update", whole);
  EXPECT_EQ(client->update("c1", {}, soon())->at(0), "w");
  for (std::size_t at = 0; at < whole.bytes.size(); ++at) {
    docker.on("POST /containers/c1/update", Reply(whole).cut(at));
    const auto updated = client->update("c1", {}, soon());
    ASSERT_FALSE(updated) << at;
    EXPECT_TRUE(updated.error().code == "docker_unreachable" || updated.error().code == "docker_protocol") << at;
  }
}

TEST(DockerDaemon, an_answer_in_single_bytes_is_an_answer) {
  FakeDocker docker;
  docker.on("POST /containers/c1/update", Reply::chunked(200, {R"({"Warnings")", R"(:["w"]})"}).in_pieces_of(1));
  EXPECT_EQ(connected(docker)->update("c1", {}, soon())->at(0), "w");
}

TEST(DockerDaemon, an_answer_without_end_is_refused_at_its_cap) {
  FakeDocker docker;
  docker.on("GET /info", Reply::until_close(200, std::string(9 << 20, ' ')));
  docker.on("GET /version", Reply::json(500, std::string(1 << 20, 'x')));
  const auto client = connected(docker);
  EXPECT_EQ(client->info(soon()).error().code, "docker_protocol");
  EXPECT_EQ(client->version(soon()).error().code, "docker_protocol");
}

TEST(DockerDaemon, a_head_without_end_is_refused_at_its_cap) {
  FakeDocker docker;
  docker.on("GET /info", Reply::raw("HTTP/1.1 200 OK\r\nX-Long: " + std::string(1 << 20, 'x')));
  const auto info = connected(docker)->info(soon());
  EXPECT_EQ(info.error().code, "docker_protocol");
  EXPECT_NE(info.error().message.find("cannot ask the Docker daemon about itself"), std::string::npos);
}

TEST(DockerDaemon, json_that_goes_down_for_ever_is_survived) {
  FakeDocker docker;
  docker.on("GET /info", Reply::json(200, std::string(1 << 20, '[')));
  docker.on("GET /version", Reply::json(200, std::string(1 << 20, '[') + std::string(1 << 20, ']')));
  const auto client = connected(docker);
  EXPECT_EQ(client->info(soon()).error().code, "docker_protocol");
  EXPECT_EQ(client->version(soon())->version, "");
}

TEST(DockerDaemon, fields_of_other_types_than_promised_are_empty) {
  FakeDocker docker;
  docker.on("GET /info",
            Reply::json(200, R"({"ID":7,"Runtimes":[1],"NCPU":"two","SecurityOptions":[3,null],"MemoryLimit":1,
                                               "Warnings":"w","Driver":{}})"));
  const auto info = connected(docker)->info(soon());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->id, "");
  EXPECT_TRUE(info->runtimes.empty());
  EXPECT_EQ(info->cpus, 0);
  EXPECT_FALSE(info->memory_limit);
}

// ---- Once more, or not ----

TEST(DockerRetry, what_only_looks_is_asked_once_more_when_the_connection_died_before_any_answer) {
  FakeDocker docker;
  docker.on("GET /containers/json", {Reply::nothing(), Reply::json(200, "[]")});
  EXPECT_TRUE(connected(docker)->list({}, soon()));
  EXPECT_EQ(docker.seen("GET /containers/json").size(), 2u);
}

TEST(DockerRetry, it_is_asked_twice_at_most) {
  FakeDocker docker;
  docker.on("GET /containers/json", Reply::nothing());
  EXPECT_EQ(connected(docker)->list({}, soon()).error().code, "docker_unreachable");
  EXPECT_EQ(docker.seen("GET /containers/json").size(), 2u);
}

TEST(DockerRetry, an_answer_that_has_begun_is_not_asked_for_again) {
  FakeDocker docker;
  docker.on("GET /containers/json", Reply::json(200, "[]").cut(1));
  EXPECT_EQ(connected(docker)->list({}, soon()).error().code, "docker_unreachable");
  EXPECT_EQ(docker.seen("GET /containers/json").size(), 1u);
}

TEST(DockerRetry, what_makes_or_kills_is_never_asked_twice) {
  FakeDocker docker;
  docker.on("POST /*", Reply::nothing());
  const auto client = connected(docker);
  EXPECT_FALSE(client->create({{"Image", "i"}}, soon()));
  EXPECT_FALSE(client->kill("c1", soon()));
  EXPECT_FALSE(client->attach("c1", {}, soon()));
  EXPECT_FALSE(client->create_network({.name = "n"}, soon()));
  EXPECT_EQ(docker.seen("POST /*").size(), 4u);
}

// ---- What it tells about itself ----

TEST(DockerDaemon, tells_what_it_is) {
  FakeDocker docker;
  docker.on("GET /version", Reply::json(200, R"({"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12",
                                                  "Os":"linux","Arch":"amd64","KernelVersion":"6.1"})"));
  const auto version = connected(docker)->version(soon());
  ASSERT_TRUE(version);
  EXPECT_EQ(version->version, "20.10.24");
  EXPECT_EQ(version->api_newest, (ApiVersion{1, 41}));
  EXPECT_EQ(version->api_oldest, (ApiVersion{1, 12}));
}

TEST(DockerDaemon, tells_whether_it_can_enforce_limits) {
  FakeDocker docker;
  docker.on("GET /info",
            Reply::json(200, R"({"OSType":"linux","Runtimes":{"runc":{},"runsc":{}},"DefaultRuntime":"runc",
      "CgroupDriver":"none","CgroupVersion":"2","MemoryLimit":false,"PidsLimit":true,"NCPU":2,"MemTotal":1000,
      "SecurityOptions":["name=seccomp,profile=default","name=rootless"]})"));
  const auto info = connected(docker)->info(soon());
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->rootless);
  EXPECT_TRUE(info->seccomp);
  EXPECT_FALSE(info->userns_remap);
  EXPECT_EQ(info->cgroup_driver, "none");
  EXPECT_EQ(info->runtimes, (std::vector<std::string>{"runc", "runsc"}));
  EXPECT_TRUE(info->pids_limit);
  EXPECT_FALSE(info->memory_limit);
  EXPECT_EQ(info->cpus, 2);
}

// ---- What its refusals mean ----

struct Refusal {
  int status;
  std::string words, code;
};

TEST(DockerRefusals, have_stable_codes_and_keep_the_daemons_words) {
  // As daemons of 20.10 and of today word them.
  const Refusal refusals[] = {
      {404, "No such image: nothing:latest", "docker_image_missing"},
      {404, "No such container: c1", "docker_not_found"},
      {409, "Conflict. The container name \"/c1\" is already in use by container \"2\".", "docker_conflict"},
      {400, "invalid reference format", "docker_bad_request"},
      {400, "Unknown runtime specified runsc", "docker_runtime_missing"},
      {400, "unknown or invalid runtime name: runsc", "docker_runtime_missing"},
      {500,
       "OCI runtime create failed: unable to retrieve OCI runtime error (open log.json: no such file or directory): "
       "fork/exec /usr/bin/runsc: no such file or directory: unknown",
       "docker_runtime_missing"},
      {500, "failed to start shim: fork/exec /usr/bin/containerd-shim-runc-v2: resource temporarily unavailable",
       "docker_error"},
      {500, "mkdir /var/lib/docker/overlay2/x: no space left on device", "docker_no_space"},
      {500, "write /x: disk quota exceeded", "docker_no_space"},
      {500, "something else", "docker_error"},
      {503, "the daemon is shutting down", "docker_error"},
      {400, "client version 1.99 is too new. Maximum supported API version is 1.41", "docker_too_old"},
  };
  FakeDocker docker;
  const auto client = connected(docker);
  for (const auto& [status, words, code] : refusals) {
    docker.on("POST /containers/create", Reply::error(status, words));
    const auto created = client->create({{"Image", "nothing"}}, soon());
    ASSERT_FALSE(created) << words;
    EXPECT_EQ(created.error().code, code) << words;
    EXPECT_NE(created.error().message.find(words), std::string::npos) << created.error().message;
    EXPECT_TRUE(created.error().message.starts_with("cannot create a container from image nothing: "));
  }
}

TEST(DockerRefusals, without_words_are_told_by_their_status) {
  FakeDocker docker;
  const auto client = connected(docker);
  docker.on("GET /info", Reply::json(500, ""));
  EXPECT_NE(client->info(soon()).error().message.find("500"), std::string::npos);
  docker.on("GET /info", Reply::json(502, "<html>\x1b[31mBad gateway\x01</html>\n"));
  const auto error = client->info(soon()).error();
  EXPECT_EQ(error.code, "docker_error");
  EXPECT_NE(error.message.find("Bad gateway"), std::string::npos);
  EXPECT_EQ(error.message.find('\x1b'), std::string::npos) << "no terminal codes";
}

TEST(DockerRefusals, a_status_that_is_no_answer_is_an_error) {
  FakeDocker docker;
  const auto client = connected(docker);
  for (const int status : {100, 301, 302, 199, 999}) {
    docker.on("GET /info", Reply::json(status, "{}"));
    EXPECT_FALSE(client->info(soon())) << status;
  }
}

}  // namespace
}  // namespace hotcell::docker::api
