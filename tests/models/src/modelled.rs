//! Atomics that a model checker schedules, that can stop a thread for ever after any of its writes, and steps that can be taken out.
//!
//! Under a checker a thread that is stopped unwinds out of whatever it was doing: the code under test holds nothing that unwinding would
//! give back, so to the others it looks like one that the system never runs again. A thread of the system is parked instead, until it
//! is let go on ([`parking`]).

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

#[cfg(hotline_loom)]
use loom::sync::atomic;
#[cfg(hotline_shuttle)]
use shuttle::sync::atomic;
#[cfg(hotline_parked)]
use std::sync::atomic;

pub use atomic::{Ordering, fence};

use crate::acd::step::Step;
use crate::base::sync::FenceOf;
#[cfg(hotline_loom)]
pub(crate) use crate::plain::{Plain, PlainWakeUps};

#[cfg(hotline_parked)]
pub(crate) use parking::{Parker, parked_after};
#[cfg(not(hotline_parked))]
pub(crate) use unwinding::{start_over, stopped_after};

// Checkers run all threads of an execution on one thread of the system, in turns.
thread_local! {
    static TAKEN_OUT: Cell<Option<Step>> = const { Cell::new(None) };
    static FENCE_TAKEN_OUT: Cell<Option<FenceOf>> = const { Cell::new(None) };
    static ENTRIES: Cell<bool> = const { Cell::new(false) };
}

/// Whether the checker sees what entries say of themselves, for all executions on this thread from now on.
pub(crate) fn see_entries(see: bool) {
    ENTRIES.set(see);
}

/// Whether the step is done.
pub(crate) fn does(step: Step) -> bool {
    TAKEN_OUT.get() != Some(step)
}

/// Takes a step out, for all executions on this thread from now on; `None` puts it back.
pub(crate) fn take_out(step: Option<Step>) {
    TAKEN_OUT.set(step);
}

#[cfg(not(hotline_parked))]
mod unwinding {
    use std::any::Any;
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    #[cfg(hotline_loom)]
    use loom::thread;
    #[cfg(hotline_shuttle)]
    use shuttle::thread;

    thread_local! {
        /// How many writes a thread may still do.
        static LEFT: RefCell<Vec<(thread::ThreadId, u32)>> = const { RefCell::new(Vec::new()) };
    }

    struct Stopped;

    /// Does `f`, but no more than `writes` of its writes; whether it came to its end.
    pub(crate) fn stopped_after(writes: Option<u32>, f: impl FnOnce()) -> bool {
        let Some(writes) = writes else {
            f();
            return true;
        };
        let id = thread::current().id();
        LEFT.with_borrow_mut(|left| left.push((id, writes)));
        let result = catch_unwind(AssertUnwindSafe(f));
        LEFT.with_borrow_mut(|left| left.retain(|(thread, _)| *thread != id));
        match result {
            Ok(()) => true,
            Err(payload) if payload.is::<Stopped>() => false,
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Forgets what an execution that failed has left behind.
    pub(crate) fn start_over() {
        LEFT.with_borrow_mut(Vec::clear);
    }

    pub(super) fn after_write() {
        if LEFT.with_borrow(Vec::is_empty) {
            return;
        }
        let id = thread::current().id();
        let over = LEFT.with_borrow_mut(|left| {
            left.iter_mut().find(|(thread, _)| *thread == id).is_some_and(|(_, writes)| {
                *writes = writes.saturating_sub(1);
                *writes == 0
            })
        });
        if over {
            resume_unwind(Box::new(Stopped) as Box<dyn Any + Send>);
        }
    }
}

#[cfg(hotline_parked)]
mod parking {
    use std::cell::{Cell, RefCell};
    use std::sync::{Arc, Condvar, Mutex, PoisonError};

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum State {
        Running,
        Parked,
        LetGo,
        Done,
    }

    /// Where a thread is parked, and let go on.
    #[derive(Clone, Debug)]
    pub(crate) struct Parker(Arc<(Mutex<State>, Condvar)>);

    impl Parker {
        pub(crate) fn new() -> Self {
            Parker(Arc::new((Mutex::new(State::Running), Condvar::new())))
        }

        fn change(&self, state: State) {
            *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
            self.0.1.notify_all();
        }

        fn wait_while(&self, waits: impl Fn(State) -> bool) -> State {
            let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            *self.0.1.wait_while(state, |state| waits(*state)).unwrap_or_else(PoisonError::into_inner)
        }

        /// Waits until the thread is parked (true) or has come to its end without it.
        pub(crate) fn parked(&self) -> bool {
            self.wait_while(|state| state == State::Running) == State::Parked
        }

        pub(crate) fn let_go(&self) {
            self.change(State::LetGo);
        }
    }

    thread_local! {
        static LEFT: Cell<u32> = const { Cell::new(0) };
        static PARKER: RefCell<Option<Parker>> = const { RefCell::new(None) };
    }

    /// Does `f`, and parks after so many of its writes.
    pub(crate) fn parked_after(writes: u32, parker: &Parker, f: impl FnOnce()) {
        PARKER.set(Some(parker.clone()));
        LEFT.set(writes);
        f();
        LEFT.set(0);
        parker.change(State::Done);
    }

    pub(super) fn after_write() {
        let left = LEFT.get();
        if left == 0 {
            return;
        }
        LEFT.set(left - 1);
        if left == 1
            && let Some(parker) = PARKER.take()
        {
            parker.change(State::Parked);
            parker.wait_while(|state| state == State::Parked);
        }
    }
}

#[cfg(hotline_parked)]
use parking::after_write;
#[cfg(not(hotline_parked))]
use unwinding::after_write;

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Debug)]
        pub struct $name(atomic::$name);

        impl $name {
            pub fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            pub fn load(&self, order: Ordering) -> $value {
                self.0.load(order)
            }

            pub fn store(&self, value: $value, order: Ordering) {
                self.0.store(value, order);
                after_write();
            }

            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                let old = self.0.swap(value, order);
                after_write();
                old
            }

            pub fn compare_exchange(&self, from: $value, to: $value, well: Ordering, ill: Ordering) -> Result<$value, $value> {
                let result = self.0.compare_exchange(from, to, well, ill);
                if result.is_ok() {
                    after_write();
                }
                result
            }
        }
    };
}

