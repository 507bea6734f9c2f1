;; Ends with the exit code given as its first argument, or with 3.    hotcell wasm docs/assets/exit-code.wat -- 42; echo $?
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; 0: how many arguments; 4: their bytes; from 16: the pointers, then the strings
  (memory (export "memory") 1)

  (func (export "_start")
    (local $at i32) (local $digit i32) (local $code i32)
    (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
    (if (i32.lt_u (i32.load (i32.const 0)) (i32.const 2))
      (then (call $proc_exit (i32.const 3))))
    (drop (call $args_get (i32.const 16)
      (i32.add (i32.const 16) (i32.shl (i32.load (i32.const 0)) (i32.const 2)))))
    (local.set $at (i32.load (i32.const 20)))  ;; the second pointer; the first is the program's name
    (block $done
      (loop $next
        (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
        (br_if $done (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $code (i32.add (i32.mul (local.get $code) (i32.const 10)) (local.get $digit)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $proc_exit (local.get $code))))
