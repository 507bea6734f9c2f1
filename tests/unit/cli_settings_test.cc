#include "cli/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace hotcell::cli {
namespace {

namespace fs = std::filesystem;

struct CliSettings : ::testing::Test {
  fs::path root, file;
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hotcell-settings-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root = pattern;
    file = root / "config.yaml";
    for (const char* name : {"WASI_MEMORY_LIMIT_MB", "WASI_TIMEOUT_SECONDS", "HOTCELL_TIMEOUT_SECONDS",
                             "HOTCELL_WASI_MAX_WORKERS", "HOTCELL_CONFIG", "HOTCELL_IMAGES", "PYTHON_WASI_WASM_PATH"})
      unsetenv(name);
    setenv("XDG_CONFIG_HOME", root.c_str(), 1);
  }
  void TearDown() override { fs::remove_all(root); }
  Expected<Settings> load(const std::string& yaml) {
    std::ofstream(file, std::ios::trunc) << yaml;
    return load_settings(file);
  }
  std::string refusal(const std::string& yaml) {
    auto loaded = load(yaml);
    if (loaded) return "accepted";
    EXPECT_EQ(loaded.error().code, "invalid_config");
    return loaded.error().message + " | " + loaded.error().hint;
  }
};

TEST_F(CliSettings, without_a_file_the_defaults_hold) {
  const auto settings = load_settings({});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->timeout_seconds, 30);
  EXPECT_EQ(settings->wasi.memory_bytes, 256u << 20);
  EXPECT_TRUE(load(""));
}

TEST_F(CliSettings, every_setting_of_the_wasi_section_arrives) {
  const auto settings = load(
      "wasi:\n"
      "  memory_limit_bytes: 134217728\n"
      "  max_fuel: 1000000\n"
      "  execution_timeout_ms: 2500\n"
      "  max_workers: 3\n"
      "  images: /srv/images\n"
      "  allowed_paths: [/tmp, \"" +
      root.string() +
      ":/data\"]\n"
      "  env_vars: {A: b, N: 1}\n"
      "  security: {allow_network: false, fs_readonly: true, allow_subprocess: false, allow_clock: false, "
      "allow_random: false}\n");
  ASSERT_TRUE(settings) << settings.error().message;
  const auto& wasi = settings->wasi;
  EXPECT_EQ(wasi.memory_bytes, 128u << 20);
  EXPECT_EQ(wasi.max_fuel, 1'000'000u);
  EXPECT_EQ(settings->timeout_seconds, 2.5);
  EXPECT_EQ(wasi.max_workers, 3u);
  EXPECT_EQ(wasi.images, "/srv/images");
  ASSERT_EQ(wasi.allowed_paths.size(), 2u);
  EXPECT_EQ(wasi.allowed_paths[0].second, "/tmp");
  EXPECT_EQ(wasi.allowed_paths[1], std::pair(root, std::string("/data")));
  EXPECT_EQ(wasi.env, (std::vector<std::pair<std::string, std::string>>{{"A", "b"}, {"N", "1"}}));
  EXPECT_TRUE(wasi.fs_readonly);
  EXPECT_FALSE(wasi.allow_clock || wasi.allow_random);
}

TEST_F(CliSettings, an_unknown_setting_names_the_nearest_one) {
  EXPECT_NE(refusal("wasi: {max_worker: 3}").find("max_workers"), std::string::npos);
  EXPECT_NE(refusal("wasi: {security: {fs_read_only: true}}").find("fs_readonly"), std::string::npos);
  EXPECT_NE(refusal("wasm: {}").find("wasi"), std::string::npos);
  EXPECT_NE(refusal("wasi: {max_worker: 3}").find(file.string()), std::string::npos) << "and the file";
}

TEST_F(CliSettings, what_cannot_be_is_a_start_error_that_says_why) {
  EXPECT_NE(refusal("wasi: {security: {allow_network: true}}").find("no network"), std::string::npos);
  EXPECT_NE(refusal("wasi: {security: {allow_subprocess: true}}").find("processes"), std::string::npos);
}

TEST_F(CliSettings, values_of_the_wrong_kind_or_range_are_refused) {
  for (const char* yaml :
       {"wasi: {max_workers: 0}", "wasi: {max_workers: 99999}", "wasi: {max_workers: many}", "wasi: {max_workers: [1]}",
        "wasi: {memory_limit_bytes: -1}", "wasi: {memory_limit_bytes: .nan}", "wasi: {execution_timeout_ms: 0}",
        "wasi: {security: {fs_readonly: 7}}", "wasi: 5", "[]", "wasi: {allowed_paths: /tmp}",
        "wasi: {allowed_paths: [relative]}", "wasi: {allowed_paths: [/nonexistent-folder]}", "wasi: {env_vars: [a]}",
        "a: ["})
    EXPECT_NE(refusal(yaml), "accepted") << yaml;
}

TEST_F(CliSettings, the_environment_goes_over_the_file) {
  setenv("WASI_MEMORY_LIMIT_MB", "64", 1);
  setenv("WASI_TIMEOUT_SECONDS", "7", 1);
  auto settings = load("wasi: {memory_limit_bytes: 134217728, execution_timeout_ms: 1000}");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->wasi.memory_bytes, 64u << 20);
  EXPECT_EQ(settings->timeout_seconds, 7);
  setenv("HOTCELL_TIMEOUT_SECONDS", "8.5", 1);
  EXPECT_EQ(load("").value().timeout_seconds, 8.5) << "our own name over the seeds'";
}

TEST_F(CliSettings, a_bad_value_in_the_environment_is_named) {
  for (const char* value : {"0", "-1", "x", "5x", "1e99", "nan", " 5"}) {
    setenv("WASI_MEMORY_LIMIT_MB", value, 1);
    const auto settings = load_settings({});
    ASSERT_FALSE(settings) << value;
    EXPECT_NE(settings.error().message.find("WASI_MEMORY_LIMIT_MB"), std::string::npos);
  }
}

TEST_F(CliSettings, a_named_file_that_is_missing_is_an_error) {
  EXPECT_FALSE(load_settings(root / "nothing.yaml"));
  setenv("HOTCELL_CONFIG", (root / "nothing.yaml").c_str(), 1);
  EXPECT_FALSE(load_settings({}));
}

}  // namespace
}  // namespace hotcell::cli
