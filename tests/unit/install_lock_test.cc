// What uv and npm resolved becomes a lock, and a lock becomes what they install from.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "install/node.h"
#include "install/python.h"

namespace hotcell::install {
namespace {

using deps::Ecosystem;
using nlohmann::json;

const std::string kHex(64, 'a'), kOther(64, 'b');

TEST(Pylock, keeps_the_wheels_of_each_package) {
  const auto text = R"({"lock-version": "1.0", "packages": [
      {"name": "numpy", "version": "2.4.6",
       "sdist": {"url": "https://files.example/numpy-2.4.6.tar.gz", "hashes": {"sha256": ")" +
                    kOther + R"("}},
       "wheels": [{"url": "https://files.example/numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl",
                   "hashes": {"sha256": ")" +
                    kHex + R"("}}]}]})";
  const auto lock = lock_from_pylock(text, deps::container_target(Ecosystem::pypi));
  ASSERT_TRUE(lock) << lock.error().message;
  EXPECT_EQ(lock->text(), "hotcell-lock 1 pypi\nnumpy 2.4.6 sha256:" + kHex + "\n");
  const auto wasi = lock_from_pylock(text, deps::wasi_target());
  ASSERT_FALSE(wasi);
  EXPECT_EQ(wasi.error().code, "dependency_no_wheel");
}

TEST(Pylock, of_wasi_cells_has_pure_wheels_only) {
  const auto text = R"({"packages": [{"name": "charset-normalizer", "version": "3.5.3", "wheels": [
      {"url": "https://files.example/charset_normalizer-3.5.3-cp311-cp311-pyodide_2024_0_wasm32.whl",
       "hashes": {"sha256": ")" +
                    kOther + R"("}},
      {"url": "https://files.example/charset_normalizer-3.5.3-py3-none-any.whl#x", "hashes": {"sha256": ")" +
                    kHex + R"("}}]}]})";
  const auto lock = lock_from_pylock(text, deps::wasi_target());
  ASSERT_TRUE(lock) << lock.error().message;
  EXPECT_EQ(lock->packages().front().hashes, std::vector<std::string>{"sha256:" + kHex});
}

TEST(Pylock, without_hashes_or_sense_is_refused) {
  for (const char* text :
       {"", "[]", "{}", R"({"packages": 3})", R"({"packages": [7]})", R"({"packages": [{"name": "a"}]})",
        R"({"packages": [{"name": "a", "version": "1", "wheels": [{"url": "x"}]}]})",
        R"({"packages": [{"name": "a", "version": "1", "wheels": [{"hashes": {"sha256": "zz"}}]}]})"})
    EXPECT_FALSE(lock_from_pylock(text, deps::container_target(Ecosystem::pypi))) << text;
}

const std::string kIntegrity = "sha512-" + std::string(85, 'A') + "A==";

json package_lock() {
  const auto item = [](const char* version) { return json{{"version", version}, {"integrity", kIntegrity}}; };
  json packages = {{"", {{"name", "cell"}}},
                   {"node_modules/left", item("2.0.0")},
                   {"node_modules/a/node_modules/left", item("1.0.0")},
                   {"node_modules/a", item("1.0.0")},
                   {"node_modules/@s/b", item("1.2.3")},
                   {"node_modules/old-left", item("1.0.0")},
                   {"node_modules/mac", item("1.0.0")},
                   {"node_modules/mac/node_modules/part", item("1.0.0")},
                   {"node_modules/carried", {{"version", "1.0.0"}, {"inBundle", true}}}};
  packages["node_modules/old-left"]["name"] = "left";
  packages["node_modules/mac"]["os"] = {"darwin"};
  packages["node_modules/@s/b"]["os"] = {"!win32"};
  packages["node_modules/@s/b"]["cpu"] = {"x64", "arm64"};
  return {{"lockfileVersion", 3}, {"packages", packages}};
}

TEST(PackageLock, keeps_places_and_leaves_other_machines_out) {
  const auto lock = lock_from_package_lock(package_lock().dump(), deps::container_target(Ecosystem::npm));
  ASSERT_TRUE(lock) << lock.error().message;
  std::vector<std::string> places;
  for (const auto& one : lock->packages()) places.push_back(one.name + " " + one.version + " " + one.place);
  EXPECT_EQ(places, (std::vector<std::string>{"@s/b 1.2.3 node_modules/@s/b", "a 1.0.0 node_modules/a",
                                              "left 1.0.0 node_modules/a/node_modules/left",
                                              "left 2.0.0 node_modules/left", "left 1.0.0 node_modules/old-left"}));
}

TEST(PackageLock, what_is_not_of_the_registry_is_refused) {
  for (const char* from : {"git+ssh://git@git.example/x.git#abc", "https://files.example/x.tgz"}) {
    auto document = package_lock();
    document["packages"]["node_modules/a"]["resolved"] = from;
    const auto lock = lock_from_package_lock(document.dump(), deps::container_target(Ecosystem::npm));
    ASSERT_FALSE(lock);
    EXPECT_NE(lock.error().message.find(from), std::string::npos) << lock.error().message;
  }
  for (const char* text : {"", "[]", "{}", R"({"packages": []})",
                           R"({"packages": {"node_modules/a": {"version": "1.0.0", "integrity": "sha1-abc"}}})",
                           R"({"packages": {"node_modules/../a": {"version": "1.0.0", "integrity": "sha512-"}}})"})
    EXPECT_FALSE(lock_from_package_lock(text, deps::container_target(Ecosystem::npm)) &&
                 !lock_from_package_lock(text, deps::container_target(Ecosystem::npm))->packages().empty())
        << text;
}

TEST(PackageLock, is_made_again_from_a_lock) {
  const auto lock = lock_from_package_lock(package_lock().dump(), deps::container_target(Ecosystem::npm));
  ASSERT_TRUE(lock);
  const auto [manifest, text] = manifests_of(*lock);
  const auto wanted = json::parse(manifest)["dependencies"];
  EXPECT_EQ(wanted["old-left"], "npm:left@1.0.0");
  EXPECT_EQ(wanted["a"], "1.0.0");
  const auto made = json::parse(text)["packages"];
  EXPECT_EQ(made["node_modules/a"]["dependencies"]["left"], "1.0.0");
  EXPECT_EQ(made["node_modules/a"]["integrity"], kIntegrity);
  EXPECT_EQ(made["node_modules/old-left"]["name"], "left");
  EXPECT_EQ(made[""]["dependencies"], wanted);
  const auto again = lock_from_package_lock(text, deps::container_target(Ecosystem::npm));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->text(), lock->text());
}

}  // namespace
}  // namespace hotcell::install
