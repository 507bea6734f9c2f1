;; expect: memory_limit
;; Growth is refused; a program that dies of that (here by its own unreachable) died of the memory limit.
(module (memory (export "memory") 1)
  (func (export "_start") (loop $l (br_if $l (i32.ge_s (memory.grow (i32.const 64)) (i32.const 0)))) unreachable))
