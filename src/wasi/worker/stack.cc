#include "wasi/worker/stack.h"

#include <pthread.h>

#include "wasi/worker/runtime.h"

namespace hotcell::wasi {

bool on_large_stack(const std::function<void()>& body) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kGuestThreadStack);
  pthread_t thread;
  const auto start = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  const bool made = pthread_create(&thread, &attributes, start, const_cast<std::function<void()>*>(&body)) == 0;
  if (made) pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  return made;
}

}  // namespace hotcell::wasi
