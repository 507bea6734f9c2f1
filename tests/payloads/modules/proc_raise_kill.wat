;; expect: signal 9 | trap | completed
(module (import "wasi_snapshot_preview1" "proc_raise" (func $r (param i32) (result i32))) (memory (export "memory") 1) (func (export "_start") (drop (call $r (i32.const 9)))))
