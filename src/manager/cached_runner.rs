//! Runs each query once per look at the machine. The cache is dropped with the look: nothing is kept past
//! a change of the machine.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::invocation::{Invocation, Runner, ToolOutput};

/// Keeps the output of queries.
#[derive(Debug, Clone)]
pub(crate) struct CachedRunner<R> {
    runner: R,
    answers: Rc<RefCell<Vec<(Invocation, ToolOutput)>>>,
}

impl<R: Runner> CachedRunner<R> {
    /// An empty cache, shared by its clones.
    pub(crate) fn new(runner: R) -> Self {
        Self { runner, answers: Rc::default() }
    }
}

impl<R: Runner> Runner for CachedRunner<R> {
    async fn run(&self, invocation: &Invocation) -> io::Result<ToolOutput> {
        if invocation.changes {
            self.answers.borrow_mut().clear();
            return self.runner.run(invocation).await;
        }
        let known =
            self.answers.borrow().iter().find(|(asked, _)| asked == invocation).map(|(_, said)| said.clone());
        if let Some(said) = known {
            return Ok(said);
        }
        let said = self.runner.run(invocation).await?;
        self.answers.borrow_mut().push((invocation.clone(), said.clone()));
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Counts the calls, and returns the count.
    struct Counter(Cell<usize>);

    impl Runner for Counter {
        async fn run(&self, _: &Invocation) -> io::Result<ToolOutput> {
            self.0.set(self.0.get() + 1);
            match self.0.get() {
                4 => Err(io::ErrorKind::TimedOut.into()),
                n => Ok(ToolOutput { stdout: n.to_string(), ..ToolOutput::default() }),
            }
        }
    }

    #[tokio::test]
    async fn each_query_runs_once_until_something_is_changed() {
        let memo = CachedRunner::new(Counter(Cell::new(0)));
        let (ask, other) = (Invocation::ask("systemctl", &["show"]), Invocation::ask("loginctl", &["show"]));
        let change = Invocation::change("systemctl", &["start"]);
        let said = async |invocation| memo.run(invocation).await.map(|output| output.stdout);
        assert_eq!(said(&ask).await.unwrap(), "1");
        assert_eq!(said(&other).await.unwrap(), "2");
        assert_eq!(said(&ask).await.unwrap(), "1");
        assert_eq!(said(&change).await.unwrap(), "3");
        assert!(said(&ask).await.is_err(), "a failure is not cached");
        assert_eq!(said(&ask).await.unwrap(), "5");
    }
}
