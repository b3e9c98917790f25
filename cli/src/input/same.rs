//! Names of captures, and whether two of them are one and the same.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// A capture as messages and the report name it.
pub(crate) fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

/// Whether both paths lead to the same file, or to files of the same content. Anything that cannot be read, or
/// read twice (a pipe), is taken to differ: opening it will say what is wrong.
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    if let (Ok(one), Ok(other)) = (one.canonicalize(), other.canonicalize())
        && one == other
    {
        return true;
    }
    let regular =
        |path: &Path| path.metadata().ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len());
    match (regular(one), regular(other)) {
        (Some(a), Some(b)) if a == b => same_content(one, other).unwrap_or(false),
        _ => false,
    }
}

/// Two captures of different hosts differ within the first kilobytes, in their stamps; only a copy costs a whole
/// reading.
fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let mut one = BufReader::new(File::open(one)?);
    let mut other = BufReader::new(File::open(other)?);
    let (mut left, mut right) = (vec![0; 65536], vec![0; 65536]);
    loop {
        let count = full(&mut one, &mut left)?;
        if count != full(&mut other, &mut right)? || left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

/// Fills the buffer as far as the file goes.
fn full(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn one_file_is_recognised_by_any_name_and_by_its_content() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a"), vec![1; 100_000]).expect("a file");
        fs::write(path("copy"), vec![1; 100_000]).expect("a file");
        let mut other = vec![1; 100_000];
        other[99_999] = 2;
        fs::write(path("other"), other).expect("a file");
        std::os::unix::fs::symlink(path("a"), path("link")).expect("a link");
        assert!(same_file(&path("a"), &path("a")));
        assert!(same_file(&path("a"), &path("link")));
        assert!(same_file(&path("a"), &path("copy")));
        assert!(!same_file(&path("a"), &path("other")));
        assert!(!same_file(&path("a"), &path("missing")));
        assert!(!same_file(Path::new("-"), Path::new("-")));
    }
}
