//! What happens while a session captures, and ends it by ending.

use super::child::Command;
use crate::error::CliError;
use tokio::task::JoinHandle;

/// A command, or something that this process does itself.
#[derive(Debug)]
pub(crate) enum Work {
    /// The command of `run … -- COMMAND`.
    Command(Box<Command>),
    /// A blocking task of this process.
    Task(Task),
}

impl Work {
    /// Starts it: every capture runs.
    pub(crate) fn start(&mut self) -> Result<(), CliError> {
        match self {
            Self::Command(command) => command.start(),
            Self::Task(task) => {
                task.running = task.todo.take().map(tokio::task::spawn_blocking);
                Ok(())
            }
        }
    }

    /// Waits for its end; for ever if it does not run.
    pub(crate) async fn ended(&mut self) {
        match self {
            Self::Command(command) => command.ended().await,
            Self::Task(Task { running: Some(running), .. }) => {
                // A task that panicked has ended too; whoever waits for what it was to give finds out.
                let _ = running.await;
                if let Self::Task(task) = self {
                    task.running = None;
                }
            }
            Self::Task(Task { running: None, .. }) => core::future::pending().await,
        }
    }

    /// Whether it runs.
    pub(crate) const fn is_running(&self) -> bool {
        match self {
            Self::Command(command) => command.is_running(),
            Self::Task(task) => task.running.is_some(),
        }
    }
}

/// Work on a thread of its own.
pub(crate) struct Task {
    todo: Option<Box<dyn FnOnce() + Send>>,
    running: Option<JoinHandle<()>>,
}

impl Task {
    /// Does `todo` once every capture runs. It is never done if that does not come to be.
    pub(crate) fn new(todo: impl FnOnce() + Send + 'static) -> Self {
        Self { todo: Some(Box::new(todo)), running: None }
    }
}

impl core::fmt::Debug for Task {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Task").field("running", &self.running).finish_non_exhaustive()
    }
}
