// Where tests look in: every step that changes what is on the disk is announced just after it was taken.
#pragma once
#include <string_view>

namespace hotcell::deps {

// Tests end the process at each step in turn and look at what is left. Anything else has none.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  virtual void reached(std::string_view step) = 0;
};

}  // namespace hotcell::deps
