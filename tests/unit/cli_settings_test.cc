#include "cli/settings.h"

#include "cli/config_command.h"
#include "cli/settings_table.h"
#include "places.h"

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
    for (const char* name :
         {"DOCKER_HOST", "WASI_MEMORY_LIMIT_MB", "WASI_TIMEOUT_SECONDS", "HOTCELL_TIMEOUT_SECONDS",
          "HOTCELL_WASI_MAX_WORKERS", "HOTCELL_CONFIG", "HOTCELL_IMAGES", "PYTHON_WASI_WASM_PATH",
          "CODE_EXECUTION_TIMEOUT", "CODE_EXECUTION_MEMORY_MB", "CODE_EXECUTION_CPU_CORES", "HOTCELL_DEPS_INDEX_URL",
          "HOTCELL_DEPS_OFFLINE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HTTPS_PROXY"})
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

TEST_F(CliSettings, indexes_are_ours_first_then_the_files_then_what_other_tools_are_told) {
  setenv("PIP_INDEX_URL", "https://pip.example/simple", 1);
  setenv("PIP_EXTRA_INDEX_URL", "https://one.example  https://two.example", 1);
  setenv("HTTPS_PROXY", "socks5://proxy.example", 1);  // of no use to us, and no reason not to start
  auto settings = load("");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->indexes.index_url, "https://pip.example/simple");
  EXPECT_EQ(settings->indexes.extra_index_urls,
            (std::vector<std::string>{"https://one.example", "https://two.example"}));
  settings = load("deps: {index_url: 'https://file.example/simple', extra_index_urls: ['https://three.example']}");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->indexes.index_url, "https://file.example/simple");
  EXPECT_EQ(settings->indexes.extra_index_urls, std::vector<std::string>{"https://three.example"});
  setenv("HOTCELL_DEPS_INDEX_URL", "https://own.example/simple", 1);
  settings = load("deps: {index_url: 'https://file.example/simple', offline: true, timeout_seconds: 20}");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->indexes.index_url, "https://own.example/simple");
  EXPECT_TRUE(settings->indexes.offline);
  EXPECT_EQ(settings->indexes.timeout_seconds, 20);
  for (const char* name : {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HTTPS_PROXY", "HOTCELL_DEPS_INDEX_URL"})
    unsetenv(name);
  EXPECT_TRUE(refusal("deps: {index_url: 'file:///srv'}")
                  .starts_with(file.string() + ":1: the setting deps.index_url must begin with https://"));
  EXPECT_EQ(refusal("deps: {extra_index_urls: 'http://me:s3cret@one.example'}").find("s3cret"), std::string::npos);
  EXPECT_EQ(refusal("deps: {proxy: 'http://me:s3cret@'}").find("s3cret"), std::string::npos);
  EXPECT_NE(refusal("deps: {index: x}").find("deps.index"), std::string::npos);
}

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

TEST_F(CliSettings, checks_and_packages_are_the_operators_to_set) {
  const auto settings = load(
      "checks: {mode: enforce, policy: classroom, rules: /etc/rules.yaml}\n"
      "deps: {mode: explicit, allow: [numpy, \"azure-*\"], deny: [torch], look_alikes: refuse, packages: /etc/map}\n");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->checks, protocol::Checks::enforce);
  EXPECT_EQ(settings->check_policy, "classroom");
  EXPECT_EQ(settings->check_rules, "/etc/rules.yaml");
  EXPECT_EQ(settings->packages.mode, deps::Policy::Mode::explicit_only);
  EXPECT_EQ(settings->packages.allow, (std::vector<std::string>{"numpy", "azure-*"}));
  EXPECT_EQ(settings->packages.deny, std::vector<std::string>{"torch"});
  EXPECT_TRUE(settings->packages.refuse_look_alikes);
  EXPECT_EQ(settings->package_map, "/etc/map");
  EXPECT_EQ(load("checks: {mode: off}")->checks, protocol::Checks::off) << "a word of YAML's for false, too";
}

