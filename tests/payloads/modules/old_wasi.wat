;; expect: refused | completed
(module (import "wasi_unstable" "proc_exit" (func $e (param i32))) (memory (export "memory") 1) (func (export "_start") (call $e (i32.const 0))))
