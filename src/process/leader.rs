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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::group::{self, Signal};
    use crate::process::id::Started;
    use crate::process::testing::{Guarded, drained, start};

    /// A process that is not our child: its parent has ended.
    async fn orphan() -> (ProcessId, Guarded) {
        let (mut child, guard) = start("setsid sleep 1000 >/dev/null 2>&1 & echo $!");
        let out = child.take_stdout().unwrap();
        child.exited().await;
        let pid: u32 = drained(out).trim().parse().unwrap();
        let id = table::identify(pid).unwrap().unwrap();
        assert!(child.reap().is_ok());
        (id, guard)
    }

    #[tokio::test]
    async fn the_end_of_an_adopted_process_is_noticed() {
        let (id, _guard) = orphan().await;
        let adopted = Adopted::take(&id, None).unwrap().unwrap();
        let known = adopted.watch.inode();
        let leader = Leader::Adopted(adopted);
        let mut leader = leader.reap().unwrap_err();
        group::signal(&id, Signal::Kill).unwrap();
        let ended = leader.exited().await;
        // Before Linux 6.15 only its parent is told.
        let killed = ExitStatus::Signal { signal: 9, core: false };
        assert!([killed, ExitStatus::Unknown].contains(&ended), "{ended:?}");
        assert_eq!(leader.exited().await, ended, "asking consumes nothing");
        assert_eq!(leader.reap().unwrap().ended, ended);
        assert!(Adopted::take(&id, known).unwrap().is_none());
    }

    #[tokio::test]
    async fn another_process_with_its_pid_is_not_taken() {
        let (id, _guard) = orphan().await;
        let before = ProcessId { started: Started(id.started.0 - 1), ..id.clone() };
        assert!(Adopted::take(&before, None).unwrap().is_none());
        let adopted = Adopted::take(&id, None).unwrap().unwrap();
        if let Some(inode) = adopted.watch.inode() {
            assert!(Adopted::take(&id, Some(inode)).unwrap().is_some());
            assert!(Adopted::take(&id, Some(inode + 1)).unwrap().is_none(), "in the same tick of the clock");
        }
    }
}
