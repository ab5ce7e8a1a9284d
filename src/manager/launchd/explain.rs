//! launchd's codes as text. `launchctl error N` prints launchd's own text for each; the meaning in practice is from
//! a third party's measurements and has not been tested by us on a Mac. Pure.

use std::time::Duration;

use crate::manager::explain::Cause;
use crate::manager::invocation::{Invocation, ToolOutput};

/// The previous run is still being removed.
const PASSES: Duration = Duration::from_millis(500);

/// Why this invocation failed.
#[must_use]
pub(crate) fn of(invocation: &Invocation, output: &ToolOutput) -> Cause {
    let Some(code) = output.code else {
        return Cause::safe(format!("`{invocation}` was killed by a signal")).hint(invocation.to_string());
    };
    let said = output.stderr.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let said = said.trim();
    let said = if said.is_empty() { String::new() } else { format!(" (launchctl says: {said})") };
    let mut cause = code_of(code);
    cause.what.push_str(&said);
    cause
}

fn code_of(code: i32) -> Cause {
    let never = |what: &str, next: &str| Cause::never(what).hint(next);
    match code {
        3 => Cause::safe("there is no such job in this domain"),
        5 => Cause::after(
            PASSES,
            "an earlier instance of the job is still being torn down, or the job is loaded already, or its plist is bad",
        )
        .hint("plutil -lint ~/Library/LaunchAgents/computer.parachute.hub.plist"),
        17 => Cause::after(PASSES, "the job is loaded already"),
        36 | 37 => Cause::after(PASSES, "launchd is still busy with this job"),
        64 => never("launchctl did not understand the command", "launchctl help"),
        78 => never("the program of the job needs you to act first", "parachute logs hub"),
        110 | 111 => never("the label or the program of the plist is not valid", "parachute units render hub --target launchd-agent"),
        112 => never(
            "this domain does not exist: no user is logged in at the screen of this Mac",
            "log in at the screen, or: sudo parachute init --scope system",
        ),
        113 => never(
            "launchd does not know this job: it was never loaded, was removed, or is switched off in Login Items",
            "open \"x-apple.systempreferences:com.apple.LoginItems-Settings.extension\"",
        ),
        119 => never("the job is disabled by an override", "parachute init"),
        122 => never(
            "the plist has the wrong owner or mode: it must be yours, and writable by you only",
            "ls -l ~/Library/LaunchAgents",
        ),
        124 => Cause::after(PASSES, "the domain is being torn down: the user is logging out"),
        125 => never(
            "this domain takes no such request: over SSH or without a screen there is no gui domain",
            "sudo parachute init --scope system     (a daemon needs no screen)",
        ),
        133 => never("there are several jobs of this name", "launchctl print gui/$(id -u)"),
        134 => never("the plist is for another type of session", "parachute units render hub --target launchd-agent"),
        155 => never(
            "macOS has quarantined the program",
            "xattr -d com.apple.quarantine \"$(command -v parachute)\"",
        ),
        code => Cause::safe(format!("launchctl ended with code {code}")).hint(format!("launchctl error {code}")),
    }
}

/// Whether a retry may succeed a moment later.
#[must_use]
pub(crate) fn passes(code: Option<i32>) -> bool {
    matches!(code, Some(5 | 17 | 36 | 37 | 124))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::explain::Retry;

    #[test]
    fn every_code_has_a_text_and_a_command_where_one_helps() {
        let invocation = Invocation::ask("launchctl", &["print", "gui/501/x"]);
        for code in [3, 5, 17, 36, 37, 64, 78, 110, 111, 112, 113, 119, 122, 124, 125, 133, 134, 155, 99] {
            let output =
                ToolOutput { code: Some(code), stderr: "Oops\n".to_owned(), ..ToolOutput::default() };
            let cause = of(&invocation, &output);
            assert!(cause.what.ends_with(" (launchctl says: Oops)"), "{cause:?}");
            assert_eq!(passes(Some(code)), matches!(cause.retry, Retry::After(_)), "{code}");
            if cause.retry == Retry::Never {
                assert!(cause.next.is_some(), "{code}");
            }
        }
        assert!(of(&invocation, &ToolOutput::default()).what.contains("killed by a signal"));
        let unknown = ToolOutput { code: Some(99), ..ToolOutput::default() };
        assert_eq!(of(&invocation, &unknown).next.as_deref(), Some("launchctl error 99"));
    }
}
