//! The leader of a run: a child of this hub, or a process that an earlier hub started and that this hub adopted.

use super::id::ProcessId;
use super::os::StrangerWatch;
use super::spawn::{Child, Reaped};
use super::table;
use super::unknown::Unknown;
use crate::module::exit_status::ExitStatus;

/// A process of an earlier hub. Whether it still runs is known from a descriptor, so a reused pid is not taken for it.
#[derive(Debug)]
pub(crate) struct Adopted {
    id: ProcessId,
    watch: StrangerWatch,
    ended: Option<ExitStatus>,
}

/// The leader of a run.
#[derive(Debug)]
pub(crate) enum Leader {
    Child(Child),
    Adopted(Adopted),
}

impl Adopted {
    /// Takes hold of this process. `None`: it has ended. `inode` is that of its pidfd, if an earlier hub knew it: then a
    /// process that got the same pid within one tick of the clock is not taken for it.
    ///
    /// # Errors
    /// [`Unknown`]: the system gave no answer.
    pub(crate) fn take(id: &ProcessId, inode: Option<u64>) -> Result<Option<Self>, Unknown> {
        // Opened first, then checked: the descriptor stays with the process that had the pid when it was opened.
        let watch = StrangerWatch::new(id);
        let is_same =
            table::alive(id)? && inode.is_none_or(|inode| watch.inode().is_none_or(|now| now == inode));
        Ok(is_same.then(|| Self { id: id.clone(), watch, ended: None }))
    }
}

impl Leader {
    /// Its identity; its pid is also the number of its group.
    #[must_use]
    pub(crate) fn id(&self) -> &ProcessId {
        match self {
            Self::Child(child) => child.id(),
            Self::Adopted(adopted) => &adopted.id,
        }
    }

    /// Waits for its end. A child stays a zombie, so that pid and group stay reserved; an adopted process does not.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        match self {
            Self::Child(child) => child.exited().await,
            Self::Adopted(adopted) => {
                let ended = adopted.watch.ended().await;
                adopted.ended = Some(ended);
                ended
            }
        }
    }

    /// Reaps it, if it is a child. From here on its pid may be reused.
    ///
    /// # Errors
    /// The leader itself, if it has not ended: this never waits.
    pub(crate) fn reap(self) -> Result<Reaped, Self> {
        match self {
            Self::Child(child) => child.reap().map_err(Self::Child),
            // Until when its number was taken is not known: only its own start is.
            Self::Adopted(Adopted { id, ended: Some(ended), .. }) => Ok(Reaped { ended, at: id.started }),
            Self::Adopted(adopted) => Err(Self::Adopted(adopted)),
        }
    }
}
