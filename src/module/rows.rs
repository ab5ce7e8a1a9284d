//! Which rows become modules: passes over all rows, each pure, applied in the order of [`admit`].
//!
//! Nothing here writes: a row that is left out stays in the file.

use std::collections::BTreeMap;

use super::name::Short;
use super::row::{Row, short_of};

/// A problem or a note about a file of the home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileIssue {
    /// Row or key, if the rest of the file is valid.
    pub row: Option<String>,
    /// What is wrong and what follows from it.
    pub message: String,
    /// What to type or edit.
    pub next: Option<String>,
}

/// The outcome of [`admit`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// Rows to supervise, in file order; short names are unique.
    pub modules: Vec<(Short, Row)>,
    /// Valid rows that get no process of their own. Their ports count as taken.
    pub others: Vec<Row>,
    /// Problems that the user should repair.
    pub problems: Vec<FileIssue>,
    /// Notes for the user; nothing is wrong.
    pub notes: Vec<FileIssue>,
}

/// Sorts valid rows, in file order, into modules and others. `before`: the modules of the last read, which may be
/// running; rows that another program adds to the file take no port from them.
#[must_use]
pub(crate) fn admit(rows: Vec<Row>, before: &[(Short, Row)]) -> Admitted {
    let mut out = Admitted::default();
    let rows = retired(rows, &mut out);
    let rows = legacy_short_names(rows, &mut out);
    let rows = first_of_each_name(rows, &mut out);
    out.modules = one_process_a_port(rows, before, &mut out);
    mounts(&mut out);
    out
}

impl Admitted {
    fn problem(&mut self, row: Row, message: String, next: String) {
        self.problems.push(FileIssue { row: Some(row.name.clone()), message, next: Some(next) });
        self.others.push(row);
    }

    fn note(&mut self, row: Row, message: String, next: Option<String>) {
        self.notes.push(FileIssue { row: Some(row.name.clone()), message, next });
        self.others.push(row);
    }
}

/// Leaves out modules that no longer exist. The names are generic, so a row must also look like
/// the old module: its package, or a port or mount that was never assigned to another module.
fn retired(rows: Vec<Row>, out: &mut Admitted) -> Vec<Row> {
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        match retired_since(&row) {
            None => kept.push(row),
            Some((since, instead)) => {
                let message = format!("`{}` was retired on {since} ({instead}); it is not started", row.name);
                let next = format!("parachute remove {}", row.name);
                out.note(row, message, Some(next));
            }
        }
    }
    kept
}

fn retired_since(row: &Row) -> Option<(&'static str, &'static str)> {
    let mounted = |at: &str| row.paths.iter().any(|p| p.trim_end_matches('/') == at);
    let package = |name: &str| {
        row.install_dir.as_ref().is_some_and(|dir| dir.ends_with(format!("@openparachute/{name}")))
    };
    match row.name.as_str() {
        // 1946 belongs to surface and is never assigned.
        "app" | "parachute-app"
            if package("app") || (row.port == 1946 && (mounted("/app") || mounted("/surface"))) =>
        {
            Some(("2026-05-27", "`surface` replaces it"))
        }
        "agent" | "parachute-agent"
            if package("agent") || mounted("/claw") || (row.name != "agent" && mounted("/agent")) =>
        {
            Some(("2026-05-20", "nothing replaces it"))
        }
        _ => None,
    }
}

/// Leaves out `X` where `parachute-X` has the same port: it is the same module, registered before it was
/// renamed.
fn legacy_short_names(rows: Vec<Row>, out: &mut Admitted) -> Vec<Row> {
    let ports: BTreeMap<String, u16> = rows.iter().rev().map(|r| (r.name.clone(), r.port)).collect();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        let renamed = format!("parachute-{}", row.name);
        if !row.name.starts_with("parachute-") && ports.get(&renamed) == Some(&row.port) {
            let message =
                format!("`{}` is the old name of `{renamed}` on the same port; it is not started", row.name);
            let next = format!("parachute remove {}", row.name);
            out.note(row, message, Some(next));
        } else {
            kept.push(row);
        }
    }
    kept
}

