// Is a cell after its reset what it was before? One cell runs hundreds of programs that try to leave something behind;
// after each of them memory and globals are compared with the image, byte for byte, and now and then a canary program
// must print what it prints in a new cell.
#include <random>

#include "worker_helpers.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
using std::chrono::milliseconds;

// Each leaves another kind of trace: in the language, in C data, in the heap, in files, on the stack.
const char* const kHostile[] = {
    "x = 1\nprint(x, globals().keys())",
    "import builtins\nbuiltins.print = builtins.len = None",
    "import sys\nsys.stdout = sys.stderr = sys.__stdout__ = None",
    "import sys\nsys.modules.clear()",
    "import sys\nsys.path[:] = []\nsys.meta_path.clear(); sys.path_hooks.clear()",
    "import gc\ngc.disable(); gc.unfreeze(); gc.set_threshold(1, 1, 1); gc.collect()",
    "import gc\nfor o in gc.get_objects():\n  if type(o) is dict and len(o) < 4:\n    o['evil'] = 1",
    "import json, re, csv, decimal, dataclasses\ndecimal.getcontext().prec = 77\nprint(json.dumps({'a': [1, 2]}))",
    "import random\nrandom.seed(5)\nprint([random.random() for _ in range(3)], hash('abc'), id(object()))",
    "1/0",
    "raise SystemExit(7)",
    "import os\nos._exit(9)",
    "import os\nos.abort()",
    "def f(n): return f(n + 1)\nf(0)",
    "import sys\nsys.setrecursionlimit(10**6)\ndef f(): f()\nf()",
    "l = []\nfor i in range(10**5): l = [l]\nimport sys\nsys.setrecursionlimit(10**6)\nrepr(l)",
    "import json\njson.loads('[' * 100000)",
    "eval('(' * 5000 + ')' * 5000)",
    "compile('-' * 100000 + '1', 'x', 'eval')",
    "x = [bytes(1000) for _ in range(5000)]\nprint(len(x))",
    "x = bytearray(9 << 20)\nfor i in range(0, len(x), 4096): x[i] = 255",
    "class A:\n  def __del__(s): print('del')\nA()\na = A()\na.b = a",
    "class A:\n  def __del__(s):\n    global keep\n    keep = s\nA()",
    "import math\nmath.pi = 3\nprint(math.pi)",
    "import atexit\natexit.register(lambda: print('bye'))\natexit.register(lambda: 1/0)",
    "import threading\ntry: threading.Thread(target=print).start()\nexcept Exception as e: print(type(e), e)",
    "for i in range(50):\n  open(f'/workspace/f{i}', 'w').write('x' * i)\nkeep = open('/tmp/held', 'w')",
    "import os\nos.chdir('/tmp')\nos.environ['EVIL'] = '1'\nos.umask(0)",
    "import os\nfor fd in range(3, 64):\n  try: os.close(fd)\n  except OSError: pass",
    "import os\nos.close(0); os.close(1); os.close(2)\nprint('nothing')",
    "import re\nprint(re.sub('(a+)', '<\\\\1>', 'baaac' * 99)[-20:])",
    "import sys\nsys.setrecursionlimit(200)\nsys.setswitchinterval(1e-6)",
    "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\nprint(1)",
    "import sys\nsys.excepthook = sys.displayhook = sys.unraisablehook = None\n1/0",
    "import sys\nsys.addaudithook(lambda *a: None)\nprint(2)",
    "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('x')",
    "import locale, codecs\ncodecs.register(lambda n: None)\n'x'.encode('nosuch')",
    "import signal\ntry: signal.signal(signal.SIGINT, signal.SIG_IGN)\nexcept Exception as e: print(e)",
    "import sys, types\nsys.modules['json'] = types.ModuleType('json')\nsys.modules['os'] = None",
    "def g():\n  yield from range(9)\nh = g(); next(h)\nimport sys\nsys.intern('a' * 999)",
    "import ctypes",
    "import time\ntime.sleep(0.001)\nprint(time.time() > 0, time.monotonic() > 0)",
    "import _thread\nl = _thread.allocate_lock(); l.acquire()",
    "import asyncio\nasync def m():\n  asyncio.get_running_loop().call_later(99, print)\nasyncio.run(m())",
    "type('A', (), {'__hash__': lambda s: 1/0})\n{}[type('B', (list,), {})()]",
    "object.__subclasses__()[0]\nint.from_bytes(b'x' * 9999, 'big') ** 9",
    "print('é' * 3000, end='')\nimport sys\nsys.stdout.write('no newline')",
    "import string\nstring.ascii_letters = ''\nimport collections.abc as c\nc.Mapping.register(int)",
    "try: zzz\nexcept NameError: print('clean')\nzzz = 1",
    "x = 'unterminated",
    "\0",
};
const char* const kSoftCut = "\nwhile True: pass\n";
// Neither a loop in C nor one that swallows KeyboardInterrupt stops when it is asked to.
const char* const kHardCut[] = {
    "\nx = 7 ** 30000000\n",
    "\nwhile True:\n  try:\n    while True: pass\n  except BaseException: pass\n",
    "\ndef f(n):\n  try:\n    while True: f(n - 1) if n else sorted(range(1000))\n  except BaseException: "
    "f(n)\nf(20)\n",
};
const char* const kGrow[] = {"x = bytearray(60 << 20)\nprint(len(x))", "x = [bytes(1 << 20) for _ in range(70)]"};

