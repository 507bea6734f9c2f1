// hotcell config: what the settings are, where each comes from, what is wrong with them; and their reference.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cli/settings.h"

namespace hotcell::cli {

// Every mistake, one a line on standard error; the exit status.
int check_config(const std::filesystem::path& file, std::span<const GivenSetting> flags);

// As a settings file that says of each line where it comes from; or as JSON. `keys`: only those settings, or sections.
int show_config(const std::filesystem::path& file, std::span<const GivenSetting> flags,
                const std::vector<std::string>& keys, bool json);

// The tables of docs/configuration.md.
std::string settings_reference();

}  // namespace hotcell::cli
