#include <gtest/gtest.h>

#include "docker/network.h"

namespace hotcell::docker {
namespace {

using Words = std::vector<std::string>;

TEST(DockerNetwork, nameservers_are_read_as_the_c_library_reads_them) {
  EXPECT_EQ(nameservers_in(""), Words{});
  EXPECT_EQ(nameservers_in("nameserver 10.0.0.2"), Words{"10.0.0.2"});
  EXPECT_EQ(nameservers_in("# nameserver 1.2.3.4\nsearch a b\nnameserver\t9.9.9.9 # ours\nnameserver  8.8.8.8\r\n"),
            (Words{"9.9.9.9", "8.8.8.8"}));
  EXPECT_EQ(nameservers_in("nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n"),
            (Words{"1.1.1.1", "2.2.2.2", "3.3.3.3"}));
}

TEST(DockerNetwork, what_a_container_cannot_ask_is_no_nameserver_for_it) {
  EXPECT_EQ(nameservers_in("nameserver 127.0.0.53\nnameserver 10.0.0.2\n"), Words{"10.0.0.2"});
  EXPECT_EQ(nameservers_in(
                "nameserver fe80::1\nnameserver 2001:db8::1\nnameserver nonsense\nnameserver\nnameserverx 1.2.3.4"),
            Words{});
}

TEST(DockerNetwork, this_machines_addresses_do_not_include_the_loopback) {
  for (const auto& address : MachineNetwork::look().addresses) EXPECT_FALSE(address.starts_with("127.")) << address;
}

}  // namespace
}  // namespace hotcell::docker
