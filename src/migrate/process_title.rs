//! Whether a process has overwritten its arguments, as a title for `ps` does (Node's `process.title`,
//! setproctitle(3)). The rest of them cannot start it again. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::process::os_bytes::OsBytes;

/// Whether these are no longer the original arguments. `exe` is the file it executes, `start` its start command
/// if known. Every doubt results in no: a yes blocks the user.
#[must_use]
pub(crate) fn are_lost(argv: &[OsBytes], exe: &Path, start: Option<&[OsBytes]>) -> bool {
    let words: Vec<&OsStr> = argv.iter().map(|word| word.0.as_os_str()).collect();
    match words.as_slice() {
        // The title replaces the first argument, and the space of all others is filled with zeros. One empty argument
        // at the end may be intended.
        [.., last, end] if last.is_empty() && end.is_empty() => true,
        [] => true,
        [only] if only.is_empty() => true,
        // A title has taken all the space: it contains blanks, or is one argument where there were several.
        [only] => {
            let more = start.is_some_and(|start| start.len() > 1);
            !is_program(only, exe, start) && (has_blank(only) || more)
        }
        _ => false,
    }
}

/// Whether this argument may be the name by which the program was called.
fn is_program(word: &OsStr, exe: &Path, start: Option<&[OsBytes]>) -> bool {
    let name = |path: &Path| path.file_name().map(OsStr::as_bytes).unwrap_or_default().to_owned();
    let (ours, exe_name) = (name(Path::new(word)), name(exe));
    // `server` may be a link to `server-1.2`, and a path is not a title.
    let alike = exe_name.starts_with(&ours) || ours.starts_with(&exe_name);
    let typed = start.and_then(|start| start.first()).is_some_and(|first| first.0 == word);
    // A title such as `node: worker` begins with the name of the program too.
    let says_more = ours.contains(&b' ') && !exe_name.contains(&b' ');
    typed || (alike && !ours.is_empty() && !says_more) || is_path(word)
}

fn is_path(word: &OsStr) -> bool {
    let bytes = word.as_bytes();
    !has_blank(word) && bytes.contains(&b'/')
}

fn has_blank(word: &OsStr) -> bool {
    word.as_bytes().contains(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intact_and_overwritten_arguments() {
        let node: &[&str] = &["node", "server.js"];
        let none: &[&str] = &[];
        let table: [(&[&str], &str, &[&str], bool); 22] = [
            // Node's `process.title = "vault"`: the rest of the space is zeros.
            (&["vault", "", "", "", "", ""], "/usr/bin/node", node, true),
            (&["vault", "", ""], "/usr/bin/node", none, true),
            (&["node", "server.js", "", ""], "/usr/bin/node", node, true),
            // Longer than the space: cut, with nothing after it.
            (&["vault-of-the-pers"], "/usr/bin/node", node, true),
            (&["nginx: master process nginx -g"], "/usr/sbin/nginx", none, true),
            (&["node: vault worker"], "/usr/bin/node", none, true),
            (&["postgres: /x/y writer"], "/usr/bin/postgres", none, true),
            (&[""], "/usr/bin/node", none, true),
            (none, "/usr/bin/node", none, true),
            // Unchanged.
            (&["node", "server.js"], "/usr/bin/node", node, false),
            (&["node", "server.js", ""], "/usr/bin/node", node, false),
            (&["./server", "--name", "", "-v"], "/x/server", none, false),
            (&["./server"], "/x/server", none, false),
            (&["./server"], "/x/server-1.2", &["npm", "start"], false),
            (&["server"], "/opt/server-1.2", &["sh", "-c", "exec server"], false),
            (&["server-1.2"], "/opt/server", &["sh", "-c", "exec server-1.2"], false),
            (&["/opt/my programs/server"], "/opt/my programs/server", none, false),
            (&["my server"], "/opt/my server", node, false),
            (&["python3"], "/usr/bin/python3.12", &["sh", "-c", "python3 < x"], false),
            // Called by another name: only a longer start command speaks against it.
            (&["httpd"], "/bin/busybox", &["httpd"], false),
            (&["httpd"], "/bin/busybox", none, false),
            (&["sh", "-c", "a b", "c d"], "/bin/dash", none, false),
        ];
        for (argv, exe, start, lost) in table {
            let raw = |words: &[&str]| words.iter().map(|word| OsBytes((*word).into())).collect::<Vec<_>>();
            let known = (!start.is_empty()).then(|| raw(start));
            assert_eq!(are_lost(&raw(argv), Path::new(exe), known.as_deref()), lost, "{argv:?} {start:?}");
        }
    }
}
