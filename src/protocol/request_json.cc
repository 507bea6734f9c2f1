#include "protocol/request_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "protocol/base64.h"
#include "protocol/nearest.h"
#include "protocol/request_names.h"
#include "protocol/utf8.h"
#include "protocol/workspace_path.h"

namespace hotcell::protocol {

using Json = nlohmann::json;

namespace {

// Sizes beyond which a request is a mistake or an attack. What an engine or a tenant allows is usually less, and is
// checked where it is known ("limit_above_maximum").
constexpr std::size_t kMostArgs = 4096;
constexpr std::size_t kLongestArg = 128 * 1024;  // Linux's MAX_ARG_STRLEN
constexpr std::size_t kMostVariables = 1024;
constexpr std::size_t kLongestVariableName = 256;
constexpr std::size_t kMostFiles = 10'000;
constexpr std::size_t kMostInputs = 10'000;
constexpr std::size_t kMostGlobs = 256;
constexpr std::size_t kMostPackages = 512;
constexpr std::size_t kMostHosts = 256;
constexpr std::size_t kMostMetadata = 16;
constexpr std::size_t kLongestName = 512;  // session, image, package, host
constexpr std::size_t kLongestMetadata = 4096;
constexpr double kLongestRun = 86'400;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 62;

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// Names go into logs, headers and other systems' requests: no control characters, no blanks at the ends.
bool is_plain_name(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
}

std::optional<std::string> plain_name(ObjectReader& reader, std::string_view name) {
  auto text = reader.text(name, kLongestName);
  if (!text || is_plain_name(*text)) return text;
  reader.complain(name, "must not be empty, contain control characters, or begin or end with a blank");
  return std::nullopt;
}

// "host:port" or "[v6 address]:port".
bool is_host_and_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos) return false;
  auto host = text.substr(0, colon);
  const auto port = text.substr(colon + 1);
  unsigned number = 0;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size() || number < 1 || number > 65'535)
    return false;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    return host.find_first_not_of("0123456789abcdefABCDEF:.") == host.npos;
  }
  constexpr std::string_view kHost = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
  return !host.empty() && host.size() <= 253 && host.find_first_not_of(kHost) == host.npos;
}

class RequestReader {
 public:
  explicit RequestReader(Json& document) : reader_(document, "", complaints_) {}

  std::expected<Request, Problem> read() {
    read_program();
    read_session();
    read_input();
    read_limits();
    read_network();
    read_dependencies();
    read_inputs();
    read_files();
    read_collect();
    read_deterministic();
    read_metadata();
    reader_.finish();
    if (!complaints_.empty()) return std::unexpected(complaints_.to_problem());
    return std::move(request_);
  }

 private:
  template <class T>
  static void set(T& field, std::optional<T>&& value) {
    if (value) field = std::move(*value);
  }

  void read_program() {
    const auto language = reader_.text("language");
    if (language) {
      if (const auto known = language_from_name(*language))
        request_.language = *known;
      else
        complaints_.add("unknown_language", reader_.at("language"),
                        "the language '" + shortened(*language, 64) + "' is not known",
                        suggestion(*language, kLanguageSpellings));
    }
    const int given = reader_.has("code") + reader_.has("argv") + reader_.has("wasm");
    if (given != 1)
      complaints_.add("invalid_field", reader_.pointer(),
                      given == 0 ? "one of 'code', 'argv' and 'wasm' must be given"
                                 : "only one of 'code', 'argv' and 'wasm' can be given",
                      "'code' is a program's text, 'argv' a command, 'wasm' a module");
    request_.code = reader_.text("code");
    request_.argv = reader_.texts("argv", kMostArgs, kLongestArg);
    if (request_.argv && (request_.argv->empty() || request_.argv->front().empty()))
      reader_.complain("argv", "must begin with the name of a command");
    if (Json* wasm = reader_.find("wasm")) read_wasm(*wasm, language.has_value());
    if (request_.language == Language::wasm && !reader_.has("wasm") && given == 1)
      reader_.complain("language", "'wasm' needs the member 'wasm'", "send the module as {\"wasm\": {\"base64\": …}}");

    set(request_.mode, reader_.choice("mode", kModes));
    set(request_.engine, reader_.choice("engine", kEngines));
    set(request_.checks, reader_.choice("checks", kChecks));
    request_.image = plain_name(reader_, "image");
  }

