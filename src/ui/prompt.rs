//! Questions to the user. Each has a flag that answers it, so that none is asked without a terminal.
//!
//! An answer is a line that ends with Enter, edited by the terminal itself: type-ahead and pasting work as usual,
//! and a screen reader can follow. Ctrl-C and Ctrl-D mean "no answer". An invalid answer is refused at
//! once, with the reason, and the same question is asked again: answers to earlier questions are kept.
//!
//! No crate does this: dialoguer 0.12 ignores Ctrl-D, and Ctrl-C ends it with the cursor hidden.

use std::io;

use nix::libc::_POSIX_VDISABLE;
use nix::sys::termios::{
    InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};

use super::style::Style;
use super::terminal::Terminal;
use super::text::printable;

/// Ctrl-C as the terminal sends it.
const CTRL_C: u8 = 3;

/// A question, and the flag that answers it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// The question: `delete it?`
    pub text: &'a str,
    /// What to type instead: `--yes`, or a whole command.
    pub flag: &'a str,
    /// Whether a user can answer.
    pub interactive: bool,
    /// Colours of the terminal.
    pub style: Style,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// There is no terminal.
    #[error("not a terminal, so this cannot be asked: {}", printable(.question))]
    NoTerminal {
        question: String,
        /// What answers it.
        flag: String,
    },
    /// Ctrl-C, Ctrl-D, or the terminal went away.
    #[error("not answered: {}", printable(.question))]
    Aborted { question: String },
    /// The terminal cannot be read or written.
    #[error("the terminal cannot be used")]
    Terminal(#[source] io::Error),
}

/// Yes or no; Enter alone is `default`.
///
/// # Errors
/// [`PromptError`].
pub(crate) fn confirm(question: &Question<'_>, default: bool) -> Result<bool, PromptError> {
    let prompt = format!("{} {}", question.shown(), if default { "[Y/n]" } else { "[y/N]" });
    ask(question, &prompt, &|answer| yes_or_no(answer, default))
}

/// What [`confirm_plan`] is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Do it.
    Yes,
    /// Do not.
    No,
    /// Show more, and ask again.
    Details,
}

/// Yes, no, or `d` for details; Enter alone is `default`.
///
/// # Errors
/// [`PromptError`].
pub(crate) fn confirm_plan(question: &Question<'_>, default: bool) -> Result<Answer, PromptError> {
    let choices = if default { "[Y/n, d for details]" } else { "[y/N, d for details]" };
    ask(question, &format!("{} {choices}", question.shown()), &|answer| {
        if matches!(answer.trim(), "d" | "D" | "details") {
            return Ok(Answer::Details);
        }
        yes_or_no(answer, default).map(|yes| if yes { Answer::Yes } else { Answer::No })
    })
}

/// One of `items`, by its number from 1; Enter alone is `default`. Returns the index.
///
/// # Errors
/// [`PromptError`].
pub(crate) fn choose(question: &Question<'_>, items: &[&str], default: usize) -> Result<usize, PromptError> {
    let mut prompt = String::new();
    for (index, item) in items.iter().enumerate() {
        prompt.push_str(&format!("  {}) {}\n", index + 1, printable(item)));
    }
    let default = default.min(items.len().saturating_sub(1));
    prompt.push_str(&question.asking_for(Some(&(default + 1).to_string())));
    ask(question, &prompt, &|answer| number_of(answer, items, default))
}

/// A line of text that `validate` accepts; Enter alone is `default`, if there is one. The message of `validate` about a
/// bad answer is shown, and the question asked again.
///
/// # Errors
/// [`PromptError`].
pub(crate) fn line(
    question: &Question<'_>,
    default: Option<&str>,
    validate: &dyn Fn(&str) -> Result<(), String>,
) -> Result<String, PromptError> {
    let prompt = question.asking_for(default.map(printable).as_deref());
    ask(question, &prompt, &|answer| text(answer, default, validate))
}

