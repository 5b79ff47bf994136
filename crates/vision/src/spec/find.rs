use crate::{Error, Result};
use std::{
    env,
    path::{Path, PathBuf},
};

/// The folder of installed models: `$FACIALADS_MODELS`, else `$XDG_DATA_HOME/facialads/models`, else
/// `~/.local/share/facialads/models`.
pub fn models_dir() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("FACIALADS_MODELS").unwrap_or_else(|| {
        set("XDG_DATA_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".local/share")))
            .unwrap_or_else(|| PathBuf::from("/usr/share"))
            .join("facialads/models")
    })
}

/// The `.onnx` file of an installed model by its name (`yunet`), or of any model by a path (`./my.onnx`).
///
/// # Errors
/// [`Error::ModelMissing`] if it is not there.
pub fn find(model: &str) -> Result<PathBuf> {
    find_in(&models_dir(), model)
}

/// As [`find`], in another folder.
pub fn find_in(folder: &Path, model: &str) -> Result<PathBuf> {
    let is_path = model.contains(std::path::MAIN_SEPARATOR) || model.ends_with(".onnx");
    let path = if is_path { PathBuf::from(model) } else { folder.join(format!("{model}.onnx")) };
    if path.is_file() { Ok(path) } else { Err(Error::ModelMissing { name: model.to_owned(), path }) }
}