const char* const kCanary = R"(
import sys, os, gc, random, time, warnings, decimal, math, hashlib, json, uuid
print(sorted(sys.modules), sys.path, len(sys.meta_path), sys.getrecursionlimit(), sys.getswitchinterval())
print(len(gc.get_objects()), gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.get_count())
print(id(object()), hash('abc'), random.random(), uuid.uuid4(), time.time(), time.monotonic())
print(sorted(os.environ.items()), os.getcwd(), os.listdir('/workspace'), os.listdir('/tmp'))
print(warnings.filters, decimal.getcontext(), math.pi, json.dumps([1]), sys.argv, len(object.__subclasses__()))
print(sys.gettrace(), sys.getprofile(), sys.excepthook, sorted(globals()), sys.getrefcount(None))
print(os.open('/tmp/x', os.O_CREAT), hashlib.sha256(repr(sorted(sys.modules)).encode()).hexdigest())
)";

std::string canary(Runner& runner) {
  auto ask = order(kCanary);
  ask.seed = 42;
  const auto report = runner.run(ask, -1);
  return std::to_string(static_cast<int>(report.fate)) + "/" + std::to_string(report.exit_code) + "\n" +
         report.out.bytes + "\n--\n" + report.err.bytes;
}

TEST(WorkerReset, after_hundreds_of_hostile_programs_a_cell_equals_its_image_byte_for_byte) {
  on_guest_thread([] {
    World world;
    auto runner = world.runner();
    ASSERT_EQ(difference(*world.image, *runner->cell()), "") << "a new cell";
    const std::string expected = canary(*runner);
    ASSERT_TRUE(expected.starts_with("0/0\n")) << expected;

    // An engine has one cell at a time, as a worker has: the old one must go first.
    const auto replace = [&] {
      runner.reset();
      runner = world.runner();
    };
    replace();
    std::mt19937 random(20240611);
    int fates[9] = {}, replaced = 0, compared = 0, canaries = 0;
    std::size_t most_pages = 0;
    for (int n = 0; n < 330; ++n) {
      std::string code;
      for (auto parts = 1 + random() % 2; parts > 0; --parts)
        code += kHostile[random() % std::size(kHostile)] + std::string("\n");
      auto timeout = milliseconds(400);
      if (n % 30 == 7) {
        code = kGrow[random() % std::size(kGrow)];
      } else if (n % 25 == 3) {
        code = kHardCut[random() % std::size(kHardCut)];
        timeout = milliseconds(3 + random() % 10);
      } else if (n % 6 == 1) {
        code = kHostile[random() % 8] + std::string(kSoftCut);
        timeout = milliseconds(1 + random() % 12);
      }
      auto ask = order(code, timeout);
      if (n % 3 == 0) ask.seed = random();
      const auto report = runner->run(ask, -1);
      ++fates[static_cast<int>(report.fate)];
      ASSERT_NE(report.fate, Fate::host_failed) << code << "\n" << report.trap;
      most_pages = std::max<std::size_t>(most_pages, report.dirty_pages);
      if (report.recycle) {  // as a worker would: the process goes
        ++replaced;
        ASSERT_TRUE(runner->cell()->grown()) << code;
        replace();
      }
      ++compared;
      ASSERT_EQ(difference(*world.image, *runner->cell()), "") << "run " << n << ":\n" << code;
      if (n % 8 != 0) continue;
      ++canaries;
      ASSERT_EQ(canary(*runner), expected) << "after run " << n << ":\n" << code;
    }
    EXPECT_EQ(canary(*runner), expected);
    // The list must have reached every way to end, or it shows less than it says.
    EXPECT_GT(fates[static_cast<int>(Fate::exited)], 100);
    EXPECT_GT(fates[static_cast<int>(Fate::timed_out)], 30);
    EXPECT_GT(fates[static_cast<int>(Fate::trapped)] + fates[static_cast<int>(Fate::stack_overflow)], 0);
    EXPECT_GT(replaced, 5);
    EXPECT_GT(most_pages, 512u) << "no run was large enough for the reset that gives everything back";
    std::printf(
        "  %d comparisons, %d canaries, %d cells replaced; exited %d, timed out %d, stack %d, trapped %d; most pages "
        "%zu\n",
        compared, canaries, replaced, fates[0], fates[1], fates[5], fates[6], most_pages);
  });
}

