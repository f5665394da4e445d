//! The `.env` of the folder in which a command runs: what is set in the environment wins over it, and
//! nothing of it is put there, so that no child gets it.

use super::Secret;
use std::io::ErrorKind;
use std::path::Path;

pub const FILE: &str = ".env";

/// What the file says of a variable, if it is there and can be read.
pub fn get(name: &str) -> Option<Secret> {
    of(Path::new(FILE), name)
}

/// A line that can't be read is nobody's key; the others count all the same.
fn of(file: &Path, name: &str) -> Option<Secret> {
    let lines = dotenvy::from_path_iter(file).ok()?;
    // A folder of that name, as `python -m venv .env` leaves it, can be opened and gives its error for ever.
    let lines = lines.take_while(|line| match line {
        Err(dotenvy::Error::Io(error)) => error.kind() == ErrorKind::InvalidData,
        _ => true,
    });
    let mut values = lines.flatten().filter(|(key, _)| key == name);
    Secret::new(&values.next()?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_found_as_shells_and_tools_write_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let text = "# comment\nA_KEY=k-1\nexport B_KEY=\"k 2\"\nC_KEY='k-3' # of work\nD_KEY=\n";
        std::fs::write(&file, text).unwrap();
        let found = |name| of(&file, name).map(|secret| secret.expose().to_string());
        assert_eq!(found("A_KEY").as_deref(), Some("k-1"));
        assert_eq!(found("B_KEY").as_deref(), Some("k 2"));
        assert_eq!(found("C_KEY").as_deref(), Some("k-3"));
        assert_eq!(found("D_KEY"), None);
        assert_eq!(found("E_KEY"), None);
        assert!(of(&folder.path().join("none"), "A_KEY").is_none());
    }

    #[test]
    fn a_folder_of_that_name_holds_no_keys() {
        let folder = tempfile::tempdir().unwrap();
        assert!(of(folder.path(), "A_KEY").is_none());
    }
}
