;; expect: refused | completed
(module (memory (export "memory") 1) (memory $b 1) (func (export "_start")))
