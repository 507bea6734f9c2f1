// Damage of every kind is found, is never served when it concerns the record, and is repaired.
#include "deps_cache_helpers.h"

namespace hotcell::deps::testing {
namespace {

struct Damaging {
  const char* name;
  std::function<void(const fs::path& entry)> happens;
  const char* path;  // what verify names
  const char* what;  // and says
  bool still_served;
};

void unlock(const fs::path& path) { chmod(path.c_str(), 0755); }

void append(const fs::path& path, std::string_view text) {
  unlock(path);
  std::ofstream(path, std::ios::app | std::ios::binary) << text;
}

const std::vector<Damaging>& kinds() {
  static const std::vector<Damaging> all = {
      {"a_changed_file",
       [](const fs::path& e) {
         const auto file = e / "content" / "numpy" / "__init__.py";
         const auto mode = 0444;
         unlock(file);
         std::ofstream(file, std::ios::in | std::ios::out) << "V";  // same size
         chmod(file.c_str(), mode);
       },
       "content/numpy/__init__.py", "changed", true},
      {"a_longer_file", [](const fs::path& e) { append(e / "content" / "numpy" / "__init__.py", "import os"); },
       "content/numpy/__init__.py", "changed", true},
      {"a_missing_file", [](const fs::path& e) { fs::remove(e / "content" / "numpy" / "__init__.py"); },
       "content/numpy/__init__.py", "missing", true},
      {"a_missing_folder", [](const fs::path& e) { fs::remove_all(e / "content" / "numpy" / "inner"); },
       "content/numpy/inner", "missing", true},
      {"an_extra_file", [](const fs::path& e) { std::ofstream(e / "content" / "sitecustomize.py") << "x"; },
       "content/sitecustomize.py", "extra", true},
      {"an_extra_file_beside", [](const fs::path& e) { std::ofstream(e / "x") << "x"; }, "x", "extra", true},
      {"a_wrong_mode", [](const fs::path& e) { chmod((e / "content" / "numpy" / "__init__.py").c_str(), 0644); },
       "content/numpy/__init__.py", "wrong mode", true},
      {"a_wrong_mode_of_a_folder", [](const fs::path& e) { chmod((e / "content").c_str(), 0777); }, "content",
       "wrong mode", true},
      {"a_wrong_mode_of_the_entry", [](const fs::path& e) { chmod(e.c_str(), 0777); }, ".", "wrong mode", true},
      {"another_kind",
       [](const fs::path& e) {
         fs::remove(e / "content" / "numpy" / "__init__.py");
         fs::create_symlink("/etc/passwd", e / "content" / "numpy" / "__init__.py");
       },
       "content/numpy/__init__.py", "wrong kind", true},
      {"a_pipe_in_place_of_a_file",
       [](const fs::path& e) {
         fs::remove(e / "content" / "numpy" / "__init__.py");
         mkfifo((e / "content" / "numpy" / "__init__.py").c_str(), 0444);
       },
       "content/numpy/__init__.py", "wrong kind", true},
      {"a_link_that_leads_elsewhere",
       [](const fs::path& e) {
         fs::remove(e / "content" / "numpy" / "alias.py");
         fs::create_symlink("run.sh", e / "content" / "numpy" / "alias.py");
       },
       "content/numpy/alias.py", "changed", true},
      {"a_manifest_that_agrees_with_the_damage",
       [](const fs::path& e) {
         std::string text = read_file(e / "manifest", 1 << 20).value();
         text.replace(text.find("0444"), 4, "0555");
         unlock(e / "manifest");
         std::ofstream(e / "manifest", std::ios::trunc) << text;
         chmod((e / "manifest").c_str(), 0400);
       },
       "", "its manifest was changed", true},
      {"a_manifest_that_is_cut",
       [](const fs::path& e) {
         unlock(e / "manifest");
         fs::resize_file(e / "manifest", 100);
       },
       "", "its record or manifest is missing, damaged, or of another installation", false},
      {"no_manifest", [](const fs::path& e) { fs::remove(e / "manifest"); }, "",
       "its record or manifest is missing, damaged, or of another installation", false},
      {"no_record", [](const fs::path& e) { fs::remove(e / "record"); }, "",
       "its record or manifest is missing, damaged, or of another installation", false},
      {"no_content", [](const fs::path& e) { fs::remove_all(e / "content"); }, "",
       "its record or manifest is missing, damaged, or of another installation", false},
      {"a_record_with_one_bit_changed",
       [](const fs::path& e) {
         std::string text = read_file(e / "record", 1 << 20).value();
         text[text.find("items ") + 6] ^= 1;
         unlock(e / "record");
         std::ofstream(e / "record", std::ios::trunc) << text;
       },
       "", "its record or manifest is missing, damaged, or of another installation", false},
      {"another_name", [](const fs::path& e) { fs::rename(e, e.parent_path() / std::string(64, '0')); }, "",
       "its record or manifest is missing, damaged, or of another installation", false},
      {"a_file_in_place_of_the_entry",
       [](const fs::path& e) {
         fs::remove_all(e);
         std::ofstream(e) << "x";
       },
       "", "its record or manifest is missing, damaged, or of another installation", false},
      {"something_that_never_was_an_entry",
       [](const fs::path& e) { fs::create_directories(e.parent_path() / "notes"); }, "",
       "it is not an entry of this cache", true},
  };
  return all;
}

class CacheDamage : public CacheTest, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(CacheDamage, is_found_and_repaired) {
  const auto& kind = kinds()[GetParam()];
  const auto entry = acquire(*open(), wish({"numpy"})).content().parent_path();
  acquire(*open(), wish({"untouched"}));
  kind.happens(entry);
  const auto cache = open();
  EXPECT_EQ(cache->find(wish({"numpy"}), soon()).value().has_value(), kind.still_served);

