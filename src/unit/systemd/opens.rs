//! Which lines of a systemd unit make its manager open a path below a user's directory. Pure.
//!
//! The manager opens such a path with its own rights, before the unit's program runs as the user: for the system
//! manager that is PID 1, or a child of it that is still root (systemd.exec(5)). A user who controls the path then
//! decides what root reads or writes, by a link, and whether PID 1 continues at all, by a FIFO. None of our units has
//! such a line; the one that they had, `EnvironmentFile=`, and lines in drop-ins are found here. launchd is not
//! affected: it opens the files of a job in the job's own process, as its user (launchd's core.c,
//! `job_setup_attributes`).

use std::path::Path;

use crate::unit::format::Opens;

/// Keys whose value is a path, and the words that may stand before it.
const KEYS: [(&str, &[&str]); 7] = [
    ("EnvironmentFile", &["-", ""]),
    ("PIDFile", &[""]),
    ("StandardInput", &["file:"]),
    ("StandardOutput", &["file:", "append:", "truncate:"]),
    ("StandardError", &["file:", "append:", "truncate:"]),
    ("LoadCredential", &[""]),
    ("LoadCredentialEncrypted", &[""]),
];

/// The lines of a unit or drop-in that open a path below one of these directories.
pub(super) fn below(text: &str, dirs: &[&Path]) -> Vec<Opens> {
    let mut found: Vec<Opens> = Vec::new();
    for (line, text) in logical(text) {
        let Some((key, value)) = text.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        let Some((_, words)) = KEYS.iter().find(|(known, _)| *known == key) else { continue };
        if value.is_empty() {
            // An empty assignment resets the earlier ones: systemd.exec(5).
            found.retain(|opens| opens.key != key);
            continue;
        }
        let value = if key.starts_with("LoadCredential") {
            value.split_once(':').map_or("", |(_, path)| path)
        } else {
            value
        };
        let Some(path) = words.iter().find_map(|word| value.strip_prefix(word)) else { continue };
        let literal = literal(path);
        // The fixed start of a pattern may lie above the directory and still match in it.
        let may_match = |dir: &Path| {
            Path::new(&literal.text).starts_with(dir)
                || (literal.is_cut && dir.to_string_lossy().starts_with(&literal.text))
        };
        if dirs.iter().any(|dir| may_match(dir)) {
            found.push(Opens { line, key: key.to_owned(), path: path.to_owned() });
        }
    }
    found
}

/// Logical lines, with the number of the first of those that are joined by a backslash: systemd.syntax(7).
fn logical(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut open): (Vec<(usize, String)>, bool) = (Vec::new(), false);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        let (line, goes_on) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        match found.last_mut().filter(|_| open) {
            Some((_, joined)) => {
                joined.push(' ');
                joined.push_str(line);
            }
            None => found.push((at + 1, line.to_owned())),
        }
        open = goes_on;
    }
    found
}

/// The literal beginning of a glob(7) pattern.
struct Literal {
    text: String,
    is_cut: bool,
}

fn literal(pattern: &str) -> Literal {
    let (mut text, mut chars) = (String::new(), pattern.chars());
    while let Some(c) = chars.next() {
        match c {
            '*' | '?' | '[' => return Literal { text, is_cut: true },
            '\\' => text.extend(chars.next()),
            '%' => {
                // `%%` is a percent sign; any other specifier is known to the manager only.
                if chars.next() != Some('%') {
                    return Literal { text, is_cut: true };
                }
                text.push('%');
            }
            c => text.push(c),
        }
    }
    Literal { text, is_cut: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, String)> {
        let dirs = [Path::new("/home/my op"), Path::new("/srv/hub")];
        below(text, &dirs).into_iter().map(|opens| (opens.line, opens.key)).collect()
    }

    #[test]
    fn what_a_manager_opens_below_a_persons_directory() {
        let file = |line| (line, "EnvironmentFile".to_owned());
        for (text, wanted) in [
            ("[Service]\nEnvironmentFile=-/home/my op/.parachute/hub.env\n", vec![file(2)]),
            ("EnvironmentFile = /srv/hub/hub.env", vec![file(1)]),
            ("EnvironmentFile=/srv/hub2/x\nEnvironmentFile=/etc/hub.env\nEnvironment=A=/srv/hub/x", vec![]),
            ("#EnvironmentFile=/srv/hub/x\n;EnvironmentFile=/srv/hub/x", vec![]),
            ("EnvironmentFile=/srv/hub/x\nEnvironmentFile=\nEnvironmentFile=/srv/hub/y", vec![file(3)]),
            ("EnvironmentFile=\\\n  -/srv/hub/x\nPIDFile=/run/x", vec![file(1)]),
            ("EnvironmentFile=-\\\n/srv/hub/x", vec![]),
            ("EnvironmentFile=/srv/*/hub.env", vec![file(1)]),
            ("EnvironmentFile=/srv/h[u]b/hub.env", vec![file(1)]),
            ("EnvironmentFile=/srv/hub/%%\\*", vec![file(1)]),
            ("EnvironmentFile=/etc/*/hub.env", vec![]),
            (
                "StandardOutput=append:/srv/hub/log\nStandardError=journal",
                vec![(1, "StandardOutput".to_owned())],
            ),
            ("LoadCredential=key:/srv/hub/key", vec![(1, "LoadCredential".to_owned())]),
            ("PIDFile=/srv/hub/pid", vec![(1, "PIDFile".to_owned())]),
            ("ExecStart=/srv/hub/bin", vec![]),
        ] {
            assert_eq!(lines(text), wanted, "{text}");
        }
    }
}
