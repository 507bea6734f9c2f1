// The client against a real daemon: that what the fake one says in the unit tests is what real ones say.
#include <gtest/gtest.h>

#include <thread>

#include "base/hash.h"
#include "real_docker.h"

namespace hotcell::docker::api {
namespace {

using testing::TarWriter;

class DockerApi : public testing::RealDocker {
 protected:
  // Created, attached and started.
  struct Running {
    std::string id;
    Attached streams;
  };
  Running run(const Json& what) {
    auto id = must(client->create(what, soon())).id;
    auto streams = must(client->attach(id, {}, soon()));
    must(client->start(id, soon()));
    return {std::move(id), std::move(streams)};
  }

  // Output until `size` bytes of a stream are there, or it ends.
  struct Heard {
    std::string out, err;
    bool ended = false;
  };
  static Heard listen(Attached& streams, std::size_t out, std::size_t err = 0) {
    Heard heard;
    while (heard.out.size() < out || heard.err.size() < err) {
      const auto piece = must(streams.receive(soon()));
      if (!piece) {
        heard.ended = true;
        break;
      }
      (piece->stream == Stream::err ? heard.err : heard.out) += piece->bytes;
    }
    return heard;
  }
  static Heard listen_to_end(Attached& streams) { return listen(streams, std::string::npos); }
};

TEST_F(DockerApi, a_version_is_agreed_on_and_the_daemon_tells_about_itself) {
  const auto version = must(client->version(soon()));
  EXPECT_EQ(client->api_version(), std::min(version.api_newest, kNewestApi));
  EXPECT_LE(version.api_oldest, client->api_version());
  EXPECT_EQ(version.os, "linux");
  must(client->ping(soon()));
  const auto info = must(client->info(soon()));
  EXPECT_EQ(info.os_type, "linux");
  EXPECT_NE(std::ranges::find(info.runtimes, info.default_runtime), info.runtimes.end());
  EXPECT_FALSE(info.cgroup_driver.empty());
  EXPECT_GT(info.cpus, 0);
  EXPECT_GT(info.memory_bytes, 0);
}

TEST_F(DockerApi, every_version_that_we_may_agree_on_works) {
  const auto newest = client->api_version();
  for (int minor = kOldestApi.minor; minor <= newest.minor; ++minor) {
    const auto older = Client::connect(client->endpoint(), soon(), {1, minor});
    if (!older) {
      EXPECT_EQ(older.error().code, "docker_too_new") << minor;
      continue;
    }
    EXPECT_EQ((*older)->api_version().minor, minor);
    EXPECT_EQ(must((*older)->inspect_image(image, soon())).id, image);
    const auto id = must((*older)->create(body(), soon())).id;
    auto streams = must((*older)->attach(id, {}, soon()));
    must((*older)->start(id, soon()));
    must(streams.send("say hello\nexit 0\n", soon()));
    EXPECT_EQ(listen_to_end(streams).out, "hello\n") << minor;
    must((*older)->remove(id, soon()));
  }
}

TEST_F(DockerApi, an_imported_image_is_what_was_asked_for) {
  const auto found = must(client->inspect_image(image, soon()));
  EXPECT_EQ(found.id, image);
  EXPECT_EQ(found.entrypoint, std::vector<std::string>{"/guest"});
  EXPECT_EQ(found.os, "linux");
  EXPECT_EQ(found.tags, std::vector<std::string>{"hotcell-test/guest:" + std::to_string(getpid())});
  const auto listed = must(client->list_images({label}, soon()));
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].id, image);
}

TEST_F(DockerApi, an_attached_container_answers_and_ends_with_its_input) {
  auto [id, streams] = run(body());
  must(streams.send("say hello\n", soon()));
  EXPECT_EQ(listen(streams, 6).out, "hello\n");
  must(streams.send("complain oh\n", soon()));
  EXPECT_EQ(listen(streams, 0, 3).err, "oh\n");
  must(streams.send("flood 3000000\n", soon()));
  EXPECT_EQ(listen(streams, 3000001).out.size(), 3000001u);
  must(streams.close_input());
  const auto last = listen_to_end(streams);
  EXPECT_EQ(last.out, "end of input\n");
  const auto exit = must(client->wait(id, WaitFor::not_running, soon()));
  EXPECT_EQ(exit.code, 0);
}

