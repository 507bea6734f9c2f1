// Where hotcell's settings come from: flags over environment (HOTCELL_* and the seeds' names) over one YAML file over
// defaults. A setting that is not known is a start error that names the nearest one.
#pragma once
#include <filesystem>
#include <string>

#include "base/error.h"
#include "wasi/engine.h"

namespace hotcell::cli {

struct Settings {
  wasi::EngineOptions wasi;
  double timeout_seconds = 30;
};

// `file` empty: $HOTCELL_CONFIG, else the first of ~/.config/hotcell/config.yaml and /etc/hotcell/config.yaml that
// exists.
Expected<Settings> load_settings(const std::filesystem::path& file);

}  // namespace hotcell::cli
