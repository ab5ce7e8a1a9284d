//! The way to a path, one name at a time, so that the place that does not answer is known before it is touched. Pure.
//!
//! The kernel follows links by itself (path_resolution(7)); a process that hangs in it cannot tell where. So each link on
//! the way is read first, and reported.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Most links on one way (path_resolution(7)).
const MAX_LINKS: usize = 40;
/// Most names on one way, which is also the most that is reported of it. A path of 4096 bytes has half as many.
pub(super) const MAX_NAMES: usize = 4096;

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The path can be looked at: nothing on the way to it is to be avoided.
    Clear,
    /// This entry of the places to be avoided is on the way. It was not touched.
    Avoided(usize),
    /// It leads through too many links or names. The kernel refuses such a path too, or nearly: it is not looked at.
    Endless,
}

/// What the walk meets.
pub(super) trait Ground {
    /// The error that ends the walk.
    type Error;

    /// The target of a link; `None`: it is no link, or nothing that can be seen.
    fn link(&mut self, path: &Path) -> Option<PathBuf>;

    /// From here on the way is this path, and the next name on it is touched.
    ///
    /// # Errors
    /// The report could not be made.
    fn via(&mut self, path: &Path) -> Result<(), Self::Error>;
}

/// Goes to this absolute path.
///
/// # Errors
/// Those of [`Ground::via`].
pub(super) fn walk<G: Ground>(path: &Path, avoid: &[PathBuf], ground: &mut G) -> Result<Way, G::Error> {
    // The names that are left, the next one last.
    let mut left: Vec<OsString> = Vec::new();
    push(&mut left, path);
    let mut here = PathBuf::from("/");
    // A way that leads up again is reported at each name: its whole path may lie elsewhere than a name on it.
    let mut is_careful = path.components().any(|part| part == Component::ParentDir);
    let (mut links, mut names) = (0, 0);
    while let Some(name) = left.pop() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        if let Some(at) = avoid.iter().position(|place| next.starts_with(place)) {
            return Ok(Way::Avoided(at));
        }
        names += 1;
        if names > MAX_NAMES {
            return Ok(Way::Endless);
        }
        if is_careful {
            ground.via(&next)?;
        }
        let Some(target) = ground.link(&next) else {
            here = next;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return Ok(Way::Endless);
        }
        is_careful |= target.components().any(|part| part == Component::ParentDir);
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        push(&mut left, &target);
        if !is_careful {
            ground.via(&left.iter().rev().fold(here.clone(), |path, name| path.join(name)))?;
        }
    }
    Ok(Way::Clear)
}

/// The names of a path, in front of those that are left.
fn push(left: &mut Vec<OsString>, path: &Path) {
    left.extend(path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    }));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;

    /// Links, and what was done, in order.
    struct Model {
        links: BTreeMap<&'static str, &'static str>,
        done: Vec<String>,
    }

    impl Ground for Model {
        type Error = Infallible;

        fn link(&mut self, path: &Path) -> Option<PathBuf> {
            self.done.push(format!("touch {}", path.display()));
            self.links.get(path.to_str().unwrap()).map(PathBuf::from)
        }

        fn via(&mut self, path: &Path) -> Result<(), Infallible> {
            self.done.push(format!("via {}", path.display()));
            Ok(())
        }
    }

    fn walked(path: &str, avoid: &[&str], links: &[(&'static str, &'static str)]) -> (Way, String) {
        let mut model = Model { links: links.iter().copied().collect(), done: Vec::new() };
        let avoid: Vec<PathBuf> = avoid.iter().map(PathBuf::from).collect();
        let Ok(way) = walk(Path::new(path), &avoid, &mut model);
        (way, model.done.join(", "))
    }

    #[test]
    fn a_link_is_reported_before_its_target_is_touched() {
        let links = [("/home/app", "/mnt/x/app"), ("/mnt/x/app/bin", "lib")];
        let (way, done) = walked("/home/app/bin/tool", &[], &links);
        assert_eq!(way, Way::Clear);
        assert_eq!(
            done,
            "touch /home, touch /home/app, via /mnt/x/app/bin/tool, touch /mnt, touch /mnt/x, touch /mnt/x/app, \
             touch /mnt/x/app/bin, via /mnt/x/app/lib/tool, touch /mnt/x/app/lib, touch /mnt/x/app/lib/tool"
        );
    }

    #[test]
    fn a_silent_place_is_not_touched_whatever_leads_there() {
        let links = [("/home/app", "/mnt/x/app"), ("/up", "/a/../mnt/x")];
        for path in ["/mnt/x", "/mnt/x/a/b", "/home/app/bin", "/srv/../mnt/x/y", "/up/z"] {
            let (way, done) = walked(path, &["/other", "/mnt/x"], &links);
            assert_eq!(way, Way::Avoided(1), "{path}");
            assert!(!done.contains("touch /mnt/x"), "{path}: {done}");
        }
        assert_eq!(walked("/mnt/xy", &["/mnt/x"], &[]).0, Way::Clear);
    }

    #[test]
    fn a_way_up_is_reported_name_by_name() {
        let (_, done) = walked("/mnt/x/../y", &[], &[]);
        assert_eq!(done, "via /mnt, touch /mnt, via /mnt/x, touch /mnt/x, via /mnt/y, touch /mnt/y");
    }

    #[test]
    fn a_circle_of_links_ends() {
        let (way, done) = walked("/a", &[], &[("/a", "/b"), ("/b", "/a")]);
        assert!(way == Way::Endless && done.matches("touch").count() == MAX_LINKS + 1, "{done}");
        let many = "/../x".repeat(MAX_NAMES + 1);
        assert_eq!(walked(&many, &[], &[]).0, Way::Endless);
    }
}
