;; expect: table_limit | memory_limit | refused
(module (memory (export "memory") 1) (table 100000000 funcref) (func (export "_start")))
