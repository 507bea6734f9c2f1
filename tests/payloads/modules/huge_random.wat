;; expect: completed | timeout
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 1024)
  (func (export "_start") (local $n i32)
    (loop $l (drop (call $random_get (i32.const 0) (i32.const 67108864))) (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $l (i32.lt_u (local.get $n) (i32.const 100))))))