  void read_wasm(Json& value, bool language_given) {
    ObjectReader wasm(value, reader_.at("wasm"), complaints_);
    if (wasm.has("base64") + wasm.has("blob") + wasm.has("name") != 1)
      complaints_.add("invalid_field", wasm.pointer(), "exactly one of 'base64', 'blob' and 'name' must be given");
    WasmModule module;
    set(module.bytes, wasm.base64("base64"));
    module.blob = wasm.text("blob");
    if (module.blob && !is_sha256(*module.blob)) wasm.complain("blob", "must be a SHA-256 in 64 lower-case hex digits");
    module.name = wasm.text("name", 128);
    // Looked up beneath the operator's module directory: a name, never a path.
    if (module.name && (!is_plain_name(*module.name) || module.name->front() == '.' ||
                        module.name->find_first_of("/\\") != std::string::npos))
      wasm.complain("name", "must be a plain file name");
    wasm.finish();
    request_.wasm = std::move(module);
    if (language_given && request_.language != Language::wasm)
      reader_.complain("language", "must be 'wasm' or absent when 'wasm' is given");
    request_.language = Language::wasm;
  }

  void read_session() {
    request_.session_id = plain_name(reader_, "session_id");
    set(request_.create_session, reader_.choice("if_no_session", kIfNoSession));
    set(request_.fail_when_busy, reader_.choice("if_busy", kIfBusy));
    set(request_.detach, reader_.boolean("detach"));
    set(request_.timeout_seconds, reader_.number("timeout_seconds", 0, kLongestRun));
    request_.deadline_seconds = reader_.number("deadline_seconds", 0, 2 * kLongestRun);
    if (Json* include = reader_.array("include", kIncludable.size())) {
      for (std::size_t i = 0; i < include->size(); ++i) {
        const Json& part = (*include)[i];
        const std::string name = part.is_string() ? part.get<std::string>() : std::string();
        if (std::ranges::find(kIncludable, name) == kIncludable.end())
          complaints_.add("invalid_field", pointer_to(reader_.at("include"), i), "is not a part that can be included",
                          suggestion(name, kIncludable));
        else
          request_.include.push_back(name);
      }
    }
  }

  void read_input() {
    if (reader_.has("stdin") && reader_.has("stdin_base64"))
      reader_.complain("stdin_base64", "cannot be given together with 'stdin'");
    request_.stdin_bytes = reader_.text("stdin");
    if (auto bytes = reader_.base64("stdin_base64")) request_.stdin_bytes = std::move(bytes);
    set(request_.args, reader_.texts("args", kMostArgs, kLongestArg));
    read_pairs("env", kMostVariables, kLongestVariableName, kLongestArg, [&](std::string name, std::string value) {
      if (name.find('=') != name.npos || name.find('\0') != name.npos || value.find('\0') != value.npos)
        return complaints_.add("invalid_field", pointer_to(reader_.at("env"), name),
                               "a variable's name cannot contain '=' or NUL, nor its value NUL");
      request_.env.emplace_back(std::move(name), std::move(value));
    });
    if (auto path = reader_.text("cwd")) request_.cwd = confined(*path, reader_.at("cwd"));
  }

  // An object of strings.
  template <class Take>
  void read_pairs(std::string_view member, std::size_t most, std::size_t longest_name, std::size_t longest_value,
                  Take take) {
    Json* object = reader_.find(member);
    if (!object) return;
    if (!object->is_object()) return reader_.complain(member, "must be an object of strings");
    if (object->size() > most)
      return reader_.complain(member, "must not have more than " + std::to_string(most) + " members");
    for (const auto& item : object->items()) {
      const auto& name = item.key();
      auto& value = item.value();
      const auto complain = [&](std::string detail) {
        complaints_.add("invalid_field", pointer_to(reader_.at(member), name), std::move(detail));
      };
      if (name.empty() || name.size() > longest_name)
        complain("a name must have 1 to " + std::to_string(longest_name) + " bytes");
      else if (!value.is_string())
        complain("must be a string");
      else if (std::string& text = *value.template get_ptr<std::string*>(); text.size() > longest_value)
        complain("must not be longer than " + std::to_string(longest_value) + " bytes");
      else
        take(name, std::move(text));
    }
  }

  std::optional<std::string> confined(std::string_view path, std::string pointer) {
    auto inside = workspace_path(path);
    if (inside) return std::move(*inside);
    complaints_.add("path_outside_workspace", std::move(pointer), inside.error(),
                    "name a path relative to /workspace, such as 'data/in.csv'");
    return std::nullopt;
  }

