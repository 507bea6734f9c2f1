//! Re-exports what hotcell links against, so that one static library holds all of it.
pub use wasmtime_c_api::*;
pub use {tree_sitter, tree_sitter_bash, tree_sitter_javascript, tree_sitter_python};
