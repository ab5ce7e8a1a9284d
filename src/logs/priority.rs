//! How much a line of the hub matters, and how the journal is told.

use std::ffi::OsStr;
use std::os::fd::AsFd;

/// How much a line matters. The numbers are syslog's: sd-daemon(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Something failed.
    Error,
    /// Something is not as it should be, and goes on.
    Warning,
    /// What a person wants to know.
    Info,
    /// What helps to find a fault.
    Debug,
}

impl Priority {
    /// What journald takes off the beginning of a line and keeps as the line's priority: sd-daemon(3),
    /// `SyslogLevelPrefix=` of systemd.exec(5).
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Error => "<3>",
            Self::Warning => "<4>",
            Self::Info => "<6>",
            Self::Debug => "<7>",
        }
    }

    /// The text with the prefix before each of its lines.
    #[must_use]
    pub fn before_each_line(self, text: &str) -> String {
        text.split_inclusive('\n').flat_map(|line| [self.prefix(), line]).collect()
    }
}

/// Whether what is written to `fd` goes to the journal. `journal_stream`: `$JOURNAL_STREAM`, which names the stream that
/// systemd connected by device and inode (systemd.exec(5)). The variable alone proves nothing: a shell inherits it, and
/// redirects.
#[must_use]
pub fn is_journal(fd: impl AsFd, journal_stream: Option<&OsStr>) -> bool {
    let Some(named) = journal_stream.and_then(OsStr::to_str).and_then(device_and_inode) else { return false };
    rustix::fs::fstat(fd).is_ok_and(|is| (i128::from(is.st_dev), i128::from(is.st_ino)) == named)
}

fn device_and_inode(text: &str) -> Option<(i128, i128)> {
    let (device, inode) = text.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_prefix() {
        assert_eq!(Priority::Error.before_each_line("a\nb\n"), "<3>a\n<3>b\n");
        assert_eq!(Priority::Debug.before_each_line("a"), "<7>a");
        assert_eq!(Priority::Warning.before_each_line(""), "");
    }

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let (pipe, _end) = std::io::pipe().unwrap();
        let is = rustix::fs::fstat(&pipe).unwrap();
        let says = |text: &str| is_journal(&pipe, Some(OsStr::new(text)));
        assert!(says(&format!("{}:{}", is.st_dev, is.st_ino)));
        assert!(!says(&format!("{}:{}", is.st_dev, is.st_ino + 1)));
        assert!(!says("") && !says("8") && !says("a:b") && !is_journal(&pipe, None));
    }
}
