# What the profile for the optimised build is recorded on: many kinds of ordinary programs, none of them long.
import bisect, collections, copy, csv, dataclasses, datetime, decimal, difflib, fractions, functools, hashlib, heapq, io
import itertools, json, math, pickle, random, re, statistics, string, struct, textwrap, traceback, zlib, base64, ast

random.seed(1)


def calls():
    def ackermann(m, n):
        return n + 1 if m == 0 else ackermann(m - 1, 1) if n == 0 else ackermann(m - 1, ackermann(m, n - 1))

    def tak(x, y, z):
        return z if y >= x else tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y))

    def hanoi(n, a='a', b='b', c='c'):
        return 0 if n == 0 else hanoi(n - 1, a, c, b) + 1 + hanoi(n - 1, c, b, a)

    def keyword(a, *args, b=1, **more):
        return a + b + len(args) + len(more)
    ackermann(2, 60), tak(14, 8, 3), hanoi(14)
    return sum(keyword(i, 2, 3, b=i, c=4) for i in range(5000))


class Vector:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def __eq__(self, other):
        return (self.x, self.y) == (other.x, other.y)

    def __hash__(self):
        return hash((self.x, self.y))

    def __lt__(self, other):
        return self.x < other.x

    @property
    def length(self):
        return math.hypot(self.x, self.y)

    def __repr__(self):
        return f'Vector({self.x}, {self.y})'


class Named(Vector):
    __slots__ = ('name',)
    made = 0

    def __init__(self, x, y, name='n'):
        super().__init__(x, y)
        self.name = name
        Named.made += 1


@dataclasses.dataclass(order=True)
class Item:
    price: float
    name: str = 'item'
    tags: list = dataclasses.field(default_factory=list)


def objects():
    here, total = Vector(0, 0), 0
    for i in range(6000):
        step = Named(i % 5, i % 3) if i % 2 else Vector(1, 2)
        here = here + step
        total += here.length + isinstance(step, Named) + (step == here) + getattr(step, 'x')
    seen = {Vector(i % 50, 1): i for i in range(2000)}
    items = sorted(Item(random.random(), str(i)) for i in range(1000))
    return total, len(seen), repr(here), copy.deepcopy(items[:50]), min(items)


def sorting():
    data = [random.random() for _ in range(4000)]
    names = [str(x) for x in data]
    sorted(data), sorted(names), sorted(data, key=lambda x: -x), sorted(zip(names, data)), sorted(map(int, map(len, names)))
    sorted([random.randrange(1 << 40) for _ in range(3000)], reverse=True)
    heap = data[:]
    heapq.heapify(heap)
    return [heapq.heappop(heap) for _ in range(1000)], bisect.bisect(sorted(data), 0.5)


def text():
    words = ('the quick brown fox jumps over the lazy dog ' * 60).split()
    count = collections.Counter(words)
    joined = ' '.join(w.capitalize() if len(w) > 3 else w.upper() for w in words)
    joined.replace('Quick', 'slow').split('o'), joined.encode().decode(), joined.find('zzz'), joined.translate({97: 'b'})
    table = ['%5d|%-8s|%.3f' % (i, w, i / 7) for i, w in enumerate(words)]
    table += [f'{i:>6}:{w!r:<10}{i * 1.5:8.2f}' for i, w in enumerate(words)]
    table += ['{0:x} {1} {name}'.format(i, w, name=w) for i, w in enumerate(words)]
    accents = 'àéîõü' * 200
    accents.upper(), accents.encode('utf-8'), accents.encode('utf-16').decode('utf-16'), accents.casefold() == accents
    textwrap.fill(joined, 50), difflib.get_close_matches('quik', words), list(difflib.ndiff(words[:40], words[5:45]))
    return count.most_common(3), len(table), [c for c in joined if c in string.ascii_lowercase][:10]


def patterns():
    page = '\n'.join(f'{i} <a href="http://site{i}.org/p?q={i}">link {i}</a> tel +49-{i:05d} mail u{i}@mail.net' for i in range(300))
    re.findall(r'href="([^"]+)"', page), re.findall(r'\b\d{3,5}\b', page), re.split(r'\s*<[^>]*>\s*', page)
    re.sub(r'(\w+)@(\w+)\.net', lambda m: m[2] + m[1], page), re.findall(r'(?i)LINK (?P<n>\d+)', page)
    line = re.compile(r'^(?P<id>\d+)\s+<a\s+href="(?P<url>.*?)">(.*?)</a>.*?(\S+)$')
    return sum(len(line.match(s)['url']) for s in page.splitlines()), re.search(r'(a|b)*?c(?=x)|\d+-\d+', page)


def documents():
    data = [{'id': i, 'name': f'näme "{i}"', 'score': i / 3, 'tags': ['a', 'b'], 'sub': {'ok': True, 'none': None}} for i in range(400)]
    dumped = json.dumps(data)
    json.loads(dumped), json.dumps(data, indent=2, sort_keys=True), json.dumps(data, ensure_ascii=False)
    pickle.loads(pickle.dumps(data)), ast.literal_eval(repr(data[:40])), eval(repr(data[:20]))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([d['id'], d['name'], d['score']] for d in data)
    return list(csv.DictReader(io.StringIO(out.getvalue()), ['a', 'b', 'c']))[-1]


