#include "deps/package_map.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "deps/embedded.h"
#include "deps/requirement.h"
#include "deps/table.h"

namespace hotcell::deps {
namespace {

using protocol::Language;

std::string package_of(std::string_view import, Language language = Language::python) {
  const auto entry = PackageMap().find(language, import);
  return entry ? entry->package : "none";
}

TEST(PackageMap, names_that_differ_are_mapped) {
  EXPECT_EQ(package_of("cv2"), "opencv-python-headless");
  EXPECT_EQ(package_of("PIL.Image"), "Pillow");
  EXPECT_EQ(package_of("sklearn.linear_model"), "scikit-learn");
  EXPECT_EQ(package_of("yaml"), "PyYAML");
  EXPECT_EQ(package_of("bs4"), "beautifulsoup4");
  EXPECT_EQ(package_of("Crypto.Cipher.AES"), "pycryptodome");
  EXPECT_EQ(package_of("dateutil.parser"), "python-dateutil");
  EXPECT_EQ(package_of("skimage"), "scikit-image");
  EXPECT_EQ(package_of("serial"), "pyserial");
  EXPECT_EQ(package_of("jwt"), "PyJWT");
}

TEST(PackageMap, the_longest_beginning_wins) {
  EXPECT_EQ(package_of("google.protobuf.message"), "protobuf");
  EXPECT_EQ(package_of("google.cloud.storage.Client"), "google-cloud-storage");
  EXPECT_EQ(package_of("google.cloud"), "google-cloud-core");
  EXPECT_EQ(package_of("azure.storage.blob.aio"), "azure-storage-blob");
}

TEST(PackageMap, an_unknown_import_is_tried_under_its_own_name) {
  const auto entry = PackageMap().find(Language::python, "Some_Thing.sub");
  EXPECT_EQ(entry->package, "some-thing");
  EXPECT_FALSE(entry->mapped);
  EXPECT_EQ(package_of("модуль"), "none");
  EXPECT_EQ(package_of(""), "none");
}

TEST(PackageMap, some_imports_have_no_package) { EXPECT_EQ(package_of("rospy"), "-"); }

TEST(PackageMap, npm_specifiers_lose_what_is_below_the_package) {
  EXPECT_EQ(package_of("lodash/fp", Language::javascript), "lodash");
  EXPECT_EQ(package_of("@aws-sdk/client-s3/dist/x.js", Language::javascript), "@aws-sdk/client-s3");
  for (const auto* bad : {"@scope", "@/components/x", "https://x.y/z.js", "", "../up", "C:\\x", "UPPER CASE"})
    EXPECT_EQ(package_of(bad, Language::javascript), "none") << bad;
}

TEST(PackageMap, natures_are_known) {
  const PackageMap map;
  EXPECT_EQ(map.about_package(Language::python, "Scikit_Learn").nature, Nature::native);
  EXPECT_EQ(map.about_package(Language::python, "numpy").nature, Nature::native);
  EXPECT_EQ(map.about_package(Language::python, "rich").nature, Nature::pure);
  EXPECT_EQ(map.about_package(Language::python, "no-such-thing").nature, Nature::unknown);
  EXPECT_TRUE(map.about_package(Language::javascript, "axios").network);
  EXPECT_EQ(map.about_package(Language::javascript, "sharp").nature, Nature::native);
}

TEST(PackageMap, an_operators_file_goes_first) {
  const auto map = PackageMap::with_user_file(
      "# ours\ncv2\topencv-contrib-python\tnative\nacme.tools\tacme-internal\n"
      "[javascript]\nacme\t@acme/core\tpure\n",
      "map.txt");
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(map->find(Language::python, "cv2")->package, "opencv-contrib-python");
  EXPECT_EQ(map->find(Language::python, "acme.tools.x")->package, "acme-internal");
  EXPECT_EQ(map->find(Language::python, "yaml")->package, "PyYAML");
  EXPECT_EQ(map->find(Language::javascript, "acme/sub")->package, "@acme/core");
}

TEST(PackageMap, a_wrong_line_of_an_operators_file_is_named) {
  const auto map = PackageMap::with_user_file("a\tb\nc\n", "map.txt");
  ASSERT_FALSE(map.has_value());
  EXPECT_EQ(map.error().code, "invalid_package_map");
  EXPECT_NE(map.error().message.find("map.txt:2"), std::string::npos);
  EXPECT_FALSE(PackageMap::with_user_file("a\t--index-url=x\n", "map.txt"));
}

TEST(PackageMap, every_package_in_the_data_can_be_asked_for) {
  for (const auto language : {Language::python, Language::javascript}) {
    auto rest =
        Table(language == Language::python ? embedded::python_packages_txt() : embedded::javascript_packages_txt())
            .lines();
    while (!rest.empty()) {
      auto line = next_line(rest);
      const std::string import(next_part(line, '\t'));
      const auto entry = PackageMap().find(language, import);
      ASSERT_TRUE(entry) << import;
      if (entry->package == "-") continue;
      EXPECT_TRUE(parse_requirement(language == Language::python ? Ecosystem::pypi : Ecosystem::npm, entry->package))
          << import;
    }
  }
}

TEST(LookAlike, near_misses_of_well_known_names_are_seen) {
  EXPECT_EQ(look_alike(Language::python, "reqeusts"), "requests");
  EXPECT_EQ(look_alike(Language::python, "request-s"), "requests");
  EXPECT_EQ(look_alike(Language::python, "python-numpy"), "numpy");
  EXPECT_EQ(look_alike(Language::javascript, "lodahs"), "lodash");
}

TEST(LookAlike, well_known_and_unlike_names_are_left_alone) {
  for (const auto* name : {"requests", "numpy", "zq-entirely-unlike-anything", "x"})
    EXPECT_EQ(look_alike(Language::python, name), "") << name;
}

}  // namespace
}  // namespace hotcell::deps
