//! For build scripts: where the sources of a package lie that is locked, but neither built nor always downloaded.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of a package that this one depends on, for which cargo is asked.
pub(crate) fn of(package: &str) -> PathBuf {
    let metadata = metadata(&["--offline"]).or_else(|_| metadata(&[]));
    let metadata = metadata.unwrap_or_else(|error| panic!("cargo cannot tell where {package} is: {error}"));
    // A folder is called after the package, with or without its version.
    metadata
        .split("\"manifest_path\":\"")
        .skip(1)
        .filter_map(|rest| Path::new(rest.split('"').next()?).parent())
        .find(|folder| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(package)))
        .map_or_else(|| panic!("cargo knows no package {package}"), Path::to_owned)
}

fn metadata(more: &[&str]) -> Result<String, String> {
    let folder = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let output = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--manifest-path"])
        .arg(Path::new(&folder).join("Cargo.toml"))
        .args(more)
        .output()
        .unwrap_or_else(|error| panic!("cannot run cargo: {error}"));
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
