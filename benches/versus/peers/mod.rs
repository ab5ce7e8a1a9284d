//! Every manager that is compared, one file each.

mod circus;
mod horust;
mod parachute;
mod pm2;
mod runit;
mod s6;
mod supervisord;
mod systemd;

pub use parachute::BINARY;

use crate::peer::Peer;

/// All of them, ours first.
pub fn all() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(parachute::Parachute),
        Box::new(runit::Runit),
        Box::new(s6::S6),
        Box::new(horust::Horust),
        Box::new(systemd::Systemd),
        Box::new(supervisord::Supervisord),
        Box::new(circus::Circus),
        Box::new(pm2::Pm2),
    ]
}
