#include "deps/requirement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "deps/key.h"
#include "deps/npm_spec.h"
#include "deps/pep440.h"

namespace hotcell::deps {
namespace {

std::string pypi(std::string_view text) {
  const auto parsed = parse_requirement(Ecosystem::pypi, text);
  return parsed ? parsed->text() : "! " + parsed.error().message;
}

std::string npm(std::string_view text) {
  const auto parsed = parse_requirement(Ecosystem::npm, text);
  return parsed ? parsed->text() : "! " + parsed.error().message;
}

std::string set_of(Ecosystem ecosystem, const std::vector<std::string>& texts) {
  const auto parsed = parse_requirements(ecosystem, texts);
  return parsed ? canonical_text(*parsed) : "! " + parsed.error().message;
}

TEST(Requirement, spellings_of_one_python_requirement_become_one) {
  EXPECT_EQ(pypi("requests"), "requests");
  EXPECT_EQ(pypi("  Zope.Interface "), "zope-interface");
  EXPECT_EQ(pypi("zope_-.interface"), "zope-interface");
  EXPECT_EQ(pypi("requests==2.28.0"), "requests==2.28");
  EXPECT_EQ(pypi("requests (== v2.28)"), "requests==2.28");
  EXPECT_EQ(pypi("requests<3,>=2"), "requests<3,>=2");
  EXPECT_EQ(pypi("requests >= 2.0.0 , < 3 , >=2"), "requests<3,>=2");
  EXPECT_EQ(pypi("requests[socks,Security_X]>=2"), "requests[security-x,socks]>=2");
  EXPECT_EQ(pypi("requests[]"), "requests");
  EXPECT_EQ(pypi("a~=1.0"), "a~=1.0");
  EXPECT_EQ(pypi("a~=1.0.0"), "a~=1.0.0");
  EXPECT_EQ(pypi("a==1.0.*"), "a==1.0.*");
  EXPECT_EQ(pypi("a!=1.0.*,==1.0-Alpha.1"), "a!=1.0.*,==1a1");
  EXPECT_EQ(pypi("a===Weird!"), "a===Weird!");
}

TEST(Requirement, markers_are_brought_into_one_spelling) {
  EXPECT_EQ(pypi("a;python_version<'3.12'"), "a ; python_version < \"3.12\"");
  EXPECT_EQ(pypi("a ; os.name=='posix' and (python_version>\"3\")"),
            "a ; os_name == \"posix\" and python_version > \"3\"");
  EXPECT_EQ(pypi("a;extra=='x' or os_name=='nt' or extra=='x'"), "a ; extra == \"x\" or os_name == \"nt\"");
  EXPECT_EQ(pypi("a;(extra=='b' or extra=='d') or extra=='c'"),
            "a ; extra == \"b\" or extra == \"c\" or extra == \"d\"");
  EXPECT_EQ(pypi("a;(extra=='b' or extra=='d') and extra=='c'"),
            "a ; (extra == \"b\" or extra == \"d\") and extra == \"c\"");
  EXPECT_EQ(pypi("a ; 'linux' in sys_platform and platform_machine not  in 'x'"),
            "a ; \"linux\" in sys_platform and platform_machine not in \"x\"");
  EXPECT_EQ(pypi("a;extra=='say \"x\"'"), "a ; extra == 'say \"x\"'");
}

TEST(Requirement, what_is_no_python_requirement_is_refused_with_its_text_and_a_reason) {
  const std::map<std::string, std::string> wrong = {
      {"", "it is empty"},
      {"requests=2.28", "write '=='"},
      {"requests 2.28", "requests==2.28"},
      {"-r requirements.txt", "options are not taken"},
      {"--index-url=http://evil", "options are not taken"},
      {"git+https://github.com/x/y", "not files, folders or URLs"},
      {"https://x/y.whl", "not files, folders or URLs"},
      {"./local", "not files, folders or URLs"},
      {"../local", "not files, folders or URLs"},
      {"/abs/x", "does not begin with the name"},
      {"numpy-1.0-py3-none-any.whl", "not files, folders or URLs"},
      {"name @ https://x/y.whl", "not URLs"},
      {"requests@2.28", "requests==…"},
      {"a>=", "no version after"},
      {"a==1.0.*.*", "is not a version"},
      {"a>1.*", "'.*' goes with"},
      {"a~=1", "at least two numbers"},
      {"a>=1+local", "local version"},
      {"a,b", "a version must follow"},
      {"a[b", "does not end"},
      {"a[-]", "not the name of an extra"},
      {"a;", "not complete"},
      {"a;python>'3'", "not a variable"},
      {"a;python_version", "needs a comparison"},
      {"a;'1'=='1'", "two constants"},
      {"a;(extra=='x'", "does not end"},
      {"a;extra=='x", "a quote"},
      {"a;extra=='x' b", "too much"},
      {"-a", "options"},
      {"a-", "is not the name of a package"},
      {"caf\xc3\xa9", "printable ASCII"},
      {"a\nb", "printable ASCII"},
      {"a;" + std::string(100, '('), "nested too deeply"},
      {std::string(5000, 'a'), "has more than"},
  };
  for (const auto& [text, reason] : wrong) {
    const auto parsed = parse_requirement(Ecosystem::pypi, text);
    ASSERT_FALSE(parsed) << text << " became " << parsed->text();
    EXPECT_EQ(parsed.error().code, "invalid_requirement");
    EXPECT_NE(parsed.error().message.find(reason), std::string::npos) << text << ": " << parsed.error().message;
    EXPECT_NE(parsed.error().message.find(deps::quoted(text)), std::string::npos) << parsed.error().message;
    EXPECT_LT(parsed.error().message.size(), 500u);
  }
}

TEST(Requirement, versions_of_pep_440_in_all_their_spellings) {
  const std::map<std::string, std::string> same = {{"1.0", "1.0"},
                                                   {"v1.0", "1.0"},
                                                   {"01.002", "1.2"},
                                                   {"1!2.0", "1!2.0"},
                                                   {"0!2.0", "2.0"},
                                                   {"1.0alpha1", "1.0a1"},
                                                   {"1.0-BETA_2", "1.0b2"},
                                                   {"1.0.c.3", "1.0rc3"},
                                                   {"1.0pre", "1.0rc0"},
                                                   {"1.0preview4", "1.0rc4"},
                                                   {"1.0-1", "1.0.post1"},
                                                   {"1.0rev5", "1.0.post5"},
                                                   {"1.0post", "1.0.post0"},
                                                   {"1.0.dev", "1.0.dev0"},
                                                   {"1.0a1.post2.dev3", "1.0a1.post2.dev3"},
                                                   {"1.0+Ubuntu-01", "1.0+ubuntu.1"},
                                                   {"1.0rc", "1.0rc0"},
                                                   {"1.0r4", "1.0.post4"}};
  for (const auto& [spelt, normal] : same) {
    EXPECT_EQ(normalize_pep440_version(spelt).value_or("?"), normal) << spelt;
    EXPECT_EQ(normalize_pep440_version(normal).value_or("?"), normal) << "again: " << spelt;
  }
  for (const char* wrong : {"", "a", "1.", "1..2", "1.0+", "1.0-", "1.0a1b2", "1 .0", "1.0.post1.post2", "1!", "!1"})
    EXPECT_FALSE(normalize_pep440_version(wrong)) << wrong;
  // Short enough as it stands, too long as it would be written.
  EXPECT_FALSE(normalize_pep440_version("1-2+" + std::string(252, 'a')));
  EXPECT_TRUE(normalize_pep440_version("1-2+" + std::string(240, 'a')));
}

TEST(Requirement, spellings_of_one_npm_requirement_become_one) {
  EXPECT_EQ(npm("lodash"), "lodash@latest");
  EXPECT_EQ(npm("lodash@4.17.21"), "lodash@4.17.21");
  EXPECT_EQ(npm("lodash@ =v4.17.21+build"), "lodash@4.17.21");
  EXPECT_EQ(npm("lodash@^ 4.17"), "lodash@^4.17");
  EXPECT_EQ(npm("lodash@4.x"), "lodash@4");
  EXPECT_EQ(npm("lodash@4.*.X"), "lodash@4");
  EXPECT_EQ(npm("lodash@x"), "lodash@*");
  EXPECT_EQ(npm("lodash@<2 >=1.2.0"), "lodash@<2 >=1.2.0");
  EXPECT_EQ(npm("lodash@>=1.2.0    <2"), "lodash@<2 >=1.2.0");
  EXPECT_EQ(npm("lodash@2||1.2 - 1.9"), "lodash@2 || <=1.9 >=1.2");
  EXPECT_EQ(npm("lodash@~>1.2"), "lodash@~1.2");
  EXPECT_EQ(npm("lodash@1.2.3-rc.1"), "lodash@1.2.3-rc.1");
  EXPECT_EQ(npm("lodash@next-12"), "lodash@next-12");
  EXPECT_EQ(npm("@types/node@^20"), "@types/node@^20");
  EXPECT_EQ(npm("@types/node"), "@types/node@latest");
  EXPECT_EQ(npm("JSONStream"), "JSONStream@latest");
}

TEST(Requirement, what_is_no_npm_requirement_is_refused_with_its_text_and_a_reason) {
  const std::map<std::string, std::string> wrong = {
      {"   ", "it is empty"},
      {"lodash@", "no version after '@'"},
      {"lodash@npm:other@1", "only packages of the registry"},
      {"lodash@file:../x", "only packages of the registry"},
      {"lodash@git+https://x", "only packages of the registry"},
      {"lodash@user/repo", "only packages of the registry"},
      {"user/repo", "only packages of the registry"},
      {"https://x/y.tgz", "only packages of the registry"},
      {"../x", "only packages of the registry"},
      {"--ignore-scripts=false", "options are not taken"},
      {"lodash>=1", "lodash@^1.2"},
      {"lodash 4", "joined by '@'"},
      {"@scope", "is not the name"},
      {"@/x", "is not the name"},
      {"@a/b/c", "is not the name"},
      {"node_modules", "is not the name"},
      {"_x", "is not the name"},
      {"a%2fb", "is not the name"},
      {"lodash@>1.2.3.4", "not a version, a range or a tag"},
      {"lodash@<*", "not a version, a range or a tag"},
      {"lodash@01.2.3", "not a version, a range or a tag"},
      {"lodash@^1.2 |", "not a version, a range or a tag"},
  };
  for (const auto& [text, reason] : wrong) {
    const auto parsed = parse_requirement(Ecosystem::npm, text);
    ASSERT_FALSE(parsed) << text << " became " << parsed->text();
    EXPECT_NE(parsed.error().message.find(reason), std::string::npos) << text << ": " << parsed.error().message;
  }
}

TEST(Requirement, what_is_asked_of_a_package_in_several_places_is_asked_together) {
  EXPECT_EQ(set_of(Ecosystem::pypi, {"b", "Requests>=2", "requests[socks]<3", "b"}), "b\nrequests[socks]<3,>=2\n");
  EXPECT_EQ(set_of(Ecosystem::pypi, {"a ; os_name=='nt'", "a"}), "a\na ; os_name == \"nt\"\n") << "another condition";
  EXPECT_EQ(set_of(Ecosystem::npm, {"b@1", "a", "b@1.x"}), "a@latest\nb@1\n");
  EXPECT_EQ(set_of(Ecosystem::npm, {"b@1", "b@2"}), "! the package b is asked for twice, as 'b@1' and as 'b@2'");
  EXPECT_EQ(set_of(Ecosystem::pypi, std::vector<std::string>(kMaxRequirements + 1, "a")).substr(0, 2), "! ");
}

// Property: a set in any order and spelling has one key, and different sets have different keys.
class Spellings {
 public:
  explicit Spellings(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  std::string space() { return std::string(below(3), below(2) ? ' ' : '\t'); }
  std::string name(const std::string& plain) {
    std::string out;
    for (const char c : plain) {
      if (c == '-') {
        for (std::size_t i = 0, n = 1 + below(2); i < n; ++i) out += "-_."[below(3)];
      } else {
        out += below(2) ? static_cast<char>(std::toupper(c)) : c;
      }
    }
    return out;
  }
  std::string version(const std::vector<int>& numbers, bool zeros) {
    std::string out = below(4) ? "" : "v";
    for (std::size_t i = 0; i < numbers.size(); ++i)
      out += (i ? "." : "") + std::string(below(4) ? "" : "0") + std::to_string(numbers[i]);
    if (zeros)
      for (std::size_t i = below(3); i > 0; --i) out += ".0";
    return out;
  }
  template <class T>
  void shuffle(std::vector<T>& list) {
    std::ranges::shuffle(list, random_);
  }

 private:
  std::mt19937 random_;
};

struct Wanted {
  std::string name;
  std::set<std::string> extras;
  std::set<std::pair<std::string, std::vector<int>>> versions;
  auto operator<=>(const Wanted&) const = default;
};

std::string spelt(const Wanted& wanted, Spellings& random) {
  std::string out = random.space() + random.name(wanted.name) + random.space();
  std::vector<std::string> extras(wanted.extras.begin(), wanted.extras.end());
  random.shuffle(extras);
  for (std::size_t i = 0; i < extras.size(); ++i)
    out += (i ? "," : "[") + random.space() + random.name(extras[i]) + random.space();
  if (!extras.empty()) out += "]";
  std::vector<std::pair<std::string, std::vector<int>>> versions(wanted.versions.begin(), wanted.versions.end());
  random.shuffle(versions);
  const bool parenthesis = !versions.empty() && random.below(3) == 0;
  if (parenthesis) out += "(";
  for (std::size_t i = 0; i < versions.size(); ++i)
    out += (i ? "," : "") + random.space() + versions[i].first + random.space() +
           random.version(versions[i].second, versions[i].first != "~=") + random.space();
  if (parenthesis) out += ")";
  return out;
}

TEST(Requirement, the_same_set_in_any_order_and_spelling_has_the_same_key) {
  Spellings random(20240607);
  const std::vector<std::string> names = {"requests", "zope-interface", "a", "b2", "ruamel-yaml-clib", "x-y"};
  const std::vector<std::string> operators = {"==", ">=", "<", "!=", "~=", "<=", ">"};
  std::map<Digest, std::vector<Wanted>> seen;
  const Target target{Ecosystem::pypi, "cpython-3.11", "linux-x86_64"};
  for (int round = 0; round < 3000; ++round) {
    std::map<std::string, Wanted> by_name;
    for (std::size_t i = 0, n = 1 + random.below(4); i < n; ++i) {
      const auto& name = names[random.below(names.size())];
      auto& wanted = by_name[name];
      wanted.name = name;
      if (random.below(3) == 0) wanted.extras.insert(names[random.below(3)]);
      if (random.below(2)) {
        const auto& op = operators[random.below(operators.size())];
        std::vector<int> numbers = {static_cast<int>(random.below(3)), 1 + static_cast<int>(random.below(2))};
        wanted.versions.insert({op, numbers});
      }
    }
    std::vector<Wanted> set;
    for (const auto& [name, wanted] : by_name) set.push_back(wanted);
    std::set<Digest> keys;
    for (int spelling = 0; spelling < 4; ++spelling) {
      std::vector<std::string> texts;
      for (const auto& wanted : set) {
        texts.push_back(spelt(wanted, random));
        if (random.below(4) == 0) texts.push_back(spelt(wanted, random));  // said twice
      }
      random.shuffle(texts);
      const auto parsed = parse_requirements(Ecosystem::pypi, texts);
      ASSERT_TRUE(parsed) << parsed.error().message;
      keys.insert(wish_key(target, *parsed));
    }
    ASSERT_EQ(keys.size(), 1u) << "the set of " << set.front().name;
    const auto [place, fresh] = seen.try_emplace(*keys.begin(), set);
    ASSERT_EQ(place->second, set) << "two sets with one key";
  }
  EXPECT_GT(seen.size(), 1000u);
}

TEST(Requirement, what_was_read_is_written_so_that_it_is_read_again) {
  for (const char* text : {"a[b]>=1,<2 ; extra == 'x' and (os_name=='nt' or os_name=='posix')", "a===x", "a==1+b.2"}) {
    const auto once = parse_requirement(Ecosystem::pypi, text);
    ASSERT_TRUE(once) << once.error().message;
    const auto twice = parse_requirement(Ecosystem::pypi, once->text());
    ASSERT_TRUE(twice) << twice.error().message;
    EXPECT_EQ(*once, *twice);
  }
}

}  // namespace
}  // namespace hotcell::deps
