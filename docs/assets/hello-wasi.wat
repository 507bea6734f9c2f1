;; Prints one line.    hotcell wasm docs/assets/hello-wasi.wat
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "Hello from WASI!\n")

  (func (export "_start")
    ;; An iovec is an address and a length: what to write is 17 bytes at 16.
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 17))
    ;; fd 1 is stdout; one iovec, at 0; the number of bytes written goes to 8.
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
