// Packages in WASI cells, and programs that ask for what a cell has not.
#include "wasi/packages.h"

#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "wasi/fs/pack.h"
#include "wasi_helpers.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
namespace fs = std::filesystem;

// A folder of entries, as a dependency cache has it.
class Entries {
 public:
  Entries() {
    std::string name = (fs::temp_directory_path() / "hotcell-wasi-packages-XXXXXX").string();
    folder = mkdtemp(name.data());
  }
  ~Entries() { fs::remove_all(folder); }
  void add(const std::string& entry, const std::string& path, const std::string& text) const {
    const auto file = folder / entry / "content" / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  Request program(const std::string& entry, std::string code) const {
    auto out = python(std::move(code));
    out.packages = ReadyPackages{folder.string(), entry};
    return out;
  }
  fs::path folder;
};

TEST(WasiPackages, a_pack_has_every_file_and_its_folders) {
  const Entries entries;
  entries.add("e", "b.py", "b");
  entries.add("e", "a/__init__.py", "");
  entries.add("e", "a-1.0.dist-info/METADATA", "meta");
  entries.add("e", "a/deep/x.bin", std::string(100'000, 'x'));
  fs::create_symlink("/etc/passwd", entries.folder / "e" / "content" / "link");
  const auto bytes = pack_of((entries.folder / "e" / "content").string(), 1 << 20);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto pack = Pack::open(std::as_bytes(std::span(*bytes)));
  ASSERT_TRUE(pack) << pack.error().message;
  std::vector<std::string> paths;
  for (std::uint32_t i = 0; i < pack->count(); ++i) paths.emplace_back(pack->path(i));
  EXPECT_EQ(paths, (std::vector<std::string>{"a-1.0.dist-info/METADATA", "a/__init__.py", "a/deep/x.bin", "b.py"}));
  EXPECT_EQ(pack->data(2).size(), 100'000u);
  EXPECT_EQ(pack_of((entries.folder / "e" / "content").string(), 50'000).error().code, "packages_too_large");
  EXPECT_FALSE(pack_of("/nowhere", 1));
}

TEST(WasiPackages, each_folder_becomes_a_pack_once_however_many_ask) {
  const Entries entries;
  entries.add("e", "a.py", "x = 1\n");
  PackageShelf shelf;
  const auto folder = (entries.folder / "e" / "content").string();
  std::vector<std::thread> threads;
  std::vector<const Fd*> got(8);
  for (auto& one : got) threads.emplace_back([&] { one = shelf.get(folder).value().get(); });
  for (auto& thread : threads) thread.join();
  for (const auto* one : got) EXPECT_EQ(one, got[0]);
  const auto pack = shelf.get(folder).value();
  EXPECT_EQ(pwrite(pack->get(), "x", 1, 0), -1) << "nobody can change it";
}

TEST(WasiPackages, a_program_imports_them_and_cannot_change_them) {
  const auto engine = testing::engine();
  const Entries entries;
  entries.add("e", "pk/__init__.py",
              "from importlib.resources import files\nfrom . import inner\n"
              "data = (files('pk') / 'data.txt').read_text()\n");
  entries.add("e", "pk/inner.py", "who = 'inner'\n");
  entries.add("e", "pk/data.txt", "as data");
  entries.add("e", "pk-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: pk\nVersion: 1.0\n");
  entries.add("e", "json.py", "raise Exception('this is not the library')\n");
  const auto out = outcome(*engine, entries.program("e", R"(
import json, pk, importlib.metadata, os
print(pk.inner.who, pk.data, importlib.metadata.version('pk'), pk.__file__)
for act in (lambda: open(pk.__file__, 'w'), lambda: os.mkdir(os.path.dirname(pk.__file__) + '/x')):
    try: print(act())
    except OSError as error: print(type(error).__name__)
)"));
  EXPECT_EQ(out.out.bytes,
            "inner as data 1.0 /usr/local/lib/python3.11/dist-packages/pk/__init__.py\n"
            "OSError\nOSError\n")
      << out.err.bytes << (out.failure ? out.failure->message : "");
  EXPECT_TRUE(out.files.empty());
}

TEST(WasiPackages, each_program_sees_its_own_and_the_next_one_nothing_of_them) {
  const auto engine = testing::engine(options(1));
  const Entries entries;
  entries.add("one", "pk.py", "who = 'one'\n");
  entries.add("two", "pk.py", "who = 'two'\n");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(outcome(*engine, entries.program("one", "import pk; print(pk.who)")).out.bytes, "one\n");
    EXPECT_EQ(outcome(*engine, entries.program("two", "import pk; print(pk.who)")).out.bytes, "two\n");
    const auto without = outcome(*engine, python("import os, sys\nprint('pk' in sys.modules, os.path.exists("
                                                 "'/usr/local/lib/python3.11/dist-packages'))\nimport pk"));
    EXPECT_EQ(without.out.bytes, "False False\n");
    EXPECT_EQ(without.failure->name, "ModuleNotFoundError");
  }
  EXPECT_EQ(engine->counts().workers_started, 1u) << "all of that in one cell";
}

TEST(WasiPackages, bytecode_that_names_no_time_is_used) {
  // Compiled from another text than the source, so that it shows which one was run.
  const auto engine = testing::engine();
  const Entries entries;
  entries.add("e", "pk.py", "who = 'source'\n");
  const auto made = outcome(*engine, python(R"(
import py_compile
open('pk.py', 'w').write("who = 'bytecode'\n")
py_compile.compile('pk.py', cfile='out.pyc', invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
)"));
  ASSERT_EQ(made.files.size(), 2u) << made.err.bytes;
  entries.add("e", "__pycache__/pk.cpython-311.pyc", made.files[0].content);
  EXPECT_EQ(outcome(*engine, entries.program("e", "import pk; print(pk.who)")).out.bytes, "bytecode\n");
}

TEST(WasiPackages, what_only_other_languages_have_is_refused) {
  const auto engine = testing::engine();
  const Entries entries;
  auto request = entries.program("e", "");
  request.language = Language::javascript;
  EXPECT_EQ(engine->run(request, nullptr, nullptr).error().code, "unsupported_by_engine");
}

// ---- What a cell has not ----

EngineOptions leaving() {
  auto out = options(1);
  out.may_leave = true;
  return out;
}

constexpr const char* kThread = "import threading\nthreading.Thread(target=print).start()\n";
constexpr const char* kSocket = "import socket\nsocket.socket()\n";

TEST(WasiBeyond, a_program_that_asks_for_a_thread_or_a_socket_is_left_there) {
  const auto engine = testing::engine(leaving());
  for (const auto& [code, what] : {std::pair(kThread, "threads"), {kSocket, "sockets"}}) {
    const auto out = outcome(*engine, python(code));
    EXPECT_TRUE(out.left) << code;
    EXPECT_EQ(out.beyond, what);
    EXPECT_EQ(out.err.bytes, "") << "it has not even heard of it";
    EXPECT_TRUE(works(*engine));
  }
  // Also where it would have gone on.
  EXPECT_TRUE(outcome(*engine, python("import socket\ntry: socket.socket()\nexcept OSError: pass")).left);
  EXPECT_EQ(engine->counts().workers_started, 1u) << "and its cell is as good as before";
}

TEST(WasiBeyond, without_leave_it_goes_on_and_the_outcome_says_what_it_asked_for) {
  const auto engine = testing::engine(options(1));
  const auto out = outcome(*engine, python(kThread));
  EXPECT_FALSE(out.left);
  EXPECT_EQ(out.beyond, "threads");
  EXPECT_EQ(out.status, Status::failed);
  EXPECT_EQ(out.failure->message, "can't start new thread");
}

TEST(WasiBeyond, who_asked_for_wasi_stays_there) {
  const auto engine = testing::engine(leaving());
  auto request = python(kSocket);
  request.engine = EngineWish::wasi;
  EXPECT_FALSE(outcome(*engine, request).left);
  request = python(kSocket);
  request.deterministic.emplace().seed = 1;
  EXPECT_FALSE(outcome(*engine, request).left);
}

TEST(WasiBeyond, what_has_been_shown_or_read_cannot_be_taken_back) {
  const auto engine = testing::engine(leaving());
  Watch watch;
  EXPECT_FALSE(outcome(*engine, python(std::string("print(1, flush=True)\n") + kSocket), &watch).left);
  EXPECT_TRUE(outcome(*engine, python(std::string("print(1)\n") + kSocket), &watch).left) << "not written yet";
  EXPECT_TRUE(outcome(*engine, python(std::string("print(1, flush=True)\n") + kSocket)).left) << "nobody saw it";

  struct Typing final : OutputSink {
    void output(Stream, std::span<const char>) override {}
    int input_fd() override { return fd.get(); }
    Fd fd;
  } typing;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  typing.fd = Fd(ends[0]);
  Fd writer(ends[1]);
  ASSERT_EQ(write(writer.get(), "line\n", 5), 5);
  EXPECT_FALSE(outcome(*engine, python(std::string("input()\n") + kSocket), &typing).left);
  EXPECT_TRUE(outcome(*engine, python(kSocket), &typing).left);
}

TEST(WasiBeyond, a_program_that_only_prints_such_words_is_not_left) {
  const auto engine = testing::engine(leaving());
  EXPECT_FALSE(outcome(*engine, python("raise RuntimeError(\"can't start new thread\")")).left);
}

}  // namespace
}  // namespace hotcell::wasi
