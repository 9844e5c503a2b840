//! Names of remote addresses by reverse DNS, without ever waiting for one: a record is written with the name
//! that is known by then, or without.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolveHosts;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use lru::LruCache;
use tokio::sync::Semaphore;

use crate::kernel::proc::clean;

/// Names kept; the least recently used goes first.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// Lookups under way at once; further addresses have to wait for their next record.
const LOOKUPS: usize = 32;
/// How long one lookup may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bounds for the time to live of an answer.
const TTL: std::ops::RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(3600);
/// How long "there is none" and "it did not work" are believed.
const NEGATIVE_TTL: Duration = Duration::from_secs(60);

/// Reverse DNS cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The system's resolver configuration cannot be used.
    #[error("failed to read the resolver configuration: {0}; check /etc/resolv.conf")]
    Config(String),
    /// Lookups run as tasks.
    #[error("failed to start the resolver outside a tokio runtime")]
    Runtime,
}

/// How the lookups went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResolveCounts {
    /// Lookups started.
    pub started: u64,
    /// Lookups that found no name.
    pub nameless: u64,
    /// Lookups that failed or took too long.
    pub failed: u64,
    /// Addresses not looked up because too many lookups were under way.
    pub skipped: u64,
}

/// Looks up names in the background. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
}

struct Shared {
    dns: TokioResolver,
    cache: Mutex<LruCache<IpAddr, Entry>>,
    slots: Arc<Semaphore>,
    started: AtomicU64,
    nameless: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
}

#[derive(Clone)]
struct Entry {
    name: Option<Arc<str>>,
    /// Until when it is believed, `None` while the lookup is under way.
    until: Option<Instant>,
}

impl Resolver {
    /// With the system's configuration (`/etc/resolv.conf`, `/etc/hosts`).
    ///
    /// # Errors
    /// [`ResolveError`]: no usable configuration, or not called within a tokio runtime.
    pub fn new() -> Result<Self, ResolveError> {
        let mut builder = TokioResolver::builder_tokio().map_err(|e| ResolveError::Config(e.to_string()))?;
        let options = builder.options_mut();
        options.use_hosts_file = ResolveHosts::Always;
        options.timeout = Duration::from_secs(2);
        options.attempts = 2;
        Self::with(builder.build().map_err(|e| ResolveError::Config(e.to_string()))?)
    }

    fn with(dns: TokioResolver) -> Result<Self, ResolveError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| ResolveError::Runtime)?;
        let shared = Shared {
            dns,
            cache: Mutex::new(LruCache::new(CAPACITY)),
            slots: Arc::new(Semaphore::new(LOOKUPS)),
            started: AtomicU64::new(0),
            nameless: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared), runtime })
    }

    /// Name of an address, if it is known already; if not, a lookup starts, so that a later call may know. An
    /// answer past its time is given once more while it is looked up again. Never blocks.
    pub fn name(&self, ip: IpAddr) -> Option<Arc<str>> {
        let ip = ip.to_canonical();
        if ip.is_unspecified() {
            return None;
        }
        let mut cache = self.shared.cache();
        let known = cache.get(&ip).cloned();
        let name = known.as_ref().and_then(|entry| entry.name.clone());
        if known.is_some_and(|entry| entry.until.is_none_or(|until| Instant::now() < until)) {
            return name;
        }
        let Ok(slot) = self.shared.slots.clone().try_acquire_owned() else {
            self.shared.skipped.fetch_add(1, Ordering::Relaxed);
            return name;
        };
        cache.put(ip, Entry { name: name.clone(), until: None });
        drop(cache);
        self.shared.started.fetch_add(1, Ordering::Relaxed);
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            let entry = shared.look_up(ip).await;
            shared.cache().put(ip, entry);
            drop(slot);
        });
        name
    }

    /// How the lookups went so far.
    pub fn counts(&self) -> ResolveCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ResolveCounts {
            started: count(&self.shared.started),
            nameless: count(&self.shared.nameless),
            failed: count(&self.shared.failed),
            skipped: count(&self.shared.skipped),
        }
    }
}

impl Shared {
    /// Nothing under the lock panics half-way through a change.
    fn cache(&self) -> MutexGuard<'_, LruCache<IpAddr, Entry>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, ip: IpAddr) -> Entry {
        let answer = tokio::time::timeout(TIMEOUT, self.dns.lookup(Name::from(ip), RecordType::PTR)).await;
        let now = Instant::now();
        let negative = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
            Entry { name: None, until: Some(now + NEGATIVE_TTL) }
        };
        let lookup = match answer {
            Ok(Ok(lookup)) => lookup,
            Ok(Err(e)) if e.is_no_records_found() => return negative(&self.nameless),
            Ok(Err(_)) | Err(_) => return negative(&self.failed),
        };
        let name = lookup.answers().iter().find_map(|record| match &record.data {
            RData::PTR(name) => Some(name.0.to_utf8()),
            _ => None,
        });
        let Some(name) = name else { return negative(&self.nameless) };
        let ttl = lookup.valid_until().saturating_duration_since(now).clamp(*TTL.start(), *TTL.end());
        // Whoever holds the address chose the text.
        Entry { name: Some(clean(name.trim_end_matches('.').as_bytes())), until: Some(now + ttl) }
    }
}

#[cfg(test)]
mod tests;