TEST_F(DockerApi, one_that_is_killed_says_so) {
  auto [id, streams] = run(body());
  auto pending = must(client->watch_exit(id, WaitFor::next_exit, soon()));
  EXPECT_EQ(pending.get(Deadline::after(std::chrono::milliseconds(1))).error().code, "docker_not_answering");
  must(client->kill(id, soon()));
  EXPECT_TRUE(listen_to_end(streams).ended);
  EXPECT_EQ(must(pending.get(soon())).code, 137);
  const auto container = must(client->inspect(id, soon()));
  EXPECT_EQ(container.status, "exited");
  EXPECT_EQ(container.exit_code, 137);
  EXPECT_FALSE(container.oom_killed);
  EXPECT_EQ(client->kill(id, soon()).error().code, "docker_conflict");
  must(client->stop(id, 1, soon()));
  must(client->start(id, soon()));
  must(client->start(id, soon()));
  must(client->stop(id, 0, soon()));
  EXPECT_FALSE(must(client->inspect(id, soon())).running);
}

TEST_F(DockerApi, one_that_removes_itself_leaves_its_exit_code) {
  auto what = body();
  what["HostConfig"] = {{"AutoRemove", true}};
  const auto id = must(client->create(what, soon())).id;
  auto removed = must(client->watch_exit(id, WaitFor::removed, soon()));
  auto streams = must(client->attach(id, {}, soon()));
  must(client->start(id, soon()));
  must(streams.send("exit 7\n", soon()));
  EXPECT_EQ(must(removed.get(soon())).code, 7);
  EXPECT_EQ(client->inspect(id, soon()).error().code, "docker_not_found");
  must(client->remove(id, soon()));
}

TEST_F(DockerApi, events_tell_of_deaths_and_of_memory) {
  auto events = must(client->events({.labels = {label}, .actions = {"die", "oom"}}, soon()));
  auto what = body();
  what["HostConfig"] = {{"Memory", 32 << 20}, {"MemorySwap", 32 << 20}};
  auto quiet = run(body());
  must(quiet.streams.send("exit 3\n", soon()));
  const auto die = must(events.next(soon()));
  EXPECT_EQ(die.action, "die");
  EXPECT_EQ(die.container, quiet.id);
  EXPECT_EQ(die.exit_code, 3);
  EXPECT_GT(die.time_ns, 0);
  auto hungry = run(what);
  must(hungry.streams.send("eat\n", soon()));
  auto last = must(events.next(soon()));
  const bool oom = last.action == "oom";
  while (last.action == "oom") last = must(events.next(soon()));
  EXPECT_EQ(last.action, "die");
  EXPECT_EQ(last.container, hungry.id);
  EXPECT_EQ(last.exit_code, 137);
  EXPECT_TRUE(oom || must(client->inspect(hungry.id, soon())).oom_killed);
  EXPECT_EQ(events.next(Deadline::after(std::chrono::milliseconds(1))).error().code, "docker_not_answering");
}