  void read_limits() {
    Json* value = reader_.find("limits");
    if (!value) return;
    ObjectReader reader(*value, reader_.at("limits"), complaints_);
    auto& limits = request_.limits;
    limits.memory_bytes = reader.integer("memory_bytes", 1, kMostBytes);
    limits.cpu_seconds = reader.number("cpu_seconds", 0, kLongestRun);
    limits.cpus = reader.number("cpus", 0, 1024);
    limits.pids = reader.integer("pids", 1, 4'194'304);
    limits.disk_bytes = reader.integer("disk_bytes", 0, kMostBytes);
    limits.output_bytes = reader.integer("output_bytes", 0, kMostBytes);
    limits.result_bytes = reader.integer("result_bytes", 0, kMostBytes);
    limits.files_bytes = reader.integer("files_bytes", 0, kMostBytes);
    limits.fuel = reader.integer("fuel", 1, kMostBytes);
    reader.finish();
  }

  void read_network() {
    Json* value = reader_.find("network");
    if (!value) return;
    ObjectReader reader(*value, reader_.at("network"), complaints_);
    auto& network = request_.network;
    set(network.mode, reader.choice("mode", kNetworkModes));
    set(network.allow, reader.texts("allow", kMostHosts, kLongestName));
    for (std::size_t i = 0; i < network.allow.size(); ++i)
      if (!is_host_and_port(network.allow[i]))
        complaints_.add("invalid_field", pointer_to(reader.at("allow"), i), "must be 'host:port'");
    // A list that would have no effect, or a mode that lacks its list, is a misunderstanding.
    if (network.mode == NetworkMode::allowlist ? network.allow.empty() : !network.allow.empty())
      reader.complain("allow", "goes with mode 'allowlist', and only with it");
    reader.finish();
  }

  void read_dependencies() {
    Json* value = reader_.find("dependencies");
    if (!value) return;
    auto& wanted = request_.dependencies;
    std::optional<std::vector<std::string>> packages;
    std::string pointer = reader_.at("dependencies");
    if (value->is_array()) {  // a bare list
      wanted.mode = DependencyMode::explicit_list;
      packages = reader_.texts("dependencies", kMostPackages, kLongestName);
    } else {
      ObjectReader reader(*value, pointer, complaints_);
      const auto mode = reader.choice("mode", kDependencyModes);
      packages = reader.texts("packages", kMostPackages, kLongestName);
      wanted.mode = mode.value_or(packages ? DependencyMode::explicit_list : DependencyMode::automatic);
      pointer = reader.at("packages");
      if (wanted.mode != DependencyMode::explicit_list && packages && !packages->empty())
        reader.complain("packages", "goes with mode 'explicit' only");
      reader.finish();
    }
    set(wanted.packages, std::move(packages));
    for (std::size_t i = 0; i < wanted.packages.size(); ++i)
      // An option in a package's place would reach an installer's command line.
      if (!is_plain_name(wanted.packages[i]) || wanted.packages[i].front() == '-')
        complaints_.add("invalid_field", pointer_to(pointer, i), "must be a package, such as 'requests==2.28.0'");
  }

  void read_inputs() {
    Json* list = reader_.array("inputs", kMostInputs);
    if (!list) return;
    request_.inputs.reserve(list->size());
    for (std::size_t i = 0; i < list->size(); ++i) {
      ObjectReader reader((*list)[i], pointer_to(reader_.at("inputs"), i), complaints_);
      auto& input = request_.inputs.emplace_back();
      input.stdin_bytes = reader.text("stdin");
      input.args = reader.texts("args", kMostArgs, kLongestArg);
      input.expected_stdout = reader.text("expected_stdout");
      reader.finish();
    }
  }

  void read_files() {
    Json* list = reader_.array("files", kMostFiles);
    if (!list) return;
    request_.files.reserve(list->size());
    for (std::size_t i = 0; i < list->size(); ++i) read_file((*list)[i], pointer_to(reader_.at("files"), i));
    refuse_clashes();
  }

