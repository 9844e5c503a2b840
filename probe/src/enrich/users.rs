//! Names of users.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use crate::kernel::proc::clean;

/// Names kept; the least recently used goes first.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// User names by uid, from `/etc/passwd` itself: the C library may ask the network for them, which would hold
/// up the events. Every answer is asked for once, also that there is none.
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
                let users = std::fs::read("/etc/passwd").ok()?;
                name_in(&users, uid).map(clean)
            })
            .clone()
    }

    /// Forgets every answer, so that a changed user database is seen.
    pub fn clear(&mut self) {
        self.cache.clear();
    }
}

/// Name of a user in the text of passwd(5): `name:password:uid:…`.
fn name_in(users: &[u8], uid: u32) -> Option<&[u8]> {
    users.split(|b| *b == b'\n').find_map(|line| {
        let mut fields = line.split(|b| *b == b':');
        let (name, _password, number) = (fields.next()?, fields.next()?, fields.next()?);
        (std::str::from_utf8(number).ok()?.parse() == Ok(uid) && !name.is_empty()).then_some(name)
    })
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
