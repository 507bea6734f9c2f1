// How long it takes to read a program before it runs, and what reading adds to a run: the figures of
// docs/validation.md.
//
//   reading_bench [--quick] [FILE.py FILE.js FILE.sh …]
//
// The programs are pieces of 2 KB, cut at lines, of files of this repository or of those given. Each is made new
// by a last line that no other has. Times are medians; what reading adds to a run is the difference of the medians of
// two kinds of run that take turns.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "../unit/places.h"
#include "base/file.h"
#include "exec/executor.h"
#include "wasi/engine.h"

using namespace hotcell;
using namespace hotcell::protocol;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kPiece = 2048;
bool quick = false;

double micros(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

void row(const char* what, const std::string& measured, const char* goal) {
  std::printf("| %s | %s | %s |\n", what, measured.c_str(), goal);
  std::fflush(stdout);
}

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

struct Program {
  Language language = Language::python;
  std::string text;
};

std::vector<Program> pieces_of(const std::string& path) {
  const auto text = read_file(path, 16u << 20);
  if (!text) {
    std::fprintf(stderr, "%s\n", text.error().message.c_str());
    return {};
  }
  Program program;
  if (path.ends_with(".js")) program.language = Language::javascript;
  if (path.ends_with(".sh") || text->starts_with("#!/usr/bin/env bash")) program.language = Language::bash;
  std::vector<Program> out;
  for (std::size_t at = 0; at + kPiece < text->size();) {
    auto end = text->rfind('\n', at + kPiece);
    if (end == text->npos || end <= at) break;
    program.text = text->substr(at, end + 1 - at);
    if (program.text.size() > kPiece / 2) out.push_back(program);
    at = end + 1;
  }
  return out;
}

std::string made_new(const Program& program) {
  static unsigned count = 0;
  return program.text + (program.language == Language::javascript ? "// " : "# ") + std::to_string(++count) + "\n";
}

exec::Engines engines() {
  exec::Engines all;
  all.wasi.configured = all.wasi.up = true;
  all.wasi_images = {Language::python};
  all.docker = [] { return exec::EngineState{true, true, {}}; };
  return all;
}

// Parse, rules, imports, packages, engine: all that is done for a program never seen before.
void read_everything(const Request& request, const exec::ReadingRules& rules, const exec::Engines& all) {
  exec::Questions questions;
  questions.policy = "standard";
  questions.needs = true;
  const auto reading = exec::read_program(request, questions, rules);
  const auto route = exec::choose_engine(request, reading.needs ? &*reading.needs : nullptr, all);
  if (route.reason.empty()) std::abort();
}

void small_programs(const std::vector<Program>& programs, const exec::ReadingRules& rules) {
  const auto all = engines();
  for (const auto language : {Language::python, Language::javascript, Language::bash}) {
    std::vector<double> times;
    for (unsigned round = 0; round < (quick ? 3u : 60u); ++round)
      for (const auto& program : programs) {
        if (program.language != language) continue;
        Request request;
        request.language = language;
        request.code = made_new(program);
        const auto time = micros([&] { read_everything(request, rules, all); });
        if (round > 0) times.push_back(time);
      }
    if (times.empty()) continue;
    const auto what = "a new program of 2 KB, " + std::string(name_of(language)) + ": parse, rules, imports, engine";
    row(what.c_str(), number("p50 %.0f µs", percentile(times, .5)) + number(", p99 %.0f µs", percentile(times, .99)),
        "p50 ≤ 600 µs");
  }
}

void long_programs(const std::vector<Program>& programs, const exec::ReadingRules& rules) {
  const auto all = engines();
  for (const auto language : {Language::python, Language::javascript, Language::bash}) {
    std::string text;
    while (text.size() < (1u << 20)) {
      const auto before = text.size();
      for (const auto& program : programs)
        if (program.language == language) text += program.text;
      if (text.size() == before) break;
    }
    if (text.empty()) continue;
    std::vector<double> times;
    for (int i = 0; i < (quick ? 1 : 5); ++i) {
      Request request;
      request.language = language;
      request.code = text;
      times.push_back(micros([&] { read_everything(request, rules, all); }));
    }
    const auto what = "a long program (1 MiB), " + std::string(name_of(language));
    row(what.c_str(), number("%.1f MB/s", static_cast<double>(text.size()) / percentile(times, .5)), "≥ 4 MB/s");
  }
}

void known_programs(const std::vector<Program>& programs, const exec::ReadingRules& rules) {
  validate::CodeMemo<exec::Reading> memo(4096, 32u << 20);
  Request request;
  request.code = programs.front().text;
  exec::Questions questions;
  questions.policy = "warn";
  questions.needs = true;
  const auto reading = std::make_shared<const exec::Reading>(exec::read_program(request, questions, rules));
  memo.put(memo.key("python", *request.code), reading, exec::size_of(*reading));
  std::vector<double> times;
  for (int i = 0; i < 20000; ++i)
    times.push_back(micros([&] {
      if (!memo.find(memo.key("python", *request.code))) std::abort();
    }));
  row("a program of 2 KB seen before: found again", number("p50 %.1f µs", percentile(times, .5)), "≤ 10 µs");
}

// What nobody would write, to be bounded in time and memory.
void hostile_programs(const exec::ReadingRules& rules) {
  const auto repeated = [](const std::string& text, std::size_t bytes) {
    std::string out;
    out.reserve(bytes + text.size());
    while (out.size() < bytes) out += text;
    return out;
  };
  std::string garbage(10u << 20, 0);
  std::uint32_t state = 1;
  for (auto& c : garbage) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  const std::vector<std::pair<const char*, Program>> all = {
      {"10 MB of Python",
       {Language::python, repeated("value = call(one, [two, 3], key='text')  # words\n", 10u << 20)}},
      {"10 MB, one line of minified JavaScript",
       {Language::javascript, repeated("function a(b,c){return b?c.d(e=>e+1):{f:[1,2]}}var g=a(1,2);", 10u << 20)}},
      {"100,000 brackets, Python", {Language::python, std::string(100'000, '(')}},
      {"100,000 brackets, JavaScript", {Language::javascript, std::string(100'000, '[')}},
      {"100,000 braces, Bash", {Language::bash, repeated("{ ", 200'000)}},
      {"10 MB of random bytes, Python", {Language::python, garbage}},
      {"10 MB of random bytes, JavaScript", {Language::javascript, garbage}},
      {"10 MB of random bytes, Bash", {Language::bash, garbage}},
      {"1,000,000 names joined by +", {Language::python, "x = a" + repeated("+a", 2'000'000)}},
  };
  for (const auto& [what, program] : all) {
    Request request;
    request.language = program.language;
    request.code = program.text;
    exec::Reading reading;
    exec::Questions questions;
    questions.policy = "standard";
    questions.needs = true;
    const auto time = micros([&] { reading = exec::read_program(request, questions, rules); });
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::string answer = reading.report->verdict;
    for (const auto& finding : reading.report->findings)
      if (finding.rule == validate::kIncompleteRule) answer = finding.message;
    row(what,
        number("%.2f s", time / 1e6) + number(", %.0f MiB so far: ", static_cast<double>(usage.ru_maxrss) / 1024) +
            answer,
        "≤ 4 s, bounded");
  }
}

// The same runs with and without the executor, in turns.
void added_to_runs() {
  auto engine = wasi::WasiEngine::create({});
  if (!engine) {
    std::fprintf(stderr, "%s\n", engine.error().message.c_str());
    return;
  }
  exec::ExecutorOptions options;
  options.engines = engines();
  options.open = [&](exec::EngineChoice) -> Expected<Engine*> { return engine->get(); };
  exec::Executor executor(std::move(options));
  const std::string small = "print(2+2)\n";
  const std::string typical =
      "import json, collections\n"
      "def count(words):\n    counts = collections.Counter(words)\n    return dict(counts.most_common(3))\n"
      "print(json.dumps(count('the quick brown fox jumps over the lazy dog the end'.split())))\n";
  unsigned count = 0;
  for (const auto& [name, text] :
       {std::pair("print(2+2)", small), {"a function, json and collections (240 bytes)", typical}})
    for (const bool fresh : {true, false}) {
      std::vector<double> plain, whole;
      for (int i = 0; i < (quick ? 50 : 3000); ++i) {
        Request request;
        request.collect.changed = false;
        request.code = text + (fresh ? "# " + std::to_string(++count) : std::string());
        const auto alone = micros([&] {
          if (!(*engine)->run(request, nullptr, nullptr)) std::abort();
        });
        if (fresh) request.code = text + "# " + std::to_string(++count);
        const auto both = micros([&] {
          if (!executor.run(request, nullptr, nullptr)) std::abort();
        });
        if (i > 20) plain.push_back(alone), whole.push_back(both);
      }
      const auto what =
          std::string("added to a WASI run by warn and auto: ") + name + (fresh ? ", new" : ", seen before");
      row(what.c_str(),
          number("%.0f µs", percentile(whole, .5) - percentile(plain, .5)) +
              number(" (to %.0f µs, p50)", percentile(plain, .5)),
          fresh ? "≤ 60 µs" : "≤ 10 µs");
    }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--quick")
      quick = true;
    else
      files.emplace_back(argv[i]);
  }
  if (files.empty())
    for (const auto* name : {"tests/imports/compare.py", "tests/parity/run.py", "dependency-cache/regenerate",
                             "src/agent/kernels/node.js", "scripts/test", "scripts/setup", "scripts/native"})
      files.push_back(std::string(hotcell::testing::kSourceFolder) + "/" + name);
  std::vector<Program> programs;
  for (const auto& file : files)
    for (auto& piece : pieces_of(file)) programs.push_back(std::move(piece));
  if (programs.empty()) {
    std::fprintf(stderr, "there is no file of more than 2 KB among those given\n");
    return 2;
  }
  std::printf("| what | measured | goal |\n|---|---|---|\n");
  const exec::ReadingRules rules;
  small_programs(programs, rules);
  long_programs(programs, rules);
  known_programs(programs, rules);
  hostile_programs(rules);
  added_to_runs();
}
