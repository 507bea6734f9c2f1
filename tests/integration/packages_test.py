#!/usr/bin/env python3
"""Real packages in real cells, installed from the real registries: each with a small program whose output is checked.

    packages_test.py --bin build/release/bin [--only NAME]

Every program runs twice, and the second run must find its packages in the cache.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

# name, engine ("" chooses itself), file, packages, program, its output
PROGRAMS = [
    ("numpy", "", "a.py", ["numpy"],
     "import numpy as np\na = np.arange(12).reshape(3, 4)\nprint(a.sum(), (a @ a.T)[2, 2], np.linalg.norm([3., 4.]))\n",
     "66 366 5.0\n"),
    ("pandas", "", "a.py", ["pandas"],
     "import pandas as pd\nd = pd.DataFrame({'k': list('aab'), 'v': [1, 2, 4]})\n"
     "print(d.groupby('k').v.sum().to_dict())\nd.to_csv('out.csv', index=False)\nprint(open('out.csv').read().split())\n",
     "{'a': 3, 'b': 4}\n['k,v', 'a,1', 'a,2', 'b,4']\n"),
    ("matplotlib", "", "a.py", ["matplotlib"],
     "import matplotlib\nimport matplotlib.pyplot as plt\nplt.plot([1, 2, 4])\nplt.savefig('plot.png')\n"
     "print(matplotlib.get_backend().lower(), open('plot.png', 'rb').read(4))\n",
     "agg b'\\x89PNG'\n"),
    ("scipy", "", "a.py", ["scipy"],
     "from scipy import optimize, stats\nprint(round(optimize.brentq(lambda x: x * x - 2, 0, 2), 6), stats.norm.cdf(0))\n",
     "1.414214 0.5\n"),
    ("scikit-learn", "", "a.py", ["scikit-learn"],
     "from sklearn.datasets import load_iris\nfrom sklearn.linear_model import LogisticRegression\n"
     "x, y = load_iris(return_X_y=True)\nprint(x.shape, LogisticRegression(max_iter=500).fit(x, y).score(x, y) > 0.9)\n",
     "(150, 4) True\n"),
    ("requests", "", "a.py", ["requests==2.28.0"],
     "# /// script\n# dependencies = ['requests==2.28.0']\n# ///\nimport requests\nprint(requests.__version__)\n"
     "try: requests.get('http://127.0.0.1:9', timeout=2)\nexcept requests.ConnectionError: print('no connection')\n",
     "2.28.0\nno connection\n"),
    ("pillow", "", "a.py", ["Pillow"],
     "from PIL import Image\ni = Image.new('RGB', (8, 4), (255, 0, 0)).rotate(90, expand=True)\ni.save('out.png')\n"
     "print(Image.open('out.png').size, i.getpixel((0, 0)))\n",
     "(4, 8) (255, 0, 0)\n"),
    ("lodash", "", "a.js", ["lodash"],
     "const _ = require('lodash')\nconsole.log(_.chunk([1, 2, 3], 2), _.camelCase('a b'))\n", "[ [ 1, 2 ], [ 3 ] ] aB\n"),
    ("lodash as a module", "", "a.mjs", ["lodash"],
     "import _ from 'lodash'\nimport fp from 'lodash/fp.js'\nconsole.log(_.sum([1, 2]), fp.map((x) => x * 2)([1]))\n",
     "3 [ 2 ]\n"),
    ("axios", "", "a.js", ["axios"],
     "const axios = require('axios')\nconsole.log(typeof axios.get, axios.getUri({ url: '/a', params: { b: 1 } }))\n"
     "axios.get('http://127.0.0.1:9').catch((error) => console.log(error.code))\n", "function /a?b=1\nECONNREFUSED\n"),
    ("express", "", "a.js", ["express"],
     "const app = require('express')()\napp.get('/', (q, r) => r.json({ ok: true }))\n"
     "const server = app.listen(0, '127.0.0.1', async () => {\n"
     "  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`)\n"
     "  console.log(answer.status, await answer.text())\n  process.exit(0)\n})\n", '200 {"ok":true}\n'),
    # Without a container.
    ("dateutil on wasi", "wasi", "a.py", ["python-dateutil"],
     "from dateutil import parser, relativedelta\nd = parser.parse('2024-01-31')\n"
     "print((d + relativedelta.relativedelta(months=1)).date())\n", "2024-02-29\n"),
    ("requests on wasi", "wasi", "a.py", ["requests"],
     "import requests\nprint(requests.Request('GET', 'http://a/b', params={'c': 1}).prepare().url)\n", "http://a/b?c=1\n"),
    ("sympy, which imports ctypes", "", "a.py", ["sympy"],
     "import sympy\nx = sympy.symbols('x')\nprint(sympy.integrate(x ** 2, x), sympy.factorint(360))\n",
     "x**3/3 {2: 3, 3: 2, 5: 1}\n"),
    ("beautifulsoup on wasi", "wasi", "a.py", ["beautifulsoup4"],
     "from bs4 import BeautifulSoup\nprint(BeautifulSoup('<p>a<b>c</b></p>', 'html.parser').b.text)\n", "c\n"),
    ("tabulate goes to wasi by itself", "", "b.py", ["tabulate"],
     "from tabulate import tabulate\nprint(tabulate([[1, 2]], headers=['a', 'b']))\n",
     "  a    b\n---  ---\n  1    2\n"),
]


def attempt(bin_dir, work, name, engine, file, packages, program, expected):
    env = {**os.environ, "DEPENDENCY_CACHE_DIR": str(work / "deps")}
    place = work / name
    place.mkdir()
    (place / file).write_text(program)
    wrong = []
    for turn in range(2):
        done = subprocess.run([bin_dir / "hotcell", "run", "--json", "--timeout", "60",
                               *(["--engine", engine] if engine else []), file],
                              cwd=place, env=env, capture_output=True, text=True, timeout=400)
        if not done.stdout:
            wrong.append(done.stderr)
            break
        result = json.loads(done.stdout)
        if result["status"] != "completed" or result["stdout"] != expected:
            wrong.append(f"{result['status']} {result['stdout']!r} {result['stderr'][-1500:]} {result['error']}")
        if result["engine"]["name"] != ("wasi" if "wasi" in name else "docker"):
            wrong.append(f"ran on {result['engine']}")
        if turn and result["dependencies"]["cache"] != "hit":
            wrong.append(f"the cache gave {result['dependencies']['cache']}")
        if any(one["path"].endswith(".pyc") or "node_modules" in one["path"] for one in result["files"]):
            wrong.append(f"came back: {[one['path'] for one in result['files']]}")
        wanted = packages[0].partition("==")[0].lower()
        if not any(one["name"] == wanted for one in result["dependencies"]["installed"]):
            wrong.append(f"installed: {result['dependencies']['installed']}")
    print(("FAILED" if wrong else "ok    ") + " " + name, *wrong, sep="\n    ", flush=True)
    return not wrong


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--bin", type=pathlib.Path, required=True)
    options.add_argument("--only", default="")
    flags = options.parse_args()
    flags.bin = flags.bin.resolve()
    chosen = [entry for entry in PROGRAMS if flags.only in entry[0]]
    with tempfile.TemporaryDirectory(prefix="hotcell-packages-") as work, ThreadPoolExecutor(3) as pool:
        passed = sum(pool.map(lambda entry: attempt(flags.bin, pathlib.Path(work), *entry), chosen))
    failures = len(chosen) - passed
    print(f"{passed} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
