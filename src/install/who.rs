//! The user and the scope of a hub. Root is never chosen implicitly. Pure.

use crate::process::user::User;
use crate::unit::target::Scope;

use super::refusal::InstallRefusal;

/// The asking user, and the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asking<'a> {
    /// The user that this process acts as.
    pub acting: &'a User,
    /// The user who called sudo, if any.
    pub sudo: Option<&'a User>,
    /// `--user`.
    pub named: Option<&'a User>,
    /// `--scope`.
    pub scope: Option<Scope>,
}

/// The hub's user and manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The user.
    pub person: User,
    /// The scope: with root's rights the system's, else the user's own.
    pub scope: Scope,
}

/// Decides it.
///
/// # Errors
/// [`InstallRefusal::NeedsRoot`], [`InstallRefusal::RootForItself`], [`InstallRefusal::OthersHub`] or [`InstallRefusal::RootInUserScope`]: what
/// the user must specify first.
pub(crate) fn choose(asking: &Asking<'_>) -> Result<Chosen, InstallRefusal> {
    let root = asking.acting.uid == 0;
    let scope = asking.scope.unwrap_or(if root { Scope::System } else { Scope::User });
    match (scope, root) {
        (Scope::System, false) => return Err(InstallRefusal::NeedsRoot),
        (Scope::User, true) => {
            // A user's manager accepts commands from that user only; root would have to become that user.
            let person = asking.named.or(asking.sudo).filter(|person| person.uid != 0);
            return Err(InstallRefusal::RootInUserScope { person: person.map(|person| person.name.clone()) });
        }
        (Scope::System, true) | (Scope::User, false) => {}
    }
    let person = match (asking.named, asking.sudo) {
        (Some(named), _) => named,
        (None, Some(caller)) if caller.uid != 0 => caller,
        (None, _) if root => return Err(InstallRefusal::RootForItself),
        (None, _) => asking.acting,
    };
    if !root && person.uid != asking.acting.uid {
        return Err(InstallRefusal::OthersHub { name: person.name.clone() });
    }
    Ok(Chosen { person: person.clone(), scope })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(uid: u32, name: &str) -> User {
        User { uid, gid: uid, name: name.to_owned(), home: format!("/home/{name}").into() }
    }

    #[test]
    fn root_is_never_chosen_implicitly() {
        let (root, ann, bob) = (person(0, "root"), person(1000, "ann"), person(1001, "bob"));
        let chosen = |acting, sudo, named, scope| {
            choose(&Asking { acting, sudo, named, scope }).map(|chosen| (chosen.person.name, chosen.scope))
        };
        let ok = |name: &str, scope| Ok((name.to_owned(), scope));
        assert_eq!(chosen(&ann, None, None, None), ok("ann", Scope::User));
        assert_eq!(chosen(&ann, None, Some(&ann), None), ok("ann", Scope::User));
        assert_eq!(chosen(&root, Some(&ann), None, None), ok("ann", Scope::System));
        assert_eq!(chosen(&root, Some(&ann), Some(&bob), None), ok("bob", Scope::System));
        assert_eq!(chosen(&root, None, Some(&root), None), ok("root", Scope::System));
        assert_eq!(chosen(&root, None, None, None), Err(InstallRefusal::RootForItself));
        assert_eq!(chosen(&root, Some(&root), None, None), Err(InstallRefusal::RootForItself));
        assert_eq!(chosen(&ann, None, None, Some(Scope::System)), Err(InstallRefusal::NeedsRoot));
        assert_eq!(
            chosen(&ann, None, Some(&bob), None),
            Err(InstallRefusal::OthersHub { name: "bob".to_owned() })
        );
        assert_eq!(
            chosen(&root, Some(&ann), None, Some(Scope::User)),
            Err(InstallRefusal::RootInUserScope { person: Some("ann".to_owned()) })
        );
    }
}
