#!/usr/bin/python3
"""Keeps the include arrows pointing down.

The folder list is the architecture: MAY_INCLUDE says which folders a folder may include, and
OWNERS which folders may include the header of a library that is not ours. A new folder is a new
row. PURE folders ask no clock and no system. Every header stands alone, and what a library's
CMakeLists.txt USES is what it includes.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

BASE = {"lib/base"}
EVERY_LIB = {
    "lib/base", "lib/loop", "lib/log", "lib/settings", "lib/json", "lib/wire", "lib/catalogue",
    "lib/directory", "lib/mailbox", "lib/store", "lib/bus", "lib/homes", "lib/auth",
    "lib/revoked", "lib/geo", "lib/regions",
}  # fmt: skip

# A folder may always include itself.
MAY_INCLUDE = {
    "lib/base": set(),
    "lib/loop": BASE,
    "lib/log": BASE,
    "lib/settings": BASE,
    "lib/json": BASE,
    "lib/auth": BASE | {"lib/json", "lib/settings", "lib/wire"},
    "lib/wire": BASE,
    "lib/catalogue": BASE | {"lib/settings"},
    "lib/directory": BASE | {"lib/wire"},
    "lib/mailbox": BASE | {"lib/wire"},
    "lib/store": BASE | {"lib/log", "lib/wire"},
    "lib/bus": BASE | {"lib/json", "lib/log", "lib/loop"},
    "lib/homes": BASE
    | {"lib/bus", "lib/catalogue", "lib/directory", "lib/log", "lib/loop", "lib/wire"},
    "lib/revoked": BASE | {"lib/auth", "lib/bus", "lib/json", "lib/log", "lib/wire"},
    "lib/geo": BASE | {"lib/catalogue"},
    "lib/regions": BASE
    | {"lib/bus", "lib/catalogue", "lib/geo", "lib/log", "lib/loop", "lib/wire"},
    "geo": BASE
    | {
        "lib/log",
        "lib/loop",
        "lib/settings",
        "lib/json",
        "lib/catalogue",
        "lib/bus",
        "lib/geo",
        "lib/regions",
    },
    "client/c": BASE | {"lib/loop", "lib/json"},
    "edge": EVERY_LIB - {"lib/mailbox", "lib/store"},
    "region-hub": EVERY_LIB,
    "cli": EVERY_LIB | {"client/c"},
    "config": BASE | {"lib/settings", "lib/catalogue", "edge", "region-hub"},
    "bench": EVERY_LIB | {"client/c", "edge", "region-hub"},
    "tests/chaos/wan": BASE | {"lib/json", "lib/loop"},
    "tests/fuzz": EVERY_LIB | {"edge", "geo", "region-hub", "tests/chaos/wan"},
    "tests/support": EVERY_LIB,
}

# A unit test may include what the folder that it mirrors may include, and these. Every file may
# include what lies beside it.
TESTS_MAY_INCLUDE = BASE | {"tests/support"}

# Headers of libraries that are not ours, and the only folders that include them.
OWNERS = {
    r"nats/|nats\.h": {"lib/bus"},
    r"sqlite3\.h|libpq-fe\.h": {"lib/store"},
    r"h2o\.h|h2o/": {"edge"},
    r"libwebsockets\.h": {"client/c", "cli"},
    r"openssl/": {"lib/auth", "lib/bus", "edge", "bench"},
    r"yaml\.h": {"lib/settings"},
    r"maxminddb\.h": {"lib/geo"},
    r"uthash\.h|utlist\.h|utarray\.h": {"lib/base"},
}
# In these folders bytes, positions and times come in and decisions go out. They ask nobody.
PURE = {"lib/json", "lib/wire", "lib/mailbox", "lib/directory"}
NOT_PURE = re.compile(r"base/clock\.h|(?:time|unistd|fcntl|poll|pthread|threads)\.h|(?:sys|net.*)/")

PACKAGES = [
    "libnats",
    "sqlite3",
    "libpq",
    "libh2o-evloop",
    "libwebsockets",
    "yaml-0.1",
    "libmaxminddb",
    "libcrypto",
    "cmocka",
]

# Where the build looks for a header of ours.
SEARCHED = ("lib", "", "client", "client/c/include", "tests/chaos")

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"(?P<ours>[^"]+)"|<(?P<theirs>[^>]+)>)', re.M)
LIBRARY = re.compile(r"meridian_library\(\s*(\S+)([^)]*)\)")
PRAGMA = re.compile(r"\A\s*(/\*.*?\*/\s*)*#pragma once$", re.S | re.M)


def sources(root):
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = [name for name in subfolders if name[0] != "." and name != "build"]
        for name in files:
            if name.endswith((".c", ".h")):
                yield pathlib.Path(folder, name).relative_to(root)


def folder_of(path):
    """The row that a source belongs to: the longest folder of the table that holds it."""
    for parent in path.parents:
        if str(parent) in MAY_INCLUDE:
            return str(parent)
    return None


def mirrored_by(path):
    """The folder that a unit test mirrors: of the tree, or of tests/."""
    inner = pathlib.Path(*path.parts[2:])
    return folder_of(inner) or folder_of("tests" / inner)


def allowed_for(path):
    """The folders that a source may include, or None when it lies in no known folder."""
    if path.parts[:2] == ("tests", "unit"):
        mirrored = mirrored_by(path)
        if mirrored is None:
            return None
        return TESTS_MAY_INCLUDE | MAY_INCLUDE[mirrored] | {mirrored}
    folder = folder_of(path)
    return None if folder is None else MAY_INCLUDE[folder] | {folder}


def owner_of(path):
    return mirrored_by(path) if path.parts[:2] == ("tests", "unit") else folder_of(path)


def resolve(root, path, included):
    """The file that an include names, searched as the build searches; None when there is none."""
    for base in (path.parent, *SEARCHED):
        candidate = pathlib.Path(os.path.normpath(pathlib.Path(base, included)))
        if (root / candidate).is_file():
            return candidate
    return None


def includes(root, path):
    for match in INCLUDE.finditer((root / path).read_text(encoding="utf-8")):
        yield match["ours"], match["theirs"]


def check_includes(root):
    for path in sources(root):
        allowed = allowed_for(path)
        if allowed is None:
            yield f"{path}: lies in a folder that the table does not know"
            continue
        for ours, theirs in includes(root, path):
            if folder_of(path) in PURE and NOT_PURE.match(ours or theirs):
                yield f"{path}: its folder is pure and must not include {ours or theirs}"
            if ours is None:
                for pattern, owners in OWNERS.items():
                    if re.match(pattern, theirs) and owner_of(path) not in owners:
                        yield f"{path}: <{theirs}> is for {', '.join(sorted(owners))} only"
                continue
            target = resolve(root, path, ours)
            if target is None:
                yield f'{path}: "{ours}" is not there'
            elif target.parent != path.parent and folder_of(target) not in allowed:
                yield f"{path}: must not include {target}"


def check_uses(root):
    for cmake in sorted((root / "lib").glob("*/CMakeLists.txt")):
        folder = cmake.parent.name
        for name, arguments in LIBRARY.findall(cmake.read_text(encoding="utf-8")):
            if name != folder:
                yield f"lib/{folder}: its library is called {name}"
            uses, keyword = set(), None
            for word in arguments.split():
                if word in ("SOURCES", "USES", "PACKAGES"):
                    keyword = word
                elif keyword == "USES":
                    uses.add(f"lib/{word}")
            included = set()
            for path in sources(cmake.parent):
                path = pathlib.Path("lib", folder) / path
                for ours, _ in includes(root, path):
                    target = resolve(root, path, ours) if ours else None
                    if target is not None:
                        included.add(folder_of(target))
            included.discard(f"lib/{folder}")
            for missing in sorted(included - uses):
                yield f"lib/{folder}: includes {missing}, which its CMakeLists.txt does not USE"
            for unused in sorted(uses - included):
                yield f"lib/{folder}: its CMakeLists.txt USES {unused}, which it does not include"


def compile_alone(root, header, flags):
    search = [f"-I{root / folder}" for folder in SEARCHED]
    result = subprocess.run(
        ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", *search, *flags, "-x", "c", "-"],
        input=f'#include "{header}"\n', cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return result.stderr


def check_headers(root):
    headers = [path for path in sources(root) if path.suffix == ".h"]
    for path in headers:
        if not PRAGMA.search((root / path).read_text(encoding="utf-8")):
            yield f"{path}: does not begin with #pragma once"
    flags = subprocess.run(
        ["pkg-config", "--cflags", *PACKAGES], capture_output=True, text=True, check=True
    ).stdout.split()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = pool.map(lambda header: compile_alone(root, header, flags), headers)
        for path, errors in zip(headers, outputs):
            if errors:
                yield f"{path}: does not compile alone:\n{errors}"


class TheTree(unittest.TestCase):
    def assert_clean(self, check):
        found = list(check(ROOT))
        if found:
            self.fail("\n" + "\n".join(found))

    def test_includes_point_down(self):
        self.assert_clean(check_includes)

    def test_libraries_use_what_they_include(self):
        self.assert_clean(check_uses)

    def test_headers_stand_alone(self):
        self.assert_clean(check_headers)


class TheTable(unittest.TestCase):
    def test_has_no_circle(self):
        done = set()

        def visit(folder, above):
            self.assertNotIn(folder, above, "a folder that includes itself by way of others")
            if folder not in done:
                for below in MAY_INCLUDE.get(folder, ()):
                    visit(below, above | {folder})
                done.add(folder)

        for folder in MAY_INCLUDE:
            visit(folder, frozenset())

    def test_no_daemon_includes_another(self):
        daemons = {"edge", "region-hub", "cli", "geo"}
        for daemon in daemons:
            self.assertFalse(MAY_INCLUDE[daemon] & daemons, daemon)


class ThisChecker(unittest.TestCase):
    """Each test plants one fault in a small tree."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        self.plant("lib/base/text.h", "/* Text. */\n#pragma once\nstruct text;\n")
        self.plant("lib/base/CMakeLists.txt", "meridian_library(base SOURCES text.c)\n")

    def plant(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def assert_found(self, check, *words):
        found = list(check(self.root))
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def test_finds_an_arrow_that_points_up(self):
        self.plant("lib/bus/bus.h", "#pragma once\n")
        self.plant("lib/base/text.c", '#include "base/text.h"\n#include "bus/bus.h"\n')
        self.assert_found(check_includes, "lib/base/text.c", "lib/bus/bus.h")

    def test_finds_a_way_around_by_dots(self):
        self.plant("edge/session.h", "#pragma once\n")
        self.plant("region-hub/main.c", '#include "../edge/session.h"\n')
        self.assert_found(check_includes, "region-hub/main.c", "edge/session.h")

    def test_finds_a_test_that_reaches_up(self):
        self.plant("lib/wire/hello.h", "#pragma once\n")
        self.plant("tests/unit/lib/base/text_test.c", '#include "wire/hello.h"\n')
        self.assert_found(check_includes, "tests/unit/lib/base/text_test.c")

    def test_lets_a_test_include_what_lies_beside_it(self):
        self.plant("tests/unit/lib/base/golden.h", "#pragma once\n")
        self.plant("tests/unit/lib/base/text_test.c", '#include "golden.h"\n')
        self.assertEqual(list(check_includes(self.root)), [])

    def test_finds_a_foreign_header_outside_its_wrapper(self):
        self.plant("edge/main.c", "#include <h2o.h>\n#  include <nats/nats.h>\n")
        self.assert_found(check_includes, "edge/main.c", "nats/nats.h", "lib/bus")

    def test_finds_a_clock_where_there_must_be_none(self):
        self.plant("lib/mailbox/mailbox.c", "#include <stdint.h>\n#include <time.h>\n")
        self.assert_found(check_includes, "lib/mailbox/mailbox.c", "time.h")

    def test_finds_an_include_of_nothing(self):
        self.plant("edge/main.c", '#include "gone.h"\n')
        self.assert_found(check_includes, "gone.h")

    def test_finds_an_unknown_folder(self):
        self.plant("lib/misc/misc.c", "")
        self.assert_found(check_includes, "lib/misc/misc.c")

    def test_finds_a_use_that_is_missing(self):
        self.plant("lib/wire/hello.c", '#include "base/text.h"\n')
        self.plant("lib/wire/CMakeLists.txt", "meridian_library(wire\n  SOURCES hello.c)\n")
        self.assert_found(check_uses, "lib/wire", "includes lib/base")

    def test_finds_a_use_that_is_left_over(self):
        self.plant("lib/wire/hello.c", "")
        self.plant("lib/wire/CMakeLists.txt", "meridian_library(wire SOURCES hello.c USES base)\n")
        self.assert_found(check_uses, "lib/wire", "USES lib/base")

    def test_finds_a_header_without_pragma_once(self):
        self.plant("lib/base/list.h", "struct list;\n")
        self.assert_found(check_headers, "lib/base/list.h", "#pragma once")

    def test_finds_a_header_that_leans_on_its_includer(self):
        self.plant("lib/base/size.h", "#pragma once\nsize_t size_of_it(void);\n")
        self.assert_found(check_headers, "lib/base/size.h", "size_t")


if __name__ == "__main__":
    unittest.main()
