//! `wasm-bindgen` at the version `Cargo.lock` names; wasm-pack finds it on `PATH`.
fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(std::env::args_os())
}