/// Of rows with the same short name only the first counts; a row whose name is not plain is left out.
fn first_of_each_name(rows: Vec<Row>, out: &mut Admitted) -> Vec<(Short, Row)> {
    let mut first: BTreeMap<Short, String> = BTreeMap::new();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        match short_of(&row.name) {
            Err(error) => {
                let message = format!("{error}; the row is not started");
                out.problem(row, message, "rename the row in services.json".to_owned());
            }
            Ok(short) => match first.get(&short) {
                Some(earlier) => {
                    let message = format!(
                        "an earlier row, `{earlier}`, is already module `{short}`; this one is not started"
                    );
                    out.problem(row, message, "remove or rename one of the two in services.json".to_owned());
                }
                None => {
                    first.insert(short.clone(), row.name.clone());
                    kept.push((short, row));
                }
            },
        }
    }
    kept
}

/// Of rows with the same port only one gets a process: the module that has the port already, else the first. Vaults may
/// share one: one vault process serves all its instances. A module whose new port is refused keeps its
/// current one, even if another row asks for that.
fn one_process_a_port(
    mut rows: Vec<(Short, Row)>,
    before: &[(Short, Row)],
    out: &mut Admitted,
) -> Vec<(Short, Row)> {
    let before: BTreeMap<&Short, &Row> = before.iter().map(|(short, row)| (short, row)).collect();
    let holder = loop {
        let holder = holders(&rows, &before);
        let refused: Vec<(usize, String, String)> = rows
            .iter()
            .enumerate()
            .filter_map(|(i, (short, row))| {
                let old = before.get(short).filter(|old| old.port != row.port)?;
                let RowRefusal::Problem(message, next) = refusal(i, &rows, &holder)? else { return None };
                Some((i, format!("{message}; it stays as it was, on port {}", old.port), next))
            })
            .collect();
        if refused.is_empty() {
            break holder;
        }
        for (i, message, next) in refused {
            let (short, row) = &mut rows[i];
            if let Some(old) = before.get(short) {
                let new = std::mem::replace(row, (*old).clone());
                out.problem(new, message, next);
            }
        }
    };
    let refusals: Vec<_> = (0..rows.len()).map(|i| refusal(i, &rows, &holder)).collect();
    let mut kept = Vec::with_capacity(rows.len());
    for ((short, row), refusal) in rows.into_iter().zip(refusals) {
        match refusal {
            None => kept.push((short, row)),
            Some(RowRefusal::Served(message)) => out.note(row, message, None),
            Some(RowRefusal::Problem(message, next)) => {
                let message = format!("{message}; `{}` is not started", row.name);
                out.problem(row, message, next);
            }
        }
    }
    kept
}

/// Which row gets each port.
fn holders(rows: &[(Short, Row)], before: &BTreeMap<&Short, &Row>) -> BTreeMap<u16, usize> {
    let has_it = |(short, row): &(Short, Row)| before.get(short).is_some_and(|old| old.port == row.port);
    let ports = |(i, (_, row)): (usize, &(Short, Row))| (row.port, i);
    let mut holder: BTreeMap<u16, usize> =
        rows.iter().enumerate().filter(|(_, row)| has_it(row)).map(ports).collect();
    for (port, i) in rows.iter().enumerate().map(ports) {
        holder.entry(port).or_insert(i);
    }
    holder
}

/// Why a row does not get its port.
enum RowRefusal {
    /// It needs none: another process serves it.
    Served(String),
    /// What is wrong, and what to do.
    Problem(String, String),
}

fn refusal(i: usize, rows: &[(Short, Row)], holder: &BTreeMap<u16, usize>) -> Option<RowRefusal> {
    let (_, row) = &rows[i];
    let (_, other) = holder.get(&row.port).filter(|holder| **holder != i).map(|holder| &rows[*holder])?;
    let (port, name) = (row.port, &other.name);
    let next = format!("give one of the two another `port` than {port} in services.json");
    Some(if !(row.is_vault() && other.is_vault()) {
        RowRefusal::Problem(format!("port {port} is taken by row `{name}`"), next)
    } else if row.install_dir.is_none() || row.install_dir == other.install_dir {
        RowRefusal::Served(format!("served by the process of `{name}` on port {port}"))
    } else {
        RowRefusal::Problem(format!("it shares port {port} with `{name}` but has another installDir"), next)
    })
}

