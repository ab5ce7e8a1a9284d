//! Which mount a path lies on, without a look at the path: by the table of mounts. Pure.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The mount point that contains an absolute path without links, by `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
#[must_use]
pub(crate) fn containing(table: &[u8], path: &Path) -> PathBuf {
    let mut found = PathBuf::from("/");
    for point in table.split(|b| *b == b'\n').filter_map(point_of) {
        if path.starts_with(&point) && point.as_os_str().len() >= found.as_os_str().len() {
            found = point;
        }
    }
    found
}

/// The fifth field of a line.
fn point_of(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|b| *b == b' ').nth(4)?;
    Some(PathBuf::from(OsString::from_vec(unescaped(field)))).filter(|point| point.is_absolute())
}

/// Blank, tab, newline and backslash are written as a backslash and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match octal {
            Some(digits) => {
                bytes.push(
                    digits.iter().fold(0_u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')),
                );
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// The command that shows the line of a mount, without a look at its file system: `findmnt` and `stat` would hang too.
#[must_use]
pub(crate) fn command_to_show(mount: &Path) -> String {
    let mut field = String::new();
    for c in mount.to_string_lossy().chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' => field.push_str(&format!("\\{:03o}", u32::from(c))),
            c => field.push(c),
        }
    }
    // -F: dots and backslashes mean themselves.
    format!("grep -F {} /proc/self/mounts", crate::module::shell::quote(&format!(" {field} ")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &[u8] = b"\
22 27 0:21 / /proc rw,relatime - proc proc rw\n\
27 1 253:0 / / rw,relatime - ext4 /dev/vda rw\n\
40 27 0:40 / /mnt/x rw,nosuid - fuse.sshfs me@host: rw\n\
41 40 0:41 /sub /mnt/x/in rw - nfs4 server:/ rw\n\
42 27 0:42 / /mnt/a\\040b rw - tmpfs none rw\n\
43 27 0:43 / /mnt/x rw shared:1 master:2 - tmpfs over rw\n\
broken\n";

    #[test]
    fn the_deepest_mount_point_contains_a_path() {
        for (path, mount) in [
            ("/mnt/x", "/mnt/x"),
            ("/mnt/x/app/bin", "/mnt/x"),
            ("/mnt/x/in/side", "/mnt/x/in"),
            ("/mnt/xy", "/"),
            ("/mnt/a b/c", "/mnt/a b"),
            ("/home", "/"),
            ("relative", "/"),
        ] {
            assert_eq!(containing(TABLE, Path::new(path)), Path::new(mount), "{path}");
        }
        assert_eq!(containing(b"", Path::new("/a")), Path::new("/"));
    }

    #[test]
    fn the_command_finds_the_line() {
        assert_eq!(command_to_show(Path::new("/mnt/x")), "grep -F ' /mnt/x ' /proc/self/mounts");
        assert_eq!(command_to_show(Path::new("/mnt/a b")), "grep -F ' /mnt/a\\040b ' /proc/self/mounts");
    }

    proptest! {
        #[test]
        fn any_table_gives_a_mount_point_that_contains_the_path(
            table in prop::collection::vec(any::<u8>(), 0..200), path in "(/[a-c]{1,2}){1,4}"
        ) {
            let path = Path::new(&path);
            prop_assert!(path.starts_with(containing(&table, path)));
        }
    }
}
