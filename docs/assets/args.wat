;; Prints its arguments, one a line, its own name first.    hotcell wasm docs/assets/args.wat -- one two
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; 0: iovec; 8: bytes written; 16: how many strings; 20: their bytes; from 64: the pointers, then the strings
  (memory (export "memory") 1)

  (func $check (param $errno i32)
    (if (local.get $errno) (then (call $proc_exit (i32.const 1)))))

  (func (export "_start")
    (local $text i32) (local $at i32) (local $end i32)
    (call $check (call $sizes_get (i32.const 16) (i32.const 20)))
    (local.set $text (i32.add (i32.const 64) (i32.shl (i32.load (i32.const 16)) (i32.const 2))))
    (local.set $end (i32.add (local.get $text) (i32.load (i32.const 20))))
    ;; Room for all of it: the memory grows by whole pages of 64 KiB.
    (if (i32.eq (memory.grow (i32.shr_u (local.get $end) (i32.const 16))) (i32.const -1))
      (then (call $proc_exit (i32.const 1))))
    (call $check (call $get (i32.const 64) (local.get $text)))

    ;; The strings lie one after the other, each ended by a zero byte: make those line ends.
    (local.set $at (local.get $text))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (if (i32.eqz (i32.load8_u (local.get $at)))
          (then (i32.store8 (local.get $at) (i32.const 10))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))

    (loop $more
      (if (i32.lt_u (local.get $text) (local.get $end))
        (then
          (i32.store (i32.const 0) (local.get $text))
          (i32.store (i32.const 4) (i32.sub (local.get $end) (local.get $text)))
          (call $check (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
          (local.set $text (i32.add (local.get $text) (i32.load (i32.const 8))))
          (br $more))))))
