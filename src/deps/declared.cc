#include "deps/declared.h"

#include <algorithm>

#include "base/text.h"
#include "deps/local_modules.h"
#include "deps/requirement.h"
#include "deps/toml.h"
#include "protocol/json_reader.h"

namespace hotcell::deps {
namespace {

constexpr std::size_t kMostBytes = 1u << 20;
constexpr int kMostIncludes = 16;

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\f\v");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\f\v") - begin + 1);
}

std::string at_line(std::uint32_t line) { return " (line " + std::to_string(line) + ")"; }

std::unexpected<Error> invalid(std::string what) {
  return fail("invalid_metadata", std::move(what), "correct it, or name the packages in the request");
}

const protocol::InputFile* given(std::span<const protocol::InputFile> files, std::string_view path) {
  for (const auto& file : files)
    if (!file.directory && !file.sha256 && relative_to_workspace(file.path) == relative_to_workspace(path))
      return &file;
  return nullptr;
}

struct RequirementsReader {
  std::span<const protocol::InputFile> files;
  Declared declared;
  int includes = 0;

  Expected<void> read(std::string_view text, const std::string& name) {
    if (text.size() > kMostBytes) return invalid(deps::quoted(name) + " is longer than 1 MiB");
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    for (std::uint32_t number = 1; !text.empty();) {
      const auto line_number = number;
      std::string line(next_line(text));
      ++number;
      // A comment line goes on over no line end; everything else does.
      while (line.ends_with("\\") || line.ends_with("\\\r")) {
        line.resize(line.rfind('\\'));
        if (text.empty() || line.size() > kMostBytes) break;
        line += next_line(text);
        ++number;
      }
      if (auto done = one(line, line_number, name); !done) return done;
    }
    return {};
  }

  Expected<void> one(std::string_view line, std::uint32_t number, const std::string& name) {
    for (auto at = line.find('#'); at != line.npos; at = line.find('#', at + 1))
      if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t') {
        line = line.substr(0, at);
        break;
      }
    line = trim(line);
    if (line.empty()) return {};
    if (line.starts_with('-')) return option(line, number, name);
    if (const auto hash = line.find(" --"); hash != line.npos) {
      ignore(std::string(trim(line.substr(hash))), number, name);
      line = trim(line.substr(0, hash));
    }
    if (declared.requirements.size() >= kMaxRequirements)
      return invalid(deps::quoted(name) + " asks for more than " + std::to_string(kMaxRequirements) + " packages");
    declared.requirements.push_back({std::string(line), number, name, false});
    return {};
  }

  Expected<void> option(std::string_view line, std::uint32_t number, const std::string& name) {
    auto word = line.substr(0, line.find_first_of(" \t="));
    auto rest = trim(line.substr(word.size()));
    if (rest.starts_with('=')) rest = trim(rest.substr(1));
    if (line.starts_with("-r") && !line.starts_with("--") && word.size() > 2) {
      word = "-r";
      rest = trim(line.substr(2));
    }
    if (word != "-r" && word != "--requirement") {
      ignore(std::string(line), number, name);
      return {};
    }
    if (++includes > kMostIncludes) return invalid(deps::quoted(name) + " includes too many files, or itself");
    const auto* file = given(files, rest);
    if (file == nullptr)
      return invalid(deps::quoted(name) + at_line(number) + " includes " + deps::quoted(rest) +
                     ", which is not among the files");
    return read(file->content, std::string(rest));
  }

  void ignore(const std::string& what, std::uint32_t number, const std::string& name) {
    if (declared.ignored.size() < 100)
      declared.ignored.push_back(deps::quoted(what) + " in " + deps::quoted(name) + at_line(number) +
                                 " was not obeyed: where packages come from is the operator's to say");
  }
};

}  // namespace

