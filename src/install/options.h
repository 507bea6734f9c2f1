// Where packages come from: the operator's word, the `deps:` section of the settings.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hotcell::install {

struct InstallOptions {
  std::string index_url;                      // of Python packages; empty: the public one
  std::vector<std::string> extra_index_urls;  // asked first: a package that one of them has comes from there
  std::string npm_registry;                   // empty: the public one
  std::filesystem::path ca_file;              // certificate authorities to trust besides the usual ones
  std::string proxy, no_proxy;
  std::filesystem::path credentials_file;  // as netrc has them: machine HOST login NAME password WORD
  bool offline = false;                    // only what was downloaded before
  bool allow_sdists = false;               // source packages too: their own code then runs in the builder
  double timeout_seconds = 300;            // of resolving, and of installing

  std::filesystem::path downloads;  // what builders keep for each other; empty: nothing
  std::uint64_t max_download_bytes = std::uint64_t{4} << 30;
};

// Who may share what is installed (deps::Wish::scope): empty where everybody may, else a name of the indexes that want
// credentials.
std::string scope_of(const InstallOptions& options);

}  // namespace hotcell::install
