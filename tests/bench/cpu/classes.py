# Objects: attributes, methods, properties, inheritance, dictionaries.
class Shape:
    count = 0

    def __init__(self, name):
        self.name = name
        Shape.count += 1

    def area(self):
        raise NotImplementedError

    @property
    def label(self):
        return self.name


class Box(Shape):
    def __init__(self, width, height):
        super().__init__('box')
        self.width = width
        self.height = height

    def area(self):
        return self.width * self.height

    def __add__(self, other):
        return Box(self.width + other.width, self.height)

    def __lt__(self, other):
        return self.area() < other.area()


class Circle(Shape):
    __slots__ = ('radius',)

    def __init__(self, radius):
        super().__init__('circle')
        self.radius = radius

    def area(self):
        return 3.0 * self.radius * self.radius


total, seen = 0.0, {}
for i in range(150_000):
    shape = Box(i % 17, i % 5) if i & 1 else Circle(i % 11)
    total += shape.area()
    seen[shape.label] = seen.get(shape.label, 0) + 1
    if isinstance(shape, Box):
        total += (shape + shape).area() + (shape < Box(3, 4))
print(total, sorted(seen.items()), Shape.count)
