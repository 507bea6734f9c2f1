// The texts are what uv 0.13.9 and npm 11.21 wrote, word for word.
#include "install/explain.h"

#include <gtest/gtest.h>

#include "install/index_access.h"
#include "install/url.h"

namespace hotcell::install {
namespace {

using deps::Ecosystem;

const deps::Target kPython = deps::container_target(Ecosystem::pypi);

void expect(const Error& error, const std::string& code, const std::string& message) {
  EXPECT_EQ(error.code, code) << error.message;
  EXPECT_EQ(error.message, message);
}

TEST(ExplainUv, a_package_that_is_not_there) {
  expect(explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because nowhere-to-be-found was not found in the package registry and all versions of needs-absent depend on nowhere-to-be-found, we can conclude that all versions of needs-absent cannot be used.
         And because you require needs-absent, we can conclude that your requirements are unsatisfiable.
)",
                    kPython),
         "dependency_not_found", "the index has no package 'nowhere-to-be-found'");
}

TEST(ExplainUv, a_version_that_is_not_there) {
  expect(explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because there is no version of requests==99.1 and you require requests==99.1, we can conclude that your requirements are unsatisfiable.
)",
                    kPython),
         "dependency_not_found", "the index has no version 'requests==99.1'");
}

TEST(ExplainUv, a_contradiction_keeps_its_derivation) {
  expect(explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because requests==2.28.0 depends on urllib3>=1.21.1,<1.27 and you require requests==2.28.0, we can conclude that you require urllib3>=1.21.1,<1.27.
         And because you require urllib3==2.0.0, we can conclude that your requirements are unsatisfiable.
)",
                    kPython),
         "dependency_conflict",
         "no versions of these packages go together: requests==2.28.0 depends on urllib3>=1.21.1,<1.27 and you require "
         "requests==2.28.0, we can conclude that you require urllib3>=1.21.1,<1.27. And because you require "
         "urllib3==2.0.0");
}

TEST(ExplainUv, withdrawn_versions_are_not_called_missing_wheels) {
  expect(explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because requests>=2.32.0,<=2.32.1 has no usable wheels and only the following versions of requests are available:
             requests<=2.32.1
             requests>=2.32.2
         we can conclude that requests>=2.32.0,<2.32.2 cannot be used.
         And because you require requests>=2.32.0,<2.32.2, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `requests` because building from source is disabled for all packages (i.e., with `--no-build`)
hotcell: the same without dependencies, and with source packages:
error: No solution found when resolving dependencies
  cause: Because requests==2.32.0 was yanked (reason: Yanked due to conflicts with CVE-2024-35195 mitigation) and only the following versions of requests are available:
             requests<=2.32.0
             requests>=2.32.1
         we can conclude that requests>=2.32.0,<2.32.1 cannot be used.
)",
                    kPython),
         "dependency_not_found",
         "every version of 'requests' that fits was withdrawn by its authors: Yanked due to conflicts with "
         "CVE-2024-35195 mitigation");
}

TEST(ExplainUv, no_wheel_and_why) {
  expect(explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because all versions of docopt have no usable wheels and you require docopt, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `docopt` because building from source is disabled for all packages (i.e., with `--no-build`)
)",
                    kPython),
         "dependency_no_wheel",
         "'docopt' cannot be installed here: it comes as source code only, which would have to be run to be installed");
  expect(explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because windows-only==3.0 has no wheels with a matching platform tag (e.g., `manylinux_2_36_x86_64`) and only windows-only==3.0 is available, we can conclude that all versions of windows-only cannot be used.
         And because you require windows-only, we can conclude that your requirements are unsatisfiable.

hint: Wheels are available for `windows-only` (v3.0) on the following platform: `win_amd64`
)",
                    kPython),
         "dependency_no_wheel", "'windows-only' cannot be installed here: its wheels are for `win_amd64`");
  expect(explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because tensorflow==1.15.0 has no wheels with a matching Python ABI tag (e.g., `cp311`) and you require tensorflow==1.15, we can conclude that your requirements are unsatisfiable.

hint: You require CPython 3.11 (`cp311`), but we only found wheels for `tensorflow` (v1.15.0) with the following Python ABI tags: `cp27m`, `cp27mu`, `cp35m`, `cp36m`, `cp37m`
)",
                    kPython),
         "dependency_no_wheel", "'tensorflow' cannot be installed here: its wheels are for other versions of Python");
  const auto wasi = explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because compiled==1.0 has no usable wheels and only compiled==1.0 is available, we can conclude that all versions of compiled cannot be used.

