//! Whose hub it is to be, and in which scope. Root is never chosen in silence.

use crate::process::user::User;
use crate::unit::target::Scope;

use super::refusal::Refusal;

/// Who is asking, and what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking<'a> {
    /// Who this process acts as.
    pub acting: &'a User,
    /// Who called sudo, if somebody did.
    pub sudo: Option<&'a User>,
    /// `--user`.
    pub named: Option<&'a User>,
    /// `--scope`.
    pub scope: Option<Scope>,
}

/// Whose hub, kept by which of the managers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Whose.
    pub person: User,
    /// Which scope: with root's rights the whole machine's, else the person's own.
    pub scope: Scope,
}

/// Decides it.
///
/// # Errors
/// [`Refusal::NeedsRoot`], [`Refusal::RootForItself`], [`Refusal::OthersHub`] or [`Refusal::RootInUserScope`]: what
/// a person has to say first.
pub fn choose(asking: &Asking<'_>) -> Result<Chosen, Refusal> {
    let root = asking.acting.uid == 0;
    let scope = asking.scope.unwrap_or(if root { Scope::System } else { Scope::User });
    match (scope, root) {
        (Scope::System, false) => return Err(Refusal::NeedsRoot),
        (Scope::User, true) => {
            // Their manager is theirs: root cannot speak to it without becoming them.
            let person = asking.named.or(asking.sudo).filter(|person| person.uid != 0);
            return Err(Refusal::RootInUserScope { person: person.map(|person| person.name.clone()) });
        }
        (Scope::System, true) | (Scope::User, false) => {}
    }
    let person = match (asking.named, asking.sudo) {
        (Some(named), _) => named,
        (None, Some(caller)) if caller.uid != 0 => caller,
        (None, _) if root => return Err(Refusal::RootForItself),
        (None, _) => asking.acting,
    };
    if !root && person.uid != asking.acting.uid {
        return Err(Refusal::OthersHub { name: person.name.clone() });
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
    fn root_is_never_chosen_in_silence() {
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
        assert_eq!(chosen(&root, None, None, None), Err(Refusal::RootForItself));
        assert_eq!(chosen(&root, Some(&root), None, None), Err(Refusal::RootForItself));
        assert_eq!(chosen(&ann, None, None, Some(Scope::System)), Err(Refusal::NeedsRoot));
        assert_eq!(chosen(&ann, None, Some(&bob), None), Err(Refusal::OthersHub { name: "bob".to_owned() }));
        assert_eq!(
            chosen(&root, Some(&ann), None, Some(Scope::User)),
            Err(Refusal::RootInUserScope { person: Some("ann".to_owned()) })
        );
    }
}
