// What if guest code took over its worker? These tests start an engine whose zygote is this very executable, playing a
// worker that says whatever harms its engine most. Each must cost no more than the run it was given.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cstring>
#include <future>
#include <numeric>

#include "base/bytes.h"
#include "wasi/wire.h"
#include "wasi_helpers.h"

namespace hotcell::wasi {
namespace {

using namespace testing;

void put(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) _exit(0);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}
void put_header(int fd, std::uint32_t length, std::uint8_t type) {
  char bytes[8] = {};
  std::memcpy(bytes, &length, 4);
  bytes[4] = static_cast<char>(type);
  put(fd, {bytes, 8});
}
Report good_report() {
  Report out;
  out.fate = Fate::exited;
  out.out = {"4\n", 2, false};
  return out;
}

// The other side of one run; `kind` says how it misbehaves.
void misbehave(const std::string& kind, Channel& channel, std::size_t runs) {
  const int fd = channel.fd();
  const auto report = [&](const Report& what) { (void)channel.send(FrameType::report, what.encode()); };
  if (kind == "good") return report(good_report());
  if (kind == "garbage") return put(fd, std::string(100'000, '\xa5'));
  if (kind == "oversize") return put_header(fd, 0xffffffff, 2);
  if (kind == "wrong-type") return void(channel.send(FrameType::compiled, "x"));
  if (kind == "unknown-type") return void(channel.send(static_cast<FrameType>(200), "x"));
  if (kind == "empty-output") return void(channel.send(FrameType::output, ""));
  if (kind == "empty-report") return void(channel.send(FrameType::report, ""));
  if (kind == "trailing") return void(channel.send(FrameType::report, good_report().encode() + "x"));
  if (kind == "truncated") {
    const auto bytes = good_report().encode();
    put_header(fd, static_cast<std::uint32_t>(bytes.size()), 2);
    put(fd, std::string_view(bytes).substr(0, bytes.size() / 2));
    _exit(0);
  }
  if (kind == "half-frame") {
    put_header(fd, 1000, 2);
    put(fd, "x");
    return void(pause());
  }
  if (kind == "silent") return void(pause());
  if (kind == "exit") _exit(0);
  if (kind == "large-report") {
    auto out = good_report();
    out.out.bytes.assign(200u << 20, 'x');
    return report(out);
  }
  if (kind == "leaves-uninvited") {  // as if the program should be run elsewhere
    auto out = good_report();
    out.fate = Fate::left;
    out.beyond = 1;
    return report(out);
  }
  if (kind == "many-files") {
    auto out = good_report();
    out.files.resize(3'000'000);
    return report(out);
  }
  if (kind == "flood")
    for (;;) put(fd, std::string("\x65\0\0\0\3\0\0\0\1", 9) + std::string(100, 'f'));  // 101 bytes of output, for ever
  if (kind == "tiny-flood")
    for (std::string frames;; frames.clear())
      for (int i = 0; i < 500; ++i) put(fd, std::string("\2\0\0\0\3\0\0\0\1f", 10));
  if (kind == "drip")
    for (put_header(fd, 1'000'000, 2);; usleep(2000)) put(fd, "d");
  if (kind == "question-flood") {
    HostQuestion question;
    question.path = "x";
    for (const auto bytes = question.encode();;)
      if (!channel.send(FrameType::look_host, bytes)) _exit(0);
  }
  if (kind == "input-flood")
    for (;;)
      if (!channel.send(FrameType::want_input, "")) _exit(0);
  if (kind == "descriptors") {  // a large frame that brings descriptors with each of its bytes
    put_header(fd, 1'000'000, 2);
    const int spare = open("/dev/null", O_RDONLY);
    for (int i = 0; i < 2000; ++i) {
      char byte = 'x';
      iovec part{&byte, 1};
      alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(8 * sizeof(int));
      for (int k = 0; k < 8; ++k) std::memcpy(CMSG_DATA(head) + k * sizeof(int), &spare, sizeof spare);
      if (sendmsg(fd, &message, MSG_NOSIGNAL) != 1) _exit(0);
    }
    return void(pause());
  }
  if (kind == "too-much-output") {
    for (int i = 0; i < 100; ++i) (void)channel.send(FrameType::output, "\1" + std::string(1000, 'o'));
    return report(good_report());
  }
  if (kind == "deaf-after-one") {
    report(good_report());
    if (runs == 0) pause();
  }
  _exit(3);
}

[[noreturn]] void fake_worker(const std::string& kind, Channel channel) {
  if (kind == "deaf") pause();
  for (std::size_t runs = 0;; ++runs) {
    if (!channel.receive(std::nullopt)) _exit(0);
    misbehave(kind, channel, runs);
  }
}

[[noreturn]] void fake_zygote(const std::string& kind) {
  Channel control{Fd(3)};
  for (;;) {
    auto frame = control.receive(std::nullopt);
    if (!frame || frame->descriptors.empty()) _exit(0);
    Fd socket = std::move(frame->descriptors.front());
    if (kind == "zygote-garbage") {
      put(control.fd(), std::string(5000, '\xff'));
      _exit(0);
    }
    if (kind == "zygote-short") {
      (void)control.send(FrameType::spawned, "\1");
      continue;
    }
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // a bad worker, but not one that outlives its test
      control = Channel();
      fake_worker(kind, Channel(std::move(socket)));
    }
    Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
    ByteWriter out;
    out.put<std::int32_t>(child);
    (void)control.send(FrameType::spawned, out.bytes(), {pidfd.get()});
  }
}

// Before main(): the engine starts us as `<executable> zygote --images /fake/<kind>`.
__attribute__((constructor)) void play_worker(int argc, char** argv) {
  if (argc < 4 || std::strcmp(argv[1], "zygote") != 0) return;
  const std::string images = argv[3];
  if (images.starts_with("/fake/")) fake_zygote(images.substr(6));
}

EngineOptions fake(const std::string& kind, unsigned workers = 4) {
  auto out = options(workers);
  out.worker = std::filesystem::read_symlink("/proc/self/exe");
  out.images = "/fake/" + kind;
  return out;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}
std::uint64_t memory_peak() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) << 10;
  return 0;
}

