"""A generator that gives the numbers that a test wants drawn."""


class Draws:
    """Hands out ``numbers`` in order, whatever is asked for; what is left over at the end is the test's to check."""

    def __init__(self, *numbers):
        self.left = list(numbers)
        self.asked = []

    def _next(self, *bounds):
        self.asked.append(bounds)
        return self.left.pop(0)

    random = uniform = integers = normal = _next