/// Reports mounts that no router can serve as written. The modules run all the same: this hub routes
/// nothing, but the router will have to choose, and the first row wins.
fn mounts(out: &mut Admitted) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut notes = Vec::new();
    let note = |row: &Row, message: String| FileIssue {
        row: Some(row.name.clone()),
        message,
        next: Some(format!("correct `paths` of `{}` in services.json", row.name)),
    };
    for (_, row) in &out.modules {
        for path in &row.paths {
            if !path.starts_with('/') {
                notes.push(note(
                    row,
                    format!("`{}` wants the mount {path:?}, which is not absolute", row.name),
                ));
                continue;
            }
            let mount = path.trim_end_matches('/');
            // The root serves whatever no other mount matches; it overlaps with nothing.
            if mount.is_empty() {
                continue;
            }
            let above = std::iter::successors(Some(mount), |at| at.rsplit_once('/').map(|(up, _)| up));
            let taken = above.filter(|at| !at.is_empty()).find_map(|at| Some((at, *first.get(at)?)));
            match taken {
                Some((_, holder)) if holder == row.name => {}
                Some((at, holder)) => {
                    let message = format!(
                        "`{}` wants the mount {path:?}, and `{holder}`, an earlier row, has {at:?}: the earlier one wins",
                        row.name
                    );
                    notes.push(note(row, message));
                }
                None => {
                    first.insert(mount, &row.name);
                }
            }
        }
    }
    out.notes.extend(notes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The rows of a first read.
    fn admit(rows: Vec<Row>) -> Admitted {
        super::admit(rows, &[])
    }

    fn row(name: &str, port: u16) -> Row {
        Row::check(&json!({"name": name, "port": port, "paths": [format!("/{name}")], "health": "/h",
            "version": ""}))
        .unwrap()
    }

    fn at(name: &str, port: u16, path: &str) -> Row {
        Row { paths: vec![path.to_owned()], ..row(name, port) }
    }

    fn in_dir(name: &str, port: u16, dir: &str) -> Row {
        Row { install_dir: Some(dir.into()), ..row(name, port) }
    }

    fn started(admitted: &Admitted) -> Vec<&str> {
        admitted.modules.iter().map(|(_, r)| r.name.as_str()).collect()
    }

    #[test]
    fn only_the_old_shape_of_a_retired_name_is_left_out() {
        let all = admit(vec![
            at("app", 1946, "/surface"),
            at("parachute-app", 1950, "/x"),
            in_dir("agent", 1960, "/n/node_modules/@openparachute/agent"),
            at("parachute-agent", 1961, "/agent"),
        ]);
        assert_eq!(started(&all), ["parachute-app"]);
        assert_eq!(all.notes.len(), 3);
        assert_eq!(
            all.notes[0].message,
            "`app` was retired on 2026-05-27 (`surface` replaces it); it is not started"
        );
        // Modules of other authors with these names.
        assert_eq!(started(&admit(vec![row("app", 1944), row("agent", 1947)])), ["app", "agent"]);
    }

    #[test]
    fn retired_rows_go_before_legacy_names_are_compared() {
        // In the other order, `app` would be dropped as the old name of a row that is itself retired.
        let all = admit(vec![at("app", 1946, "/third"), at("parachute-app", 1946, "/surface")]);
        assert_eq!(started(&all), ["app"]);
    }

    #[test]
    fn the_old_short_name_goes_only_beside_its_new_name_on_the_same_port() {
        let all = admit(vec![row("scribe", 1943), row("parachute-scribe", 1943)]);
        assert_eq!(started(&all), ["parachute-scribe"]);
        assert_eq!((all.problems.len(), all.notes.len()), (0, 1));
        assert_eq!(started(&admit(vec![row("scribe", 1943)])), ["scribe"]);
        let apart = admit(vec![row("widget", 1944), row("parachute-widget", 1947)]);
        assert_eq!(started(&apart), ["widget", "parachute-widget"]);
    }

    #[test]
    fn duplicate_ports_name_both_rows_and_the_first_wins() {
        let all = admit(vec![row("a", 1944), row("b", 1944), row("parachute-vault", 1944)]);
        assert_eq!(started(&all), ["a"]);
        assert_eq!(all.problems[0].row.as_deref(), Some("b"));
        assert_eq!(all.problems[0].message, "port 1944 is taken by row `a`; `b` is not started");
        assert_eq!(all.problems.len(), 2);
    }

    #[test]
    fn a_module_keeps_its_port_when_rows_are_added_above_it() {
        let before = admit(vec![row("a", 1944), row("b", 1945)]).modules;
        let after = |rows: Vec<Row>| {
            let all = super::admit(rows, &before);
            let ports: Vec<_> = all.modules.iter().map(|(s, r)| format!("{s} {}", r.port)).collect();
            (ports.join(", "), all.problems.into_iter().map(|p| p.message).collect::<Vec<_>>())
        };
        let (ports, told) = after(vec![row("new", 1945), row("a", 1944), row("b", 1945)]);
        assert_eq!((ports.as_str(), told.len()), ("a 1944, b 1945", 1));
        assert_eq!(told[0], "port 1945 is taken by row `b`; `new` is not started");
        // Its own new port belongs to another row: it keeps its old port, and the row that asked for that has to wait.
        let (ports, told) = after(vec![row("new", 1944), row("a", 1945), row("b", 1945)]);
        assert_eq!((ports.as_str(), told.len()), ("a 1944, b 1945", 2));
        assert_eq!(told[0], "port 1945 is taken by row `b`; it stays as it was, on port 1944");
        assert_eq!(told[1], "port 1944 is taken by row `a`; `new` is not started");
        // A free port may be taken, and both may move at once.
        assert_eq!(after(vec![row("a", 1946), row("new", 1944), row("b", 1945)]).1, [""; 0]);
        assert_eq!(after(vec![row("a", 1945), row("b", 1944)]).0, "a 1945, b 1944");
        assert_eq!(after(vec![row("a", 1944)]).0, "a 1944", "a name that is gone is gone");
    }

    #[test]
    fn a_running_vault_serves_one_that_is_added_above_it() {
        let before = admit(vec![row("parachute-vault-work", 1940)]).modules;
        let all =
            super::admit(vec![row("parachute-vault", 1940), row("parachute-vault-work", 1940)], &before);
        assert_eq!((started(&all), all.problems.len()), (vec!["parachute-vault-work"], 0));
        // A user who moves an instance to the port of another wants one process for both.
        let before = admit(vec![row("parachute-vault", 1940), row("parachute-vault-work", 1950)]).modules;
        let all =
            super::admit(vec![row("parachute-vault", 1940), row("parachute-vault-work", 1940)], &before);
        assert_eq!((started(&all), all.problems.len()), (vec!["parachute-vault"], 0));
    }

    #[test]
    fn unservable_mounts_are_reported_and_every_module_runs() {
        let notes = |rows: Vec<Row>| {
            let count = rows.len();
            let all = admit(rows);
            assert_eq!(all.modules.len(), count, "each of them runs");
            all.notes.into_iter().map(|note| note.message).collect::<Vec<_>>()
        };
        let told =
            notes(vec![at("a", 1944, "/x"), at("b", 1945, "/x/"), at("c", 1946, "/x/y"), at("d", 1947, "x")]);
        assert_eq!(
            told,
            [
                "`b` wants the mount \"/x/\", and `a`, an earlier row, has \"/x\": the earlier one wins",
                "`c` wants the mount \"/x/y\", and `a`, an earlier row, has \"/x\": the earlier one wins",
                "`d` wants the mount \"x\", which is not absolute",
            ]
        );
        let apart = vec![at("a", 1944, "/"), at("b", 1945, "/x"), at("c", 1946, "/xy"), at("d", 1947, "/")];
        assert_eq!(notes(apart), [""; 0]);
    }

    #[test]
    fn vault_instances_share_one_process() {
        let all = admit(vec![
            in_dir("parachute-vault", 1940, "/v"),
            in_dir("parachute-vault-work", 1940, "/v"),
            row("parachute-vault-home", 1940),
            in_dir("parachute-vault-own", 1950, "/v"),
            row("parachute-vaultkeeper", 1940),
        ]);
        assert_eq!(started(&all), ["parachute-vault", "parachute-vault-own"]);
        assert_eq!(all.notes.len(), 2);
        assert_eq!(all.notes[0].message, "served by the process of `parachute-vault` on port 1940");
        assert_eq!(all.problems.len(), 1, "vaultkeeper is not a vault: {:?}", all.problems);
        let two = admit(vec![in_dir("parachute-vault", 1940, "/v"), in_dir("parachute-vault-x", 1940, "/w")]);
        assert_eq!((started(&two).len(), two.problems.len()), (1, 1));
    }

    #[test]
    fn names_are_unique_and_plain() {
        let all = admit(vec![
            row("vault", 1950),
            row("parachute-vault", 1940),
            row("../evil", 1951),
            row("hub", 1952),
        ]);
        assert_eq!(started(&all), ["vault"]);
        assert_eq!(all.problems.len(), 3);
        assert!(all.problems[1].message.contains("not plain"), "{}", all.problems[1].message);
        assert_eq!(all.others.len(), 3, "their ports stay taken");
    }
}
