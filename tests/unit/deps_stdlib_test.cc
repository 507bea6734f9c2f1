#include <gtest/gtest.h>

#include <set>

#include "base/text.h"
#include "deps/embedded.h"
#include "deps/standard_library.h"
#include "deps/table.h"

namespace hotcell::deps {
namespace {

using protocol::Language;

TEST(Table, finds_every_line_and_nothing_else) {
  const Table table("# comment\na\t1\nab\t2\tx\nb\nbc\t3\n");
  EXPECT_EQ(table.find("a"), "1");
  EXPECT_EQ(table.find("ab"), "2\tx");
  EXPECT_EQ(table.find("b"), "");
  EXPECT_EQ(table.find("bc"), "3");
  for (const auto* other : {"", "#", "# comment", "aa", "abc", "c", "b\t", "A", "1"})
    EXPECT_FALSE(table.find(other)) << other;
}

TEST(Table, needs_no_last_line_end_and_may_be_empty) {
  EXPECT_EQ(Table("a\t1\nb\t2").find("b"), "2");
  EXPECT_FALSE(Table("").find("a"));
  EXPECT_FALSE(Table("# only\n").find("a"));
}

TEST(Table, the_data_files_are_sorted_so_that_every_line_is_found) {
  for (const auto text :
       {embedded::python_standard_txt(), embedded::python_packages_txt(), embedded::python_well_known_txt(),
        embedded::python_wasi_txt(), embedded::javascript_standard_txt(), embedded::javascript_packages_txt(),
        embedded::javascript_well_known_txt()}) {
    const Table table(text);
    std::size_t lines = 0;
    for (auto rest = table.lines(); !rest.empty(); ++lines) {
      auto line = next_line(rest);
      const auto key = next_part(line, '\t');
      EXPECT_EQ(table.find(key), line) << key;
    }
    EXPECT_GT(lines, 50u);
  }
}

TEST(StandardLibrary, python_modules_are_known_by_their_first_part) {
  for (const auto* name : {"os", "os.path", "xml.etree.ElementTree", "__future__", "_thread", "__main__", "tomllib"})
    EXPECT_TRUE(is_standard(Language::python, name)) << name;
  for (const auto* name : {"numpy", "o", "oss", "", "yaml", "distribute"})
    EXPECT_FALSE(is_standard(Language::python, name)) << name;
}

TEST(StandardLibrary, node_modules_are_known_with_and_without_prefix) {
  for (const auto* name : {"fs", "fs/promises", "node:fs", "node:test", "worker_threads"})
    EXPECT_TRUE(is_standard(Language::javascript, name)) << name;
  for (const auto* name : {"test", "lodash", "node:lodash", "fs/nothing", "", "node:"})
    EXPECT_FALSE(is_standard(Language::javascript, name)) << name;
}

TEST(StandardLibrary, everything_that_a_module_lacks_is_listed_and_nothing_of_others) {
  const auto lacks = [](std::string_view first) {
    std::set<std::string> names;
    each_wasi_lack(Language::python, first, [&](std::string_view name) { names.emplace(name); });
    return names;
  };
  EXPECT_TRUE(lacks("os").contains("os.fork"));
  EXPECT_TRUE(lacks("concurrent").contains("concurrent.futures.ProcessPoolExecutor"));
  EXPECT_EQ(lacks("ssl"), std::set<std::string>{"ssl"});
  for (const auto& name : lacks("signal")) EXPECT_TRUE(name.starts_with("signal.")) << name;
  EXPECT_TRUE(lacks("json").empty());
  EXPECT_TRUE(lacks("so").empty()) << "the beginning of socket";
}

TEST(StandardLibrary, what_wasi_lacks_is_found_by_its_beginning) {
  EXPECT_EQ(wasi_lacks(Language::python, "ssl")->sentence(), "ssl needs the module _ssl");
  EXPECT_EQ(wasi_lacks(Language::python, "ssl.SSLContext")->name, "ssl");
  EXPECT_EQ(wasi_lacks(Language::python, "threading.Thread.start")->sentence(), "threading.Thread starts a thread");
  EXPECT_EQ(wasi_lacks(Language::python, "os.fork")->kind, Lack::Kind::absent);
  EXPECT_EQ(wasi_lacks(Language::python, "mmap")->kind, Lack::Kind::missing);
  EXPECT_TRUE(wasi_lacks(Language::python, "subprocess.run"));
  for (const auto* name :
       {"math", "threading", "threading.Lock", "os.path.join", "os.forked", "json.dumps", "sqlite3", ""})
    EXPECT_FALSE(wasi_lacks(Language::python, name)) << name;
}

}  // namespace
}  // namespace hotcell::deps