impl Question<'_> {
    fn shown(&self) -> String {
        self.style.bold(&printable(self.text))
    }

    /// `its name?:`, `which one? [1]:`
    fn asking_for(&self, default: Option<&str>) -> String {
        let default = default.map_or_else(String::new, |default| format!(" [{default}]"));
        format!("{}{default}:", self.shown())
    }

    fn aborted(&self) -> PromptError {
        PromptError::Aborted { question: self.text.to_owned() }
    }

    /// Where the question is shown: standard error, which is not data, unless it is not a terminal.
    fn terminal(&self) -> Result<Stream, PromptError> {
        let there = match (Terminal.err_is_terminal(), Terminal.out_is_terminal()) {
            (true, _) => Some(Stream::Err),
            (false, true) => Some(Stream::Out),
            (false, false) => None,
        };
        there.filter(|_| self.interactive && Terminal.in_is_terminal()).ok_or_else(|| {
            PromptError::NoTerminal { question: self.text.to_owned(), flag: self.flag.to_owned() }
        })
    }
}

/// The stream of this process that leads to the terminal.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Err,
    Out,
}

impl Stream {
    fn write(self, text: &str) -> io::Result<()> {
        match self {
            // A question that cannot be shown is not answered.
            Self::Err => Terminal.err(text),
            Self::Out => drop(Terminal.out(text.as_bytes())?),
        }
        Ok(())
    }
}

/// Asks until the answer is valid.
fn ask<T>(
    question: &Question<'_>,
    prompt: &str,
    parse: &dyn Fn(&str) -> Result<T, String>,
) -> Result<T, PromptError> {
    let term = question.terminal()?;
    let _mode = Mode::set().map_err(PromptError::Terminal)?;
    loop {
        term.write(&format!("{prompt} ")).map_err(PromptError::Terminal)?;
        let Some(answer) = read().map_err(PromptError::Terminal)? else {
            // Later text starts on a new line. A terminal that has gone away needs none.
            let _ = term.write("\n");
            return Err(question.aborted());
        };
        match parse(&answer) {
            Ok(answer) => return Ok(answer),
            Err(why) => term
                .write(&format!("  {} {}\n", question.style.warn("!"), printable(&why)))
                .map_err(PromptError::Terminal)?,
        }
    }
}

/// The terminal's mode while a question is open: it edits lines as usual, but Ctrl-C ends the line instead of the
/// program. Dropping it restores the previous mode.
struct Mode {
    before: Termios,
}