  const auto report = cache->verify(false, nullptr, soon());
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->damaged.size(), 1u);
  const Damage expected{kind.path, kind.what};
  const auto& damage = report->damaged[0].damage;
  EXPECT_NE(std::ranges::find(damage, expected), damage.end()) << damage[0].path << ": " << damage[0].what;
  EXPECT_EQ(report->damaged[0].action, "reported");

  const auto repaired = cache->verify(true, nullptr, soon());
  ASSERT_TRUE(repaired) << repaired.error().message;
  ASSERT_EQ(repaired->damaged.size(), 1u);
  EXPECT_EQ(repaired->damaged[0].action, "removed");
  expect_undamaged(*cache);
  const auto again = acquire(*cache, wish({"numpy"}));
  EXPECT_EQ(FakeInstaller::what_is(again.content(), "numpy"), "version = '1.0'\n");
  EXPECT_EQ(names_in(root_ / "shared").size(), 2u);
  EXPECT_TRUE(names_in(root_ / "staging").empty());
}

TEST_P(CacheDamage, is_replaced_by_the_next_request_where_it_cannot_be_served) {
  const auto& kind = kinds()[GetParam()];
  if (kind.still_served) return;  // the next request sees nothing wrong: that is what verify is for
  const auto entry = acquire(*open(), wish({"numpy"})).content().parent_path();
  kind.happens(entry);
  const auto lease = acquire(*open(), wish({"numpy"}));
  EXPECT_FALSE(lease.hit);
  EXPECT_EQ(FakeInstaller::what_is(lease.content(), "numpy"), "version = '1.0'\n");
  EXPECT_TRUE(names_in(root_ / "staging").empty());
}

INSTANTIATE_TEST_SUITE_P(Every, CacheDamage, ::testing::Range<std::size_t>(0, kinds().size()),
                         [](const auto& one) { return kinds()[one.param].name; });

class CacheRepair : public CacheTest {};

TEST_F(CacheRepair, with_an_installer_makes_the_entry_again_even_under_a_program_that_uses_it) {
  const auto cache = open();
  const auto held = acquire(*cache, wish({"numpy"}));
  append(held.content() / "numpy" / "__init__.py", "damage");
  const auto report = cache->verify(true, &installer_, soon());
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->damaged.size(), 1u);
  EXPECT_EQ(report->damaged[0].action, "rebuilt");
  EXPECT_EQ(report->damaged[0].packages, "needed-by-all 1.0, numpy 1.0");
  EXPECT_EQ(FakeInstaller::what_is(held.content(), "numpy"), "version = '1.0'\n");
  expect_undamaged(*cache);
  EXPECT_EQ(installer_.installs, 2);
  EXPECT_TRUE(names_in(root_ / "staging").empty());
}

TEST_F(CacheRepair, without_an_installer_sets_aside_what_is_in_use_and_the_next_request_replaces_it) {
  const auto cache = open();
  {
    const auto held = acquire(*cache, wish({"numpy"}));
    fs::remove(held.content() / "numpy" / "run.sh");
    const auto report = cache->verify(true, nullptr, soon());
    ASSERT_TRUE(report);
    EXPECT_EQ(report->damaged.at(0).action, "set aside");
    EXPECT_FALSE(cache->find(wish({"numpy"}), soon()).value().has_value()) << "not served any more";
    EXPECT_EQ(FakeInstaller::what_is(held.content(), "numpy"), "version = '1.0'\n") << "who has it keeps it";
    EXPECT_EQ(cache->prune()->in_use, 1u);
    const auto other = acquire(*cache, wish({"numpy"}));
    EXPECT_TRUE(fs::exists(other.content() / "numpy" / "run.sh"));
  }
  EXPECT_EQ(cache->prune()->rubbish, 0u);
  expect_undamaged(*cache);
}

TEST_F(CacheRepair, that_cannot_install_removes_the_damaged_entry) {
  const auto cache = open();
  const auto content = acquire(*cache, wish({"numpy"})).content();
  append(content / "numpy" / "__init__.py", "damage");
  installer_.on_install = [](Deadline) { return Error{"dependency_network", "no network", ""}; };
  EXPECT_EQ(cache->verify(true, &installer_, soon())->damaged.at(0).action, "removed");
  EXPECT_TRUE(cache->entries()->empty());
}

TEST_F(CacheRepair, an_entry_of_another_installation_is_not_served_here) {
  acquire(*open(), wish({"numpy"}));
  auto elsewhere = options();
  elsewhere.folder = scratch_ / "other";
  const auto foreign = acquire(*open(elsewhere), wish({"numpy"})).content().parent_path();
  const auto own = acquire(*open(), wish({"numpy"})).content().parent_path();
  fs::remove_all(own);
  fs::copy(foreign, own, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  EXPECT_FALSE(open()->find(wish({"numpy"}), soon()).value().has_value());
}

}  // namespace
}  // namespace hotcell::deps::testing
