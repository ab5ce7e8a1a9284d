//! `uninstall --purge`: what would be deleted, whether it may be, and the deletion, as text.

use serde::Serialize;

use crate::plan::fault::{self, Fault};
use crate::purge::facts::{Facts, Survey};
use crate::purge::gather;
use crate::purge::judge::judge;
use crate::purge::tree::{Deleted, Tree};
use crate::ui::style::Style;
use crate::ui::text::{bytes, printable};

use super::error::{CliError, ExitKind};
use super::installation::Installation;

/// Entries of the home that a screen lists; the rest is counted.
const LISTED: usize = 20;

/// A home that is to be deleted.
#[derive(Debug)]
pub(super) struct Purge {
    tree: Tree,
    facts: Facts,
}

/// The part of `--json` before the deletion.
#[derive(Debug, Serialize)]
pub(super) struct Listing<'a> {
    path: &'a std::path::Path,
    files: u64,
    bytes: u64,
    #[serde(flatten)]
    survey: &'a Survey,
}

/// The part of `--json` after the deletion.
#[derive(Debug, Serialize)]
pub(super) struct Purged {
    path: std::path::PathBuf,
    #[serde(flatten)]
    deleted: Deleted,
}

impl Purge {
    /// Surveys the home, and checks whether it may be deleted, as far as that is known before the uninstallation.
    /// `None`: the home does not exist. `idle`: no hub that will be uninstalled runs on it, so any process that uses it
    /// is in the way.
    ///
    /// # Errors
    /// It may not be deleted.
    pub(super) fn prepare(installation: &Installation, idle: bool) -> Result<Option<Self>, CliError> {
        let root = installation.home.root();
        let found = gather::gather(root, &installation.person).map_err(|error| {
            CliError::from_error(ExitKind::Failed, error).hint(format!("ls -la {}", root.display()))
        })?;
        let Some((tree, mut facts)) = found else { return Ok(None) };
        if idle {
            facts.user = gather::user(&tree, &facts.path).0;
        }
        // Before the survey: that may take long, and a directory that is not ours must not be surveyed.
        allowed(&facts)?;
        facts.survey = tree.survey().map_err(|error| {
            CliError::new(ExitKind::Failed, format!("cannot look through {}", facts.path.display()))
                .cause(error)
                .hint(format!("ls -la {}", facts.path.display()))
        })?;
        allowed(&facts)?;
        Ok(Some(Self { tree, facts }))
    }

    /// For `--json`.
    pub(super) fn listing(&self) -> Listing<'_> {
        let survey = &self.facts.survey;
        Listing { path: &self.facts.path, files: survey.files(), bytes: survey.bytes(), survey }
    }

    /// As text.
    pub(super) fn screen(&self, style: Style) -> String {
        screen(&self.facts, style)
    }

    /// Deletes it. No process may use it now.
    ///
    /// # Errors
    /// A process uses it, or it cannot be walked.
    pub(super) fn run(mut self, fault: Option<Fault>) -> Result<Purged, CliError> {
        let (user, _lock) = gather::user(&self.tree, &self.facts.path);
        self.facts.user = user;
        allowed(&self.facts)?;
        let mut count = 0;
        let deleted = self.tree.delete(&mut || {
            count += 1;
            fault::deleting(fault, count);
        });
        let path = self.facts.path;
        let deleted = deleted.map_err(|error| {
            CliError::new(ExitKind::Failed, format!("{} is only partly deleted", path.display()))
                .cause(error)
                .hint("parachute uninstall --purge     (goes on)")
        })?;
        Ok(Purged { path, deleted })
    }
}

impl Purged {
    /// Whether everything was deleted.
    pub(super) fn is_whole(&self) -> bool {
        self.deleted.gone
    }

    /// As text.
    pub(super) fn screen(&self, style: Style) -> String {
        let path = printable(&self.path.display().to_string());
        let Deleted { files, bytes: size, .. } = self.deleted;
        let mut out = if self.deleted.gone {
            format!("{} deleted {path} ({}, {})\n", style.good("✓"), counted(files), bytes(size))
        } else {
            format!("deleted from {path}: {}, {}; the rest is left:\n", counted(files), bytes(size))
        };
        for mount in &self.deleted.mounts {
            out.push_str(&format!("  {} is a mount point\n", printable(&mount.display().to_string())));
        }
        for (left, why) in &self.deleted.left {
            out.push_str(&format!("  {}: {}\n", printable(&left.display().to_string()), printable(why)));
        }
        out
    }
}

fn allowed(facts: &Facts) -> Result<(), CliError> {
    judge(facts).map_err(|refusal| CliError::with_hints(ExitKind::NeedsPerson, refusal))
}

fn screen(facts: &Facts, style: Style) -> String {
    let survey = &facts.survey;
    let path = printable(&facts.path.display().to_string());
    let mut out =
        format!("{} {path}: {}, {}\n", style.bad("deletes"), counted(survey.files()), bytes(survey.bytes()));
    let width = survey.entries.iter().take(LISTED).map(|entry| entry.name.chars().count()).max().unwrap_or(0);
    for entry in survey.entries.iter().take(LISTED) {
        let name = printable(&entry.name);
        let slash = if entry.dir { "/" } else { "" };
        let files = if entry.dir { format!("  {}", counted(entry.files)) } else { String::new() };
        let name = format!("{name}{slash}");
        out.push_str(&format!("  {name:<width$}  {:>10}{files}\n", bytes(entry.bytes), width = width + 1));
    }
    if survey.entries.len() > LISTED {
        out.push_str(&format!("  and {} more\n", survey.entries.len() - LISTED));
    }
    for mount in &survey.mounts {
        let mount = printable(&mount.display().to_string());
        out.push_str(&format!("{} {mount} is a mount point and is left\n", style.warn("note:")));
    }
    if !survey.mounts.is_empty() {
        out.push_str("  the directories above it are left too\n");
    }
    out
}

fn counted(files: u64) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}
