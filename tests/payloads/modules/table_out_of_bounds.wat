;; expect: trap
(module (memory (export "memory") 1) (table 1 funcref) (func (export "_start") (drop (table.get 0 (i32.const 7)))))
