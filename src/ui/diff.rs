//! What changes in a file, as a unified diff. Pure.

use similar::{ChangeTag, TextDiff};

use super::style::Style;
use super::text::printable;

/// Unchanged lines shown around a change, as diff(1) does.
const CONTEXT: usize = 3;

/// From `old` to `new`; `None`: there is no file. Empty if nothing changes. Control characters in either text are
/// escaped.
#[must_use]
pub(crate) fn unified(old: Option<&str>, new: Option<&str>, label: &str, style: Style) -> String {
    if old == new {
        return String::new();
    }
    let label = printable(label);
    let name = |side: Option<&str>| if side.is_some() { label.clone() } else { "/dev/null".to_owned() };
    let mut out = style.bold(&format!("--- {}", name(old)));
    out.push('\n');
    out.push_str(&style.bold(&format!("+++ {}", name(new))));
    out.push('\n');
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    let mut unified = diff.unified_diff();
    for hunk in unified.context_radius(CONTEXT).iter_hunks() {
        out.push_str(&style.dim(&hunk.header().to_string()));
        out.push('\n');
        for change in hunk.iter_changes() {
            let text = change.value();
            let text = printable(text.strip_suffix('\n').unwrap_or(text));
            out.push_str(&match change.tag() {
                ChangeTag::Equal => format!(" {text}"),
                ChangeTag::Delete => style.bad(&format!("-{text}")),
                ChangeTag::Insert => style.good(&format!("+{text}")),
            });
            out.push('\n');
            if change.missing_newline() {
                out.push_str("\\ No newline at end of file\n");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(old: Option<&str>, new: Option<&str>) -> String {
        unified(old, new, "unit", Style::PLAIN)
    }

    #[test]
    fn files_that_appear_change_and_go() {
        assert_eq!(plain(None, Some("a\nb\n")), "--- /dev/null\n+++ unit\n@@ -0,0 +1,2 @@\n+a\n+b\n");
        assert_eq!(plain(Some("a\n"), None), "--- unit\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
        assert_eq!(plain(Some("a\n"), Some("a\n")), "");
        assert_eq!(plain(None, Some("")), "--- /dev/null\n+++ unit\n", "an empty file is a file");
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(
            plain(Some(old), Some(&old.replace('8', "x"))),
            "--- unit\n+++ unit\n@@ -5,5 +5,5 @@\n 5\n 6\n 7\n-8\n+x\n 9\n"
        );
    }

    #[test]
    fn invisible_changes_are_shown() {
        let shown = plain(Some("a\u{1b}[2J\r\n"), Some("a\tb"));
        assert_eq!(
            shown,
            "--- unit\n+++ unit\n@@ -1 +1 @@\n-a\\u{1b}[2J\\r\n+a\tb\n\\ No newline at end of file\n"
        );
        let painted = unified(None, Some("x\n"), "u\u{7}", Style::COLOUR);
        assert!(painted.contains("+++ u\\u{7}") && painted.contains("\u{1b}[32m+x\u{1b}[0m"), "{painted:?}");
    }

    proptest! {
        /// The kept and added lines of a diff are the new text; the kept and removed ones are the old text.
        #[test]
        fn old_and_new_text_can_be_rebuilt_from_the_diff(old in "([abc]\n){1,4}", new in "([abc]\n){1,4}") {
            prop_assume!(old != new);
            let shown = plain(Some(&old), Some(&new));
            let lines = shown.lines().skip(2).filter(|line| !line.starts_with("@@"));
            let of = |signs: [char; 2]| -> String {
                let kept = lines.clone().filter(|line| line.starts_with(signs));
                kept.map(|line| format!("{}\n", &line[1..])).collect()
            };
            // No hunk is left out: four lines are within the context.
            prop_assert_eq!(of([' ', '-']), old);
            prop_assert_eq!(of([' ', '+']), new);
        }
    }
}
