//! `parachute units`: the unit files for a service manager, shown without querying one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::output::VerbOutput;
use crate::home::paths::Home;
use crate::home::{fs, settings};
use crate::install::layout::log_dir;
use crate::process::user::{self, User};
use crate::ui::table::{Cell, Table};
use crate::ui::text::printable;
use crate::unit::bind::{Binding, SYSTEM_BINARY};
use crate::unit::descriptor::Descriptor;
use crate::unit::embedded;
use crate::unit::overrides::{self, Overrides};
use crate::unit::render::render;
use crate::unit::search;
use crate::unit::target::Target;

mod verify;

/// The hub's default port.
const PORT: u16 = 1939;
/// Largest `hub.toml` that is read.
const LIMIT: u64 = 1024 * 1024;

/// Show the unit files that `init` would install
#[derive(Debug, clap::Args)]
pub struct UnitsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the units that can be rendered
    List(ListArgs),
    /// Print the files of a unit; write nothing and ask no service manager
    Render(RenderArgs),
    /// Check what `init` would install with the service manager's own checker; install nothing
    Verify(verify::VerifyArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct RenderArgs {
    /// Unit
    #[arg(value_name = "NAME")]
    name: String,
    /// systemd-user, systemd-system, launchd-agent or launchd-daemon
    #[arg(long, value_name = "TARGET")]
    target: Target,
    /// User that it runs as [default: you]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Port of the hub [default: hub.toml, 1939]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Program that the unit starts [default: where `init` puts it]
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,
    /// Version of systemd to render for [default: 252]
    #[arg(long, value_name = "N")]
    systemd_version: Option<u32>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// One unit of ours.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    description: String,
    /// By manager, which is also the key in JSON.
    #[serde(flatten)]
    files: BTreeMap<&'static str, Vec<String>>,
}

/// One file of a unit.
#[derive(Debug, Serialize)]
struct File {
    name: String,
    text: String,
}

/// The output of `render`.
#[derive(Debug, Serialize)]
struct Report {
    target: String,
    files: Vec<File>,
}

/// Runs the subcommand.
///
/// # Errors
/// No such unit, settings that cannot be used, or a value that a unit cannot hold.
pub(crate) async fn run(cx: &Context, args: UnitsArgs) -> Result<VerbOutput, CliError> {
    match args.what {
        What::List(args) => {
            let all = list();
            Ok(VerbOutput::report(args.json, &all, ExitKind::Done, || list_screen(&all)))
        }
        What::Render(args) => rendered(cx, args),
        What::Verify(args) => verify::run(cx, args).await,
    }
}

fn list() -> Vec<Listed> {
    let known = embedded::UNITS.iter().filter_map(|(name, _)| Descriptor::embedded(name));
    known
        .map(|unit| Listed {
            name: unit.name.plain().to_owned(),
            description: unit.description,
            files: managers().map(|target| (target.family(), vec![target.file_name(&unit.name)])).collect(),
        })
        .collect()
}

/// One format of each manager: the names of its files are those of the others.
fn managers() -> impl Iterator<Item = Target> {
    let mut seen = BTreeSet::new();
    Target::ALL.into_iter().filter(move |target| seen.insert(target.family()))
}

fn list_screen(all: &[Listed]) -> String {
    let mut table = Table::default();
    let families: Vec<&str> = managers().map(|target| target.family()).collect();
    let head = ["NAME", "WHAT"].map(str::to_owned).into_iter();
    let head = head.chain(families.iter().map(|family| family.to_uppercase()));
    table.row(head.map(Cell::new).collect(), vec![]);
    for unit in all {
        let files = families
            .iter()
            .map(|family| unit.files.get(family).map_or_else(String::new, |all| all.join(", ")));
        let cells = [unit.name.clone(), unit.description.clone()].into_iter().chain(files);
        table.row(cells.map(Cell::new).collect(), vec![]);
    }
    table.render()
}

fn rendered(cx: &Context, args: RenderArgs) -> Result<VerbOutput, CliError> {
    let descriptor = Descriptor::embedded(&args.name).ok_or_else(|| {
        let message = format!("there is no unit {:?}", args.name);
        CliError::new(ExitKind::Usage, message).hint("parachute units list")
    })?;
    let target = match args.systemd_version {
        Some(version) => args.target.for_systemd(version).ok_or_else(|| {
            let message = "--systemd-version is for systemd's targets";
            CliError::new(ExitKind::Usage, message).hint("parachute units render --help")
        })?,
        None => args.target,
    };
    let who = who(args.user.as_deref(), &target)?;
    let port = match args.port {
        Some(port) => port,
        None => settings::read(&cx.home)
            .map_err(|error| CliError::from_error(ExitKind::NeedsPerson, error).hint(edit(&cx.home)))?
            .hub
            .port
            .map_or(PORT, Into::into),
    };
    let dirs = search::candidates(who.home.as_deref(), target.program_dirs());
    let there: Vec<PathBuf> = dirs.into_iter().filter(|dir| fs::is_dir(dir)).collect();
    let refused = |error| CliError::from_error(ExitKind::Failed, error).hint("parachute units render --help");
    let binding = Binding {
        bin: args.bin.map_or_else(|| pinned(&cx.home, &target), |bin| cx.cwd.join(bin)),
        home: cx.home.root().to_owned(),
        person: who.name,
        person_home: who.home,
        port,
        path: search::joined(&there, "".as_ref()).map_err(refused)?,
        log_dir: log_dir(&target, &cx.home),
    };
    let unit = descriptor.bind(&binding, &overrides(&cx.home)?).map_err(refused)?;
    let files = render(&unit, &target).map_err(refused)?;
    let files = files.into_iter().map(|file| File { name: target.file_name(&file.unit), text: file.text });
    let report = Report { target: target.to_string(), files: files.collect() };
    Ok(VerbOutput::report(args.json, &report, ExitKind::Done, || screen(&report)))
}

/// A single file alone; several each below its name, as in `systemctl cat`.
fn screen(report: &Report) -> String {
    match report.files.as_slice() {
        [only] => only.text.clone(),
        many => {
            let texts = many.iter().map(|file| format!("# {}\n{}", printable(&file.name), file.text));
            texts.collect::<Vec<_>>().join("\n")
        }
    }
}

/// The path that an installed unit starts: ours, so that it stays valid after an upgrade or a moved checkout.
fn pinned(home: &Home, target: &Target) -> PathBuf {
    if target.is_system() { Path::new(SYSTEM_BINARY).to_owned() } else { home.bin_dir().join("parachute") }
}

/// The unit's user. A user that is unknown here may exist on the target machine.
struct Who {
    name: Option<String>,
    home: Option<PathBuf>,
}

fn who(asked: Option<&str>, target: &Target) -> Result<Who, CliError> {
    let of = |found: Option<User>| {
        found.map_or((None, None), |person: User| (Some(person.name), Some(person.home)))
    };
    if let Some(name) = asked {
        let (_, home) = of(user::by_name(name).ok());
        return Ok(Who { name: Some(name.to_owned()), home });
    }
    let me = user::effective_uid();
    if me == 0 && target.is_system() {
        let message = "every module of this unit would run as root; name the user";
        return Err(CliError::new(ExitKind::Usage, message)
            .hint(format!("parachute units render hub --target {target} --user NAME")));
    }
    let (name, home) = of(user::by_uid(me).ok());
    Ok(Who { name, home })
}

fn overrides(home: &Home) -> Result<Overrides, CliError> {
    let path = home.settings();
    let fail = |error: fs::FsError| CliError::from_error(ExitKind::Failed, error).hint(edit(home));
    let Some(bytes) = fs::read_if_there(&path, LIMIT).map_err(fail)? else { return Ok(Overrides::default()) };
    let bad = |what: String| {
        CliError::new(ExitKind::NeedsPerson, format!("{}{what}", path.display())).hint(edit(home))
    };
    let text = String::from_utf8(bytes).map_err(|_| bad(" is not UTF-8 text".to_owned()))?;
    overrides::parse(&text).map_err(|error| bad(format!(", {error}")))
}

fn edit(home: &Home) -> String {
    format!("correct {}", home.settings().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_file() {
        insta::assert_snapshot!(list_screen(&list()), @r"
        NAME  WHAT           SYSTEMD                LAUNCHD
        hub   Parachute hub  parachute-hub.service  computer.parachute.hub.plist
        ");
    }

    #[test]
    fn one_file_is_printed_bare_and_two_below_their_names() {
        let file = |name: &str| File { name: name.to_owned(), text: format!("text of {name}\n") };
        let screen = |files: Vec<File>| screen(&Report { target: String::new(), files });
        assert_eq!(screen(vec![file("a")]), "text of a\n");
        assert_eq!(screen(vec![file("a"), file("b")]), "# a\ntext of a\n\n# b\ntext of b\n");
    }
}
