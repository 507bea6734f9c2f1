#!/usr/bin/env python3
"""Packages are really resolved and installed, in builder cells of the daemon that DOCKER_HOST names.

deps_test.py --hotcell PATH [--only WORD]

What goes wrong is asked of a local index (package_index.py) that misbehaves as it is told; the real packages come from
the real indexes.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
import package_index  # noqa: E402
from package_index import PASSWORD, USER  # noqa: E402

HERE = package_index.own_address()
# What would lead past the local index, or into it from outside.
INHERITED = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "npm_config_registry", "NPM_CONFIG_REGISTRY")


def docker(*words):
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.split()


class Place:
    """A cache and a state folder of its own, and how hotcell is called with them."""

    def __init__(self, hotcell, folder):
        self.hotcell, self.folder = hotcell, Path(folder)
        self.cache = self.folder / "cache"
        self.environment = {k: v for k, v in os.environ.items() if k not in INHERITED and not k.startswith("HOTCELL_DEPS_")}
        self.environment |= {"DEPENDENCY_CACHE_DIR": str(self.cache), "HOTCELL_STATE": str(self.folder / "state"),
                             "HOTCELL_CONFIG": "/dev/null"}

    def start(self, *words, **environment):
        return subprocess.Popen([self.hotcell, "cache", *words], env=self.environment | environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def call(self, *words, **environment):
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=400)
        return process.returncode, out, err

    def warm(self, *packages, language="python", engine="docker", **environment):
        status, out, err = self.call("warm", "-l", language, "--engine", engine, "--json", *packages, **environment)
        return (json.loads(out) if status == 0 else None), err

    def content(self, entry):
        status, out, err = self.call("show", "--json", entry["key"])
        assert status == 0, err
        return Path(json.loads(out)["path"])

    def containers(self):
        home = (self.folder / "state" / "home")
        wanted = home.read_text().strip() if home.exists() else "none"
        return docker("ps", "-aq", "--filter", f"label=hotcell.home={wanted}")


TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Failed(Exception):
    pass


def expect(truth, what):
    if not truth:
        raise Failed(what)


def expect_words(text, *words):
    for word in words:
        expect(word in text, f"{word!r} is not in: {text}")


class Run:
    """What a test is given."""

    def __init__(self, hotcell, index, folder):
        self.hotcell, self.index, self.folder = hotcell, index, folder
        self.places = 0
        self.place = self.new_place()

    def new_place(self):
        self.places += 1
        place = Place(self.hotcell, self.folder / str(self.places))
        place.folder.mkdir(parents=True)
        return place

    def local(self, prefix=""):
        return {"HOTCELL_DEPS_INDEX_URL": self.index.url(HERE, f"{prefix}simple"),
                "HOTCELL_DEPS_NPM_REGISTRY": self.index.url(HERE, f"{prefix}npm/")}

    def refused(self, *packages, **more):
        """The words of an install that must fail. In a new place: a failure is remembered for some seconds."""
        self.place = self.new_place()
        entry, err = self.place.warm(*packages, **{**self.local(), **more})
        expect(entry is None, f"{packages} was installed: {entry}")
        return err


# ---- Python ----

@test
def a_package_and_what_it_needs_are_installed(run):
    entry, err = run.place.warm("beta", **run.local())
    expect(entry, err)
    expect(not entry["hit"], "it cannot have been there")
    content = run.place.content(entry)
    expect((content / "alpha" / "data.txt").read_text() == "forty-two", "the data file")
    expect(list((content / "alpha" / "__pycache__").glob("*.pyc")), "compiled modules")
    expect((content / "bin" / "beta-tool").read_text().startswith("#!"), "the entry point")
    expect(os.access(content / "bin" / "beta-tool", os.X_OK), "the entry point can be run")
    expect(not (content / ".lock").exists(), "nothing of the tool's own is left")
    again, err = run.place.warm("beta", HOTCELL_DEPS_INDEX_URL="http://192.0.2.1:9/simple")
    expect(again and again["hit"], f"a hit needs no index: {err}")
    expect(not run.place.containers(), "no container is left")


@test
def a_superset_reuses_what_was_downloaded(run):
    expect(run.place.warm("alpha", **run.local())[0], "alpha")
    before = run.index.hits["/files/alpha-2.0-py3-none-any.whl"]
    entry, err = run.place.warm("alpha", "beta", **run.local())
    expect(entry, err)
    expect(run.index.hits["/files/alpha-2.0-py3-none-any.whl"] == before, "alpha was fetched again")


@test
def an_absent_package_is_named(run):
    expect_words(run.refused("no-such-thing"), "has no package 'no-such-thing'", "look at the spelling")
    expect_words(run.refused("needs-absent"), "has no package 'nowhere-to-be-found'", "needs-absent", "log:")
    expect_words(run.refused("alpha==9"), "has no version 'alpha==9'")


@test
def contradictory_pins_are_explained(run):
    expect_words(run.refused("needs-old-alpha", "needs-new-alpha"), "go together", "alpha>=2", "alpha<2")


@test
def a_withdrawn_version_is_installed_only_by_name(run):
    expect_words(run.refused("withdrawn"), "withdrawn by its authors", "it ate the files")
    entry, err = run.place.warm("withdrawn==1.0", **run.local())
    expect(entry, err)


@test
def source_packages_are_refused_unless_allowed(run):
    expect_words(run.refused("source-only"), "'source-only' cannot be installed", "source code only", "allow_sdists")


@test
def wheels_for_other_machines_are_no_use(run):
    expect_words(run.refused("windows-only"), "'windows-only'", "win_amd64")
    expect_words(run.refused("old-python"), "'old-python'", "other versions of Python")


@test
def a_file_with_another_hash_is_refused(run):
    expect_words(run.refused("liar"), "'liar==1.0'", "not the one whose hash it announced")
    expect(not [*run.place.cache.glob("shared/*")], "nothing was kept")
    expect(not [*run.place.cache.glob("staging/*")], "nothing is left in staging")


@test
def a_half_downloaded_wheel_is_refused(run):
    expect_words(run.refused("half"), "half")
    expect(not [*run.place.cache.glob("shared/*")], "nothing was kept")


@test
def an_index_without_hashes_is_hashed_by_us(run):
    entry, err = run.place.warm("hashless", **run.local())
    expect(entry, err)


@test
def a_wheel_cannot_write_outside(run):
    entry, _ = run.place.warm("escape", **run.local())
    expect(not [*run.place.folder.rglob("outside.txt")], "it wrote outside")


# ---- The index ----

@test
def an_index_that_hangs_meets_the_deadline(run):
    before = time.monotonic()
    err = run.refused("alpha", HOTCELL_DEPS_INDEX_URL=run.index.url(HERE, "hang/simple"), HOTCELL_DEPS_TIMEOUT_SECONDS="6")
    expect(time.monotonic() - before < 25, "it took too long")
    expect_words(err, "not done in time", "deps.timeout_seconds")
    expect(not run.place.containers(), "no container is left")


@test
def an_index_that_is_not_there_is_named(run):
    expect_words(run.refused("alpha", HOTCELL_DEPS_INDEX_URL=f"http://{HERE}:9/simple"), HERE, "cannot be reached")
    expect_words(run.refused("alpha", HOTCELL_DEPS_INDEX_URL="http://nowhere.invalid/simple"), "nowhere.invalid", "does not know")
    expect_words(run.refused("alpha", HOTCELL_DEPS_INDEX_URL="http://127.0.0.1:9/simple"), "loopback")


@test
def a_private_address_is_open_only_where_it_was_named(run):
    """The same server at another port is not what the operator named."""
    with package_index.Index() as other:
        run.index.python["elsewhere"] = [package_index.File(*package_index.wheel("elsewhere", "1.0"))]
        file = run.index.python["elsewhere"][0]
        other.python["elsewhere"] = [file]
        page = f'<a href="http://{HERE}:{other.port}/files/{file.name}{file.fragment}">{file.name}</a>'
        run.index.pages["elsewhere"] = page
        run.refused("elsewhere")
        expect(not other.hits, f"the builder reached what was not opened: {other.hits}")


@test
def an_untrusted_certificate_is_told_as_such(run):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        authority, *certificate = package_index.make_certificate(folder, [HERE])
        index = stack.enter_context(package_index.Index(certificate=certificate))
        words = {"HOTCELL_DEPS_INDEX_URL": index.url(HERE, "simple"), "HOTCELL_DEPS_NPM_REGISTRY": index.url(HERE, "npm/")}
        expect_words(run.refused("alpha", **words), "certificate", HERE, "not trusted", "deps.ca_file")
        expect_words(run.refused("left", language="javascript", **words), "certificate", HERE, "not trusted")
        words["HOTCELL_DEPS_CA_FILE"] = str(authority)
        entry, err = run.place.warm("alpha", **words)
        expect(entry, err)
        entry, err = run.place.warm("left", language="javascript", **words)
        expect(entry, err)


@test
def credentials_are_asked_for_and_never_shown(run):
    secret = run.local("secret/")
    file = run.folder / "credentials"
    expect_words(run.refused("alpha", **secret), "wants credentials", "deps.credentials_file")
    expect_words(run.refused("left", language="javascript", **secret), "wants credentials")

    def with_password(password):
        file.write_text(f"machine {HERE} login {USER} password {password}\n")
        file.chmod(0o600)
        return secret | {"HOTCELL_DEPS_CREDENTIALS_FILE": str(file)}

    wrong = "not-the-password-5521"
    err = run.refused("alpha", **with_password(wrong))
    expect_words(err, "wants credentials")
    expect(wrong not in err, "the password is shown")
    run.place = run.new_place()
    for language, package in (("python", "alpha"), ("javascript", "left")):
        entry, err = run.place.warm(package, language=language, **with_password(PASSWORD))
        expect(entry, err)
        expect(entry["shared"] is False, "what needs credentials is not for everybody")
    # In the URL, as pip has it.
    run.place = run.new_place()
    url = secret["HOTCELL_DEPS_INDEX_URL"].replace("://", f"://{USER}:{PASSWORD}@")
    entry, err = run.place.warm("alpha", HOTCELL_DEPS_INDEX_URL=url)
    expect(entry, err)
    err = run.refused("no-such-thing", HOTCELL_DEPS_INDEX_URL=url)
    expect(PASSWORD not in err, f"the password is shown: {err}")
    found = subprocess.run(["grep", "-rlF", PASSWORD, run.place.folder], capture_output=True, text=True).stdout
    expect(not found, f"the password is on the disk: {found}")
    file.chmod(0o644)
    expect_words(run.refused("beta", **(secret | {"HOTCELL_DEPS_CREDENTIALS_FILE": str(file)})), "others may read", "chmod 600")


@test
def the_secret_of_an_index_is_not_what_the_daemon_shows(run):
    """While a builder runs: neither its configuration nor its command line has the password."""
    url = run.index.url(HERE, "hang/simple").replace("://", f"://{USER}:{PASSWORD}@")
    process = run.place.start("warm", "alpha", HOTCELL_DEPS_INDEX_URL=url, HOTCELL_DEPS_TIMEOUT_SECONDS="20")
    try:
        shown = ""
        hits = run.index.hits["/hang/simple/alpha/"]
        deadline = time.monotonic() + 20
        while run.index.hits["/hang/simple/alpha/"] == hits and time.monotonic() < deadline:
            time.sleep(0.05)
        for container in run.place.containers():
            shown += subprocess.run(["docker", "inspect", container], capture_output=True, text=True).stdout
            shown += subprocess.run(["docker", "top", container, "-eo", "pid,args"], capture_output=True, text=True).stdout
        expect("hang/simple" in shown, f"the builder was not seen: {shown[:300]}")
        expect(PASSWORD not in shown, "the password is shown")
    finally:
        process.kill()
        process.communicate()
        subprocess.run([run.hotcell, "sweep"], env=run.place.environment, capture_output=True, check=True)


@test
def without_a_network_what_was_downloaded_serves(run):
    offline = {"HOTCELL_DEPS_OFFLINE": "1"}
    expect_words(run.refused("beta", **offline), "beta", "deps.offline")
    expect_words(run.refused("left", language="javascript", **offline), "deps.offline")
    for language, packages in (("python", ["alpha", "beta"]), ("javascript", ["left", "needs-old-left"])):
        entry, err = run.place.warm(*packages, language=language, **run.local())
        expect(entry, err)
        status, _, err = run.place.call("rm", entry["key"])
        expect(status == 0, err)
        entry, err = run.place.warm(packages[1], language=language, **run.local(), **offline)
        expect(entry, err)


# ---- Node ----

@test
def node_packages_lie_as_npm_would_put_them(run):
    entry, err = run.place.warm("needs-old-left", "needs-new-left", "renamer", "@team/scoped", "tool", "maybe-mac",
                                language="javascript", **run.local())
    expect(entry, err)
    content = run.place.content(entry)
    program = """
      const at = (name, from) => require(require.resolve(name, {paths: [from]}));
      const root = process.argv[1] + '/node_modules/';
      console.log(at('left', root + 'needs-old-left'), '|', at('left', root + 'needs-new-left'), '|',
                  at('old-left', root + 'renamer'), '|', require(root + '@team/scoped'));"""
    out = subprocess.run(["node", "-e", program, content], capture_output=True, text=True)
    expect(out.stdout.strip() == "left 1.0.0 | left 2.0.0 | left 1.0.0 | @team/scoped 1.0.0", out.stdout + out.stderr)
    expect((content / "node_modules/.bin/tool-run").resolve().read_text().startswith("#!"), "the entry point")
    expect(sorted(one.name for one in content.iterdir()) == ["node_modules"], f"more than packages: {[*content.iterdir()]}")
    expect(not (content / "node_modules/mac-only").exists(), "what is for other machines")


@test
def scripts_of_packages_never_run(run):
    entry, err = run.place.warm("scripted", language="javascript", **run.local())
    expect(entry, err)
    expect(not [*run.place.folder.rglob("trace")], "a script ran")


@test
def what_npm_refuses_is_explained(run):
    js = {"language": "javascript"}
    expect_words(run.refused("none-such", **js), "has no package 'none-such'")
    expect_words(run.refused("left@9", **js), "has no version 'left@9'")
    expect_words(run.refused("wants-peer-1", "wants-peer-2", **js), "go together", "left")
    expect_words(run.refused("mac-only", **js), "'mac-only@1.0.0' does not run here")
    expect_words(run.refused("from-git", **js), "Git")
    expect_words(run.refused("liar", **js), "not the one whose hash it announced")
    run.refused("half", **js)
    err = run.refused("left", **js, HOTCELL_DEPS_NPM_REGISTRY=run.index.url(HERE, "hang/"), HOTCELL_DEPS_TIMEOUT_SECONDS="6")
    expect_words(err, "not done in time")
    expect(not [*run.place.cache.glob("shared/*")], "nothing was kept")


# ---- Processes ----

@test
def many_first_requests_are_one_install(run):
    before = run.index.hits["/files/beta-1.5-py3-none-any.whl"]
    processes = [run.place.start("warm", "--json", "beta", **run.local()) for _ in range(50)]
    keys = set()
    installed = 0
    for process in processes:
        out, err = process.communicate(timeout=300)
        expect(process.returncode == 0, err)
        entry = json.loads(out)
        keys.add(entry["key"])
        installed += not entry["hit"] and not entry["waited"]
    expect(len(keys) == 1, f"{len(keys)} different entries")
    expect(installed == 1, f"{installed} processes installed it")
    fetched = run.index.hits["/files/beta-1.5-py3-none-any.whl"] - before
    expect(fetched <= 3, f"it was fetched {fetched} times")  # HEAD, its metadata by range or whole, the file


@test
def a_killed_process_leaves_nothing(run):
    hits = run.index.hits["/files/stuck-1.0-py3-none-any.whl"]
    process = run.place.start("warm", "stuck", **run.local())
    deadline = time.monotonic() + 40
    while run.index.hits["/files/stuck-1.0-py3-none-any.whl"] == hits and time.monotonic() < deadline:
        time.sleep(0.05)
    expect(run.place.containers(), "it was not caught while a builder ran")
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while run.place.containers() and time.monotonic() < deadline:
        time.sleep(0.1)
    expect(not run.place.containers(), "the builder outlives its process")
    entry, err = run.place.warm("alpha", **run.local())  # the next one sweeps
    expect(entry, err)
    expect(not [*run.place.cache.glob("staging/*")], "something is left in staging")
    home = (run.place.folder / "state" / "home").read_text().strip()
    expect(not docker("network", "ls", "-q", "--filter", f"label=hotcell.home={home}"), "a network is left")


@test
def verify_installs_what_is_damaged(run):
    entry, err = run.place.warm("alpha", **run.local())
    expect(entry, err)
    file = run.place.content(entry) / "alpha" / "data.txt"
    file.chmod(0o644)
    file.write_text("damaged")
    status, out, err = run.place.call("verify", **run.local())
    expect(status == 1, out + err)
    expect_words(out, "rebuilt")
    expect((run.place.content(entry) / "alpha" / "data.txt").read_text() == "forty-two", "it is still damaged")


@test
def an_index_that_only_a_proxy_can_reach_is_reached_through_it(run):
    through = {"HOTCELL_DEPS_PROXY": run.index.url(HERE, ""), "HOTCELL_DEPS_INDEX_URL": "http://packages.invalid/simple",
               "HOTCELL_DEPS_NPM_REGISTRY": "http://packages.invalid/npm/"}
    entry, err = run.place.warm("beta", **through)
    expect(entry, err)
    expect(run.index.hits["http://packages.invalid/simple/beta/"], f"the proxy was asked for {[*run.index.hits]}")
    entry, err = run.place.warm("left", language="javascript", **through)
    expect(entry, err)
    expect_words(run.refused("beta", **through | {"HOTCELL_DEPS_PROXY": f"http://{HERE}:9"}), "reached")


@test
def versions_are_shown_before_anything_is_installed(run):
    def deps(*words, **environment):
        done = subprocess.run([run.hotcell, "deps", "--json", "--dep", "beta", "-c", "import beta", *words],
                              env=run.place.environment | environment, capture_output=True, text=True, timeout=120)
        expect(done.returncode == 0, done.stderr)
        return json.loads(done.stdout)["cache"]

    expect(deps(**run.local())["key"] is None, "nobody has asked the index yet")
    expect(not run.place.cache.exists(), "looking makes no cache")
    shown = deps("--resolve", **run.local())
    expect({"name": "beta", "version": "1.5"} in shown["packages"] and not shown["installed"], str(shown))
    expect(deps() == shown, "it is remembered, and no index is asked")
    entry, err = run.place.warm("beta", HOTCELL_DEPS_INDEX_URL=run.local()["HOTCELL_DEPS_INDEX_URL"])
    expect(entry and entry["key"] == shown["key"], f"the key was {shown['key']}, {entry and entry['key']}: {err}")


# ---- The real ones ----

@test
def real_packages_of_python(run):
    entry, err = run.place.warm("requests==2.28.0", "numpy")
    expect(entry, err)
    expect_words(entry["packages"], "requests 2.28.0", "numpy")
    content = run.place.content(entry)
    expect([*content.glob("numpy/**/*.so")], "numpy's compiled code")


@test
def wasi_cells_get_pure_wheels(run):
    expect_words(run.refused("compiled", engine="wasi"), "'compiled' has compiled code", "WASI")
    expect_words(run.refused("alpha", "compiled", engine="wasi"), "'compiled'")
    entry, err = run.place.warm("requests==2.28.0", engine="wasi")
    expect(entry, err)
    content = run.place.content(entry)
    expect((content / "charset_normalizer").is_dir(), "what requests needs")
    expect(not [*content.rglob("*.so")], "compiled code")


@test
def source_packages_are_built_where_that_is_allowed(run):
    config = run.folder / "config.yaml"
    config.write_text("deps:\n  allow_sdists: true\n")
    entry, err = run.place.warm("docopt==0.6.2", HOTCELL_CONFIG=str(config))
    expect(entry, err)
    expect((run.place.content(entry) / "docopt.py").exists(), "the module")
    expect(not [*(run.place.cache / "downloads").rglob("*docopt*")], "what it could have changed serves nobody else")


@test
def real_packages_of_node(run):
    entry, err = run.place.warm("lodash@^4", "glob@10", language="javascript")
    expect(entry, err)
    out = subprocess.run(["node", "-p", "require(process.argv[1]).chunk([1, 2, 3], 2).length",
                          run.place.content(entry) / "node_modules/lodash"], capture_output=True, text=True)
    expect(out.stdout.strip() == "2", out.stderr)


@test
def real_contradictions(run):
    entry, err = run.place.warm("requests==2.28.0", "urllib3==2.0.0")
    expect(entry is None, "they cannot go together")
    expect_words(err, "go together", "urllib3")


def attempt(function, hotcell, folder):
    began = time.monotonic()
    verdict = "ok"
    with package_index.Index() as index:
        try:
            function(Run(hotcell, index, folder))
        except (Failed, AssertionError, subprocess.SubprocessError) as error:
            verdict = f"FAILED: {error}"
    print(f"{function.__name__}: {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return verdict == "ok"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hotcell", required=True)
    parser.add_argument("--only", default="", help="tests with this word in their name")
    options = parser.parse_args()
    chosen = [function for function in TESTS if options.only in function.__name__]
    # Most of it is waiting, for builders and for deadlines: several at once, each with an index of its own.
    with tempfile.TemporaryDirectory(prefix="hotcell-deps-") as folder, ThreadPoolExecutor(4) as pool:
        good = sum(pool.map(lambda one: attempt(one, os.path.abspath(options.hotcell), Path(folder) / one.__name__), chosen))
    passed, failed = good, len(chosen) - good
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
