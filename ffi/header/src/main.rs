//! Writes `include/zerohop.h` from the sources of the ffi crate.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ffi = root.join("..");
    let config = cbindgen::Config::from_file(ffi.join("cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new().with_crate(&ffi).with_config(config).generate()?;
    bindings.write_to_file(root.join("../../include/zerohop.h"));
    Ok(())
}
