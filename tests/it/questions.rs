//! Questions in a real terminal: answered, refused, aborted, and the terminal is restored.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{Termios, tcgetattr};

use crate::support::mac::Mac;
use crate::support::stream::Live;
use crate::support::world::World;
use crate::support::{eventually, until};

/// A verb in its own terminal.
struct Terminal {
    child: Child,
    keys: File,
    screen: Live,
    slave: File,
    before: Termios,
}

/// Both ends of a terminal. openpty(3) would leave them open in every child that a parallel test starts, and a
/// terminal disappears only when the last end is closed.
fn pty() -> (File, File) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = File::options()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(ptsname_r(&master).unwrap());
    (File::from(OwnedFd::from(master)), slave.unwrap())
}

impl Terminal {
    fn of(world: &World, args: &[&str]) -> Self {
        Self::with(world.parachute(args))
    }

    fn with(mut verb: Command) -> Self {
        let (master, slave) = pty();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let before = tcgetattr(&slave).unwrap();
        let child = verb.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let screen = Live::of(master.try_clone().unwrap());
        Self { child, keys: master, screen, slave, before }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the exit; the terminal must be restored.
    #[track_caller]
    fn ends(mut self, code: i32) -> String {
        let status = until("the verb ends", || self.child.try_wait().unwrap());
        assert_eq!(tcgetattr(&self.slave).unwrap(), self.before, "the mode was not restored");
        // The end of the screen comes after the last text, when no process has the terminal open any more.
        drop(self.slave);
        self.screen.ends();
        let text = self.screen.text();
        assert_eq!(status.code(), Some(code), "{text:?}");
        assert!(!text.contains("\u{1b}[?25l"), "the cursor was hidden: {text:?}");
        text
    }
}

const PURGE: [&str; 3] = ["remove", "web", "--purge"];

fn rows(world: &World) -> String {
    world.read("services.json")
}

fn asked(world: &World) -> Terminal {
    world.module("web", &[]);
    let terminal = Terminal::of(world, &PURGE);
    terminal.screen.sees("with everything in it?");
    terminal.screen.sees("[y/N] ");
    terminal
}

#[test]
fn yes_after_a_corrected_typo_is_yes() {
    let world = World::new();
    let mut terminal = asked(&world);
    terminal.types("maybe\r");
    terminal.screen.sees("answer yes or no");
    terminal.types("nox\u{15}ye\u{7f}es\r");
    let text = terminal.ends(0);
    assert!(text.contains("✓ web removed"), "{text:?}");
    assert!(!rows(&world).contains("web"));
}

#[test]
fn enter_alone_is_the_default() {
    let world = World::new();
    let mut terminal = asked(&world);
    terminal.types("\r");
    assert!(terminal.ends(1).contains("nothing was changed"));
    assert!(rows(&world).contains("web"));
}

#[test]
fn ctrl_c_and_ctrl_d_are_no_answer() {
    for key in ["\u{3}", "\u{4}", "y\u{3}"] {
        let world = World::new();
        let mut terminal = asked(&world);
        terminal.types(key);
        let text = terminal.ends(130);
        assert!(text.contains("not answered: delete "), "{text:?}");
        assert!(rows(&world).contains("web"));
    }
}

/// Input typed before the question is not lost.
#[test]
fn an_answer_may_be_typed_ahead() {
    let world = World::new();
    world.module("web", &[]);
    let mut terminal = Terminal::of(&world, &PURGE);
    terminal.types("y\r");
    let _ = terminal.ends(0);
    assert!(!rows(&world).contains("web"));
}

/// A sweep asks once, and once more about databases; Enter alone means no.
#[test]
fn a_sweep_asks_about_databases_by_themselves() {
    let world = World::new();
    for name in ["daily.db", "server.yaml"] {
        std::fs::write(world.home().join(name), name).unwrap();
    }
    let ask = || {
        let terminal = Terminal::of(&world, &["migrate"]);
        terminal.screen.sees("move them into .archive-");
        terminal
    };
    let mut terminal = ask();
    terminal.types("\r");
    assert!(terminal.ends(1).contains("nothing was changed"));
    let mut terminal = ask();
    terminal.types("y\r");
    terminal.screen.sees("is daily.db closed in every other program?");
    terminal.types("n\r");
    assert!(terminal.ends(1).contains("nothing was changed"));
    assert_eq!(std::fs::read(world.home().join("daily.db")).unwrap(), b"daily.db");
    let mut terminal = ask();
    terminal.types("y\r");
    terminal.screen.sees("every other program?");
    terminal.types("y\r");
    assert!(terminal.ends(0).contains("2 things moved into .archive-"));
    assert!(!world.home().join("daily.db").exists());
}

/// An invalid answer is refused at its question, with the reason; the name is kept when the command is wrong.
#[test]
fn the_first_module_is_asked_for_until_it_is_valid() {
    let mac = Mac::new();
    let mut terminal = Terminal::with(mac.parachute(&["init", "--port", &mac.world.port().to_string()]));
    terminal.screen.sees("[Y/n");
    terminal.types("\r");
    terminal.screen.sees("add a first module?");
    terminal.types("2\r");
    // The style's codes stand between a question and its colon.
    for (name, refused) in [
        ("\r", "an answer is needed"),
        ("my web\r", "\"my web\" is not plain"),
        ("hub\r", "`hub` is the hub itself"),
        ("run\r", "`run` cannot name a module"),
    ] {
        terminal.screen.sees("its name?");
        terminal.types(name);
        terminal.screen.sees(refused);
    }
    terminal.types("web\r");
    terminal.screen.sees("its command?");
    terminal.types(" \r");
    eventually("the command is asked for again", || {
        terminal.screen.text().matches("its command?").count() == 2
    });
    terminal.types("exec sleep 1000\r");
    terminal.screen.sees("✓ web added");
    let names = terminal.screen.text().matches("its name?").count();
    assert_eq!(names, 5);
    // It binds no port; this test is about the questions only.
    terminal.types("\u{3}");
    until("the verb ends", || terminal.child.try_wait().unwrap());
    assert!(rows(&mac.world).contains("web"));
}

/// A terminal that disappears gives no answer, and nothing hangs.
#[test]
fn a_terminal_that_disappears_gives_no_answer() {
    let world = World::new();
    world.module("web", &[]);
    let (mut master, slave) = pty();
    let end = || Stdio::from(slave.try_clone().unwrap());
    let mut child = world.parachute(&PURGE).stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    drop(slave);
    let (mut seen, mut buffer) = (Vec::new(), [0; 1024]);
    while !String::from_utf8_lossy(&seen).contains("[y/N] ") {
        let read = master.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..read]);
    }
    drop(master);
    let status = until("the verb ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    assert!(rows(&world).contains("web"));
}

#[test]
fn without_a_terminal_nothing_is_asked_and_the_error_names_the_flag() {
    let world = World::new();
    world.module("web", &[]);
    let said = world.run(&PURGE).code(2);
    assert!(said.err.contains("not a terminal") && said.err.contains("--purge --yes"), "{said:?}");
}
