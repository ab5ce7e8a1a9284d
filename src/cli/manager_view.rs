//! The manager's own view of the hub, for `status`: three-valued, with whether it is enabled. It never guesses.

use serde::Serialize;

use crate::manager::autostart::Autostart;
use crate::manager::state::{Active, Told, UnitState};
use crate::ui::style::Style;
use crate::ui::text::printable;
use crate::unit::name::UnitName;

use super::context::Context;
use super::installation;

/// The manager's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ManagerView {
    /// The manager: `systemd (user)`.
    pub manager: String,
    /// The manager's name of the unit.
    pub unit: String,
    /// The state of its process.
    pub active: Told<Active>,
    /// Whether it is enabled.
    pub enabled: Told<bool>,
    /// Restarts by the manager since the last requested start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// How the last run ended, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Why it is not loaded although its file exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Whether it starts at boot.
    pub survival: Autostart,
}

/// Queries it. `None`: this home has no installation.
pub(crate) async fn look(cx: &Context) -> Option<ManagerView> {
    let installation = installation::installed(cx).await?;
    let hub = UnitName::hub();
    let (state, survival) = installation.view().await;
    let manager = &installation.driver.manager;
    Some(ManagerView::of(manager.words(), manager.name_of(&hub), state, survival))
}

impl ManagerView {
    fn of(manager: String, unit: String, state: UnitState, survival: Autostart) -> Self {
        let UnitState { active, enabled, restarts, result, refused, .. } = state;
        Self { manager, unit, active, enabled, restarts, result, because: refused, survival }
    }

    /// Two lines below the hub's.
    #[must_use]
    pub(crate) fn screen(&self, style: Style) -> String {
        let how = || self.result.as_deref().map_or_else(String::new, |r| format!(" ({})", printable(r)));
        let active = match &self.active {
            Told::Known(Active::Running) => style.good("running"),
            Told::Known(Active::Starting) => style.warn("starting"),
            Told::Known(Active::Stopping) => style.warn("stopping"),
            Told::Known(Active::Restarting) => style.bad(&format!("failed{}, to be restarted", how())),
            Told::Known(Active::Idle) => style.warn(&format!("loaded{}, not running", how())),
            Told::Known(Active::Failed) => style.bad(&format!("failed{}, not restarted any more", how())),
            Told::Known(Active::Stopped) => {
                let why =
                    self.because.as_deref().map_or_else(String::new, |b| format!(" ({})", printable(b)));
                style.dim(&format!("stopped{why}"))
            }
            Told::Unknown(because) => style.warn(&format!("unknown: {}", printable(because))),
        };
        let again = match self.restarts {
            Some(1) => ", restarted once".to_owned(),
            Some(n) if n > 1 => format!(", restarted {n} times"),
            _ => String::new(),
        };
        let mut out = format!("{} says of {}: {active}{again}\n", self.manager, self.unit);
        if let Told::Known(Active::Failed | Active::Stopped | Active::Idle) = self.active {
            out.push_str(&format!("  {} parachute start\n", style.good("hint:")));
        }
        out.push_str(&autostart_line(&self.survival, style));
        out
    }
}

/// Whether it is enabled, and why.
pub(super) fn autostart_line(survival: &Autostart, style: Style) -> String {
    match survival {
        Autostart::Yes { because } => format!("  after a reboot: it comes back ({})\n", printable(because)),
        Autostart::No { because, next } => {
            let mut out = format!(
                "  {} it does not come back ({})\n",
                style.warn("after a reboot:"),
                printable(because)
            );
            out.push_str(&format!("  {} {}\n", style.good("hint:"), printable(next)));
            out
        }
        Autostart::Unknown { because } => {
            format!("  {} unknown ({})\n", style.warn("after a reboot:"), printable(because))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(active: Told<Active>, survival: Autostart) -> String {
        let state = UnitState {
            active,
            restarts: Some(3),
            result: Some("exit-code".to_owned()),
            ..UnitState::unknown("not asked")
        };
        let (manager, unit) = ("systemd (user)".to_owned(), "parachute-hub.service".to_owned());
        ManagerView::of(manager, unit, state, survival).screen(Style::PLAIN)
    }

    #[test]
    fn unknown_values_are_shown_as_unknown() {
        let no =
            Autostart::No { because: "linger off".to_owned(), next: "loginctl enable-linger me".to_owned() };
        let away = UnitState {
            active: Told::Known(Active::Stopped),
            refused: Some("its plist is there and not loaded".to_owned()),
            ..UnitState::unknown("not asked")
        };
        let label = "computer.parachute.hub".to_owned();
        let unknown = Autostart::Unknown { because: "no bus".to_owned() };
        let away = ManagerView::of("launchd (gui/501)".to_owned(), label, away, unknown);
        insta::assert_snapshot!(
            away.screen(Style::PLAIN)
                + &view(Told::Known(Active::Failed), no)
                + &view(
                    Told::Unknown("Failed to connect to bus: No medium found".to_owned()),
                    Autostart::Unknown { because: "no bus".to_owned() }
                )
                + &view(Told::Known(Active::Running), Autostart::Yes { because: "enabled".to_owned() })
        );
    }
}
