//! `parachute units verify`: the files that `init` would install here, checked with the manager's own checker before.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::installation::{self, Found, ScopeArgs};
use crate::cli::output::VerbOutput;
use crate::install::planner::{self, InstallRequest};
use crate::install::verify;
use crate::manager::driver;
use crate::plan::step::Step;
use crate::ui::style::Style;
use crate::ui::text::printable;

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    whose: ScopeArgs,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// The output of `units verify --json`.
#[derive(Debug, Serialize)]
struct Verified {
    /// The manager whose checker was used.
    manager: String,
    /// Files that were read.
    files: Vec<PathBuf>,
    /// Its complaints, a line each; none if the files are valid.
    complaints: Vec<String>,
}

/// Renders the files and runs the checker.
pub(super) async fn run(cx: &Context, args: VerifyArgs) -> Result<VerbOutput, CliError> {
    let installation = match installation::find(cx, &args.whose).await? {
        Found::Installation(installation) => installation,
        Found::NoManager(none) => return Err(installation::no_manager(&none)),
    };
    let facts = installation.facts(cx, None).await?;
    // Existing files and running units do not matter here.
    let request = InstallRequest { force: true, take_over: true, start: false, ..InstallRequest::default() };
    let plan = planner::plan(&facts, &request).map_err(installation::refused)?;
    let texts: Vec<(&Path, &str)> = plan.steps.iter().filter_map(Step::unit_text).collect();
    let complaints =
        verify::texts(&installation.driver, &texts, &facts.program.path).await.map_err(|error| {
            let kind =
                if error.kind == driver::FailureKind::NoTool { ExitKind::NoHub } else { ExitKind::Failed };
            CliError::with_hints(kind, error).hint("parachute units list")
        })?;
    let files = texts.iter().map(|(path, _)| (*path).to_owned()).collect();
    let report = Verified { manager: facts.manager.words(), files, complaints };
    let kind = if report.complaints.is_empty() { ExitKind::Done } else { ExitKind::Failed };
    Ok(VerbOutput::report(args.json, &report, kind, || screen(&report, cx.style)))
}

fn screen(report: &Verified, style: Style) -> String {
    let mut out = String::new();
    for complaint in &report.complaints {
        out.push_str(&format!("{} {}\n", style.bad("✗"), printable(complaint)));
    }
    if report.complaints.is_empty() {
        for file in &report.files {
            let file = printable(&file.display().to_string());
            out.push_str(&format!("{} {file}: {} accepts it\n", style.good("✓"), report.manager));
        }
    }
    out
}
