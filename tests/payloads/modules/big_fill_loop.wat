;; expect: timeout
;; Each instruction takes long: the clock must be looked at all the same.
(module (memory (export "memory") 1024)
  (func (export "_start") (loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 67108864)) (br $l))))
