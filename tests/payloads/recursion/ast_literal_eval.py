# expect: memory_limit | exception | stack_limit
import ast
ast.literal_eval("[" * 150 + "]" * 150 + "+" + "-" * 90_000 + "1")