Expected<std::optional<Declared>> read_inline_metadata(std::string_view code) {
  // The reference: lines from "# /// script" to the last "# ///" before a line that is no comment.
  std::optional<std::string> block;
  std::uint32_t number = 0, first = 0;
  for (auto rest = code; !rest.empty();) {
    if (!block && rest.find("# /// script") == rest.npos) break;
    auto line = next_line(rest);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (line != "# /// script") continue;
    if (block) return invalid("the program has two \"# /// script\" blocks" + at_line(number));
    std::string text, closed;
    bool complete = false;
    first = number;
    while (rest.starts_with('#')) {
      auto next = next_line(rest);
      if (next.ends_with('\r')) next.remove_suffix(1);
      ++number;
      if (next == "# ///") {
        closed = text;
        complete = true;
      }
      if (next.size() > 1 && next[1] != ' ') break;
      text += std::string(next.size() > 2 ? next.substr(2) : "") + "\n";
      if (text.size() > kMostBytes) return invalid("the program's \"# /// script\" block is longer than 1 MiB");
    }
    if (complete) block = std::move(closed);
  }
  if (!block) return std::nullopt;

  auto toml = read_toml(*block);
  if (!toml) return invalid("the program's \"# /// script\" block is no TOML: " + toml.error().message);
  Declared declared;
  declared.source = "inline metadata";
  for (auto& entry : *toml) {
    const auto line = first + entry.line;
    if (entry.key == "dependencies") {
      if (!entry.is_list) return invalid("dependencies in the \"# /// script\" block must be a list" + at_line(line));
      if (entry.strings.size() > kMaxRequirements)
        return invalid("the \"# /// script\" block asks for too many packages");
      for (auto& text : entry.strings) declared.requirements.push_back({std::move(text), line, "", false});
    } else if (entry.key == "requires-python" && !entry.strings.empty()) {
      declared.requires_python = entry.strings.front();
    } else if (entry.key.starts_with("tool.uv.") && declared.ignored.size() < 100) {
      declared.ignored.push_back(entry.key + at_line(line) + " was not obeyed: that is the operator's to say");
    }
  }
  return declared;
}

Expected<Declared> read_requirements_txt(std::string_view text, std::string_view name,
                                         std::span<const protocol::InputFile> files) {
  RequirementsReader reader;
  reader.files = files;
  reader.declared.source = name;
  if (auto done = reader.read(text, std::string(name)); !done) return std::unexpected(done.error());
  return std::move(reader.declared);
}

Expected<Declared> read_package_json(std::string_view text) {
  const auto json = protocol::parse_json(text, {.bytes = kMostBytes, .depth = 64, .values = 100'000});
  if (!json) return invalid("package.json cannot be read: " + json.error().detail);
  if (!json->is_object()) return invalid("package.json is no JSON object");
  Declared declared;
  declared.source = "package.json";
  for (const auto* key : {"dependencies", "optionalDependencies"}) {
    const auto part = json->find(key);
    if (part == json->end()) continue;
    if (!part->is_object()) return invalid("\"" + std::string(key) + "\" in package.json must be an object");
    for (const auto& [name, version] : part->items()) {
      if (!version.is_string())
        return invalid("the version of " + deps::quoted(name) + " in package.json must be a string");
      if (declared.requirements.size() >= kMaxRequirements) return invalid("package.json asks for too many packages");
      const auto range = version.get<std::string>();
      auto wish = std::string(name);
      if (!range.empty()) wish.append("@").append(range);
      declared.requirements.push_back({std::move(wish), 0, "package.json", *key == 'o'});
    }
  }
  return declared;
}

Expected<std::optional<Declared>> find_declared(protocol::Language language, std::string_view code,
                                                std::span<const protocol::InputFile> files) {
  if (language == protocol::Language::python) {
    auto inline_metadata = read_inline_metadata(code);
    if (!inline_metadata || *inline_metadata) return inline_metadata;
    if (const auto* file = given(files, "requirements.txt")) {
      auto declared = read_requirements_txt(file->content, "requirements.txt", files);
      if (!declared) return std::unexpected(declared.error());
      return std::move(*declared);
    }
  }
  if (language == protocol::Language::javascript) {
    if (const auto* file = given(files, "package.json")) {
      auto declared = read_package_json(file->content);
      if (!declared) return std::unexpected(declared.error());
      return std::move(*declared);
    }
  }
  return std::nullopt;
}

}  // namespace hotcell::deps
