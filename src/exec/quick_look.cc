#include "exec/quick_look.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "deps/standard_library.h"
#include "validate/import_scan.h"

namespace hotcell::exec {
namespace {

constexpr std::size_t kMostBytes = 64u << 10;  // what is longer is worth a parse
constexpr std::size_t kMostModules = 64;

bool in_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_' ||
         byte >= 0x80;
}

template <class Found>
void each_word(std::string_view text, Found&& found) {
  for (std::size_t at = 0; at < text.size();) {
    while (at < text.size() && !in_word(text[at])) ++at;
    const auto begin = at;
    while (at < text.size() && in_word(text[at])) ++at;
    if (at > begin) found(text.substr(begin, at - begin));
  }
}

// The lines that scan_imports() reads to their end: "import …" and "from … import …".
std::size_t import_lines(std::string_view code) {
  std::size_t count = 0;
  while (!code.empty()) {
    auto line = next_line(code);
    line = line.substr(0, line.find('#'));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    line = line.substr(0, line.find_last_not_of(" \t") + 1);
    // "from .x" is among the given files, if anywhere.
    const bool from = line.starts_with("from ") && line[5] != '.' && line.find(" import ") != line.npos;
    if (!from && !line.starts_with("import ")) continue;
    // Nothing that goes on in the next line, but for more names of the same module.
    if (in_word(line.back()) || (from && (line.back() == '(' || line.back() == ',' || line.back() == ')'))) ++count;
  }
  return count;
}

}  // namespace

bool files_matter(const protocol::Request& request) {
  const auto ends_with_one_of = [](std::string_view path, std::initializer_list<std::string_view> ends) {
    return std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return path.ends_with(end); });
  };
  return std::any_of(request.files.begin(), request.files.end(), [&](const protocol::InputFile& file) {
    if (request.language == protocol::Language::python) return ends_with_one_of(file.path, {".py", "requirements.txt"});
    return request.language == protocol::Language::javascript &&
           ends_with_one_of(file.path, {".js", ".mjs", ".cjs", ".json"});
  });
}

std::optional<deps::Needs> quick_look(const protocol::Request& request) {
  if (request.language != protocol::Language::python || !request.code || request.code->size() > kMostBytes ||
      request.dependencies.mode == protocol::DependencyMode::explicit_list || files_matter(request))
    return {};
  const std::string_view code = *request.code;
  if (code.find('\r') != code.npos || code.find("# /// script") != code.npos) return {};
  const auto modules = validate::scan_imports(request.language, code, kMostModules);
  if (modules.size() >= kMostModules) return {};

  deps::Needs needs;
  std::vector<std::string_view> lacking;  // last parts of names: "fork" of os.fork
  for (const auto module : modules) {
    auto& imports = needs.report.imports;
    if (std::any_of(imports.begin(), imports.end(), [&](const auto& known) { return known.module == module; }))
      continue;
    if (!deps::is_standard(request.language, module)) return {};
    validate::Import import;
    import.module = module;
    import.standard = true;
    imports.push_back(std::move(import));
    deps::each_wasi_lack(request.language, module,
                         [&](std::string_view name) { lacking.push_back(name.substr(name.rfind('.') + 1)); });
  }
  std::sort(lacking.begin(), lacking.end());

  std::size_t imports = 0;
  bool plain = true;
  each_word(code, [&](std::string_view word) {
    if (word == "import") ++imports;
    // What imports by a call, and what may be among the names that a cell lacks.
    if (word == "__import__" || word == "importlib" || word == "import_module" || word == "find_spec" ||
        std::binary_search(lacking.begin(), lacking.end(), word))
      plain = false;
  });
  if (!plain || imports != import_lines(code)) return {};
  return needs;
}

}  // namespace hotcell::exec
