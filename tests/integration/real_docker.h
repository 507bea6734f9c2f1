// For tests against a real daemon: a client of it, an image to run, and the promise that nothing is left behind.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "../unit/places.h"
#include "base/file.h"
#include "docker/api/client.h"
#include "tar_writer.h"

namespace hotcell::testing {

// Everything that a test makes carries its label; when the test is over, what has it is removed, and must be gone.
class RealDocker : public ::testing::Test {
 protected:
  using Client = docker::api::Client;
  using Until = docker::api::Until;
  using Json = nlohmann::json;

  static Until soon() { return Until::seconds(60); }

  void SetUp() override {
    if (!std::getenv("DOCKER_HOST")) {
      const char* required = std::getenv("HOTCELL_REQUIRE_DOCKER");
      if (required && std::string(required) == "1") FAIL() << "DOCKER_HOST is not set, and these tests are required";
      GTEST_SKIP() << "DOCKER_HOST is not set: `scripts/dockerd start` prints one";
    }
    const auto endpoint = docker::api::Endpoint::from_environment();
    ASSERT_TRUE(endpoint) << endpoint.error().message;
    auto connected = Client::connect(*endpoint, soon());
    ASSERT_TRUE(connected) << connected.error().message;
    client = std::move(*connected);
    label = "hotcell.test=" + std::to_string(getpid()) + "-" +
            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    image = import_guest();
  }

  void TearDown() override {
    if (!client) return;
    for (const auto& container : must(client->list({label}, soon()))) must(client->remove(container.id, soon()));
    for (const auto& network : must(client->list_networks({label}, soon())))
      must(client->remove_network(network.id, soon()));
    for (const auto& volume : must(client->list_volumes({label}, soon())))
      must(client->remove_volume(volume.name, soon()));
    for (const auto& found : must(client->list_images({label}, soon()))) must(client->remove_image(found.id, soon()));
    EXPECT_TRUE(must(client->list({label}, soon())).empty());
    EXPECT_TRUE(must(client->list_networks({label}, soon())).empty());
    EXPECT_TRUE(must(client->list_volumes({label}, soon())).empty());
    EXPECT_TRUE(must(client->list_images({label}, soon())).empty());
  }

  template <class T>
  static T must(Expected<T> result) {
    if (result) {
      if constexpr (std::is_void_v<T>)
        return;
      else
        return std::move(*result);
    }
    ADD_FAILURE() << result.error().code << ": " << result.error().message;
    if constexpr (!std::is_void_v<T>) {
      if constexpr (std::is_default_constructible_v<T>) return T{};
      std::abort();  // nothing to go on with
    }
  }

  static std::string guest() { return must(read_file(std::filesystem::path(kBinFolder) / "docker-guest", 64 << 20)); }
  TarWriter guest_tar() const {
    TarWriter tar;
    tar.file("guest", guest(), 0755);
    return tar;
  }
  // One file, labelled, and with a name of its own.
  std::string import_guest() {
    const auto tar = guest_tar().open();
    return must(client->import_image(tar.get(), "hotcell-test/guest", std::to_string(getpid()),
                                     {"LABEL " + label, "ENTRYPOINT [\"/guest\"]"}, soon()));
  }

  // What the tests create unless they say otherwise: quick to start, its input open, its output attached.
  Json body() const {
    const auto equals = label.find('=');
    return {{"Image", image},          {"OpenStdin", true},
            {"StdinOnce", true},       {"AttachStdin", true},
            {"AttachStdout", true},    {"AttachStderr", true},
            {"NetworkDisabled", true}, {"Labels", {{label.substr(0, equals), label.substr(equals + 1)}}}};
  }

  std::unique_ptr<Client> client;
  std::string label, image;
};

}  // namespace hotcell::testing
