#include "cli/serve.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace hotcell::cli {
namespace {

// A settings file that goes with the test.
class SettingsFile {
 public:
  explicit SettingsFile(const std::string& text) {
    char name[] = "/tmp/hotcell-settings-XXXXXX";
    close(mkstemp(name));
    path_ = name;
    std::ofstream(path_) << text;
  }
  ~SettingsFile() { std::filesystem::remove(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  ~Variable() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(Serve, the_file_sets_what_flags_do_not) {
  SettingsFile file(
      "server:\n  listen: [unix:/a, 127.0.0.1:1]\n  max_queued: 7\n  sandboxfusion: true\n"
      "  retention_seconds: 0\n  socket_mode: \"0660\"\n  log_level: warn\n");
  auto settings = load_settings(file.path());
  ASSERT_TRUE(settings.has_value()) << settings.error().message;
  auto& server = settings->server;
  EXPECT_EQ(server.listen, (std::vector<std::string>{"unix:/a", "127.0.0.1:1"}));
  EXPECT_EQ(server.max_queued, 7u);
  EXPECT_TRUE(server.sandboxfusion);
  EXPECT_EQ(server.retention_seconds, 0);
  EXPECT_EQ(server.socket_mode, "0660");
  EXPECT_EQ(server.log_level, "warn");
  EXPECT_EQ(server.drain_seconds, 30);

  CLI::App app;
  ServeFlags flags;
  add_serve_options(app, flags);
  app.parse("--listen unix:/b --listen unix:/c --max-queued 9");
  const auto over = load_settings(file.path(), flags.given);
  ASSERT_TRUE(over.has_value()) << over.error().message;
  EXPECT_EQ(over->server.listen, (std::vector<std::string>{"unix:/b", "unix:/c"}));
  EXPECT_EQ(over->server.max_queued, 9u);
  EXPECT_TRUE(over->server.sandboxfusion);
  EXPECT_EQ(over->origin.at("server.listen"), "--listen");
  EXPECT_EQ(over->origin.at("server.retention_seconds"), file.path().string() + ":5");
}

TEST(Serve, a_mistake_in_the_file_is_named) {
  const auto message = [](const std::string& text) {
    SettingsFile file("server:\n  " + text + "\n");
    const auto settings = load_settings(file.path());
    return settings ? "" : settings.error().message + " " + settings.error().hint;
  };
  EXPECT_NE(message("max_quued: 5").find("max_queued"), std::string::npos);
  EXPECT_NE(message("max_running: 0").find("server.max_running"), std::string::npos);
  EXPECT_NE(message("listen: unix:/a").find("server.listen"), std::string::npos);
  EXPECT_NE(message("log_level: loud").find("server.log_level"), std::string::npos);
}

TEST(Serve, a_mistake_in_a_flag_is_named) {
  for (const auto& [words, named] :
       {std::pair("--max-running 0", "--max-running must be a whole number from 1 to 4096"),
        {"--log-level loud", "--log-level cannot be \"loud\""},
        {"--socket-mode rw", "--socket-mode must be a file mode"},
        {"--listen nowhere", "--listen holds what is no address"}}) {
    CLI::App app;
    ServeFlags flags;
    add_serve_options(app, flags);
    app.parse(words);
    SettingsFile file("");
    const auto settings = load_settings(file.path(), flags.given);
    ASSERT_FALSE(settings.has_value()) << words;
    EXPECT_NE(settings.error().message.find(named), std::string::npos) << settings.error().message;
  }
}

TEST(Serve, the_socket_is_where_clients_look_for_it) {
  const Variable state("HOTCELL_STATE_DIR", "/s");
  EXPECT_EQ(default_socket(), "/s/hotcell.sock");
  EXPECT_EQ(default_tokens_file(default_state_folder()), "/s/tokens.json");
  const Variable none("HOTCELL_STATE_DIR", nullptr), runtime("XDG_RUNTIME_DIR", "/r"), xdg("XDG_STATE_HOME", "/x");
  EXPECT_EQ(default_socket(), "/r/hotcell.sock");
  EXPECT_EQ(default_state_folder(), "/x/hotcell");
}

}  // namespace
}  // namespace hotcell::cli