impl Mode {
    fn set() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut asking = before.clone();
        // The previous program may have left the terminal in raw mode.
        asking.local_flags |= LocalFlags::ICANON | LocalFlags::ECHO;
        asking.input_flags |= InputFlags::ICRNL;
        // VEOL is a second end of line, read as part of it: termios(3), "Canonical and noncanonical mode".
        asking.control_chars[SpecialCharacterIndices::VINTR as usize] = _POSIX_VDISABLE;
        asking.control_chars[SpecialCharacterIndices::VEOL as usize] = CTRL_C;
        tcsetattr(io::stdin(), SetArg::TCSANOW, &asking)?;
        Ok(Self { before })
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        // Fails if the terminal has gone away; nothing is left to restore then.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

/// One line. `None`: the user gave no answer, or the terminal has gone away.
fn read() -> io::Result<Option<String>> {
    let (mut line, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        // One read returns one line at most, so nothing of the next answer is taken: termios(3).
        match rustix::io::read(io::stdin(), &mut buffer) {
            // Ctrl-D at the beginning of a line, or the other side of the terminal is closed.
            Ok(0) => return Ok(None),
            Ok(read) => line.extend_from_slice(&buffer[..read]),
            Err(rustix::io::Errno::INTR) => continue,
            // A terminal that was hung up: tty(4).
            Err(rustix::io::Errno::IO) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if let Some(answer) = ended(&line) {
            return Ok(answer);
        }
    }
}

/// `None`: the line is not complete. `Some(None)`: it ends without an answer.
#[expect(clippy::option_option, reason = "two questions: is it over, and is it an answer")]
fn ended(line: &[u8]) -> Option<Option<String>> {
    match line.split_last() {
        Some((&CTRL_C, _)) => Some(None),
        Some((b'\n', answer)) => Some(Some(String::from_utf8_lossy(answer).into_owned())),
        Some(_) | None => None,
    }
}

fn yes_or_no(answer: &str, default: bool) -> Result<bool, String> {
    match answer.trim().to_lowercase().as_str() {
        "" => Ok(default),
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("answer yes or no".to_owned()),
    }
}

fn number_of(answer: &str, items: &[&str], default: usize) -> Result<usize, String> {
    let answer = answer.trim();
    if answer.is_empty() {
        return Ok(default);
    }
    let number = answer.parse::<usize>().ok().filter(|number| (1..=items.len()).contains(number));
    let named = items.iter().position(|item| *item == answer);
    number
        .map(|number| number - 1)
        .or(named)
        .ok_or_else(|| format!("answer with a number from 1 to {}", items.len()))
}

fn text(
    answer: &str,
    default: Option<&str>,
    validate: &dyn Fn(&str) -> Result<(), String>,
) -> Result<String, String> {
    let answer = match (answer.trim(), default) {
        ("", Some(default)) => default,
        ("", None) => return Err("an answer is needed".to_owned()),
        (answer, _) => answer,
    };
    validate(answer).map(|()| answer.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_line_ends() {
        assert_eq!(ended(b""), None);
        assert_eq!(ended(b"ye"), None, "Ctrl-D in the middle of a line sends what there is");
        assert_eq!(ended(b"y\xc3\xa4s\n"), Some(Some("y\u{e4}s".to_owned())));
        assert_eq!(ended(b"\n"), Some(Some(String::new())));
        assert_eq!(ended(b"ye\x03"), Some(None));
    }

    #[test]
    fn answers() {
        for (answer, said) in [("", Some(true)), (" Yes ", Some(true)), ("n", Some(false)), ("yo", None)] {
            assert_eq!(yes_or_no(answer, true).ok(), said, "{answer:?}");
        }
        let items = ["user", "system"];
        for (answer, said) in
            [("", Some(1)), ("1", Some(0)), ("2", Some(1)), ("user", Some(0)), ("0", None), ("3", None)]
        {
            assert_eq!(number_of(answer, &items, 1).ok(), said, "{answer:?}");
        }
        let short = |text: &str| if text.len() < 4 { Ok(()) } else { Err("too long".to_owned()) };
        assert_eq!(text("", Some("abc"), &short), Ok("abc".to_owned()));
        assert_eq!(text(" x ", Some("abc"), &short), Ok("x".to_owned()));
        assert_eq!(text("", None, &short), Err("an answer is needed".to_owned()));
        assert_eq!(text("abcd", None, &short), Err("too long".to_owned()));
    }

    #[test]
    fn a_question_shows_its_default() {
        let question = Question { text: "which one?", flag: "", interactive: true, style: Style::PLAIN };
        assert_eq!(question.asking_for(Some("1")), "which one? [1]:");
        assert_eq!(question.asking_for(None), "which one?:");
    }

    #[test]
    fn without_a_terminal_the_error_names_the_flag() {
        let question =
            Question { text: "delete it?", flag: "--yes", interactive: false, style: Style::PLAIN };
        let answers = [
            confirm(&question, true).map(|_| ()),
            choose(&question, &["a"], 0).map(|_| ()),
            line(&question, Some("x"), &|_| Ok(())).map(|_| ()),
        ];
        for answer in answers {
            let Err(PromptError::NoTerminal { flag, .. }) = &answer else { panic!("{answer:?}") };
            assert_eq!(flag, "--yes");
            assert_eq!(
                answer.unwrap_err().to_string(),
                "not a terminal, so this cannot be asked: delete it?"
            );
        }
    }
}