TEST(WasiHostileWorker, a_well_behaved_fake_works_so_that_the_others_fail_for_their_own_reason) {
  const auto engine = testing::engine(fake("good"));
  EXPECT_TRUE(works(*engine));
  EXPECT_TRUE(works(*engine));
}

struct WasiHostileWorkerKinds : ::testing::TestWithParam<const char*> {};

TEST_P(WasiHostileWorkerKinds, costs_its_own_run_only) {
  const auto before = open_descriptors();
  auto engine = testing::engine(fake(GetParam(), 1));
  Watch watch;
  const auto start = Deadline::Clock::now();
  auto request = python("print(2+2)", 0.3);
  request.limits.output_bytes = 10'000;
  request.limits.result_bytes = request.limits.files_bytes = 10'000;
  const auto lost = outcome(*engine, request, &watch);
  EXPECT_EQ(lost.status, Status::sandbox_error);
  EXPECT_EQ(code_of(lost), "worker_lost");
  EXPECT_LT(Deadline::Clock::now() - start, seconds(8));
  EXPECT_LE(watch.text.size(), 10'000u);
  EXPECT_EQ(engine->counts().busy, 0u);
  {
    const Held held(descendants(getpid()));
    engine.reset();
    EXPECT_TRUE(held.all_gone());
  }
  EXPECT_EQ(open_descriptors(), before);
}

INSTANTIATE_TEST_SUITE_P(, WasiHostileWorkerKinds,
                         ::testing::Values("garbage", "oversize", "wrong-type", "unknown-type", "empty-output",
                                           "empty-report", "trailing", "truncated", "half-frame", "silent", "exit",
                                           "large-report", "leaves-uninvited", "many-files", "flood", "tiny-flood",
                                           "drip", "question-flood", "input-flood", "descriptors"),
                         [](const auto& kind) {
                           std::string name = kind.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(WasiHostileWorker, a_flood_does_not_pile_up_in_the_engine) {
  const auto before = memory_peak();
  const auto engine = testing::engine(fake("flood", 1));
  EXPECT_EQ(code_of(outcome(*engine, python("x", 0.5))), "worker_lost");
  EXPECT_LT(memory_peak() - before, 64u << 20);
}

TEST(WasiHostileWorker, a_large_report_is_refused_before_it_is_kept) {
  const auto before = memory_peak();
  const auto engine = testing::engine(fake("large-report", 1));
  auto request = python("x", 1);
  request.limits.output_bytes = 1000;
  EXPECT_EQ(code_of(outcome(*engine, request)), "worker_lost");
  EXPECT_LT(memory_peak() - before, 64u << 20);
}

TEST(WasiHostileWorker, more_output_than_allowed_does_not_reach_the_sink) {
  const auto engine = testing::engine(fake("too-much-output"));
  auto request = python("x");
  request.limits.output_bytes = 5000;
  Watch watch;
  EXPECT_EQ(outcome(*engine, request, &watch).status, Status::completed);
  EXPECT_EQ(watch.text.size(), 5000u);
}

TEST(WasiHostileWorker, a_worker_that_does_not_read_its_order_does_not_hold_up_the_engine) {
  const auto engine = testing::engine(fake("deaf-after-one", 1));
  ASSERT_TRUE(works(*engine));
  auto large = python("x", 0.3);
  large.files.push_back({"big", std::string(8u << 20, 'b'), {}, {}, false});
  const auto start = Deadline::Clock::now();
  EXPECT_EQ(outcome(*engine, large).status, Status::completed) << "on another worker";
  EXPECT_LT(Deadline::Clock::now() - start, seconds(9));
  EXPECT_EQ(engine->counts().busy, 0u);
}

TEST(WasiHostileWorker, cancelling_reaches_a_run_whose_worker_floods) {
  const auto engine = testing::engine(fake("flood", 1));
  Watch watch;
  StopToken stop;
  auto run = std::async(std::launch::async, [&] { return outcome(*engine, python("x", 60), &watch, &stop); });
  ASSERT_TRUE(watch.wait_for("ffff"));
  const auto start = Deadline::Clock::now();
  stop.stop();
  EXPECT_EQ(run.get().status, Status::cancelled);
  EXPECT_LT(Deadline::Clock::now() - start, seconds(3));
}

TEST(WasiHostileWorker, a_zygote_that_sends_nonsense_is_an_error_not_a_hang) {
  for (const char* kind : {"zygote-garbage", "zygote-short"}) {
    const auto engine = testing::engine(fake(kind));
    auto request = python("x");
    request.deadline_seconds = 1;
    const auto done = engine->run(request, nullptr, nullptr);
    ASSERT_FALSE(done) << kind;
    EXPECT_EQ(done.error().code, "internal") << kind;
  }
}

}  // namespace
}  // namespace hotcell::wasi
