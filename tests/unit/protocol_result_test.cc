#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "places.h"
#include "protocol/base64.h"
#include "protocol/mime_type.h"
#include "protocol/result_json.h"
#include "protocol/signals.h"
#include "protocol/timestamp.h"

namespace hotcell::protocol {
namespace {

using namespace std::chrono_literals;

constexpr Status kAll[] = {Status::completed, Status::failed,    Status::timeout,      Status::limit_exceeded,
                           Status::rejected,  Status::cancelled, Status::sandbox_error};

Result usual(Status status) {
  Result result;
  result.id = "exe_00112233445566778899aabbccddeeff";
  result.outcome.status = status;
  result.outcome.engine = {"wasi", "0.1.0", "sha256:abc", "warm", "the program needs only the standard library"};
  result.outcome.usage.setup_seconds = 0.004;
  result.outcome.usage.wall_seconds = 0.1 + 0.2;
  result.outcome.usage.memory_peak_bytes = 10485760;
  result.outcome.limits.memory_bytes = 268435456;
  result.outcome.limits.output_bytes = 1048576;
  result.created_at = std::chrono::sys_days(std::chrono::year(2026) / 1 / 31) + 12h + 1ms;
  result.finished_at = result.created_at + 300ms;
  result.metadata = {{"who", "test"}};
  return result;
}

// One result for each status, as an engine would fill it.
Result example(Status status) {
  Result result = usual(status);
  Outcome& outcome = result.outcome;
  const auto failure = [&](std::string code, std::string kind, std::string message) -> Failure& {
    Failure& it = outcome.failure.emplace();
    it.code = std::move(code);
    it.kind = std::move(kind);
    it.message = std::move(message);
    return it;
  };
  switch (status) {
    case Status::completed:
      outcome.exit_code = 0;
      outcome.out = {"h\xC3\xA9llo\n\xFF", 8, false};
      outcome.results = {{true, {{"text/plain", "4"}}}};
      outcome.files = {{"out/tab le.csv", Change::created, 3, "a,b", false},
                       {"big.bin", Change::modified, 1u << 30, "", true},
                       {"gone", Change::deleted, 0, "", false}};
      result.session_id = "ses_1";
      result.installed = {{"requests", "2.28.0"}};
      result.dependency_cache = "hit";
      result.verdict = "warned";
      result.findings = {{"py.os-system", "warning", "starts a process", "use subprocess.run", 3, 1}};
      outcome.usage.fuel = 12345;
      break;
    case Status::failed: {
      outcome.exit_code = 1;
      outcome.err = {"Traceback…", 12, false};
      auto& it = failure("exception", "exception", "invalid literal");
      it.name = "ValueError";
      it.traceback = "Traceback (most recent call last):\n…";
      it.line = 3;
      break;
    }
    case Status::timeout:
      outcome.out = {"a\n[hotcell: 7 bytes left out]\nb", 9, true};
      failure("timeout", "timeout", "the program was stopped after 5 seconds").hint = "raise timeout_seconds";
      break;
    case Status::limit_exceeded:
      failure("memory_limit", "limit", "the program needed more than 256 MiB").limit = "memory";
      break;
    case Status::rejected:
      failure("validation_failed", "rejected", "dangerous import 'os.system'");
      break;
    case Status::cancelled:
      failure("cancelled", "cancelled", "the caller cancelled the run");
      break;
    case Status::sandbox_error:
      failure("worker_lost", "sandbox", "the worker died").retryable = true;
      break;
  }
  return result;
}

std::filesystem::path golden(Status status) {
  return std::filesystem::path(testing::kSourceFolder) / "tests" / "golden" / "protocol" /
         (std::string(name_of(status)) + ".json");
}

TEST(ResultJson, equals_its_golden_file_for_every_status) {
  for (const auto status : kAll) {
    const auto written = dump(to_json(example(status), {.urls = status == Status::completed})) + "\n";
    if (std::getenv("HOTCELL_UPDATE_GOLDEN")) std::ofstream(golden(status)) << written;
    std::stringstream expected;
    expected << std::ifstream(golden(status)).rdbuf();
    EXPECT_EQ(written, expected.str()) << golden(status);
  }
}

TEST(ResultJson, has_the_same_members_in_the_same_order_for_every_status) {
  const std::vector<std::string> members = {
      "object",  "id",     "session_id",      "status",       "exit_code",   "signal",
      "stdout",  "stderr", "stdout_bytes",    "stderr_bytes", "truncated",   "lossy",
      "results", "error",  "files",           "dependencies", "checks",      "engine",
      "usage",   "limits", "execution_count", "created_at",   "finished_at", "metadata"};
  for (const auto status : kAll) {
    const auto json = to_json(example(status));
    std::vector<std::string> found;
    for (const auto& [name, value] : json.items()) found.push_back(name);
    EXPECT_EQ(found, members);
  }
}

TEST(ResultJson, survives_being_written_and_read) {
  for (const auto status : kAll) {
    // A lossy stream is lost on the wire, so this one is made clean first.
    auto result = example(status);
    result.outcome.out.bytes = status == Status::completed ? "fine" : result.outcome.out.bytes;
    const auto written = dump(to_json(result));
    const auto read = result_from_json(written);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(dump(to_json(*read)), written);
    EXPECT_EQ(read->outcome.status, status);
    EXPECT_EQ(read->created_at, result.created_at);
    EXPECT_EQ(read->outcome.files.size(), result.outcome.files.size());
    EXPECT_EQ(read->outcome.failure.has_value(), status != Status::completed);
  }
}

TEST(ResultJson, an_exit_code_is_only_shown_for_a_program_that_ended_itself) {
  for (const auto status : kAll) {
    auto result = usual(status);
    result.outcome.exit_code = 7;
    const bool ended = status == Status::completed || status == Status::failed;
    EXPECT_EQ(to_json(result)["exit_code"], ended ? nlohmann::ordered_json(7) : nlohmann::ordered_json(nullptr));
  }
}

TEST(ResultJson, a_bare_exit_code_has_no_error) {
  auto result = usual(Status::failed);
  result.outcome.exit_code = 3;
  EXPECT_TRUE(to_json(result)["error"].is_null());
}

TEST(ResultJson, output_that_is_not_text_is_replaced_and_marked) {
  auto result = usual(Status::completed);
  result.outcome.out.bytes = "a\xFFz";
  result.outcome.err.bytes = "fine \uFFFD";
  const auto json = to_json(result);
  EXPECT_EQ(json["stdout"], "a\uFFFDz");
  EXPECT_EQ(json["lossy"]["stdout"], true);
  EXPECT_EQ(json["lossy"]["stderr"], false);
}

TEST(ResultJson, whatever_an_engine_writes_becomes_json) {
  auto result = usual(Status::failed);
  result.outcome.failure.emplace().message = "\xFF\xC3";
  result.outcome.files = {{"\xFE.txt", Change::created, 1, "x", false}};
  result.outcome.usage.wall_seconds = std::numeric_limits<double>::infinity();
  const auto read = result_from_json(dump(to_json(result)));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->outcome.usage.wall_seconds, 0);
}

TEST(ResultFromJson, refuses_a_result_that_lacks_any_member) {
  const auto whole = to_json(example(Status::failed));
  const std::set<std::string> may_be_null = {"session_id", "exit_code", "signal", "error"};
  for (const auto& [name, value] : whole.items()) {
    auto json = whole;
    json.erase(name);
    EXPECT_EQ(result_from_json(dump(json)).has_value(), may_be_null.contains(name)) << name;
    json[name] = 1.5;
    EXPECT_FALSE(result_from_json(dump(json))) << name;
  }
}

TEST(ResultFromJson, ignores_what_a_newer_server_adds) {
  auto json = to_json(example(Status::failed));
  json["novelty"] = 1;
  json["error"]["novelty"] = 1;
  EXPECT_TRUE(result_from_json(dump(json)));
}

TEST(ExitStatus, follows_the_fate_of_the_program) {
  const auto status = [](Status fate, std::optional<int> code = {}, std::optional<std::string> signal = {}) {
    Outcome outcome;
    outcome.status = fate;
    outcome.exit_code = code;
    outcome.signal = std::move(signal);
    return exit_status_of(outcome);
  };
  EXPECT_EQ(status(Status::completed, 0), 0);
  EXPECT_EQ(status(Status::completed), 0);
  EXPECT_EQ(status(Status::failed, 3), 3);
  EXPECT_EQ(status(Status::failed, 127), 127);
  EXPECT_EQ(status(Status::failed), 1);
  EXPECT_EQ(status(Status::failed, -1), 255);
  EXPECT_EQ(status(Status::failed, 256), 1) << "a failure never looks like success";
  EXPECT_EQ(status(Status::failed, {}, "SIGABRT"), 134);
  EXPECT_EQ(status(Status::failed, {}, "SIGNONSENSE"), 125);
  EXPECT_EQ(status(Status::timeout), 124);
  EXPECT_EQ(status(Status::cancelled), 130);
  EXPECT_EQ(status(Status::limit_exceeded, {}, "SIGXCPU"), 137);
  EXPECT_EQ(status(Status::rejected), 125);
  EXPECT_EQ(status(Status::sandbox_error), 125);
}

TEST(Signals, have_linux_numbers) {
  EXPECT_EQ(signal_number("SIGKILL"), 9);
  EXPECT_EQ(signal_number("KILL"), std::nullopt);
  EXPECT_EQ(signal_name(11), "SIGSEGV");
  EXPECT_EQ(signal_name(0), "");
  EXPECT_EQ(signal_name(35), "SIG35");
  EXPECT_EQ(signal_number("SIG35"), 35);
  EXPECT_FALSE(signal_number("SIG65"));
  EXPECT_FALSE(signal_number("SIG35x"));
}

TEST(ExecutionId, is_128_bits_and_never_the_same) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(new_execution_id());
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(ids.begin()->size(), 36u);
  EXPECT_TRUE(ids.begin()->starts_with("exe_"));
}

