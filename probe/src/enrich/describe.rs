//! Processes named in raw events, completed while they are alive with what only user space can tell. The
//! answers become inputs of the pipeline, so that a replay need not ask.

use std::collections::HashSet;

use super::collect;
use super::users::UserNames;
use crate::decode::{self, event::Kind, event::ProcessId, event::ProcessImage};

/// A process, when it was looked at (ns since boot), and the name of its user.
pub type Described = (u64, ProcessImage, Option<std::sync::Arc<str>>);

/// Names users and completes images.
#[derive(Default)]
pub struct Describer {
    users: UserNames,
}

impl Describer {
    /// The processes that a batch of the ring buffer describes.
    pub fn in_batch(&mut self, batch: &[u8]) -> Vec<Described> {
        let mut described = Vec::new();
        for frame in decode::frames(batch).filter(|f| decode::is_process(f)) {
            if let Ok(event) = decode::event(frame)
                && let Kind::Process(mut image) = event.kind
            {
                collect::complete(&mut image);
                let user = self.users.name(image.uid);
                described.push((event.at.0, *image, user));
            }
        }
        described
    }

    /// The owners that a snapshot names.
    pub fn in_snapshot(&mut self, snapshot: &[u8]) -> Vec<Described> {
        let mut seen: HashSet<ProcessId> = HashSet::new();
        let mut described = Vec::new();
        for event in decode::events(snapshot).flatten() {
            if let Kind::SnapshotOwner { task, .. } = event.kind
                && seen.insert(task.process)
                && let Some(image) = collect::image_as(task.process)
            {
                let user = self.users.name(image.uid);
                described.push((event.at.0, image, user));
            }
        }
        described
    }
}
