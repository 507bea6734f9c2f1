;; The smallest module that prints: a start for one of your own.    hotcell wasm docs/assets/custom.wat
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))

  (memory 1)
  (export "memory" (memory 0))

  (data (i32.const 8) "Custom WASI Module\n")

  (func $main (export "_start")
    ;; Create iovec structure
    (i32.store (i32.const 0) (i32.const 8))   ;; buf pointer
    (i32.store (i32.const 4) (i32.const 19))  ;; buf length

    ;; Write to stdout (fd=1)
    (call $fd_write
      (i32.const 1)   ;; stdout
      (i32.const 0)   ;; iovs pointer
      (i32.const 1)   ;; iovs_len
      (i32.const 28)) ;; nwritten pointer, past the text
    drop))
