//! services.json and hub.toml as last read. If a file cannot be used, the last usable content stays.

use std::sync::Mutex;

use crate::home::fs::{self, FsError};
use crate::home::paths::Home;
use crate::home::services::{self, Services, ServicesError};
use crate::home::settings::LastGood;
use crate::module::name::Short;
use crate::module::row::Row;
use crate::sync::mutex::lock;

/// Both files of one home.
#[derive(Debug)]
pub(crate) struct ConfigCache {
    home: Home,
    rows: Mutex<Rows>,
    settings: Mutex<LastGood>,
}

/// services.json as last read, and the signature of that file.
#[derive(Debug, Default)]
struct Rows {
    /// `false`: it is read again even if it looks unchanged.
    is_read: bool,
    signature: Option<fs::Signature>,
    last: Services,
    broken: Option<String>,
}

impl ConfigCache {
    pub(super) fn new(home: Home) -> Self {
        Self { home, rows: Mutex::default(), settings: Mutex::default() }
    }

    /// services.json as it is now. It is read again only if the file has changed, or if the last read failed:
    /// that may have been for lack of a descriptor. If it cannot be used, the last usable rows stay and the reason is
    /// passed as well; if one row cannot be used, its last usable version stays.
    pub(super) fn services<T>(&self, view: impl FnOnce(&Services, Option<&str>) -> T) -> T {
        let mut rows = lock(&self.rows);
        let signature = fs::signature(&self.home.services());
        if !rows.is_read || signature != rows.signature {
            rows.is_read = true;
            rows.signature = signature;
            let vanished = signature.is_none() && !rows.last.rows.is_empty();
            match services::read_after(&self.home, &rows.last.rows) {
                // Removing the last module leaves an empty list. No file at all is an accident.
                Ok(_) if vanished => {
                    rows.broken = Some(format!("{} has vanished", self.home.services().display()));
                }
                Ok(services) => {
                    rows.last = services;
                    rows.broken = None;
                }
                Err(error) => {
                    rows.is_read = !matches!(&error, ServicesError::File(FsError::Io { .. }));
                    rows.broken = Some(error.to_string());
                }
            }
        }
        view(&rows.last, rows.broken.as_deref())
    }

    /// The same, but it is read even if it looks unchanged.
    pub(super) fn services_anew<T>(&self, view: impl FnOnce(&Services, Option<&str>) -> T) -> T {
        lock(&self.rows).is_read = false;
        self.services(view)
    }

    /// Whether the last read of services.json failed. It may be readable now although it looks unchanged.
    pub(super) fn is_services_unread(&self) -> bool {
        !lock(&self.rows).is_read
    }

    /// A module's row as services.json has it now.
    pub(super) fn row(&self, short: &Short) -> Option<Row> {
        self.services(|services, _| services.row(short).cloned())
    }

    /// The settings for a start, read now.
    pub(super) fn settings(&self) -> LastGood {
        let mut settings = lock(&self.settings);
        settings.renew(&self.home);
        settings.clone()
    }

    /// What is wrong with hub.toml, if anything.
    pub(super) fn settings_broken(&self) -> Option<String> {
        let mut settings = lock(&self.settings);
        settings.look(&self.home);
        settings.broken().map(str::to_owned)
    }
}
