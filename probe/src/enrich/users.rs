//! Names of users.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use nix::unistd::{Uid, User};

use crate::kernel::proc::clean;

/// Names kept; the least recently used goes first.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// User names by uid, from the system's user database (`/etc/passwd`, and whatever nsswitch.conf(5) adds where
/// the C library asks it: that may block). Every answer is asked for once, also that there is none.
#[derive(Debug)]
pub struct UserNames {
    cache: LruCache<u32, Option<Arc<str>>>,
}

impl Default for UserNames {
    fn default() -> Self {
        Self::new()
    }
}

impl UserNames {
    /// An empty cache.
    pub fn new() -> Self {
        Self { cache: LruCache::new(CAPACITY) }
    }

    /// Name of a user, `None` if it has none or the database cannot be read.
    pub fn name(&mut self, uid: u32) -> Option<Arc<str>> {
        self.cache
            .get_or_insert(uid, || {
                let user = User::from_uid(Uid::from_raw(uid)).ok().flatten()?;
                Some(clean(user.name.as_bytes()))
            })
            .clone()
    }

    /// Forgets every answer, so that a changed user database is seen.
    pub fn clear(&mut self) {
        self.cache.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_a_name_and_strangers_have_none() {
        let mut users = UserNames::new();
        for _ in 0..2 {
            assert_eq!(users.name(0).as_deref(), Some("root"));
            assert_eq!(users.name(u32::MAX - 7), None);
        }
        for uid in 0..5000 {
            users.name(u32::MAX / 2 + uid);
        }
        assert_eq!(users.cache.len(), CAPACITY.get());
        users.clear();
        assert_eq!(users.cache.len(), 0);
    }
}
