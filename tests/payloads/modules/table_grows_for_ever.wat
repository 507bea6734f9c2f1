;; expect: completed | table_limit | memory_limit
(module (memory (export "memory") 1) (table 1 funcref)
  (func (export "_start") (loop $l (br_if $l (i32.ge_s (table.grow 0 (ref.null func) (i32.const 100000)) (i32.const 0))))))
