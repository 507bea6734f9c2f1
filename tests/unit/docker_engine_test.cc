// The engine against a daemon and agents that do what a test wants: as they should, slowly, wrongly, or not at all.
#include "docker/engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "docker/owner.h"
#include "docker_helpers.h"

namespace hotcell::docker {
namespace {

using namespace protocol;
namespace fs = std::filesystem;

struct Heard final : OutputSink {
  std::string out, err;
  int input = -1;
  void output(protocol::Stream stream, std::span<const char> bytes) override {
    (stream == protocol::Stream::out ? out : err).append(bytes.data(), bytes.size());
  }
  int input_fd() override { return input; }
};

class DockerEngineTest : public testing::Test {
 protected:
  DockerEngineTest() {
    std::string name = (fs::temp_directory_path() / "hotcell-engine-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    std::ofstream(folder_ / "agent") << "agent";
    fs::permissions(folder_ / "agent", fs::perms(0755));
    options.agent = folder_ / "agent";
    options.state = folder_ / "state";
    options.docker_host = host.docker.host();
    options.image = "test:1";
    options.pool.mode = PoolMode::off;
  }
  ~DockerEngineTest() override {
    engine_.reset();
    fs::remove_all(folder_);
  }

  DockerEngine& engine() {
    if (!engine_) engine_ = DockerEngine::create(options).value();
    return *engine_;
  }
  static Request python(std::string code = "print(1)") {
    Request out;
    out.code = std::move(code);
    out.engine = EngineWish::docker;
    out.timeout_seconds = 20;
    return out;
  }
  Outcome run(const Request& request, OutputSink* sink = nullptr, const StopToken* stop = nullptr) {
    auto outcome = engine().run(request, sink, stop);
    if (outcome) return *outcome;
    ADD_FAILURE() << outcome.error().code << ": " << outcome.error().message;
    return {};
  }
  Error refusal(const Request& request) {
    const auto outcome = engine().run(request, nullptr, nullptr);
    if (outcome) return {"ran", "", ""};
    return outcome.error();
  }
  static void end_well(AgentWire& line, agent::Report report) {
    line.send(FrameType::report, report.encode());
    line.send(FrameType::end);
  }
  static agent::Report ended(int code = 0) {
    agent::Report out;
    out.fate = agent::Fate::ended;
    out.exit_code = code;
    return out;
  }

  Gate over;  // what an agent may wait for, until its host is gone
  FakeHost host;
  EngineOptions options;

 private:
  fs::path folder_;
  std::unique_ptr<DockerEngine> engine_;
};

// ---- What is asked of an agent ----

TEST_F(DockerEngineTest, a_program_arrives_with_everything_that_it_is_given) {
  Given got;
  host.program = [&](AgentWire& line, const Given& given) {
    got = given;
    end_well(line, ended());
    return true;
  };
  auto request = python("import helper");
  request.args = {"a", "b c"};
  request.env = {{"A", "1"}, {"HOME", "/elsewhere"}};
  request.cwd = "sub";
  request.stdin_bytes = "in";
  request.files.push_back({"helper.py", "x = 1", std::nullopt, 0600, false});
  request.files.push_back({"sub/empty", "", std::nullopt, std::nullopt, false});
  request.files.push_back({"big", std::string(200'000, 'x'), std::nullopt, std::nullopt, false});
  request.limits.cpu_seconds = 3;
  EXPECT_EQ(run(request).status, Status::completed);
  EXPECT_EQ(got.order.language, agent::Language::python);
  EXPECT_EQ(got.order.program, "/workspace/main.py");
  EXPECT_EQ(got.order.args, (std::vector<std::string>{"a", "b c"}));
  EXPECT_EQ(got.order.env, (std::vector<std::string>{"A=1", "HOME=/elsewhere"}));
  EXPECT_EQ(got.order.cwd, "/workspace/sub");
  EXPECT_EQ(got.order.timeout_ns, 20'000'000'000u);
  EXPECT_EQ(got.order.cpu_ns, 3'000'000'000u);
  EXPECT_EQ(got.input, "in");
  EXPECT_TRUE(got.eof);
  EXPECT_EQ(got.files["/workspace/main.py"], "import helper");
  EXPECT_EQ(got.files["/workspace/helper.py"], "x = 1");
  EXPECT_EQ(got.files["/workspace/sub/empty"], "");
  EXPECT_EQ(got.files["/workspace/big"].size(), 200'000u);
}

TEST_F(DockerEngineTest, the_language_decides_the_name_of_the_program) {
  Given got;
  host.program = [&](AgentWire& line, const Given& given) {
    got = given;
    end_well(line, ended());
    return true;
  };
  auto request = python("console.log(1)");
  request.language = Language::javascript;
  run(request);
  EXPECT_EQ(got.order.program, "/workspace/main.js");
  request.code = "import fs from 'fs'";
  run(request);
  EXPECT_EQ(got.order.program, "/workspace/main.mjs");
  request.language = Language::bash;
  request.code = "echo";
  run(request);
  EXPECT_EQ(got.order.program, "/workspace/main.sh");
  request.code.reset();
  request.argv = {"ls", "-l"};
  run(request);
  EXPECT_EQ(got.order.program, "");
  EXPECT_EQ(got.order.args, (std::vector<std::string>{"ls", "-l"}));
  EXPECT_EQ(got.order.language, agent::Language::none);
}

TEST_F(DockerEngineTest, a_field_that_cannot_be_honoured_is_refused_and_named) {
  const std::vector<std::pair<std::string, std::function<void(Request&)>>> fields = {
      {"fuel", [](Request& r) { r.limits.fuel = 1; }},
      {"deterministic", [](Request& r) { r.deterministic.emplace(); }},
      {"wasm", [](Request& r) { r.wasm.emplace(); }},
      {"session_id", [](Request& r) { r.session_id = "s"; }},
      {"dependencies", [](Request& r) { r.dependencies.packages = {"numpy"}; }},
      {"inputs", [](Request& r) { r.inputs.emplace_back(); }},
      {"mode", [](Request& r) { r.mode = Mode::cell; }},
      {"network", [](Request& r) { r.network.mode = NetworkMode::allowlist; }},
      {"files", [](Request& r) { r.files.push_back({"a", "", "ab12", std::nullopt, false}); }},
  };
  for (const auto& [name, set] : fields) {
    auto request = python();
    set(request);
    const auto error = refusal(request);
    EXPECT_EQ(error.code, "unsupported_by_engine") << name;
    EXPECT_NE(error.message.find(name), std::string::npos) << error.message;
  }
  EXPECT_TRUE(host.docker.seen("POST /containers/create").empty());
}

TEST_F(DockerEngineTest, a_limit_above_the_maximum_is_refused_with_both_numbers) {
  auto request = python();
  request.limits.cpus = 5;  // the daemon has 4
  EXPECT_EQ(refusal(request).code, "limit_above_maximum");
  EXPECT_NE(refusal(request).message.find("5, the most allowed is 4"), std::string::npos) << refusal(request).message;
  request = python();
  request.limits.memory_bytes = 1ull << 40;
  EXPECT_EQ(refusal(request).code, "limit_above_maximum");
  request = python();
  request.limits.memory_bytes = 1 << 20;
  EXPECT_EQ(refusal(request).code, "invalid_field");
}

TEST_F(DockerEngineTest, paths_that_lead_out_of_the_workspace_are_refused) {
  auto request = python();
  request.files.push_back({"../x", "", std::nullopt, std::nullopt, false});
  EXPECT_EQ(refusal(request).code, "path_outside_workspace");
  request = python();
  request.cwd = "/etc";
  EXPECT_EQ(refusal(request).code, "invalid_field");
}

TEST_F(DockerEngineTest, only_allowed_images_are_used) {
  options.allowed_images = {"other:1"};
  auto request = python();
  request.image = "third:1";
  EXPECT_EQ(refusal(request).code, "forbidden");
  request.image = "other:1";
  EXPECT_EQ(run(request).status, Status::completed);
  EXPECT_FALSE(host.docker.seen("GET /images/other:1/json").empty());
}

TEST_F(DockerEngineTest, other_limits_are_set_before_the_program_enters_and_proven_again) {
  auto request = python();
  request.limits.memory_bytes = 64u << 20;
  request.limits.cpus = 2;
  request.limits.pids = 16;
  const auto out = run(request);
  EXPECT_EQ(out.status, Status::completed);
  EXPECT_EQ(out.limits.memory_bytes, 64u << 20);
  EXPECT_EQ(out.limits.pids, 16u);
  std::vector<std::string> order;
  for (const auto& seen : host.docker.seen())
    if (seen.path.starts_with("/containers/") && (seen.method == "POST" || seen.path.ends_with("/json")))
      order.push_back(seen.path.substr(seen.path.rfind('/') + 1));
  std::erase(order, "json");
  EXPECT_EQ(order, (std::vector<std::string>{"create", "attach", "start", "update"}));
}

TEST_F(DockerEngineTest, limits_that_do_not_take_hold_keep_the_program_out) {
  bool ran = false;
  host.program = [&](AgentWire&, const Given&) { return ran = true; };
  host.alter = [&](Facts& facts) {
    if (facts.pids_limit == 16) facts.pids_limit = 128;  // the daemon said yes, and nothing changed
  };
  auto request = python();
  request.limits.pids = 16;
  const auto error = refusal(request);
  EXPECT_EQ(error.code, "engine_unavailable");
  EXPECT_NE(error.message.find("processes: asked for 16, the cell sees 128"), std::string::npos) << error.message;
  EXPECT_FALSE(ran);
}

TEST_F(DockerEngineTest, a_cell_whose_proof_does_not_hold_is_never_used_and_is_removed) {
  bool ran = false;
  host.program = [&](AgentWire&, const Given&) { return ran = true; };
  host.alter = [](Facts& facts) { facts.cap_effective = 1; };
  const auto error = refusal(python());
  EXPECT_EQ(error.code, "engine_unavailable");
  EXPECT_NE(error.message.find("capabilities"), std::string::npos);
  EXPECT_FALSE(ran);
  EXPECT_GT(engine().troubles().proofs_failed, 0u);
  host.docker.wait_for_seen("DELETE /containers/*");
}

// ---- What an agent answers ----

TEST_F(DockerEngineTest, output_arrives_as_it_is_written_and_is_kept) {
  Gate first;
  host.program = [&](AgentWire& line, const Given&) {
    line.output(1, "one ");
    first.wait();
    line.output(2, "err");
    line.output(1, "two");
    auto report = ended();
    report.out = {7, 7, 0};
    report.err = {3, 3, 0};
    end_well(line, report);
    return true;
  };
  struct Opens final : OutputSink {
    Gate& gate;
    std::string all;
    explicit Opens(Gate& one) : gate(one) {}
    void output(protocol::Stream, std::span<const char> bytes) override {
      all.append(bytes.data(), bytes.size());
      gate.open();
    }
  } sink(first);
  const auto out = run(python(), &sink);
  EXPECT_EQ(out.status, Status::completed);
  EXPECT_EQ(out.out.bytes, "one two");
  EXPECT_EQ(out.err.bytes, "err");
  EXPECT_EQ(sink.all, "one errtwo");
}

TEST_F(DockerEngineTest, a_flood_is_kept_at_its_beginning_and_end_and_counted) {
  host.program = [&](AgentWire& line, const Given& given) {
    EXPECT_EQ(given.order.output_bytes, 10u);
    line.output(1, "0123456789");
    agent::Output tail;
    tail.bytes = "vwxyz";
    line.send(FrameType::tail, tail.encode());
    auto report = ended();
    report.out = {1000, 10, 5};
    end_well(line, report);
    return true;
  };
  auto request = python();
  request.limits.output_bytes = 10;
  Heard sink;
  const auto out = run(request, &sink);
  EXPECT_EQ(out.out.bytes, "01234\n[hotcell: 990 bytes left out]\nvwxyz");
  EXPECT_EQ(out.out.total, 1000u);
  EXPECT_TRUE(out.out.truncated);
  EXPECT_EQ(sink.out, "0123456789");
}

TEST_F(DockerEngineTest, files_come_back_in_parts_and_by_their_change) {
  host.program = [&](AgentWire& line, const Given&) {
    line.send(FrameType::report, ended().encode());
    agent::FileOut file;
    file.path = "a/b.txt";
    file.size = 6;
    file.bytes = "abc";
    file.last = false;
    line.send(FrameType::file_out, file.encode());
    file.bytes = "def";
    file.last = true;
    line.send(FrameType::file_out, file.encode());
    agent::FileOut gone;
    gone.path = "gone";
    gone.change = agent::Change::deleted;
    line.send(FrameType::file_out, gone.encode());
    line.send(FrameType::end);
    return true;
  };
  const auto out = run(python());
  ASSERT_EQ(out.files.size(), 2u);
  EXPECT_EQ(out.files[0].path, "a/b.txt");
  EXPECT_EQ(out.files[0].content, "abcdef");
  EXPECT_EQ(out.files[1].change, Change::deleted);
}

TEST_F(DockerEngineTest, live_input_is_read_only_when_the_program_has_room_for_it) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Fd in(ends[0]), feed(ends[1]);
  ASSERT_EQ(write(feed.get(), "hello", 5), 5);
  host.program = [&](AgentWire& line, const Given& given) {
    EXPECT_TRUE(given.order.live_input);
    EXPECT_EQ(given.input, "");
    EXPECT_FALSE(given.eof);
    agent::WantInput some;
    some.bytes = 3;
    line.send(FrameType::want_input, some.encode());
    EXPECT_EQ(agent::Input::decode(line.receive()->payload)->bytes, "hel");
    some.bytes = 100;
    line.send(FrameType::want_input, some.encode());
    EXPECT_EQ(agent::Input::decode(line.receive()->payload)->bytes, "lo");
    feed.reset();
    EXPECT_TRUE(agent::Input::decode(line.receive()->payload)->eof);
    end_well(line, ended());
    return true;
  };
  Heard sink;
  sink.input = in.get();
  EXPECT_EQ(run(python(), &sink).status, Status::completed);
}

TEST_F(DockerEngineTest, input_beyond_the_window_follows_as_the_program_reads) {
  const std::string all(1'000'000, 'i');
  std::size_t got = 0;
  host.program = [&](AgentWire& line, const Given& given) {
    got = given.input.size();
    EXPECT_EQ(got, agent::kInputWindow);
    EXPECT_FALSE(given.eof);
    for (bool eof = false; !eof;) {
      agent::WantInput more;
      more.bytes = 100'000;
      line.send(FrameType::want_input, more.encode());
      for (std::size_t part = 0; part < 100'000 && !eof;) {
        const auto frame = line.receive();
        if (!frame) return false;
        const auto input = agent::Input::decode(frame->payload).value();
        part += input.bytes.size();
        got += input.bytes.size();
        eof = input.eof;
      }
    }
    end_well(line, ended());
    return true;
  };
  auto request = python();
  request.stdin_bytes = all;
  EXPECT_EQ(run(request).status, Status::completed);
  EXPECT_EQ(got, all.size());
}

// ---- Agents that are not well ----

struct Hostile {
  const char* name;
  std::function<bool(AgentWire&)> does;
};
void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.name; }

class DockerHostileAgent : public DockerEngineTest, public testing::WithParamInterface<Hostile> {};

TEST_P(DockerHostileAgent, costs_its_own_run_only) {
  host.program = [&](AgentWire& line, const Given&) { return GetParam().does(line); };
  auto request = python();
  request.limits.output_bytes = 100;
  request.limits.files_bytes = 1000;
  request.collect.max_files = 2;
  const auto out = run(request);
  EXPECT_EQ(out.status, Status::sandbox_error);
  ASSERT_TRUE(out.failure);
  EXPECT_EQ(out.failure->code, "worker_lost");
  EXPECT_TRUE(out.failure->retryable);
  host.program = FakeHost::ends_well;
  EXPECT_EQ(run(request).status, Status::completed);
}

template <class Message>
void say(AgentWire& line, FrameType type, const Message& message) {
  line.send(type, message.encode());
}
agent::Report good_report() {
  agent::Report out;
  out.fate = agent::Fate::ended;
  out.exit_code = 0;
  return out;
}

INSTANTIATE_TEST_SUITE_P(
    kinds, DockerHostileAgent,
    testing::Values(
        Hostile{"ends", [](AgentWire&) { return false; }},
        Hostile{"sends_no_frame", [](AgentWire& line) { return line.raw().frame(1, std::string(64, '\xff')), true; }},
        Hostile{"breaks_the_daemons_framing", [](AgentWire& line) { return line.raw().write("nonsense"), true; }},
        Hostile{"sends_a_report_that_is_none", [](AgentWire& line) { return line.send(FrameType::report, "x"), true; }},
        Hostile{"sends_what_only_a_host_sends", [](AgentWire& line) { return line.send(FrameType::go), true; }},
        Hostile{"is_ready_again", [](AgentWire& line) { return say(line, FrameType::ready, Facts{}), true; }},
        Hostile{"ends_without_a_report", [](AgentWire& line) { return line.send(FrameType::end), true; }},
        Hostile{"reports_twice",
                [](AgentWire& line) {
                  say(line, FrameType::report, good_report());
                  return say(line, FrameType::report, good_report()), true;
                }},
        Hostile{"sends_more_output_than_it_may",
                [](AgentWire& line) { return line.output(1, std::string(101, 'x')), true; }},
        Hostile{"counts_output_that_never_came",
                [](AgentWire& line) {
                  auto report = good_report();
                  report.out = {1'000'000, 0, 0};
                  return say(line, FrameType::report, report), line.send(FrameType::end), true;
                }},
        Hostile{"sends_a_tail_of_nothing",
                [](AgentWire& line) {
                  agent::Output tail;
                  tail.bytes = "x";
                  say(line, FrameType::tail, tail);
                  auto report = good_report();
                  report.out = {0, 0, 1};
                  return say(line, FrameType::report, report), line.send(FrameType::end), true;
                }},
        Hostile{"speaks_of_a_third_stream", [](AgentWire& line) { return line.output(3, "x"), true; }},
        Hostile{"sends_output_after_its_report",
                [](AgentWire& line) {
                  say(line, FrameType::report, good_report());
                  return line.output(1, "x"), true;
                }},
        Hostile{"sends_files_before_its_report",
                [](AgentWire& line) {
                  agent::FileOut file;
                  file.path = "a";
                  return say(line, FrameType::file_out, file), true;
                }},
        Hostile{"sends_too_many_files",
                [](AgentWire& line) {
                  say(line, FrameType::report, good_report());
                  for (const char* name : {"a", "b", "c"}) {
                    agent::FileOut file;
                    file.path = name;
                    say(line, FrameType::file_out, file);
                  }
                  return line.send(FrameType::end), true;
                }},
        Hostile{"sends_more_of_a_file_than_it_may",
                [](AgentWire& line) {
                  say(line, FrameType::report, good_report());
                  const std::string bytes(1001, 'x');
                  agent::FileOut file;
                  file.path = "a";
                  file.bytes = bytes;
                  return say(line, FrameType::file_out, file), line.send(FrameType::end), true;
                }},
        Hostile{"mixes_up_two_files",
                [](AgentWire& line) {
                  say(line, FrameType::report, good_report());
                  agent::FileOut file;
                  file.path = "a";
                  file.last = false;
                  say(line, FrameType::file_out, file);
                  file.path = "b";
                  return say(line, FrameType::file_out, file), line.send(FrameType::end), true;
                }},
        Hostile{"ends_in_the_middle_of_a_file",
                [](AgentWire& line) {
                  say(line, FrameType::report, good_report());
                  agent::FileOut file;
                  file.path = "a";
                  file.last = false;
                  say(line, FrameType::file_out, file);
                  return line.send(FrameType::end), true;
                }},
        Hostile{"complains",
                [](AgentWire& line) {
                  agent::Fault fault;
                  fault.sentence = "no";
                  return say(line, FrameType::fault, fault), false;
                }}),
    [](const auto& kind) { return std::string(kind.param.name); });

TEST_F(DockerEngineTest, names_that_lead_out_of_the_workspace_do_not_come_back) {
  for (const std::string path : {"../a", "/etc/passwd", "a/../../b", "a//b", ".", "a/", ""}) {
    host.program = [&](AgentWire& line, const Given&) {
      say(line, FrameType::report, good_report());
      // Not through encode() and decode(), which refuse such names too.
      agent::FileOut file;
      file.path = path;
      say(line, FrameType::file_out, file);
      line.send(FrameType::end);
      return true;
    };
    EXPECT_EQ(run(python()).status, Status::sandbox_error) << path;
  }
}

TEST_F(DockerEngineTest, an_agent_that_ends_because_its_container_ran_out_of_memory_met_that_limit) {
  host.program = [](AgentWire& line, const Given&) {
    line.output(1, "so far");
    return false;
  };
  host.out_of_memory = true;
  const auto out = run(python());
  EXPECT_EQ(out.status, Status::limit_exceeded);
  EXPECT_EQ(out.failure->code, "memory_limit");
  EXPECT_EQ(out.out.bytes, "so far");
  host.out_of_memory = false;
  EXPECT_EQ(run(python()).failure->code, "worker_lost");
}

TEST_F(DockerEngineTest, an_agent_that_does_not_answer_is_given_up_soon_after_the_timeout) {
  host.program = [&](AgentWire&, const Given&) {
    over.wait();
    return false;
  };
  auto request = python();
  request.timeout_seconds = 0.1;
  const auto begun = Deadline::Clock::now();
  const auto out = run(request);
  EXPECT_EQ(out.status, Status::sandbox_error);
  EXPECT_NE(out.failure->message.find("did not answer in time"), std::string::npos);
  EXPECT_LT(Deadline::Clock::now() - begun, std::chrono::seconds(15));
  over.open();
}

TEST_F(DockerEngineTest, an_agent_that_sends_for_ever_is_given_up_too) {
  host.program = [&](AgentWire& line, const Given&) {
    agent::WantInput none;
    for (int i = 0; i < 10'000'000; ++i) {
      if (i % 1000 == 0 && host.docker.seen("DELETE /containers/*").size() > 0) return false;
      line.send(FrameType::want_input, none.encode());
    }
    return false;
  };
  auto request = python();
  request.timeout_seconds = 0.1;
  EXPECT_EQ(run(request).status, Status::sandbox_error);
}

TEST_F(DockerEngineTest, a_run_can_be_cancelled_at_any_point) {
  StopToken stop;
  bool asked = false;
  host.program = [&](AgentWire& line, const Given&) {
    stop.stop();
    asked = line.receive()->type == FrameType::stop;
    auto report = ended();
    report.fate = agent::Fate::stopped;
    report.exit_code.reset();
    report.signal = 9;
    end_well(line, report);
    return true;
  };
  EXPECT_EQ(run(python(), nullptr, &stop).status, Status::cancelled);
  EXPECT_TRUE(asked);
  // Before it has a cell.
  EXPECT_EQ(run(python(), nullptr, &stop).status, Status::cancelled);
}

TEST_F(DockerEngineTest, cancelling_does_not_wait_for_an_agent_that_does_not_answer) {
  StopToken stop;
  host.program = [&](AgentWire&, const Given&) {
    stop.stop();
    over.wait();
    return false;
  };
  const auto begun = Deadline::Clock::now();
  EXPECT_EQ(run(python(), nullptr, &stop).status, Status::cancelled);
  EXPECT_LT(Deadline::Clock::now() - begun, std::chrono::seconds(10));
  over.open();
}

TEST_F(DockerEngineTest, an_image_without_the_interpreter_says_so_before_a_run_and_in_one) {
  options.pool.mode = PoolMode::prefer;
  host.warmed.ready = false;
  host.warmed.interpreter.clear();
  const auto warm = engine().warm(python(), 1, api::Until::seconds(20));
  ASSERT_FALSE(warm);
  EXPECT_EQ(warm.error().code, "engine_unavailable");
  EXPECT_NE(warm.error().message.find("has no interpreter for python"), std::string::npos) << warm.error().message;

  host.program = [&](AgentWire& line, const Given&) {
    agent::Report report;
    report.fate = agent::Fate::refused;
    report.reason = std::string(agent::kNoInterpreter) + "python3";
    end_well(line, report);
    return true;
  };
  const auto out = run(python());
  EXPECT_EQ(out.status, Status::rejected);
  EXPECT_EQ(out.failure->code, "engine_unavailable");
}

// ---- Daemons that are not well ----

TEST_F(DockerEngineTest, a_daemon_that_is_not_there_is_a_clear_error) {
  options.docker_host = "unix:///nowhere/docker.sock";
  const auto error = refusal(python());
  EXPECT_EQ(error.code, "engine_unavailable");
  EXPECT_NE(error.message.find("/nowhere/docker.sock"), std::string::npos);
  EXPECT_NE(error.hint.find("DOCKER_HOST"), std::string::npos);
}

TEST_F(DockerEngineTest, a_missing_image_is_an_outcome_that_says_so) {
  host.docker.on("GET /images/*", Reply::error(404, "No such image: test:1"));
  const auto out = run(python());
  EXPECT_EQ(out.status, Status::rejected);
  EXPECT_EQ(out.failure->code, "engine_unavailable");
  EXPECT_NE(out.failure->message.find("test:1"), std::string::npos) << out.failure->message;
}

TEST_F(DockerEngineTest, a_daemon_without_limits_is_refused_before_any_cell_is_made) {
  host.docker.on("GET /info", Reply::json(200, R"({"OSType":"linux","CgroupDriver":"none","NCPU":4,
    "SecurityOptions":["name=seccomp","name=rootless"]})"));
  const auto error = refusal(python());
  EXPECT_EQ(error.code, "engine_unavailable");
  EXPECT_NE(error.message.find("no limits"), std::string::npos);
  EXPECT_TRUE(host.docker.seen("POST /containers/create").empty());
}

TEST_F(DockerEngineTest, a_runtime_that_is_not_there_is_named_with_those_that_are) {
  options.runtime = "runsc";
  const auto error = refusal(python());
  EXPECT_EQ(error.code, "engine_unavailable");
  EXPECT_NE(error.message.find("runsc\"; it has runc"), std::string::npos) << error.message;
}

TEST_F(DockerEngineTest, a_daemon_that_maps_users_gets_uids_that_it_can_map) {
  host.docker.on("GET /info", Reply::json(200, R"({"OSType":"linux","CgroupDriver":"cgroupfs","NCPU":4,
    "SecurityOptions":["name=seccomp","name=userns"]})"));
  EXPECT_EQ(run(python()).status, Status::completed);
  const auto body = json::parse(host.docker.seen("POST /containers/create").at(0).body);
  EXPECT_LT(std::stoul(body["User"].get<std::string>()), 65536u);
}

TEST_F(DockerEngineTest, a_container_that_does_not_start_is_removed) {
  host.start = Reply::error(500, "OCI runtime create failed: no space left on device");
  const auto error = refusal(python());
  EXPECT_EQ(error.code, "engine_unavailable");
  EXPECT_NE(error.message.find("no space left"), std::string::npos) << error.message;
  host.docker.wait_for_seen("DELETE /containers/*");
}

TEST_F(DockerEngineTest, a_create_that_is_never_answered_ends_at_the_deadline_and_its_container_is_removed_by_name) {
  host.docker.on("POST /containers/create", Reply::silence());
  auto request = python();
  request.deadline_seconds = 0.2;
  EXPECT_EQ(refusal(request).code, "engine_unavailable");
  const auto name = host.docker.seen("POST /containers/create").at(0).query.at("name");
  EXPECT_TRUE(name.starts_with("hotcell-")) << name;
  host.docker.wait_for_seen("DELETE /containers/" + name);
}

TEST_F(DockerEngineTest, a_daemon_that_is_frozen_ends_in_an_error_at_the_deadline) {
  host.docker.on("GET /info", Reply::silence());
  auto request = python();
  request.deadline_seconds = 0.2;
  EXPECT_EQ(refusal(request).code, "engine_unavailable");
}

// ---- Cells that are ready, and used again ----

TEST_F(DockerEngineTest, a_ready_cell_that_ended_is_not_noticed_by_the_run_that_wanted_it) {
  options.pool.mode = PoolMode::prefer;
  ASSERT_TRUE(engine().warm(python(), 2, api::Until::seconds(20)));
  EXPECT_EQ(run(python()).engine.start, "warm");
  host.docker.stop();
  const auto error = refusal(python());
  EXPECT_EQ(error.code, "engine_unavailable") << error.message;
}

TEST_F(DockerEngineTest, a_tenants_cell_is_cleaned_and_used_again) {
  options.pool.mode = PoolMode::prefer;
  options.pool.min = options.pool.max = 1;
  options.reuse = Reuse::tenant;
  ASSERT_TRUE(engine().warm(python(), 1, api::Until::seconds(20)));
  // Now and then a new cell is ready sooner than the one that is being cleaned.
  for (const auto end = Deadline::after(std::chrono::seconds(20)); engine().counts().reused < 4;) {
    EXPECT_EQ(run(python()).status, Status::completed);
    while (engine().counts().ready < 1) ASSERT_FALSE(end.passed());
    ASSERT_FALSE(end.passed());
  }
}

TEST_F(DockerEngineTest, a_cell_that_cannot_be_cleaned_is_removed) {
  options.pool.mode = PoolMode::prefer;
  options.pool.min = options.pool.max = 1;
  options.reuse = Reuse::tenant;
  host.cleaned.clean = false;
  host.cleaned.problem = "a process would not die";
  EXPECT_EQ(run(python()).status, Status::completed);
  host.docker.wait_for_seen("DELETE /containers/*");
  EXPECT_EQ(engine().counts().reused, 0u);
}

// ---- Nothing is orphaned ----

TEST_F(DockerEngineTest, what_dead_owners_left_is_removed_at_the_start_and_nothing_else) {
  const auto home = Home::open(options.state).value();
  const auto alive = Owner::claim(home).value();
  const auto container = [&](const char* id, const std::string& owner) {
    return json{{"Id", id},
                {"Names", {std::string("/") + id}},
                {"State", "running"},
                {"Labels", {{"hotcell.home", home.id()}, {"hotcell.owner", owner}}}};
  };
  host.docker.on("GET /containers/json",
                 Reply::json(200, json{container("dead", "0123456789abcdef"), container("nameless", ""),
                                       container("alive", alive.id())}
                                      .dump()));
  host.docker.on(
      "GET /networks",
      Reply::json(200, json{{{"Id", "deadnet"},
                             {"Name", "n"},
                             {"Labels", {{"hotcell.home", home.id()}, {"hotcell.owner", "0123456789abcdef"}}}}}
                           .dump()));
  engine();
  host.docker.wait_for_seen("DELETE /containers/dead");
  host.docker.wait_for_seen("DELETE /containers/nameless");
  host.docker.wait_for_seen("DELETE /networks/deadnet");
  EXPECT_TRUE(host.docker.seen("DELETE /containers/alive").empty());
  // Only our own are asked for in the first place.
  EXPECT_NE(host.docker.seen("GET /containers/json").at(0).query.at("filters").find(home.id()), std::string::npos);
}

TEST_F(DockerEngineTest, a_destroyed_engine_has_removed_its_cells) {
  options.pool.mode = PoolMode::prefer;
  {
    auto engine = DockerEngine::create(options).value();
    ASSERT_TRUE(engine->warm(python(), 3, api::Until::seconds(20)));
  }
  EXPECT_GE(host.docker.seen("DELETE /containers/*").size(), 3u);
}

TEST_F(DockerEngineTest, an_agent_that_is_not_there_or_not_ours_is_refused_at_the_start) {
  options.agent = "/nowhere/agent";
  auto made = DockerEngine::create(options);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().hint.find("HOTCELL_AGENT"), std::string::npos);
}

}  // namespace
}  // namespace hotcell::docker
