#include "validate/confirm.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace hotcell::validate {
namespace {

// Four lines: ok or wrong, line, column, message. What a deeply nested program does to the compiler is no syntax error.
constexpr std::string_view kAsk = R"(
try:
    with open("/workspace/program.py", "rb") as file:
        compile(file.read(), "program.py", "exec", dont_inherit=True)
    print("ok")
except SyntaxError as error:
    print("wrong", error.lineno or 0, error.offset or 0, " ".join(str(error.msg).split()), sep="\n")
except ValueError as error:
    print("wrong", 0, 0, " ".join(str(error).split()), sep="\n")
)";

std::uint32_t number(std::string_view text) {
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

SyntaxVerdict ask_python(protocol::Engine& engine, std::string_view source) {
  protocol::Request request;
  request.language = protocol::Language::python;
  request.code = std::string(kAsk);
  request.timeout_seconds = 10;
  request.checks = protocol::Checks::off;
  request.collect.changed = false;
  protocol::InputFile file;
  file.path = "program.py";
  file.content = std::string(source);
  request.files.push_back(std::move(file));
  const auto outcome = engine.run(request, nullptr, nullptr);
  SyntaxVerdict verdict;
  if (!outcome || outcome->status != protocol::Status::completed) return verdict;
  std::string_view answer = outcome->out.bytes;
  const auto word = next_line(answer);
  if (word == "ok") verdict.type = SyntaxVerdict::Type::accepted;
  if (word != "wrong") return verdict;
  verdict.type = SyntaxVerdict::Type::refused;
  verdict.line = number(next_line(answer));
  verdict.column = number(next_line(answer));
  verdict.message = next_line(answer);
  return verdict;
}

}  // namespace

ConfirmSyntax confirm_with(protocol::Engine& engine) {
  return [&engine](protocol::Language language, std::string_view source) {
    return language == protocol::Language::python ? ask_python(engine, source) : SyntaxVerdict{};
  };
}

}  // namespace hotcell::validate