hint: Wheels are required for `compiled` because building from source is disabled for all packages (i.e., with `--no-build`)
)",
                               deps::wasi_target());
  EXPECT_EQ(wasi.code, "dependency_no_wheel");
  EXPECT_NE(wasi.message.find("WASI"), std::string::npos) << wasi.message;
}

TEST(ExplainUv, certificates_credentials_and_the_network) {
  const auto tls = explain_uv(R"(error: Failed to fetch: https://index.example:8443/simple/alpha/
  cause: error sending request for url (https://index.example:8443/simple/alpha/)
  cause: client error (Connect)
  cause: invalid peer certificate: UnknownIssuer

hint: Consider enabling use of system TLS certificates with the `--system-certs` command-line flag
)",
                              kPython);
  expect(tls, "dependency_network", "the certificate of index.example is not trusted (UnknownIssuer)");
  EXPECT_NE(tls.hint.find("deps.ca_file"), std::string::npos) << tls.hint;
  expect(explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because alpha was not found in the package registry and you require alpha, we can conclude that your requirements are unsatisfiable.

hint: An index URL (http://index.example/secret/simple) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)
)",
                    kPython),
         "dependency_failed",
         "the package index at index.example wants credentials, and got none or wrong ones (401 Unauthorized)");
  expect(
      explain_uv(R"(error: Request failed after 3 retries in 9.7s
  cause: Failed to fetch: http://nowhere.example/simple/alpha/
  cause: error sending request for url (http://nowhere.example/simple/alpha/)
  cause: client error (Connect)
  cause: dns error
  cause: error resolving DNS
  cause: failed to lookup address information: Name or service not known
)",
                 kPython),
      "dependency_network",
      "the package index at nowhere.example cannot be reached: failed to lookup address information: Name or service "
      "not known");
  expect(explain_uv(R"(error: Request failed after 1 retry in 7.4s
  cause: Failed to fetch: http://index.example/hang/simple/alpha/
  cause: error sending request for url (http://index.example/hang/simple/alpha/)
  cause: operation timed out
)",
                    kPython),
         "dependency_network", "the package index at index.example did not answer in time");
  expect(explain_uv(R"(error: No solution found when resolving dependencies
  cause: Because beta was not found in the cache and you require beta, we can conclude that your requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled. When the network is disabled, registry packages may only be read from the cache.
)",
                    kPython),
         "dependency_network", "beta was not downloaded before, and nothing may be downloaded now (deps.offline)");
}

TEST(ExplainUv, damaged_and_changed_files) {
  expect(explain_uv(R"(Resolved 1 package in 30ms
error: Failed to download `liar==1.0`
  cause: Hash mismatch for `liar==1.0`

         Expected:
           sha256:0000000000000000000000000000000000000000000000000000000000000000
)",
                    kPython),
         "dependency_failed", "the index gave a file of 'liar==1.0' that is not the one whose hash it announced");
  expect(explain_uv(R"(error: Failed to download `half==1.0`
  cause: Failed to write to the distribution cache
  cause: error decoding response body
  cause: request or response body error
  cause: error reading a body from connection
  cause: end of file before message length reached
)",
                    kPython),
         "dependency_network", "the package index cannot be reached: it broke off in the middle of a file");
}

TEST(ExplainUv, what_is_not_understood_is_passed_on) {
  const auto error = explain_uv("error: something\x1b[31m new\n", kPython);
  EXPECT_EQ(error.code, "dependency_failed");
  EXPECT_EQ(error.message.find('\x1b'), std::string::npos);
  EXPECT_EQ(error.hint.find('\x1b'), std::string::npos);
  EXPECT_EQ(explain_uv("", kPython).code, "dependency_failed");
  EXPECT_LT(explain_uv(std::string(5'000'000, 'x'), kPython).hint.size(), 4000u);
}

