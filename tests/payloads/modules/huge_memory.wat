;; expect: memory_limit | refused
(module (memory (export "memory") 65536) (func (export "_start")))
