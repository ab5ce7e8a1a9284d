//! The hub's unit, as its files define it: its port, its home, and its user.
#![expect(clippy::disallowed_methods, reason = "edge: reads the files of our own unit")]

use std::io::Read;
use std::path::{Path, PathBuf};

use super::ServiceManager;
use super::judge::OwnUnit;
use crate::process::user;
use crate::unit::name::UnitName;
use crate::unit::recognise;

/// A larger file is not a unit of ours.
const MAX_UNIT: u64 = 256 * 1024;

/// The hub's unit in this manager, if it is for this port. Files of another user are not opened: their place and the
/// target of a link are under that user's control.
pub(super) fn find(manager: &ServiceManager, port: u16) -> Option<OwnUnit> {
    let (target, user) = manager.readable_units()?;
    let home = user.map(|uid| user::by_uid(uid).map(|user| user.home)).transpose().ok()?;
    let dir = target.dir(&home.unwrap_or_default());
    let hub = UnitName::hub();
    let socket = dir.join(target.file_name(&hub.socket()));
    let texts = std::iter::once(socket.clone()).chain(drop_ins(&socket)).filter_map(|path| text(&path));
    let texts: Vec<String> = texts.collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let service = text(&dir.join(target.file_name(&hub))).unwrap_or_default();
    let unit = OwnUnit {
        socket: target.listens(&texts).contains(&port),
        service: recognise::port(&service, &target) == Some(port),
        home: recognise::home(&service, &target),
        uid: recognise::person(&service, &target).and_then(|name| user::by_name(&name).ok()).map(|p| p.uid),
    };
    (unit.socket || unit.service).then_some(unit)
}

/// `NAME.socket.d/*.conf` beside a unit, in their order: systemd.unit(5).
fn drop_ins(unit: &Path) -> Vec<PathBuf> {
    let mut dir = unit.as_os_str().to_owned();
    dir.push(".d");
    let names = std::fs::read_dir(PathBuf::from(dir)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = names.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ext| ext == "conf"));
    files.sort();
    files
}

fn text(path: &Path) -> Option<String> {
    // Reading a FIFO in the place of a unit would block forever.
    let is_file = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let file = std::fs::File::open(path).ok().filter(|_| is_file)?;
    let mut text = String::new();
    file.take(MAX_UNIT).read_to_string(&mut text).ok()?;
    Some(text)
}
