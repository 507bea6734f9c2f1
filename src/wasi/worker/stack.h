// Guest code needs a larger native stack than a process gives its main thread.
#pragma once
#include <functional>

namespace hotcell::wasi {

// Runs `body` on a thread of its own with kGuestThreadStack bytes of stack, and waits for it. False: no thread could be
// made.
bool on_large_stack(const std::function<void()>& body);

}  // namespace hotcell::wasi
