#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <thread>

#include "base/file.h"
#include "docker/owner.h"

namespace hotcell::docker {
namespace {

namespace fs = std::filesystem;

class DockerOwner : public testing::Test {
 protected:
  DockerOwner() {
    std::string name = (fs::temp_directory_path() / "hotcell-owner-XXXXXX").string();
    state_ = mkdtemp(name.data());
  }
  ~DockerOwner() override { fs::remove_all(state_); }
  Home home() { return Home::open(state_).value(); }
  fs::path state_;
};

TEST_F(DockerOwner, a_state_folder_keeps_its_name_and_two_have_different_ones) {
  const auto first = home().id();
  EXPECT_EQ(first.size(), 16u);
  EXPECT_EQ(home().id(), first);
  EXPECT_NE(Home::open(state_ / "other").value().id(), first);
}

TEST_F(DockerOwner, processes_that_open_a_new_folder_at_once_agree_on_its_name) {
  std::vector<std::string> names(8);
  {
    std::vector<std::jthread> threads;
    for (auto& name : names) threads.emplace_back([&] { name = Home::open(state_).value().id(); });
  }
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 1u);
  // Nothing of the race is left behind.
  EXPECT_EQ(std::distance(fs::directory_iterator(state_), fs::directory_iterator()), 2);
}

TEST_F(DockerOwner, a_damaged_name_is_an_error_that_says_which_file) {
  fs::create_directories(state_ / "owners");
  write_file_atomically(state_ / "home", std::span(reinterpret_cast<const std::uint8_t*>("../../etc"), 9)).value();
  const auto opened = Home::open(state_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find((state_ / "home").string()), std::string::npos);
}

TEST_F(DockerOwner, an_owner_lives_until_it_is_destroyed) {
  const auto place = home();
  std::string id;
  {
    const auto owner = Owner::claim(place).value();
    id = owner.id();
    EXPECT_TRUE(place.owner_lives(id));
  }
  EXPECT_FALSE(place.owner_lives(id));
}

TEST_F(DockerOwner, two_who_look_at_once_do_not_take_each_other_for_the_owner) {
  const auto place = home();
  const auto owner = Owner::claim(place).value();
  const auto file = state_ / "owners" / owner.id();
  // A dead one's file, at which somebody else is looking.
  std::string dead(16, 'a');
  Fd left(open((state_ / "owners" / dead).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  Fd looks(open((state_ / "owners" / dead).c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(flock(looks.get(), LOCK_SH | LOCK_NB), 0);
  EXPECT_FALSE(place.owner_lives(dead));
}

TEST_F(DockerOwner, a_process_that_is_killed_is_dead_and_can_be_forgotten) {
  const auto place = home();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto owner = Owner::claim(place);
    if (write(ends[1], owner->id().data(), owner->id().size()) < 0) _exit(1);
    pause();
    _exit(0);
  }
  close(ends[1]);
  std::string id(16, ' ');
  ASSERT_EQ(read(ends[0], id.data(), id.size()), 16);
  close(ends[0]);
  EXPECT_TRUE(place.owner_lives(id));
  place.forget_dead_owners();
  EXPECT_TRUE(fs::exists(state_ / "owners" / id));

  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(place.owner_lives(id));
  EXPECT_TRUE(fs::exists(state_ / "owners" / id));
  place.forget_dead_owners();
  EXPECT_FALSE(fs::exists(state_ / "owners" / id));
  EXPECT_FALSE(place.owner_lives(id));
}

TEST_F(DockerOwner, what_is_no_name_of_an_owner_does_not_live_and_is_never_opened) {
  const auto place = home();
  for (const char* name : {"", "..", "../home", "0123456789abcdeF", "0123456789abcdef0", "/etc/passwd"})
    EXPECT_FALSE(place.owner_lives(name)) << name;
}

TEST_F(DockerOwner, a_folder_that_cannot_be_written_is_a_clear_error) {
  const auto opened = Home::open("/proc/nothing/here");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().hint.find("HOTCELL_STATE"), std::string::npos);
}

}  // namespace
}  // namespace hotcell::docker