TEST_F(CliSettings, every_setting_of_the_docker_section_arrives) {
  const auto settings = load(
      "docker:\n"
      "  enabled: true\n"
      "  host: unix:///run/user/1000/docker.sock\n"
      "  image: python:3.11-slim\n"
      "  allowed_images: [node:20, ruby:3]\n"
      "  runtime: runsc\n"
      "  pool: require\n"
      "  pool_min: 1\n"
      "  pool_max: 5\n"
      "  max_cells: 9\n"
      "  makers: 2\n"
      "  reuse: tenant\n"
      "  memory_mb: 256\n"
      "  max_memory_mb: 1024\n"
      "  disk_mb: 50\n"
      "  max_disk_mb: 60\n"
      "  cpus: 0.5\n"
      "  max_cpus: 2\n"
      "  pids: 32\n"
      "  max_pids: 64\n"
      "  network: false\n"
      "  uid_start: 100000\n"
      "  uid_count: 5000\n"
      "  seccomp: /etc/profile.json\n"
      "  warm_modules: [numpy]\n"
      "  env_vars: {A: b}\n");
  ASSERT_TRUE(settings) << settings.error().message;
  const auto& docker = settings->docker;
  EXPECT_TRUE(settings->docker_enabled);
  EXPECT_EQ(docker.docker_host, "unix:///run/user/1000/docker.sock");
  EXPECT_EQ(docker.image, "python:3.11-slim");
  EXPECT_EQ(docker.allowed_images, (std::vector<std::string>{"node:20", "ruby:3"}));
  EXPECT_EQ(docker.runtime, "runsc");
  EXPECT_EQ(docker.pool.mode, docker::PoolMode::require);
  EXPECT_EQ(docker.pool.min, 1u);
  EXPECT_EQ(docker.pool.max, 5u);
  EXPECT_EQ(docker.pool.max_cells, 9u);
  EXPECT_EQ(docker.pool.makers, 2u);
  EXPECT_EQ(docker.reuse, docker::Reuse::tenant);
  EXPECT_EQ(docker.memory_bytes, 256u << 20);
  EXPECT_EQ(docker.max_memory_bytes, 1024u << 20);
  EXPECT_EQ(docker.disk_bytes, 50u << 20);
  EXPECT_EQ(docker.max_disk_bytes, 60u << 20);
  EXPECT_EQ(docker.cpus, 0.5);
  EXPECT_EQ(docker.max_cpus, 2);
  EXPECT_EQ(docker.pids, 32u);
  EXPECT_EQ(docker.max_pids, 64u);
  EXPECT_FALSE(docker.allow_network);
  EXPECT_EQ(docker.uids.first, 100'000u);
  EXPECT_EQ(docker.uids.count, 5000u);
  EXPECT_EQ(docker.seccomp, "/etc/profile.json");
  EXPECT_EQ(docker.warm_modules, std::vector<std::string>{"numpy"});
  EXPECT_EQ(docker.env, (std::vector<std::pair<std::string, std::string>>{{"A", "b"}}));
  EXPECT_EQ(load("docker: {pool: off}")->docker.pool.mode, docker::PoolMode::off) << "a word of YAML's for false, too";
  EXPECT_FALSE(load("docker: {enabled: false}")->docker_enabled);
}

TEST_F(CliSettings, the_seeds_names_for_containers_are_honoured) {
  setenv("CODE_EXECUTION_TIMEOUT", "7", 1);
  setenv("CODE_EXECUTION_MEMORY_MB", "64", 1);
  setenv("CODE_EXECUTION_CPU_CORES", "1.5", 1);
  const auto settings = load("docker: {memory_mb: 256, cpus: 2}");
  for (const char* name : {"CODE_EXECUTION_TIMEOUT", "CODE_EXECUTION_MEMORY_MB", "CODE_EXECUTION_CPU_CORES"})
    unsetenv(name);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->timeout_seconds, 7);
  EXPECT_EQ(settings->docker.memory_bytes, 64u << 20);
  EXPECT_EQ(settings->docker.cpus, 1.5);
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
  for (const char* yaml : {"wasi: {max_workers: 0}",
                           "wasi: {max_workers: 99999}",
                           "wasi: {max_workers: many}",
                           "wasi: {max_workers: [1]}",
                           "wasi: {memory_limit_bytes: -1}",
                           "wasi: {memory_limit_bytes: .nan}",
                           "wasi: {execution_timeout_ms: 0}",
                           "wasi: {security: {fs_readonly: 7}}",
                           "checks: {mode: warm}",
                           "checks: {policy: [a]}",
                           "checks: enforce",
                           "deps: {mode: on}",
                           "deps: {allow: numpy}",
                           "deps: {deny: [{a: b}]}",
                           "wasi: 5",
                           "[]",
                           "wasi: {allowed_paths: /tmp}",
                           "wasi: {allowed_paths: [relative]}",
                           "wasi: {allowed_paths: [/nonexistent-folder]}",
                           "wasi: {env_vars: [a]}",
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

TEST_F(CliSettings, every_setting_has_a_variable_and_says_where_it_came_from) {
  setenv("HOTCELL_DOCKER_MEMORY_MB", "64", 1);
  setenv("CODE_EXECUTION_MEMORY_MB", "32", 1);
  setenv("HOTCELL_DEPS_ALLOW", "numpy,azure-*", 1);
  setenv("HOTCELL_WASI_ENV_VARS", "A=1,B=x=y", 1);
  setenv("HOTCELL_SERVER_SANDBOXFUSION", "true", 1);
  const auto settings = load("docker: {memory_mb: 256, cpus: 2}");
  for (const char* name : {"HOTCELL_DOCKER_MEMORY_MB", "CODE_EXECUTION_MEMORY_MB", "HOTCELL_DEPS_ALLOW",
                           "HOTCELL_WASI_ENV_VARS", "HOTCELL_SERVER_SANDBOXFUSION"})
    unsetenv(name);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->docker.memory_bytes, 64u << 20) << "our own name over the seeds'";
  EXPECT_EQ(settings->packages.allow, (std::vector<std::string>{"numpy", "azure-*"}));
  EXPECT_EQ(settings->wasi.env, (std::vector<std::pair<std::string, std::string>>{{"A", "1"}, {"B", "x=y"}}));
  EXPECT_TRUE(settings->server.sandboxfusion);
  EXPECT_EQ(settings->origin.at("docker.memory_mb"), "$HOTCELL_DOCKER_MEMORY_MB");
  EXPECT_EQ(settings->origin.at("docker.cpus"), file.string() + ":1");
  EXPECT_FALSE(settings->origin.contains("docker.image"));
}

TEST_F(CliSettings, the_table_reads_back_what_it_shows) {
  const Settings standard;
  for (const auto& setting : settings_table()) {
    EXPECT_EQ(find_setting(setting.key), &setting) << "there twice: " << setting.key;
    auto value = setting.get(standard);
    if (!setting.standard.empty()) continue;  // its default is no value that it can be set to
    if (!value.is_structured() && !value.is_string()) value = value.dump();
    Settings again;
    const auto set = setting.set(again, value, 1);
    EXPECT_TRUE(set) << setting.key << " " << (set ? "" : set.error().message);
    EXPECT_EQ(setting.get(again), setting.get(standard)) << setting.key;
  }
}

TEST_F(CliSettings, all_mistakes_are_found_at_once) {
  std::ofstream(file) << "wasi: {max_workers: 0}\ndocker:\n  pool_min: 9\n  pool_max: 3\n  pool_max: 4\nserver: 3\n";
  const auto found = examine_settings(file);
  ASSERT_EQ(found.errors.size(), 4u);
  EXPECT_EQ(found.errors[0].message,
            file.string() + ":1: the setting wasi.max_workers must be a whole number from 1 to 1024, not \"0\"");
  EXPECT_EQ(found.errors[1].message, file.string() + ":5: the setting docker.pool_max is there twice");
  EXPECT_EQ(found.errors[2].message, file.string() + ":6: the setting server must be a section of settings");
  EXPECT_EQ(found.errors[3].message, "the setting docker.pool_min must not be above docker.pool_max");
}

TEST_F(CliSettings, a_secret_is_in_no_message) {
  EXPECT_EQ(refusal("wasi: {env_vars: {KEY: [hunter2]}}").find("hunter2"), std::string::npos);
  setenv("HOTCELL_DOCKER_ENV_VARS", "hunter2", 1);
  const auto settings = load("");
  unsetenv("HOTCELL_DOCKER_ENV_VARS");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message.find("hunter2"), std::string::npos);
}

TEST_F(CliSettings, the_documentation_is_the_table) {
  std::ifstream in(std::filesystem::path(testing::kSourceFolder) / "docs" / "configuration.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string begin = "<!-- reference: begin -->\n", end = "<!-- reference: end -->\n";
  const auto from = text.find(begin), to = text.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(text.substr(from + begin.size(), to - from - begin.size()), settings_reference())
      << "run scripts/config-reference";
}

TEST_F(CliSettings, a_named_file_that_is_missing_is_an_error) {
  EXPECT_FALSE(load_settings(root / "nothing.yaml"));
  setenv("HOTCELL_CONFIG", (root / "nothing.yaml").c_str(), 1);
  EXPECT_FALSE(load_settings({}));
}

}  // namespace
}  // namespace hotcell::cli
