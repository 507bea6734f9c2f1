#include "deps/needs.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hotcell::deps {
namespace {

using protocol::Dependencies;
using protocol::DependencyMode;
using protocol::InputFile;
using protocol::Language;

struct Asked {
  Dependencies dependencies;
  std::vector<InputFile> files;
  Policy policy;
};

Expected<Needs> find(Language language, const std::string& code, const Asked& asked = {}) {
  auto syntax = validate::Syntax::parse(language, code);
  if (!syntax) return std::unexpected(syntax.error());
  return find_needs(language, code, validate::find_imports(*syntax), asked.dependencies, asked.files, asked.policy, {});
}

std::string packages(const Expected<Needs>& needs) {
  if (!needs) return needs.error().code;
  std::string all;
  for (const auto& need : needs->packages)
    all += (all.empty() ? "" : " ") + need.requirement + (need.optional ? "?" : "");
  return all;
}
std::string python(const std::string& code, const Asked& asked = {}) {
  return packages(find(Language::python, code, asked));
}

InputFile file(std::string path, std::string content) {
  InputFile given;
  given.path = std::move(path);
  given.content = std::move(content);
  return given;
}

TEST(Needs, imports_become_packages_once_each) {
  EXPECT_EQ(python("import os, cv2\nfrom google.cloud import storage\nimport yaml, yaml.reader\nfrom . import x\n"),
            "opencv-python-headless google-cloud-storage PyYAML");
}

TEST(Needs, what_is_never_run_needs_nothing) {
  EXPECT_EQ(python("if TYPE_CHECKING:\n  import numpy\nif sys.version_info < (3,):\n  import pandas\n"), "");
}

TEST(Needs, substitutes_of_the_standard_library_are_not_installed) {
  EXPECT_EQ(python("try:\n  import tomllib\nexcept ImportError:\n  import tomli as tomllib\n"), "");
  EXPECT_EQ(python("try:\n  import tomllib\nexcept ImportError:\n  try:\n    import tomli\n  except ImportError:\n    "
                   "import toml\n"),
            "");
}

TEST(Needs, of_an_optional_package_and_its_substitute_the_substitute_is_required) {
  EXPECT_EQ(python("try:\n  import orjson\nexcept ImportError:\n  import simplejson\n"), "orjson? simplejson");
  EXPECT_EQ(python("try:\n  from yaml import CLoader\nexcept ImportError:\n  from yaml import Loader\n"), "PyYAML");
}

TEST(Needs, an_optional_import_that_nobody_knows_is_not_tried) {
  EXPECT_EQ(python("try:\n  import cPickle\nexcept ImportError:\n  import pickle\n"), "");
}

TEST(Needs, given_files_are_local_and_their_imports_count) {
  const Asked asked{{},
                    {file("utils.py", "import numpy\nfrom helpers.deep import x\n"),
                     file("helpers/deep.py", "import yaml\n"), file("unused.py", "import torch\n")},
                    {}};
  const auto needs = find(Language::python, "import utils\n", asked);
  EXPECT_EQ(packages(needs), "numpy PyYAML");
  EXPECT_TRUE(needs->report.imports.at(0).local);
  EXPECT_EQ(needs->packages.at(1).file, "helpers/deep.py");
}

TEST(Needs, relative_imports_between_given_files_are_followed) {
  const Asked asked{
      {},
      {file("pkg/__init__.py", "from .a import x\n"), file("pkg/a.py", "from . import b\nfrom .. import no\n"),
       file("pkg/b.py", "import rich\nimport pkg\n")},
      {}};
  EXPECT_EQ(python("import pkg.a\n", asked), "rich");
  const Asked js{{}, {file("lib/a.js", "require('../b'); require('lodash')"), file("b.js", "import 'axios'")}, {}};
  EXPECT_EQ(packages(find(Language::javascript, "import './lib/a.js'", js)), "lodash axios");
}

TEST(Needs, files_that_import_each_other_end) {
  const Asked asked{{}, {file("a.py", "import b\n"), file("b.py", "import a, rich\n")}, {}};
  EXPECT_EQ(python("import a\n", asked), "rich");
}

TEST(Needs, a_module_that_the_program_writes_itself_is_no_package) {
  const auto needs = find(Language::python, "open('helper.py', 'w').write('x = 1')\nimport helper\n");
  EXPECT_EQ(packages(needs), "");
  EXPECT_EQ(needs->notes.size(), 1u);
}

TEST(Needs, an_explicit_list_switches_detection_off) {
  const Asked asked{{DependencyMode::explicit_list, {"Requests==2.28.1"}}, {}, {}};
  EXPECT_EQ(python("import numpy\n", asked), "requests==2.28.1");
  EXPECT_EQ(python("import numpy\n", {{DependencyMode::none, {}}, {}, {}}), "");
  EXPECT_EQ(python("", {{DependencyMode::explicit_list, {"git+https://x/y"}}, {}, {}}), "invalid_requirement");
}

TEST(Needs, who_declares_declares_everything) {
  const std::string block = "# /// script\n# dependencies = ['opencv-python']\n# ///\n";
  const auto needs = find(Language::python, block + "import cv2, yaml\n");
  EXPECT_EQ(packages(needs), "opencv-python");
  ASSERT_EQ(needs->notes.size(), 1u);
  EXPECT_NE(needs->notes[0].find("PyYAML"), std::string::npos);
}

TEST(Needs, a_bad_declaration_names_its_place) {
  const auto needs = find(Language::python, "import x\n", {{}, {file("requirements.txt", "a\nb @ file:///etc\n")}, {}});
  ASSERT_FALSE(needs);
  EXPECT_NE(needs.error().message.find("line 2"), std::string::npos) << needs.error().message;
}

TEST(Needs, what_the_program_can_do_without_is_not_installed) {
  const auto needs = find(Language::python, "import numpy\ntry:\n  import yaml\nexcept ImportError:\n  yaml = None\n");
  const auto wanted = to_install(Language::python, *needs);
  ASSERT_TRUE(wanted);
  EXPECT_EQ(canonical_text(*wanted), "numpy\n");
}

TEST(Needs, the_policy_is_obeyed) {
  Asked asked;
  asked.policy.deny = {"Py_YAML", "azure-*"};
  EXPECT_EQ(python("import numpy\n", asked), "numpy");
  EXPECT_EQ(python("import yaml\n", asked), "PyYAML");  // py-yaml is another package
  EXPECT_EQ(python("import azure.storage.blob\n", asked), "dependency_denied");
  asked.policy = {};
  asked.policy.allow = {"numpy", "scikit_learn"};
  EXPECT_EQ(python("import numpy, sklearn\n", asked), "numpy scikit-learn");
  EXPECT_EQ(python("import pandas\n", asked), "dependency_denied");
  asked.policy = {};
  asked.policy.mode = Policy::Mode::off;
  EXPECT_EQ(python("import pandas\n", asked), "");
  asked.dependencies = {DependencyMode::explicit_list, {"pandas"}};
  EXPECT_EQ(python("", asked), "dependency_denied");
  asked.policy.mode = Policy::Mode::explicit_only;
  EXPECT_EQ(python("import numpy\n", asked), "pandas");
  asked.dependencies = {};
  EXPECT_EQ(python("import numpy\n", asked), "");
}

TEST(Needs, look_alikes_are_marked_and_may_be_refused) {
  Asked asked;
  const auto needs = find(Language::python, "import reqeusts\n", asked);
  EXPECT_EQ(needs->packages.at(0).look_alike, "requests");
  asked.policy.refuse_look_alikes = true;
  EXPECT_EQ(python("import reqeusts\n", asked), "dependency_look_alike");
  EXPECT_EQ(python("import zq_entirely_unlike_anything\n", asked), "zq-entirely-unlike-anything");
  asked.policy.allow = {"reqeusts"};
  EXPECT_EQ(python("import reqeusts\n", asked), "reqeusts");
}

}  // namespace
}  // namespace hotcell::deps
