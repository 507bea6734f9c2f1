#include "deps/local_modules.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "deps/standard_library.h"

namespace hotcell::deps {
namespace {

using protocol::InputFile;
using protocol::Language;

constexpr std::size_t kMostFiles = 64, kMostBytes = 4u << 20;

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

std::string joined(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : std::string(folder) + "/" + std::string(name);
}

// "./lib/../x" beside "a/b.js": "a/x". Empty: above the workspace.
std::string resolved(std::string_view folder, std::string_view specifier) {
  std::vector<std::string_view> parts;
  for (auto path : {folder, specifier})
    while (!path.empty()) {
      const auto end = std::min(path.find('/'), path.size());
      const auto part = path.substr(0, end);
      path.remove_prefix(std::min(end + 1, path.size()));
      if (part == "..") {
        if (parts.empty()) return {};
        parts.pop_back();
      } else if (!part.empty() && part != ".") {
        parts.push_back(part);
      }
    }
  std::string path;
  for (const auto part : parts) path = joined(path, part);
  return path;
}

class Closure {
 public:
  Closure(Language language, std::span<const InputFile> files) : language_(language) {
    for (const auto& file : files) {
      const auto path = relative_to_workspace(file.path);
      by_path_.emplace(path, &file);
      // A folder with modules in it is a package too, with or without __init__.py.
      if (language == Language::python && path.ends_with(".py"))
        for (auto folder = folder_of(path); !folder.empty(); folder = folder_of(folder)) folders_.insert(folder);
    }
  }

  void follow(validate::ImportReport& report) {
    mark(report.imports, "");
    if (by_path_.empty()) return;
    while (!waiting_.empty() && read_ < kMostFiles && bytes_ < kMostBytes) {
      const auto* file = waiting_.front();
      waiting_.pop_front();
      ++read_;
      bytes_ += file->content.size();
      const std::string path(relative_to_workspace(file->path));
      if (bytes_ > kMostBytes) return;
      auto syntax = validate::Syntax::parse(language_, file->content);
      if (!syntax) continue;
      auto found = validate::find_imports(*syntax);
      mark(found.imports, path);
      append(std::move(found), path, report);
    }
  }

 private:
  void mark(std::vector<validate::Import>& imports, const std::string& importer) {
    for (auto& import : imports) {
      import.file = importer;
      import.local = language_ == Language::python ? mark_python(import, importer) : mark_javascript(import, importer);
      import.standard = !import.relative && is_standard(language_, import.module);
    }
  }

  bool mark_python(const validate::Import& import, const std::string& importer) {
    std::string folder;
    std::string_view name = import.module;
    if (import.relative) {
      folder = folder_of(importer);
      for (name.remove_prefix(1); name.starts_with('.'); name.remove_prefix(1)) folder = folder_of(folder);
    }
    std::string path(name);
    std::replace(path.begin(), path.end(), '.', '/');
    bool found = false;
    if (!import.relative) {
      const auto first = path.substr(0, path.find('/'));
      found = by_path_.contains(first + ".py") || folders_.contains(first);
    }
    // Every package on the way is imported, then the module, then perhaps a module as its member.
    const auto whole = path.empty() ? folder : joined(folder, path);
    for (auto slash = whole.find('/'); slash != whole.npos; slash = whole.find('/', slash + 1))
      enqueue(whole.substr(0, slash) + "/__init__.py");
    for (const auto& candidate : {whole + ".py", joined(whole, "__init__.py"), joined(whole, import.member + ".py"),
                                  joined(joined(whole, import.member), "__init__.py")})
      found |= enqueue(candidate);
    return found;
  }

  bool mark_javascript(const validate::Import& import, const std::string& importer) {
    if (!import.relative || import.module.starts_with('#')) return false;
    const auto path =
        resolved(import.module.starts_with('/') ? "" : folder_of(importer), relative_to_workspace(import.module));
    bool found = false;
    for (const auto* end : {"", ".js", ".mjs", ".cjs", ".json", "/index.js"}) found |= enqueue(path + end);
    return found;
  }

  // Is there such a file? Then it is read in its turn.
  bool enqueue(const std::string& path) {
    const auto at = by_path_.find(path);
    if (at == by_path_.end() || at->second->directory) return false;
    if (!at->second->sha256 && !path.ends_with(".json") && seen_.insert(at->first).second)
      waiting_.push_back(at->second);
    return true;
  }

  // Attempts are numbered within a file.
  static void append(validate::ImportReport found, const std::string& path, validate::ImportReport& report) {
    const auto shift = static_cast<std::uint32_t>(report.attempts.size());
    for (const auto parent : found.attempts) report.attempts.push_back(parent == 0 ? 0 : parent + shift);
    for (auto& import : found.imports) {
      if (report.imports.size() >= validate::kMostImports) {
        report.truncated = true;
        break;
      }
      if (import.attempt != 0) import.attempt += shift;
      report.imports.push_back(std::move(import));
    }
    for (auto& use : found.uses) {
      use.file = path;
      report.uses.push_back(std::move(use));
    }
    report.truncated |= found.truncated;
    report.dynamic_unknown |= found.dynamic_unknown;
  }

  Language language_;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string_view, const InputFile*, Hash, std::equal_to<>> by_path_;
  std::unordered_set<std::string_view, Hash, std::equal_to<>> folders_, seen_;
  std::deque<const InputFile*> waiting_;
  std::size_t read_ = 0, bytes_ = 0;
};

}  // namespace

std::string_view relative_to_workspace(std::string_view path) {
  if (path.starts_with("/workspace/")) path.remove_prefix(11);
  while (path.starts_with("./")) path.remove_prefix(2);
  return path;
}

void add_local_modules(Language language, std::span<const InputFile> files, validate::ImportReport& report) {
  Closure(language, files).follow(report);
}

}  // namespace hotcell::deps
