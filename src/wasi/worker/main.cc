// hotcell-worker: the process that guest code runs in, and that makes the images it runs.
// Started by hotcell, not by people, apart from `bake`.
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "wasi/worker/bake.h"
#include "wasi/worker/zygote.h"

namespace {

using namespace hotcell;

int usage() {
  std::fputs(
      "usage: hotcell-worker zygote --images DIR [--fuel] [--pin]   (control socket on descriptor 3)\n"
      "       hotcell-worker bake --name NAME --language LANGUAGE --wasm FILE [--pack FILE] [--parts FILE] --out DIR\n",
      stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return usage();
  std::map<std::string, std::string> options;
  for (int i = 2; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--fuel" || name == "--pin")
      options[name] = "yes";
    else if (name.starts_with("--") && i + 1 < argc)
      options[name] = argv[++i];
    else
      return usage();
  }
  if (std::strcmp(argv[1], "zygote") == 0) {
    wasi::ZygoteOptions zygote;
    zygote.images = options["--images"];
    zygote.metering = options.contains("--fuel") ? wasi::Metering::fuel : wasi::Metering::off;
    zygote.pin = options.contains("--pin");
    return wasi::run_zygote(zygote, wasi::Channel(Fd(3)));
  }
  if (std::strcmp(argv[1], "bake") == 0) {
    wasi::BakeOptions bake{options["--name"], options["--language"], options["--wasm"],
                           options["--pack"], options["--parts"],    options["--out"]};
    if (bake.name.empty() || bake.wasm.empty() || bake.out.empty()) return usage();
    auto done = wasi::bake_image(bake);
    if (done) return 0;
    std::fprintf(stderr, "hotcell-worker: %s\n", done.error().message.c_str());
    if (!done.error().hint.empty()) std::fprintf(stderr, "  %s\n", done.error().hint.c_str());
    return 1;
  }
  return usage();
}
