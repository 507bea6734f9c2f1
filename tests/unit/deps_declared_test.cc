#include "deps/declared.h"

#include <gtest/gtest.h>

#include "deps/toml.h"

namespace hotcell::deps {
namespace {

using protocol::InputFile;
using protocol::Language;

InputFile file(std::string path, std::string content) {
  InputFile given;
  given.path = std::move(path);
  given.content = std::move(content);
  return given;
}

std::string texts(const Declared& declared) {
  std::string all;
  for (const auto& wish : declared.requirements)
    all += (all.empty() ? "" : " | ") + wish.text + (wish.optional ? "?" : "");
  return all;
}

TEST(InlineMetadata, dependencies_are_read) {
  const auto found = read_inline_metadata(
      "import x\n# /// script\n# requires-python = \">=3.11\"\n# dependencies = [\n"
      "#   \"requests<3\",  # why\n#   'rich',\n# ]\n# ///\n");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(texts(**found), "requests<3 | rich");
  EXPECT_EQ((*found)->requires_python, ">=3.11");
  EXPECT_EQ((*found)->source, "inline metadata");
}

TEST(InlineMetadata, an_empty_block_declares_that_nothing_is_needed) {
  const auto found = read_inline_metadata("# /// script\n# ///\nimport requests\n");
  ASSERT_TRUE(found && *found);
  EXPECT_TRUE((*found)->requirements.empty());
}

TEST(InlineMetadata, the_block_goes_to_the_last_closing_line) {
  const auto found =
      read_inline_metadata("# /// script\n# dependencies = ['a']\n#\n# [tool.x]\n# y = '''\n# ///\n# '''\n# ///\n");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(texts(**found), "a");
}

TEST(InlineMetadata, what_is_no_block_is_none) {
  for (const auto* code :
       {"", "# /// script\n# dependencies = ['a']\n", "#/// script\n# ///\n", " # /// script\n # ///\n",
        "# /// pyproject\n# dependencies = ['a']\n# ///\n", "# /// script\nx\n# ///\n"}) {
    const auto found = read_inline_metadata(code);
    ASSERT_TRUE(found.has_value()) << code;
    EXPECT_FALSE(found->has_value()) << code;
  }
}

TEST(InlineMetadata, mistakes_are_named_with_their_line) {
  const auto message = [](const char* code) {
    const auto found = read_inline_metadata(code);
    return found ? std::string("no error") : found.error().message;
  };
  EXPECT_NE(message("# /// script\n# dependencies = [\n# ///\n").find("no TOML"), std::string::npos);
  EXPECT_NE(message("# /// script\n# dependencies = 'a'\n# ///\n").find("must be a list (line 2)"), std::string::npos);
  EXPECT_NE(message("# /// script\n# ///\n\n# /// script\n# ///\n").find("two"), std::string::npos);
}

TEST(InlineMetadata, other_tools_tables_are_passed_over_and_indexes_are_not_obeyed) {
  const auto found = read_inline_metadata(
      "# /// script\r\n# dependencies = [\"a\"]\r\n# [[tool.uv.index]]\r\n# url = \"http://evil\"\r\n"
      "# [tool.other]\r\n# dependencies = [\"b\"]\r\n# ///\r\n");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(texts(**found), "a");
  EXPECT_EQ((*found)->ignored.size(), 1u);
}

TEST(Toml, strings_of_every_kind_are_read) {
  const auto found = read_toml(
      "a = \"x\\t\\u00e9\\\"\"\nb = 'c:\\n'\nc = \"\"\"\none\\\n  two\"\"\"\nd = '''x'y'''\n\"e f\".g = \"\"\n");
  ASSERT_TRUE(found.has_value());
  std::string all;
  for (const auto& entry : *found) all += entry.key + "=" + entry.strings.at(0) + ";";
  EXPECT_EQ(all, "a=x\té\";b=c:\\n;c=onetwo;d=x'y;e f.g=;");
}

TEST(Toml, everything_else_is_read_over) {
  const auto found = read_toml(
      "a = 1_000\nb = 3.5 # c\nc = 1979-05-27 07:32:00Z\nd = true\ne = {x = 'y', z = [1, 2]}\n"
      "f = [['a'], {b = 'c'}, 'd', 1]\n[t.u]\ng = 'h'\n[[v]]\nw = 'x'");
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->size(), 8u);
  EXPECT_EQ(found->at(5).strings, std::vector<std::string>{"d"});
  EXPECT_EQ(found->at(6).key, "t.u.g");
  EXPECT_EQ(found->at(7).key, "v.w");
  EXPECT_EQ(found->at(7).line, 10u);
}

TEST(Toml, bad_text_is_refused_and_never_read_past) {
  for (const auto* text :
       {"a", "a =", "a = \n", "= 1", "[a", "[[a]", "a = [1", "a = [1 2]", "a = {b = 1", "a = 'x\n'", "a = \"\\q\"",
        "a = \"\\u12\"", "a = \"\\uD800\"", "a = 'x' 'y'", "a = \"\\", "a = '''x", "\"", "a.=1"})
    EXPECT_FALSE(read_toml(text).has_value()) << text;
  EXPECT_FALSE(read_toml("a = " + std::string(100'000, '[')).has_value());
  EXPECT_FALSE(read_toml(std::string(2u << 20, '#')).has_value());
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::string noise;
    for (unsigned i = 0, x = seed; i < 40; ++i)
      noise += "ab=[]{}'\"\\\n#., u\xff"[((x = x * 1664525 + 1013904223) >> 24) % 17];
    static_cast<void>(read_toml(noise));
  }
}

TEST(RequirementsTxt, lines_comments_and_continuations_are_read) {
  const auto found = read_requirements_txt(
      "\xEF\xBB\xBF# top\nrequests==2.28.0  # pinned\n\nnumpy \\\n  >=1.20\r\nx[y]; python_version < '3.12'\na#b\n",
      "requirements.txt", {});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(texts(*found), "requests==2.28.0 | numpy   >=1.20 | x[y]; python_version < '3.12' | a#b");
  EXPECT_EQ(found->requirements.at(1).line, 4u);
}

TEST(RequirementsTxt, included_files_must_be_given_and_end) {
  const std::vector<InputFile> files{file("a.txt", "pandas\n-r loop.txt\n"), file("/workspace/b.txt", "rich\n"),
                                     file("loop.txt", "-r loop.txt\n")};
  EXPECT_EQ(texts(*read_requirements_txt("-r ./b.txt\n--requirement=b.txt\n-rb.txt\n", "requirements.txt", files)),
            "rich | rich | rich");
  EXPECT_FALSE(read_requirements_txt("-r a.txt\n", "requirements.txt", files));
  EXPECT_FALSE(read_requirements_txt("-r /etc/passwd\n", "requirements.txt", files));
}

TEST(RequirementsTxt, options_are_not_obeyed_and_said_so) {
  const auto found = read_requirements_txt("--index-url http://evil/\n-e .\n--extra-index-url=x\na --hash=sha256:00\n",
                                           "requirements.txt", {});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(texts(*found), "a");
  EXPECT_EQ(found->ignored.size(), 4u);
}

TEST(PackageJson, dependencies_are_read_and_development_is_not) {
  const auto found = read_package_json(R"({"type": "module", "dependencies": {"lodash": "^4", "@s/n": ""},
      "optionalDependencies": {"fsevents": "*"}, "devDependencies": {"jest": "1"}})");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(texts(*found), "@s/n | lodash@^4 | fsevents@*?");
}

TEST(PackageJson, bad_ones_are_refused) {
  for (const auto* text : {"", "[]", "{", "{\"dependencies\": []}", "{\"dependencies\": {\"a\": 1}}", "\xff\xfe"})
    EXPECT_FALSE(read_package_json(text)) << text;
  EXPECT_FALSE(read_package_json("{\"a\":" + std::string(100'000, '[')));
}

TEST(Declared, the_program_goes_before_its_files) {
  const std::vector<InputFile> files{file("requirements.txt", "b\n"),
                                     file("package.json", R"({"dependencies":{"c":"1"}})")};
  EXPECT_EQ(texts(**find_declared(Language::python, "# /// script\n# dependencies = ['a']\n# ///\n", files)), "a");
  EXPECT_EQ(texts(**find_declared(Language::python, "import x\n", files)), "b");
  EXPECT_EQ(texts(**find_declared(Language::javascript, "", files)), "c@1");
  EXPECT_FALSE(find_declared(Language::python, "import x\n", {})->has_value());
  EXPECT_FALSE(find_declared(Language::bash, "ls\n", files)->has_value());
}

}  // namespace
}  // namespace hotcell::deps
