;; expect: completed
(module (memory (export "memory") 1) (table 10000 funcref) (func (export "_start")))