TEST(ExplainNpm, its_codes_become_ours) {
  const auto said = [](const char* json) { return explain_npm(json, "npm error\n"); };
  expect(said(R"({"error": {"code": "E404", "summary": "Not Found - GET https://registry.example/none-such - not found",
      "detail": "The requested resource 'none-such@*' could not be found or you do not have permission to access it."}})"),
         "dependency_not_found", "the registry has no package 'none-such'");
  expect(
      said(R"({"error": {"code": "ETARGET", "summary": "No matching version found for lodash@^99.", "detail": ""}})"),
      "dependency_not_found", "the registry has no version 'lodash@^99'");
  expect(said(R"({"error": {"code": "ERESOLVE", "summary": "unable to resolve dependency tree",
      "detail": "While resolving: cell@0.0.0\nFound: react@17.0.2\nnode_modules/react\n  react@\"17\" from the root project\n\nCould not resolve dependency:\npeer react@\"^18.3.1\" from react-dom@18.3.1\nnode_modules/react-dom\n  react-dom@\"18\" from the root project\n\nFix the upstream dependency conflict"}})"),
         "dependency_conflict",
         "no versions of these packages go together: peer react@\"^18.3.1\" from react-dom@18.3.1 "
         "node_modules/react-dom react-dom@\"18\" from the root project; found react@17.0.2");
  expect(said(R"x({"error": {"code": "EBADPLATFORM",
      "summary": "Unsupported platform for fsevents@2.3.3: wanted {\"os\":\"darwin\"} (current: {\"os\":\"linux\"})",
      "detail": "Valid os:  darwin\nActual os: linux"}})x"),
         "dependency_no_wheel", "'fsevents@2.3.3' does not run here: Valid os: darwin Actual os: linux");
  expect(said(R"({"error": {"code": "ENOTFOUND",
      "summary": "request to http://nowhere.example/lodash failed, reason: getaddrinfo ENOTFOUND nowhere.example"}})"),
         "dependency_network",
         "the npm registry at nowhere.example cannot be reached: request to http://nowhere.example/lodash failed, "
         "reason: getaddrinfo ENOTFOUND nowhere.example");
  expect(said(R"({"error": {"code": "FETCH_ERROR",
      "summary": "network timeout at: http://registry.example/hang/left"}})"),
         "dependency_network", "the npm registry at registry.example did not answer in time");
  expect(said(R"({"error": {"code": "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "summary": "request to https://registry.example:8443/left failed, reason: unable to verify the first certificate"}})"),
         "dependency_network", "the certificate of registry.example is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)");
  expect(said(R"({"error": {"code": "E401", "summary": "Incorrect or missing password.", "detail": "If you were"}})"),
         "dependency_failed", "the npm registry wants credentials, and got none or wrong ones (401)");
  EXPECT_EQ(said("no JSON at all").code, "dependency_failed");
}

TEST(IndexAccess, secrets_go_into_files_and_out_of_sight) {
  InstallOptions options;
  options.index_url = "http://reader:p%40ss-w0rd@10.1.2.3:8080/simple";
  options.npm_registry = "https://__token__:npm_abcdef@10.1.2.4/npm";
  const auto access = IndexAccess::prepare(options, Deadline::after_seconds(5));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->index_url, "http://10.1.2.3:8080/simple");
  EXPECT_EQ(access->npm_registry, "https://10.1.2.4/npm/");
  EXPECT_EQ(access->netrc, "machine 10.1.2.3\nlogin reader\npassword p@ss-w0rd\n");
  EXPECT_EQ(access->npmrc, "//10.1.2.4/:_authToken=npm_abcdef\n");
  EXPECT_EQ(access->openings, (std::vector<std::string>{"10.1.2.3:8080", "10.1.2.4:443"}));
  EXPECT_EQ(access->masked("GET http://reader:p@ss-w0rd@10.1.2.3/ with npm_abcdef, then ftp://u:v@h/x"),
            "GET http://****@10.1.2.3/ with ****, then ftp://****@h/x");
  EXPECT_FALSE(scope_of(options).empty());
  EXPECT_TRUE(scope_of({}).empty());
}

TEST(IndexAccess, refuses_what_is_no_index) {
  EXPECT_TRUE(Url::parse("https://index.example/simple"));
  for (const char* url : {"index.example", "file:///etc", "https://", "https://[::1]/", "https://a b/",
                          "http://x:99999/", "https://a\n--index=b", "http://h:80x/"})
    EXPECT_FALSE(Url::parse(url)) << url;
  InstallOptions loopback;
  loopback.index_url = "http://127.0.0.1:3141/simple";
  const auto access = IndexAccess::prepare(loopback, Deadline::after_seconds(5));
  ASSERT_FALSE(access);
  EXPECT_NE(access.error().message.find("loopback"), std::string::npos);
}

TEST(Netrc, reads_machines_and_nothing_else) {
  const auto logins = parse_netrc(
      "# a comment\nmachine a login x password #y\n\nmacdef init\nmachine no\n\n"
      "machine b\n\tlogin z\n\tpassword w\ndefault login d password e\n");
  ASSERT_TRUE(logins) << logins.error();
  ASSERT_EQ(logins->size(), 2u);
  EXPECT_EQ((*logins)[0].password, "#y");
  EXPECT_EQ((*logins)[1].host, "b");
  EXPECT_EQ((*logins)[1].login, "z");
  const auto wrong = parse_netrc("machine a login x password with spaces");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().find("spaces"), std::string::npos) << "it may be a secret";
}

}  // namespace
}  // namespace hotcell::install
