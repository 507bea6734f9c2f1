;; Copies stdin to stdout, however much there is.    echo hi | hotcell wasm docs/assets/input-reader.wat
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; 0: iovec (address, length); 8: bytes read or written; 1024..65536: the buffer
  (memory (export "memory") 1)

  ;; One fd_write may take less than it was given, so go on until all is written.
  (func $write_all (param $at i32) (param $left i32)
    (loop $more
      (if (local.get $left)
        (then
          (i32.store (i32.const 0) (local.get $at))
          (i32.store (i32.const 4) (local.get $left))
          (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
            (then (call $proc_exit (i32.const 1))))
          (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
          (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
          (br $more)))))

  (func (export "_start")
    (loop $more
      (i32.store (i32.const 0) (i32.const 1024))
      (i32.store (i32.const 4) (i32.const 64512))
      (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $proc_exit (i32.const 1))))
      (if (i32.load (i32.const 8))  ;; zero bytes: end of file
        (then
          (call $write_all (i32.const 1024) (i32.load (i32.const 8)))
          (br $more))))))
