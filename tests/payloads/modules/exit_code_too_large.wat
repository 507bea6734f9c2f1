;; expect: exit 255 | exit 1 | exit 44 | trap
;; The exit code does not fit the eight bits of a process: it must not turn into success.
(module (import "wasi_snapshot_preview1" "proc_exit" (func $e (param i32))) (memory (export "memory") 1) (func (export "_start") (call $e (i32.const 0xffffffff))))