/// What large models pass over: it is the checker's in small ones alone ([`see_entries`]).
macro_rules! entry {
    ($name:ident, $value:ty, $atomic:ident) => {
        #[derive(Debug)]
        pub struct $name {
            seen: $atomic,
            passed: std::sync::atomic::$atomic,
        }

        impl $name {
            pub fn new(value: $value) -> Self {
                Self { seen: $atomic::new(value), passed: std::sync::atomic::$atomic::new(value) }
            }

            pub fn load(&self, order: Ordering) -> $value {
                if ENTRIES.get() { self.seen.load(order) } else { self.passed.load(order) }
            }

            pub fn store(&self, value: $value, order: Ordering) {
                if ENTRIES.get() {
                    self.seen.store(value, order);
                } else {
                    self.passed.store(value, order);
                }
            }
        }
    };
}

macro_rules! counting {
    ($name:ident, $value:ty) => {
        impl $name {
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                let old = self.0.fetch_add(value, order);
                after_write();
                old
            }

            pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                let old = self.0.fetch_or(value, order);
                after_write();
                old
            }

            pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                let old = self.0.fetch_sub(value, order);
                after_write();
                old
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
entry!(EntryU32, u32, AtomicU32);
entry!(EntryU64, u64, AtomicU64);
counting!(AtomicU32, u32);
counting!(AtomicU64, u64);

/// A queue whose insides no checker looks into. Whether something is in it may be seen late, as with one without locks.
#[derive(Debug)]
pub struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    count: AtomicU64,
}

impl<T> Queue<T> {
    pub fn new() -> Self {
        Queue { items: Mutex::default(), count: AtomicU64::new(0) }
    }

    pub fn push(&self, item: T) {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        self.count.fetch_add(1, Ordering::Release);
    }

    pub fn pop(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let item = self.items.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if item.is_some() {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
        item
    }

    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire) as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A fence that can be taken out.
pub fn fence_of(of: FenceOf) {
    if FENCE_TAKEN_OUT.get() != Some(of) {
        fence(Ordering::SeqCst);
    }
}

/// Takes a fence out, for all executions on this thread from now on; `None` puts it back.
pub(crate) fn take_fence_out(of: Option<FenceOf>) {
    FENCE_TAKEN_OUT.set(of);
}

/// The routing table's cell: which of a few versions, all of which stay.
#[cfg(hotline_loom)]
pub(crate) struct Published<T> {
    versions: [OnceLock<Arc<T>>; 4],
    current: AtomicU32,
}

#[cfg(hotline_loom)]
impl<T> Published<T> {
    pub(crate) fn new(value: T) -> Self {
        let versions = [const { OnceLock::new() }; 4];
        let _ = versions[0].set(Arc::new(value));
        Published { versions, current: AtomicU32::new(0) }
    }

    pub(crate) fn load(&self) -> &Arc<T> {
        let current = self.current.load(Ordering::Acquire);
        self.versions[current as usize].get().expect("a version is there before it is named")
    }

    /// By one publisher at a time.
    pub(crate) fn store(&self, value: T) {
        let next = self.current.load(Ordering::Acquire) + 1;
        let _ = self.versions[next as usize].set(Arc::new(value));
        self.current.store(next, Ordering::Release);
    }
}
