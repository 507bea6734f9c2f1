// Installed packages in real cells: any cell that waits serves any entry, and shows no other.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "docker/engine.h"
#include "real_docker.h"

namespace hotcell::testing {
namespace {

using namespace protocol;
using docker::DockerEngine;
using docker::EngineOptions;
namespace fs = std::filesystem;

class RealPackages : public RealDocker {
 protected:
  void SetUp() override {
    RealDocker::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    std::string name = (fs::temp_directory_path() / "hotcell-packages-XXXXXX").string();
    top_ = mkdtemp(name.data());
    for (const char* folder : {"shared", "scoped"}) {
      fs::create_directories(top_ / folder);
      // As the cache has them: to be entered, not to be listed.
      fs::permissions(top_ / folder, fs::perms(0711));
    }
    options.state = top_ / "state";
    options.agent = fs::path(kBinFolder) / "hotcell-agent";
    options.packages = top_ / "shared";
    options.pool.min = options.pool.max = 1;
    if (!client->inspect_image(options.image, soon())) GTEST_SKIP() << "scripts/docker-images makes the image";
  }
  void TearDown() override {
    engine_.reset();
    std::error_code ignored;
    fs::remove_all(top_, ignored);
    RealDocker::TearDown();
  }
  void add(const std::string& entry, const std::string& path, const std::string& text) const {
    const auto file = top_ / entry / "content" / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    fs::permissions(top_ / entry, fs::perms(0755));
  }
  Request program(const std::string& entry, std::string code, Language language = Language::python) const {
    Request out;
    out.language = language;
    out.code = std::move(code);
    out.timeout_seconds = 20;
    const auto slash = entry.find('/');
    if (!entry.empty()) out.packages = ReadyPackages{(top_ / entry.substr(0, slash)).string(), entry.substr(slash + 1)};
    return out;
  }
  DockerEngine& engine() {
    if (!engine_) engine_ = DockerEngine::create(options).value();
    return *engine_;
  }
  Outcome run(const Request& request) {
    auto outcome = engine().run(request, nullptr, nullptr);
    if (outcome) return std::move(*outcome);
    ADD_FAILURE() << outcome.error().code << ": " << outcome.error().message;
    return {};
  }

  EngineOptions options;

 private:
  fs::path top_;
  std::unique_ptr<DockerEngine> engine_;
};

TEST_F(RealPackages, a_cell_that_waits_serves_entries_that_were_made_after_it) {
  ASSERT_TRUE(engine().warm(program("", "0"), 1, docker::api::Until::seconds(60)));
  add("shared/one", "pk.py", "who = 'one'\n");
  auto out = run(program("shared/one",
                         "import pk, subprocess, sys\nprint(pk.who, flush=True)\n"
                         "subprocess.run([sys.executable, '-c', 'import pk; print(pk.who)'])"));
  EXPECT_EQ(out.out.bytes, "one\none\n") << out.err.bytes;
  EXPECT_EQ(out.engine.start, "warm");
  ASSERT_TRUE(engine().warm(program("", "0"), 1, docker::api::Until::seconds(60)));
  add("shared/two", "pk.py", "who = 'two'\n");
  out = run(program("shared/two", "import pk; print(pk.who)"));
  EXPECT_EQ(out.out.bytes, "two\n");
  EXPECT_EQ(out.engine.start, "warm");
}

TEST_F(RealPackages, nothing_can_be_listed_or_written_and_other_names_do_not_help) {
  add("shared/mine", "pk.py", "");
  add("shared/theirs", "secret.py", "");
  add("scoped/tenant", "pk.py", "who = 'tenant'\n");
  const auto out = run(program("shared/mine", R"(
import os
def attempt(act):
    try: return act()
    except OSError as error: return type(error).__name__
print(attempt(lambda: os.listdir('/opt/packages')), os.listdir('/opt/packages/mine/content'))
for path in ('/opt/packages/x', '/opt/packages/mine/x', '/opt/packages/mine/content/pk.py'):
    print(attempt(lambda: open(path, 'w')))
print(attempt(lambda: os.chmod('/opt/packages', 0o777)), attempt(lambda: os.remove('/opt/packages/mine/content/pk.py')))
print(attempt(lambda: os.listdir('/opt/packages/tenant')), attempt(lambda: os.listdir('/opt/packages/../scoped')))
print([line for line in open('/proc/self/mountinfo') if '/opt/packages ' in line][0].split()[5].split(',')[0])
)"));
  EXPECT_EQ(out.out.bytes,
            "PermissionError ['pk.py']\nOSError\nOSError\nOSError\nOSError OSError\nFileNotFoundError "
            "FileNotFoundError\nro\n")
      << out.err.bytes;
}

TEST_F(RealPackages, a_scope_of_its_own_has_cells_of_its_own) {
  add("shared/mine", "pk.py", "who = 'shared'\n");
  add("scoped/tenant", "pk.py", "who = 'tenant'\n");
  const auto out = run(program("scoped/tenant", "import pk, os; print(pk.who, os.path.exists('/opt/packages/mine'))"));
  EXPECT_EQ(out.out.bytes, "tenant False\n") << out.err.bytes;
  EXPECT_EQ(run(program("shared/mine", "import pk; print(pk.who)")).out.bytes, "shared\n");
}

TEST_F(RealPackages, node_finds_them_by_require_and_by_import) {
  add("shared/js", "node_modules/pk/index.js", "exports.who = 'pk'\n");
  for (const char* code : {"console.log(require('pk').who)", "import pk from 'pk'\nconsole.log(pk.who)"}) {
    const auto out = run(program("shared/js", code, Language::javascript));
    EXPECT_EQ(out.out.bytes, "pk\n") << out.err.bytes;
    EXPECT_TRUE(out.files.empty());
  }
}

TEST_F(RealPackages, a_cache_that_is_not_there_keeps_no_cell_from_starting) {
  options.packages = "/nowhere/at/all";
  EXPECT_EQ(run(program("", "import os; print(os.path.exists('/opt/packages'))")).out.bytes, "False\n");
  add("shared/one", "pk.py", "who = 'one'\n");
  EXPECT_EQ(run(program("shared/one", "import pk; print(pk.who)")).out.bytes, "one\n");
}

}  // namespace
}  // namespace hotcell::testing
