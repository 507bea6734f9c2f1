// Where programs are run. A quick look that finds a Python program plain must never promise what the parse would not
// keep; and whatever the text, it is chosen or refused, with a reason. The input is the program.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "exec/quick_look.h"
#include "exec/route.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hotcell;
  protocol::Request request;
  request.code = std::string(reinterpret_cast<const char*>(data), size);
  const auto syntax = validate::Syntax::parse(request.language, *request.code);
  if (!syntax) return 0;
  exec::Engines engines;
  engines.wasi.configured = engines.wasi.up = true;
  engines.wasi_images = {protocol::Language::python};
  const auto needs = deps::find_needs(request.language, *request.code, validate::find_imports(*syntax),
                                      request.dependencies, request.files, {}, {});
  if (!needs) {
    if (needs.error().message.empty()) std::abort();
    return 0;
  }
  const auto route = exec::choose_engine(request, &*needs, engines);
  if (route.reason.empty() || (route.engine == exec::EngineChoice::none) != route.failure.has_value()) std::abort();
  // Of a program that is none, the parse makes what it can; the interpreter will refuse it anyway.
  if (!syntax->has_error() && !route.obstacles.empty() && exec::quick_look(request)) {
    std::fprintf(stderr, "plain at a quick look, but: %s\n", route.obstacles.front().sentence.c_str());
    std::abort();
  }
  return 0;
}
