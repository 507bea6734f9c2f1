// An image is native code and memory that programs start from: a wrong one must be refused with its reason, not loaded.
#include "wasi/worker/image.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "image_folder.h"

namespace hotcell::wasi {
namespace {

namespace fs = std::filesystem;

// A copy of the Python image, of hard links where that works: only what a test changes is its own.
struct WorkerImage : ::testing::Test {
  fs::path root, folder;
  Manifest manifest;
  void SetUp() override {
    const auto from = hotcell::testing::images_folder() / "python";
    auto loaded = Manifest::load(from);
    ASSERT_TRUE(loaded) << loaded.error().message;
    manifest = *loaded;
    std::string pattern = (fs::temp_directory_path() / "hotcell-image-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root = pattern;
    folder = root / "python";
    fs::create_directory(folder);
    for (const auto& entry : fs::directory_iterator(from)) {
      std::error_code error;
      fs::create_hard_link(entry.path(), folder / entry.path().filename(), error);
      if (error) fs::copy_file(entry.path(), folder / entry.path().filename());
    }
  }
  void TearDown() override { fs::remove_all(root); }

  // Detaches the file from the original before a test changes it.
  fs::path own(const char* name) {
    const auto path = folder / name, copy = root / "copy";
    fs::copy_file(path, copy);
    fs::rename(copy, path);
    return path;
  }
  void write_manifest(const std::function<void(Manifest&)>& change) {
    change(manifest);
    fs::remove(folder / "manifest.json");
    std::ofstream(folder / "manifest.json") << manifest.to_json();
  }
  std::string code(Metering metering = Metering::off, bool pin = false) {
    Engine engine(metering);
    auto image = Image::load(engine, folder, pin);
    if (image) return "loaded";
    EXPECT_FALSE(image.error().message.empty());
    last = image.error();
    return last.code;
  }
  Error last;
};

TEST_F(WorkerImage, a_true_copy_loads_plain_metered_and_pinned) {
  EXPECT_EQ(code(), "loaded");
  EXPECT_EQ(code(Metering::fuel), "loaded");
  EXPECT_EQ(code(Metering::off, true), "loaded");
}

TEST_F(WorkerImage, another_layout_is_refused) {
  write_manifest([](Manifest& m) { m.layout = kImageLayout + 1; });
  EXPECT_EQ(code(), "image_incompatible");
  EXPECT_NE(last.message.find("layout " + std::to_string(kImageLayout + 1)), std::string::npos);
  EXPECT_FALSE(last.hint.empty());
}

TEST_F(WorkerImage, another_wasmtime_is_refused) {
  write_manifest([](Manifest& m) { m.wasmtime = "1.2.3"; });
  EXPECT_EQ(code(), "image_incompatible");
  EXPECT_NE(last.message.find("1.2.3"), std::string::npos);
}

TEST_F(WorkerImage, other_engine_settings_are_refused) {
  write_manifest([](Manifest& m) { m.settings += ",other"; });
  EXPECT_EQ(code(), "image_incompatible");
}

TEST_F(WorkerImage, another_processor_is_refused) {
  write_manifest([](Manifest& m) { m.cpu = "x86_64 avx1024"; });
  EXPECT_EQ(code(), "image_incompatible");
  EXPECT_NE(last.message.find("avx1024"), std::string::npos);
}

TEST_F(WorkerImage, a_missing_manifest_means_no_image) {
  fs::remove(folder / "manifest.json");
  EXPECT_EQ(code(), "image_missing");
  fs::remove_all(folder);
  EXPECT_EQ(code(), "image_missing");
  EXPECT_FALSE(last.hint.empty());
}

TEST_F(WorkerImage, a_damaged_manifest_is_refused) {
  const auto path = own("manifest.json");
  const auto text = manifest.to_json();
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("[]"), std::string("{\"layout\": 1}"),
        text.substr(0, text.size() / 2), std::string("{\"layout\": \"1\"}"), std::string(1000, '\0')}) {
    std::ofstream(path, std::ios::trunc) << bad;
    EXPECT_EQ(code(), "image_broken") << bad.substr(0, 20);
  }
}

TEST_F(WorkerImage, memory_of_the_wrong_size_is_refused) {
  const auto path = own("memory.bin");
  const auto size = fs::file_size(path);
  for (const auto wrong : {size - 1, size - 65536, size + 65536, std::uintmax_t{0}}) {
    fs::resize_file(path, wrong);
    EXPECT_EQ(code(), "image_broken") << wrong;
  }
  write_manifest([&](Manifest& m) { m.memory_bytes = size - 4096; });
  fs::resize_file(path, size - 4096);
  EXPECT_EQ(code(), "image_broken") << "not whole WebAssembly pages";
}

TEST_F(WorkerImage, truncated_code_is_refused) {
  const auto path = own("code.cwasm");
  const auto size = fs::file_size(path);
  for (const auto wrong : {size / 2, std::uintmax_t{4096}, std::uintmax_t{10}, std::uintmax_t{0}}) {
    fs::resize_file(path, wrong);
    EXPECT_EQ(code(), "image_incompatible") << wrong;
  }
}

TEST_F(WorkerImage, code_of_another_engine_setting_is_refused) {
  fs::remove(folder / "code.cwasm");
  fs::create_hard_link(folder / "code-fuel.cwasm", folder / "code.cwasm");
  EXPECT_EQ(code(), "image_incompatible");
}

TEST_F(WorkerImage, code_that_is_no_code_is_refused) {
  fs::remove(folder / "code.cwasm");
  std::ofstream(folder / "code.cwasm") << std::string(100'000, 'x');
  EXPECT_EQ(code(), "image_incompatible");
}

TEST_F(WorkerImage, what_others_could_change_is_refused) {
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  EXPECT_EQ(code(), "untrusted_path");
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
  for (const char* name : {"manifest.json", "code.cwasm", "memory.bin"}) {
    const auto path = own(name);
    ASSERT_EQ(chmod(path.c_str(), 0666), 0);
    EXPECT_EQ(code(), "untrusted_path") << name;
    ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  }
  EXPECT_EQ(code(), "loaded");
  if (geteuid() != 0) return;
  const auto path = own("code.cwasm");
  ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
  EXPECT_EQ(code(), "untrusted_path");
}

TEST_F(WorkerImage, a_pinned_image_does_not_follow_its_file) {
  const auto path = own("memory.bin");
  Engine engine(Metering::off);
  auto image = Image::load(engine, folder, true);
  ASSERT_TRUE(image) << image.error().message;
  const std::vector<std::uint8_t> before((*image)->pristine().begin(), (*image)->pristine().end());
  const Fd file(open(path.c_str(), O_WRONLY));
  const std::string garbage(1 << 20, 'g');
  for (std::size_t at = 0; at < before.size(); at += garbage.size())
    ASSERT_EQ(pwrite(file.get(), garbage.data(), std::min(garbage.size(), before.size() - at), static_cast<off_t>(at)),
              static_cast<ssize_t>(std::min(garbage.size(), before.size() - at)));
  EXPECT_TRUE(std::equal(before.begin(), before.end(), (*image)->pristine().begin()));
  EXPECT_NE(pwrite((*image)->memory_fd(), "x", 1, 0), 1) << "sealed";
  EXPECT_NE(ftruncate((*image)->memory_fd(), 0), 0);
}

}  // namespace
}  // namespace hotcell::wasi
