// hotcell-agent: PID 1 of a container cell. It is bound into any image and started by the container's runtime; its host
// speaks to it over the container's attached stdin and stdout (wire/wire.h).
#include <cstdio>
#include <cstring>

#include "agent/agent.h"
#include "agent/block_private.h"
#include "agent/self.h"

using namespace hotcell::agent;

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("hotcell-agent %s, protocol %u\n", HOTCELL_VERSION, kWireVersion);
    return 0;
  }
  if (argc > 1 && std::strcmp(argv[1], "block-private") == 0) return block_private(argc - 2, argv + 2);
  // It ends every process that it can reach. Elsewhere than in a pid namespace of its own those are somebody's.
  if (argc > 1 || getpid() != 1) {
    std::fputs("hotcell-agent runs as the first process of a container; hotcell starts it there\n", stderr);
    return 2;
  }
  auto children = harden_self();
  if (!children) return 2;
  Agent(Link(0, 1), std::move(children)).serve();
  return 0;
}
