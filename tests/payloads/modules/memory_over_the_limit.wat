;; expect: memory_limit | refused
;; options: --memory 64
(module (memory (export "memory") 2048) (func (export "_start")))