  void read_file(Json& value, std::string pointer) {
    ObjectReader reader(value, std::move(pointer), complaints_);
    InputFile file;
    const auto path = reader.text("path");
    if (!path && value.is_object() && !reader.has("path")) reader.complain("path", "must be given");
    if (path) file.path = confined(*path, reader.at("path")).value_or("");
    if (file.path == ".") reader.complain("path", "names the workspace itself, not a file in it");
    if (value.is_object() && reader.has("content") + reader.has("content_base64") + reader.has("sha256") != 1)
      complaints_.add("invalid_field", reader.pointer(),
                      "exactly one of 'content', 'content_base64' and 'sha256' must be given");
    set(file.content, reader.text("content"));
    set(file.content, reader.base64("content_base64"));
    file.sha256 = reader.text("sha256");
    if (file.sha256 && !is_sha256(*file.sha256))
      reader.complain("sha256", "must be a SHA-256 in 64 lower-case hex digits");
    if (Json* mode = reader.find("mode")) file.mode = read_mode(*mode, reader);
    reader.finish();
    request_.files.push_back(std::move(file));
  }

  // JSON has no octal numbers: "0644" as a string, or 420. 644 would be a different mode, and is out of range.
  static std::optional<std::uint32_t> read_mode(const Json& value, ObjectReader& reader) {
    unsigned mode = 01000;
    if (value.is_string()) {
      const auto& digits = value.get_ref<const std::string&>();
      const auto end = digits.data() + digits.size();
      if (digits.size() > 5 || std::from_chars(digits.data(), end, mode, 8).ptr != end) mode = 01000;
    } else if (value.is_number_unsigned() && value.get<std::uint64_t>() <= 0777) {
      mode = value.get<unsigned>();
    }
    if (mode <= 0777) return mode;
    reader.complain("mode", "must be a file mode from 0 to 0777", "write it as a string in octal: \"0644\"");
    return std::nullopt;
  }

  // The same path twice, or a file that another one needs as a directory. Sorted so that '/' comes before everything
  // else, what lies below a path directly follows it.
  void refuse_clashes() {
    std::vector<std::string_view> paths;
    for (const auto& file : request_.files)
      if (!file.path.empty()) paths.push_back(file.path);
    std::ranges::sort(paths, [](std::string_view a, std::string_view b) {
      const auto key = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
      return std::ranges::lexicographical_compare(a, b, {}, key, key);
    });
    for (std::size_t i = 1; i < paths.size(); ++i) {
      const auto above = paths[i - 1], below = paths[i];
      if (above == below)
        reader_.complain("files", "the path '" + shortened(above, 256) + "' is given twice");
      else if (below.size() > above.size() && below.starts_with(above) && below[above.size()] == '/')
        reader_.complain("files", "the path '" + shortened(above, 256) + "' is given as a file and as a directory");
    }
  }

  void read_collect() {
    Json* value = reader_.find("collect");
    if (!value) return;
    ObjectReader reader(*value, reader_.at("collect"), complaints_);
    auto& collect = request_.collect;
    if (const auto globs = reader.texts("paths", kMostGlobs, 4095))
      for (std::size_t i = 0; i < globs->size(); ++i)
        if (auto glob = confined((*globs)[i], pointer_to(reader.at("paths"), i)))
          collect.paths.push_back(std::move(*glob));
    set(collect.changed, reader.boolean("changed"));
    set(collect.inline_bytes, reader.integer("inline_bytes", 0, kMostBytes));
    if (const auto most = reader.integer("max_files", 0, kMostFiles))
      collect.max_files = static_cast<std::uint32_t>(*most);
    reader.finish();
  }

  void read_deterministic() {
    Json* value = reader_.find("deterministic");
    if (!value) return;
    ObjectReader reader(*value, reader_.at("deterministic"), complaints_);
    constexpr double kYear2262 = 9.2e9;  // beyond it a clock of 64-bit nanoseconds overflows
    Deterministic deterministic;
    deterministic.seed = reader.integer("seed", 0, UINT64_MAX);
    deterministic.time = reader.number("time", 0, kYear2262, /*closed=*/true);
    reader.finish();
    request_.deterministic = deterministic;
  }

  void read_metadata() {
    read_pairs("metadata", kMostMetadata, kLongestMetadata, kLongestMetadata, [&](std::string name, std::string value) {
      request_.metadata.emplace(std::move(name), std::move(value));
    });
  }

  Complaints complaints_;
  ObjectReader reader_;
  Request request_;
};

}  // namespace

std::expected<Request, Problem> request_from_document(Json&& document) { return RequestReader(document).read(); }

std::expected<Request, Problem> request_from_json(std::string_view text, const JsonCaps& caps) {
  auto document = parse_json(text, caps);
  if (!document) return std::unexpected(std::move(document.error()));
  return request_from_document(std::move(*document));
}

}  // namespace hotcell::protocol
