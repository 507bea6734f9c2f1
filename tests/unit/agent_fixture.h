// A test with a cell of its own, whose agent has been greeted.
#pragma once
#include <gtest/gtest.h>

#include "agent_cell.h"

namespace hotcell::agent::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AgentTest : public ::testing::Test {
 protected:
  virtual CellOptions options() { return {}; }
  void SetUp() override {
    if (!Cell::possible()) GTEST_SKIP() << "no namespaces can be made here";
    cell_.emplace(options());
    facts = cell_->hello();
  }
  Cell& cell() { return *cell_; }
  Facts facts;

 private:
  std::optional<Cell> cell_;
};

class AgentTestWithLimits : public AgentTest {
 protected:
  CellOptions options() override {
    CellOptions out;
    out.memory_bytes = 64u << 20;
    out.pids = 40;
    return out;
  }
  void SetUp() override {
    if (!Cell::can_limit()) GTEST_SKIP() << "no control groups can be made here";
    AgentTest::SetUp();
  }
};

inline constexpr std::uint64_t kMillisecond = 1'000'000;

}  // namespace hotcell::agent::testing