def numbers():
    big = functools.reduce(lambda a, b: a * b, range(1, 400))
    str(big), big // 10 ** 50, big % 1000007, pow(3, 10 ** 30, 10 ** 9 + 7), math.factorial(500), big << 100, int('7' * 300)
    a, b = 0, 1
    for _ in range(1500):
        a, b = b, a + b
    sieve = bytearray([1]) * 20000
    for i in range(2, 142):
        if sieve[i]:
            sieve[i * i::i] = bytes(len(range(i * i, 20000, i)))
    x, total = 0.5, 0
    for i in range(20000):
        x = 3.9 * x * (1 - x)
        total += int(x * 10) ^ i & 7
    matrix = [[(i * j) % 7 + 0.5 for j in range(30)] for i in range(30)]
    product = [[sum(p * q for p, q in zip(row, column)) for column in zip(*matrix)] for row in matrix]
    decimal.getcontext().prec = 60
    [decimal.Decimal(i).sqrt() / 3 for i in range(1, 60)], sum(fractions.Fraction(1, i) for i in range(1, 60))
    return a % 97, total, product[3][4], statistics.stdev(matrix[3]), statistics.median(matrix[5]), round(math.pi, 5)


def collecting():
    words = [str(i * 7919 % 1000) for i in range(5000)]
    groups = collections.defaultdict(list)
    for i, w in enumerate(words):
        groups[w].append(i)
    counts = {}
    for w in words:
        counts[w] = counts.get(w, 0) + 1
        if w not in counts:
            counts.pop(w, None)
    queue = collections.deque(range(100))
    for _ in range(5000):
        queue.append(queue.popleft())
    sets = {i for i in range(3000)} & {i for i in range(0, 6000, 2)} | {1, 2}
    grid = {(x, y): x * y for x in range(50) for y in range(50)}
    frontier, steps = [(0, 0)], {(0, 0): 0}
    for x, y in frontier:
        for dx, dy in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            n = (x + dx, y + dy)
            if n in grid and n not in steps:
                steps[n] = steps[x, y] + 1
                frontier.append(n)
    combos = sum(1 for _ in itertools.combinations(range(16), 4)) + sum(1 for _ in itertools.permutations(range(6)))
    flat = list(itertools.chain.from_iterable([[1, 2], [3]] * 500)), [*itertools.accumulate(range(500))]
    nested = [[i] * 3 for i in range(500)]
    nested[3:9], nested.index([7, 7, 7]), nested.reverse(), [x for row in nested for x in row if x % 2], max(sets), len(flat)
    return steps[49, 49], combos, all(i >= 0 for i in sets), any(w == 'zz' for w in words), tuple(grid)[:3]


def control():
    def numbers(n):
        for i in range(n):
            try:
                yield 1 / (i % 5)
            except ZeroDivisionError:
                yield -1
            finally:
                n += 0
    total = 0
    for value in numbers(4000):
        if value < 0:
            continue
        while value > 0.3:
            value /= 2
        total += value
        match value, total:
            case (0.25, _):
                total += 1
            case _:
                pass
    for i in range(1500):
        try:
            {}['missing'] if i % 2 else [].pop()
        except LookupError as e:
            total += len(str(e))
        with io.StringIO() as f:
            f.write('x')

    @functools.lru_cache(None)
    def edit(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(edit(a[1:], b) + 1, edit(a, b[1:]) + 1, edit(a[1:], b[1:]) + (a[0] != b[0]))
    total += edit('intention of', 'execution in')
    try:
        [][3]
    except IndexError:
        traceback.format_exc()
    return total


def binary():
    blob = bytes(random.randrange(256) for _ in range(4000)) * 4
    zlib.decompress(zlib.compress(blob)), base64.b64decode(base64.b64encode(blob)), hashlib.sha256(blob).hexdigest()
    hashlib.md5(blob).hexdigest(), zlib.crc32(blob), hashlib.blake2b(blob).hexdigest(), blob.hex()
    return [struct.unpack('<IHd', struct.pack('<IHd', i, i, i / 2)) for i in range(1000)][-1]


def dates():
    day = datetime.datetime(2024, 1, 1)
    shown = [(day + datetime.timedelta(hours=i)).strftime('%Y-%m-%d %H:%M') for i in range(500)]
    return [datetime.datetime.fromisoformat(s) for s in shown][-1], datetime.datetime.strptime(shown[3], '%Y-%m-%d %H:%M')


def compiling():
    source = ''.join(f'def f{i}(a, b={i}):\n    """text"""\n    if a > b:\n        return [x * a for x in range(b)]\n    return {{"k": a}}\n'
                     f'class C{i}(object):\n    x: int = {i}\n    def m(self, *a, **k): return self.x + len(a)\n' for i in range(40))
    space = {}
    exec(compile(source, 'generated', 'exec'), space)
    return space['f3'](5), space['C7']().m(1, 2), len(ast.dump(ast.parse(source)))


def n_body():
    bodies = [[random.random() for _ in range(6)] + [random.random()] for _ in range(5)]
    for _ in range(600):
        for i, a in enumerate(bodies):
            for b in bodies[i + 1:]:
                dx, dy, dz = a[0] - b[0], a[1] - b[1], a[2] - b[2]
                force = 0.001 / (dx * dx + dy * dy + dz * dz + 0.01) ** 1.5
                a[3] -= dx * b[6] * force
                b[3] += dx * a[6] * force
        for a in bodies:
            a[0] += 0.001 * a[3]
    return bodies[0][0]


def queens(n=7):
    return sum(1 for c in itertools.permutations(range(n))
               if n == len({c[i] + i for i in range(n)}) == len({c[i] - i for i in range(n)}))


for _ in range(2):
    for part in (calls, objects, sorting, text, patterns, documents, numbers, collecting, control, binary, dates, compiling,
                 n_body, queens):
        print(part.__name__, str(part())[:60])
