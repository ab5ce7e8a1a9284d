//! Renews the hint about the holder of a module's port: meanwhile another process may have that pid,
//! and it may be an ancestor of this command.

use crate::api::wire::OpReply;
use crate::module::problem::Problem;
use crate::process::holder::look::{self, Asking};
use crate::process::holder::{Kind, Occupant};

use super::context::Context;

/// The same for a hub's reply to an operation.
pub(super) fn renew_reply(cx: &Context, mut reply: OpReply) -> OpReply {
    let told = reply.state.as_mut().and_then(|state| state.start_error.as_mut());
    for problem in told.into_iter().chain(&mut reply.problem) {
        renew(cx, &reply.short, problem);
    }
    reply
}

/// Replaces the hint of a problem about a port by the one that is valid now, for the user who types it.
pub(super) fn renew(cx: &Context, short: &str, problem: &mut Problem) {
    let Some(holder) = &problem.holder else { return };
    problem.next = match look::occupant(holder.port, &Asking::about(cx.home.root())) {
        Ok(Some(occupant)) => next(short, &occupant),
        Ok(None) => Some(format!("parachute start {short}")),
        // The holder is unknown, so no process is to be ended.
        Err(_) => Some("parachute status".to_owned()),
    };
}

/// `None`: the module itself has its port now.
fn next(short: &str, occupant: &Occupant) -> Option<String> {
    match &occupant.kind {
        Kind::Module { short: Some(of), of: hub } if of == short && hub.ours => None,
        _ => Some(occupant.hint_for(short)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::problem::Holder;
    use crate::process::holder::Of;

    #[test]
    fn a_module_that_has_its_port_now_is_not_stopped_for_it() {
        let of = Of { ours: true, ..Of::default() };
        let holder = Holder { port: 1940, pid: Some(7), uid: None, command: String::new() };
        let kind = |short: &str| Kind::Module { short: Some(short.to_owned()), of: of.clone() };
        let told = |kind| next("web", &Occupant { holder: holder.clone(), kind, own: true, root: false });
        assert_eq!(told(kind("web")), None);
        assert_eq!(told(kind("vault")).as_deref(), Some("parachute stop vault"));
        assert_eq!(told(Kind::Above).as_deref(), Some("give web another port in services.json"));
    }
}
