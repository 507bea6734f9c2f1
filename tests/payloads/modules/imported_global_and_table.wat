;; expect: refused
(module (import "wasi_snapshot_preview1" "g" (global (mut i32))) (import "wasi_snapshot_preview1" "t" (table 1 funcref)) (memory (export "memory") 1) (func (export "_start")))
