# expect: completed | exception | stack_limit
import ast
node = ast.Constant(1)
for _ in range(200_000):
    node = ast.UnaryOp(ast.USub(), node)
del node
print("freed")