TEST(WorkerReset, a_global_that_is_not_restored_is_noticed) {
  on_guest_thread([] {
    World world;
    const auto runner = world.runner();
    runner->cell()->sabotage(Cell::Sabotage::skip_globals);
    // A trap in the middle of C code leaves the stack pointer where it was.
    const auto report = runner->run(order(kHardCut[0], milliseconds(5)), -1);
    ASSERT_EQ(report.fate, Fate::timed_out);
    EXPECT_EQ(difference(*world.image, *runner->cell()), "global __stack_pointer differs");
    runner->cell()->sabotage(Cell::Sabotage::none);
    ASSERT_TRUE(runner->cell()->reset());
    EXPECT_EQ(difference(*world.image, *runner->cell()), "");
  });
}

TEST(WorkerReset, pages_that_are_not_restored_are_noticed) {
  on_guest_thread([] {
    World world;
    const auto runner = world.runner();
    runner->cell()->sabotage(Cell::Sabotage::skip_last_run);
    const auto report = runner->run(order("x = bytearray(b'x' * 100000)\nprint(len(x))"), -1);
    ASSERT_EQ(report.fate, Fate::exited);
    EXPECT_TRUE(difference(*world.image, *runner->cell()).starts_with("memory differs"));
    runner->cell()->sabotage(Cell::Sabotage::none);
    ASSERT_TRUE(runner->cell()->reset());
    EXPECT_EQ(difference(*world.image, *runner->cell()), "");
  });
}

TEST(WorkerReset, a_program_cannot_see_that_another_one_ran_before_it) {
  on_guest_thread([] {
    World world;
    const std::string expected = canary(*world.runner());
    const auto used = world.runner();
    ASSERT_EQ(used->run(order("import sys, random\nrandom.seed(1)\nsys.x = 1\nbig = [0] * 10**6"), -1).fate,
              Fate::exited);
    EXPECT_EQ(canary(*used), expected);
  });
}

TEST(WorkerReset, a_cell_that_grew_refuses_to_be_reset) {
  on_guest_thread([] {
    World world;
    const auto runner = world.runner();
    const auto report = runner->run(order(kGrow[0]), -1);
    EXPECT_TRUE(report.recycle);
    EXPECT_GT(report.memory_peak, world.image->pristine().size());
    const auto reset = runner->cell()->reset();
    ASSERT_FALSE(reset);
    EXPECT_EQ(reset.error().code, "grown");
  });
}

}  // namespace
}  // namespace hotcell::wasi
