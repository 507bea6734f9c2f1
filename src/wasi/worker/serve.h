// What a worker process does between its birth and its death: enter the jail, then answer orders until its engine hangs
// up or a cell has to be thrown away.
#pragma once
#include <cstdint>

#include "wasi/wire.h"
#include "wasi/worker/image.h"

namespace hotcell::wasi {

// Runs programs on `image` (null: modules only). Never returns: the process ends here.
[[noreturn]] void serve_programs(Engine& engine, const Image* image, Channel channel, std::uint32_t uid);

// Compiles one module and ends.
[[noreturn]] void serve_compilation(Engine& engine, Channel channel, std::uint32_t uid);

}  // namespace hotcell::wasi
