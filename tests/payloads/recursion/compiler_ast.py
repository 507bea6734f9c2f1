# expect: exception | stack_limit
import ast
node = ast.Constant(1)
for _ in range(100_000):
    node = ast.UnaryOp(ast.USub(), node)
compile(ast.fix_missing_locations(ast.Expression(node)), "<made>", "eval")
