// hotcell-agent block-private: run for a moment in the network namespace of a cell that has a network, by somebody who
// may change it, before anything else runs there.
//
// It adds routing rules that forbid every destination which is not public: the machine itself and its neighbours, the
// networks of other containers, and the addresses under which clouds keep credentials. Rules and not a packet filter,
// since every kernel has them, nothing but netlink is needed to set them, and a forbidden address fails at once. What
// runs in the cell later has no capability to take them away.
#pragma once

namespace hotcell::agent {

// Words: "dns ADDRESS" (port 53 there stays open), "tcp ADDRESS:PORT" (stays open too), "also ADDRESS/BITS" (forbidden
// as well). Returns an exit status; what went wrong stands on stderr.
int block_private(int count, char** words);

}  // namespace hotcell::agent
