;; expect: refused | memory_limit
(module (memory (export "memory") i64 0x100000000) (func (export "_start")))