TEST_F(DockerApi, update_sets_what_inspect_shows) {
  auto what = body();
  what["HostConfig"] = {{"Memory", 64 << 20}, {"MemorySwap", 64 << 20}, {"NanoCpus", 1'000'000'000}, {"PidsLimit", 64}};
  const auto running = run(what);
  must(client->update(running.id, {.memory_bytes = 128 << 20, .nano_cpus = 500'000'000, .pids = 32}, soon()));
  must(client->update(running.id, {.pids = 16}, soon()));
  const auto host = must(client->inspect_json(running.id, soon())).at("HostConfig");
  EXPECT_EQ(host.at("Memory"), 128 << 20);
  EXPECT_EQ(host.at("MemorySwap"), 128 << 20);
  EXPECT_EQ(host.at("NanoCpus"), 500'000'000);
  EXPECT_EQ(host.at("PidsLimit"), 16);
}

TEST_F(DockerApi, list_shows_all_that_carry_a_label_in_every_state) {
  const auto created = must(client->create(body(), soon(), "hotcell-test-" + std::to_string(getpid()))).id;
  const auto runs = run(body());
  auto other = body();
  other["Labels"]["hotcell.other"] = "x";
  const auto third = must(client->create(other, soon())).id;
  const auto all = must(client->list({label}, soon()));
  EXPECT_EQ(all.size(), 3u);
  for (const auto& item : all) {
    EXPECT_EQ(item.state, item.id == runs.id ? "running" : "created");
    EXPECT_EQ(item.name.starts_with("hotcell-test-"), item.id == created);
    EXPECT_TRUE(item.labels.contains("hotcell.test"));
    EXPECT_GT(item.created, 1'700'000'000);
  }
  const auto both = must(client->list({label, "hotcell.other"}, soon()));
  ASSERT_EQ(both.size(), 1u);
  EXPECT_EQ(both[0].id, third);
}

TEST_F(DockerApi, refusals_of_a_real_daemon_have_the_codes_that_we_promise) {
  auto what = body();
  what["Image"] = "hotcell-test/no-such-image:1";
  EXPECT_EQ(client->create(what, soon()).error().code, "docker_image_missing");
  EXPECT_EQ(client->inspect_image("hotcell-test/no-such-image:1", soon()).error().code, "docker_image_missing");
  EXPECT_EQ(client->tag_image("hotcell-test/no-such-image:1", "a", "b", soon()).error().code, "docker_image_missing");
  must(client->remove_image("hotcell-test/no-such-image:1", soon()));

  what = body();
  what["HostConfig"] = {{"Runtime", "no-such-runtime"}};
  const auto no_runtime = client->create(what, soon());
  if (no_runtime) {
    EXPECT_EQ(client->start(no_runtime->id, soon()).error().code, "docker_runtime_missing");
  } else {
    EXPECT_EQ(no_runtime.error().code, "docker_runtime_missing") << no_runtime.error().message;
  }

  EXPECT_EQ(client->inspect("no-such-container", soon()).error().code, "docker_not_found");
  EXPECT_EQ(client->start("no-such-container", soon()).error().code, "docker_not_found");
  EXPECT_EQ(client->attach("no-such-container", {}, soon()).error().code, "docker_not_found");
  EXPECT_EQ(client->wait("no-such-container", WaitFor::not_running, soon()).error().code, "docker_not_found");
  EXPECT_EQ(client->update("no-such-container", {.pids = 5}, soon()).error().code, "docker_not_found");
  EXPECT_EQ(client->inspect_network("no-such-network", soon()).error().code, "docker_not_found");
  must(client->remove("no-such-container", soon()));
  must(client->remove_network("no-such-network", soon()));
  must(client->remove_volume("no-such-volume", soon()));

  const auto name = "hotcell-test-" + std::to_string(getpid());
  must(client->create(body(), soon(), name));
  EXPECT_EQ(client->create(body(), soon(), name).error().code, "docker_conflict");

  what = body();
  what["HostConfig"] = {{"Memory", 5}};
  EXPECT_EQ(client->create(what, soon()).error().code, "docker_bad_request");

  what = body();
  what["Entrypoint"] = {"/not/there"};
  const auto id = must(client->create(what, soon())).id;
  const auto started = client->start(id, soon());
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, "docker_bad_request") << started.error().message;
  EXPECT_NE(started.error().message.find("/not/there"), std::string::npos) << started.error().message;

  EXPECT_EQ(client->remove_image(image, soon()).error().code, "docker_conflict") << "containers use it";
}

TEST_F(DockerApi, what_is_no_tar_is_refused) {
  Fd fd(memfd_create("garbage", MFD_CLOEXEC));
  const std::string garbage(100'000, 'g');
  must(write_all(fd.get(), {reinterpret_cast<const std::uint8_t*>(garbage.data()), garbage.size()}));
  lseek(fd.get(), 0, SEEK_SET);
  const auto imported = client->import_image(fd.get(), "hotcell-test/garbage", "1", {"LABEL " + label}, soon());
  ASSERT_FALSE(imported);
  EXPECT_TRUE(imported.error().message.starts_with("cannot import image hotcell-test/garbage:1: "));
}

TEST_F(DockerApi, tags_come_and_go_with_their_image) {
  must(client->tag_image(image, "hotcell-test/other", "2", soon()));
  EXPECT_EQ(must(client->inspect_image("hotcell-test/other:2", soon())).id, image);
  must(client->remove_image("hotcell-test/other:2", soon()));
  EXPECT_EQ(client->inspect_image(image, soon()).error().code, "docker_image_missing") << "all its names are gone";
}

TEST_F(DockerApi, an_image_is_built_from_a_tar) {
  auto context = guest_tar();
  context.file("Dockerfile", "FROM scratch\nCOPY guest /guest\nARG WHO\nENV WHO=$WHO\nENTRYPOINT [\"/guest\"]\n");
  BuildOptions options;
  options.tags = {"hotcell-test/built:" + std::to_string(getpid())};
  options.labels = {{label.substr(0, label.find('=')), label.substr(label.find('=') + 1)}};
  options.build_args = {{"WHO", "me"}};
  options.network = "none";
  std::string printed;
  const auto id =
      must(client->build_image(context.open().get(), options, soon(), [&](std::string_view line) { printed += line; }));
  EXPECT_NE(printed.find("COPY guest"), std::string::npos);
  const auto built = must(client->inspect_image(options.tags[0], soon()));
  EXPECT_EQ(built.id, id);
  EXPECT_NE(std::ranges::find(built.env, "WHO=me"), built.env.end());
  auto what = body();
  what["Image"] = id;
  auto running = run(what);
  must(running.streams.send("say built\nexit 0\n", soon()));
  EXPECT_EQ(listen_to_end(running.streams).out, "built\n");
}

TEST_F(DockerApi, a_build_that_fails_says_how) {
  auto context = guest_tar();
  context.file("Dockerfile", "FROM scratch\nCOPY not-there /x\n");
  BuildOptions options;
  options.labels = {{label.substr(0, label.find('=')), label.substr(label.find('=') + 1)}};
  const auto id = client->build_image(context.open().get(), options, soon());
  ASSERT_FALSE(id);
  EXPECT_NE(id.error().message.find("not-there"), std::string::npos) << id.error().message;
}

TEST_F(DockerApi, an_image_is_loaded_from_a_tar) {
  // What `docker save` writes, by hand.
  const auto layer = guest_tar().bytes();
  const Json config = {
      {"architecture", "amd64"},
      {"os", "linux"},
      {"config", {{"Labels", {{label.substr(0, label.find('=')), label.substr(label.find('=') + 1)}}}}},
      {"rootfs", {{"type", "layers"}, {"diff_ids", {"sha256:" + hex(sha256(layer))}}}}};
  const auto name = "hotcell-test/loaded:" + std::to_string(getpid());
  TarWriter tar;
  tar.file("layer.tar", layer);
  tar.file("config.json", config.dump());
  tar.file("manifest.json",
           Json::array({{{"Config", "config.json"}, {"RepoTags", {name}}, {"Layers", {"layer.tar"}}}}).dump());
  EXPECT_EQ(must(client->load_images(tar.open().get(), soon())), std::vector<std::string>{name});
  EXPECT_EQ(must(client->inspect_image(name, soon())).tags, std::vector<std::string>{name});
}

TEST_F(DockerApi, networks_come_and_go) {
  const auto name = "hotcell-test-" + std::to_string(getpid());
  const auto id =
      must(client->create_network({.name = name,
                                   .internal = true,
                                   .labels = {{label.substr(0, label.find('=')), label.substr(label.find('=') + 1)}}},
                                  soon()));
  const auto network = must(client->inspect_network(name, soon()));
  EXPECT_EQ(network.id, id);
  EXPECT_TRUE(network.internal);
  const auto listed = must(client->list_networks({label}, soon()));
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].id, id);
  must(client->remove_network(id, soon()));
  must(client->remove_network(id, soon()));
  EXPECT_EQ(client->inspect_network(id, soon()).error().code, "docker_not_found");
}

TEST_F(DockerApi, removing_what_somebody_else_removes_is_fine) {
  std::vector<std::thread> threads;
  const auto id = run(body()).id;
  std::atomic<int> good = 0;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { good += client->remove(id, soon()).has_value(); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 4);
}

TEST_F(DockerApi, many_calls_at_once_are_fine) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      auto running = run(body());
      must(running.streams.send("say hi\nexit 0\n", soon()));
      EXPECT_EQ(listen_to_end(running.streams).out, "hi\n");
      must(client->remove(running.id, soon()));
    });
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace hotcell::docker::api
