//! A fingerprint of what a module is started from, by which the next hub finds out whether a definition is still the one
//! that a running module was started with. Pure.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use sha2::{Digest, Sha256};

use super::env::Env;
use super::launch::Launch;

/// SHA-256, in hex, of the command, the directory, the port and the health path, and of the variables in the module's own
/// `.env`. What the hub passes to every module is not in it: a change of that applies at the next start, and is no reason
/// to end a run.
pub(super) fn of(launch: &Launch, env_file: &Env) -> String {
    let mut hash = Sha256::new();
    // Each part with its length, so that no two definitions are the same bytes.
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(&(launch.argv.len() as u64).to_le_bytes());
    launch.argv.iter().for_each(|word| part(word.as_bytes()));
    let cwd = launch.cwd.as_deref().map_or(OsStr::new(""), |cwd| cwd.as_os_str());
    part(cwd.as_bytes());
    part(&launch.port.to_le_bytes());
    part(&[u8::from(launch.listens)]);
    part(launch.health.as_bytes());
    for (key, value) in env_file {
        part(key.as_bytes());
        part(value.as_bytes());
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::launch::Policy;
    use crate::module::name::Short;

    fn launch() -> Launch {
        Launch {
            short: Short::new("vault").unwrap(),
            row: "vault".into(),
            argv: vec!["sh".into(), "-c".into(), "exit 0".into()],
            cwd: Some("/h".into()),
            env: Env::new(),
            port: 1,
            listens: false,
            health: "/".into(),
            policy: Policy::default(),
            definition: String::new(),
        }
    }

    #[test]
    fn every_part_counts_and_order_of_words_too() {
        let env = Env::from([("A".into(), "1".into())]);
        let first = of(&launch(), &env);
        assert_eq!((first.len(), of(&launch(), &env)), (64, first.clone()));
        let mut changed =
            vec![of(&launch(), &Env::new()), of(&launch(), &Env::from([("A1".into(), "".into())]))];
        let edits: [fn(&mut Launch); 6] = [
            |launch| launch.argv.reverse(),
            |launch| launch.argv.push("".into()),
            |launch| launch.cwd = None,
            |launch| launch.port += 1,
            |launch| launch.listens = !launch.listens,
            |launch| launch.health.push('x'),
        ];
        for edit in edits {
            let mut launch = launch();
            edit(&mut launch);
            changed.push(of(&launch, &env));
        }
        changed.push(first);
        let all: std::collections::BTreeSet<&String> = changed.iter().collect();
        assert_eq!(all.len(), changed.len(), "no two are the same");
    }

    #[test]
    fn what_the_hub_passes_to_all_does_not_count() {
        let mut launch = launch();
        let first = of(&launch, &Env::new());
        launch.env.insert("SSH_TTY".into(), "/dev/pts/3".into());
        assert_eq!(of(&launch, &Env::new()), first);
    }
}