TEST(Base64, agrees_with_rfc_4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xFF\xEF", "/+8="}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
  for (const char* bad :
       {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "=", "====", "Z===", "Zm 9v", "Zm9v\n", "_-8=", "Zg==Zg=="})
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
}

TEST(Timestamp, is_utc_with_milliseconds) {
  EXPECT_EQ(to_timestamp(std::chrono::system_clock::time_point{} - 1ms), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_timestamp(*from_timestamp("2024-02-29T23:59:59.001Z")), "2024-02-29T23:59:59.001Z");
  for (const char* bad : {"", "2023-02-29T00:00:00.000Z", "2024-01-01T24:00:00.000Z", "2024-01-01T00:00:00Z",
                          "2024-01-01 00:00:00.000Z", "9999-01-01T00:00:00.000Z"})
    EXPECT_FALSE(from_timestamp(bad)) << bad;
}

TEST(MimeType, goes_by_the_last_extension) {
  EXPECT_EQ(mime_type_of("a/b.tar.GZ"), "application/gzip");
  EXPECT_EQ(mime_type_of("out.csv"), "text/csv");
  EXPECT_EQ(mime_type_of("a.csv/b"), "application/octet-stream");
  EXPECT_EQ(mime_type_of(".png"), "application/octet-stream");
}

}  // namespace
}  // namespace hotcell::protocol
