//! What other threads have for a thread, and its sleep: a queue that never fills, and the bell that wakes whoever reads it.
//!
//! Whoever posts waits for nobody and loses nothing. How much can lie in it at once is for those to bound who post; this only counts.
//! Queue and sleep are one thing, since a wake-up is lost between them or nowhere.

use super::padded::Padded;
use super::sync::{AtomicU32, FenceOf, Ordering, Queue, fence_of};

/// How a reader rests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rest {
    /// It looks at its mail by itself, and soon.
    Awake,
    /// It sleeps, and not for long.
    Napping,
    /// It sleeps until it is woken.
    Asleep,
}

/// What wakes a reader that sleeps. Rung again before the reader has woken, it does nothing.
pub trait Bell {
    /// Wakes the reader, now or as soon as it sleeps.
    fn ring(&self);
}

/// The mail of one reader.
#[derive(Debug)]
pub struct Mail<T, B> {
    queue: Queue<T>,
    rest: Padded<AtomicU32>,
    bell: B,
}

impl<T, B: Bell> Mail<T, B> {
    /// Empty, for a reader that is awake and is woken by this bell.
    pub fn new(bell: B) -> Self {
        Mail { queue: Queue::new(), rest: Padded(AtomicU32::new(Rest::Awake as u32)), bell }
    }

    /// Posts something, and wakes the reader from any sleep.
    pub fn post(&self, letter: T) {
        self.queue.push(letter);
        self.wake(Rest::Napping);
    }

    /// Posts something that a reader which naps need not be woken for.
    pub fn post_unhurried(&self, letter: T) {
        self.queue.push(letter);
        self.wake(Rest::Asleep);
    }

    /// Wakes the reader if it rests as deep as `from`, or deeper. To be called after something was put where it looks before it sleeps
    /// ([`Mail::may_sleep`]).
    pub fn wake(&self, from: Rest) {
        // With the fence in `may_sleep`: either the reader sees what was put there, or we see that it sleeps.
        fence_of(FenceOf::Post);
        let (rest, awake) = (self.rest.load(Ordering::Relaxed), Rest::Awake as u32);
        // If it fails, another rings, or the reader has woken since and looks once more before it sleeps.
        if rest >= from as u32 && self.rest.compare_exchange(rest, awake, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.bell.ring();
        }
    }

    /// *Reader.* Takes what was posted first.
    pub fn take(&self) -> Option<T> {
        self.queue.pop()
    }

    /// How much lies in it.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing lies in it.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// *Reader.* Whether it may wait for its bell, resting so deep: there is no mail, and `nothing_else` says that there is nothing either
    /// that others put elsewhere before they [wake](Mail::wake) it. It calls [`Mail::awake`] when it has waited.
    pub fn may_sleep(&self, rest: Rest, nothing_else: impl FnOnce() -> bool) -> bool {
        self.rest.store(rest as u32, Ordering::Relaxed);
        fence_of(FenceOf::Sleep);
        let may = self.queue.is_empty() && nothing_else();
        if !may {
            self.awake();
        }
        may
    }

    /// *Reader.* It has woken: nobody needs to ring.
    pub fn awake(&self) {
        self.rest.store(Rest::Awake as u32, Ordering::Relaxed);
    }

    /// The bell.
    pub const fn bell(&self) -> &B {
        &self.bell
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Remembers that it was rung.
    #[derive(Default)]
    struct Gong(Cell<bool>);

    impl Bell for Gong {
        fn ring(&self) {
            self.0.set(true);
        }
    }

    #[test]
    fn nobody_rings_for_a_reader_that_will_look_by_itself() {
        let mail = Mail::new(Gong::default());
        let rung = |mail: &Mail<u8, Gong>| mail.bell().0.take();
        mail.post(1);
        assert!(!rung(&mail) && !mail.may_sleep(Rest::Asleep, || true), "there is mail");
        mail.post(2);
        assert!(!rung(&mail), "it has not slept");
        assert_eq!((mail.take(), mail.take(), mail.take(), mail.len()), (Some(1), Some(2), None, 0));
        assert!(!mail.may_sleep(Rest::Asleep, || false), "there is something else");
        assert!(mail.may_sleep(Rest::Napping, || true));
        mail.post_unhurried(3);
        assert!(!rung(&mail), "it wakes by itself before long");
        mail.post(4);
        assert!(rung(&mail));
        mail.post(5);
        assert!(!rung(&mail), "once is enough");
    }
}
