// What reading a program tells: is it dangerous, and what does it need. One parse for both.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "deps/needs.h"
#include "protocol/request.h"
#include "validate/check.h"

namespace hotcell::exec {

// What is asked of a program's text.
struct Questions {
  // Empty: it is not checked.
  std::string policy = {};
  bool needs = false;
  validate::ParseLimits limits = {};
  std::chrono::milliseconds check_time{2000};
  validate::ConfirmSyntax confirm_syntax = {};
};

// What the operator has set, the same for every program.
struct ReadingRules {
  validate::RuleSet rules = {};
  std::vector<std::string> allowed_paths = {};  // what programs may well read, as they see it
  deps::Policy packages = {};
  deps::PackageMap package_map = {};
};

struct Reading {
  std::optional<validate::Report> report;
  // Also absent where the program is too large to be read: then nothing is known against any engine.
  std::optional<deps::Needs> needs;
  std::optional<Error> denied;  // instead of needs: deps::find_needs() refused
};

// `request` has a code, in a language that can be read; or an argv, of which only the packages that the request names
// are of interest. Never fails: what cannot be read is told in the report.
Reading read_program(const protocol::Request& request, const Questions& questions, const ReadingRules& rules);

// About how much memory it takes.
std::size_t size_of(const Reading& reading);

}  // namespace hotcell::exec
