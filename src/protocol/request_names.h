// The words of the request's enumerations on the wire (api.md B3), once for reading and writing.
#pragma once
#include <array>
#include <string_view>
#include <utility>

#include "protocol/request.h"
#include "protocol/wire_words.h"

namespace hotcell::protocol {

inline constexpr std::pair<std::string_view, Mode> kModes[] = {
    {"auto", Mode::automatic}, {"script", Mode::script}, {"cell", Mode::cell}};
inline constexpr std::pair<std::string_view, EngineWish> kEngines[] = {
    {"auto", EngineWish::any}, {"docker", EngineWish::docker}, {"wasi", EngineWish::wasi}};
inline constexpr std::pair<std::string_view, Checks> kChecks[] = {
    {"off", Checks::off}, {"warn", Checks::warn}, {"enforce", Checks::enforce}};
inline constexpr std::pair<std::string_view, NetworkMode> kNetworkModes[] = {
    {"none", NetworkMode::none}, {"allowlist", NetworkMode::allowlist}, {"open", NetworkMode::open}};
inline constexpr std::pair<std::string_view, DependencyMode> kDependencyModes[] = {
    {"none", DependencyMode::none}, {"explicit", DependencyMode::explicit_list}, {"auto", DependencyMode::automatic}};
inline constexpr std::pair<std::string_view, bool> kIfNoSession[] = {{"error", false}, {"create", true}};
inline constexpr std::pair<std::string_view, bool> kIfBusy[] = {{"wait", false}, {"error", true}};
inline constexpr std::array<std::string_view, 4> kIncludable{"transcript", "events", "receipt", "isolation"};
// What a caller may have meant; language_from_name() knows each of them.
inline constexpr std::array<std::string_view, 11> kLanguageSpellings{
    "python", "javascript", "bash", "wasm", "py", "python3", "js", "node", "nodejs", "sh", "shell"};

}  // namespace hotcell::protocol
